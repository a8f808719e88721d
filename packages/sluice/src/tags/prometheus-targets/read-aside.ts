import { aside } from '../aside.ts';
import { readAnswer, type AnswerKind, type ReadAnswer } from './read-answers.ts';

/** What is read in some milliseconds: JSON at 100 MB a second, YAML at one. */
const SMALL: Readonly<Record<AnswerKind, number>> = { targets: 256 * 1024, metadata: 256 * 1024, config: 8 * 1024 };

interface Answer {
  readonly kind: AnswerKind;
  readonly body: Uint8Array;
}

/** `readAnswer`, larger bodies in a thread of their own. Rejects when `signal` is aborted. */
export async function readAside(kind: AnswerKind, body: Uint8Array, signal: AbortSignal): Promise<ReadAnswer> {
  return body.length <= SMALL[kind] ? readAnswer(kind, body) : inThread({ kind, body }, signal);
}

const inThread = aside(import.meta.url, 'the answer', ({ kind, body }: Answer) => readAnswer(kind, body));
