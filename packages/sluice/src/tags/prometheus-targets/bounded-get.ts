import { errorText } from '../../base/errors.ts';
import { readBounded } from '../read-bounded.ts';

export interface BoundedGet {
  readonly mostBytes: number;
  /** For the whole answer. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface GotAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/**
 * One GET, its body read to the end, uncompressed, within a limit and a time. Nothing is followed elsewhere. Throws an Error that says what went
 * wrong; an answer of any status is none.
 */
export async function boundedGet(url: URL, { mostBytes, timeoutMs, signal }: BoundedGet): Promise<GotAnswer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { accept: 'application/json' },
      signal: AbortSignal.any([signal, timeout]),
    });
    const body = answer.body === null ? Buffer.alloc(0) : await readBounded(answer.body, mostBytes);
    return { status: answer.status, body };
  } catch (error) {
    if (timeout.aborted && !signal.aborted) throw new Error(`no whole answer within ${timeoutMs} ms`, { cause: error });
    throw new Error(causeOf(error), { cause: error });
  }
}

/** `fetch failed` says nothing; what is behind it does. */
function causeOf(error: unknown): string {
  const inner = error instanceof TypeError && error.cause instanceof Error ? error.cause : undefined;
  return inner === undefined ? errorText(error) : `${errorText(error)}: ${errorText(inner)}`;
}
