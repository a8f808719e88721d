import type { SendOutcome } from '../../base/ports.ts';
import { allItems } from '../../delivery/item-batch.ts';
import { answered, answeredWrong, redirected, type ShownAnswer } from '../answer-text.ts';
import { parseRetryAfter, retry } from '../retry-after.ts';

/**
 * Failures of which OTLP says that they stay (500, INTERNAL, UNKNOWN) do pass with many servers: the batch is sent again so often before it is taken for
 * the reason.
 */
export const MOST_TRIES = 8;

export interface HttpJudge {
  /** Times that the batch was sent before. */
  readonly attempt: number;
  /** What 429 means. */
  readonly on429: 'retry' | 'drop';
  /** Items of the batch. */
  readonly items: number;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** Address, credentials, rights, method or encoding: no other batch would get past either. */
const MISCONFIGURED: ReadonlySet<number> = new Set([401, 403, 404, 405, 406, 407, 410, 415]);
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);

/** What the answer of an HTTP receiver means for its batch. */
export function judgeHttp(answer: ShownAnswer, { attempt, on429, items, now }: HttpJudge): SendOutcome {
  const { status: code } = answer;
  const why = answered(answer);
  if (code >= 200 && code < 300) return { kind: 'sent' };
  if (code === 429 && on429 === 'drop') return { kind: 'rejected', items: allItems(items), why };
  const isPassing = PASSING.has(code) || (code >= 500 && attempt < MOST_TRIES);
  if (isPassing) return retry(why, parseRetryAfter(answer.headers['retry-after'], now));
  if (MISCONFIGURED.has(code)) return { kind: 'misconfigured', why: answeredWrong(answer) };
  if (code >= 300 && code < 400) return { kind: 'misconfigured', why: redirected(answer) };
  return { kind: 'refused', why };
}
