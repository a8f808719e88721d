import type { SendOutcome } from '../../base/ports.ts';
import { allItems } from '../../delivery/item-batch.ts';
import { answered, answeredWrong, redirected, type ShownAnswer } from '../answer-text.ts';
import { parseRetryAfter, retry } from '../retry-after.ts';

/** The batch is not what this receiver takes; parts of it may be. */
const REFUSALS: ReadonlySet<number> = new Set([400, 409, 413, 422]);

/** Address, credentials, rights or a proxy on the way, which no other batch would get past either. */
const MISCONFIGURED: ReadonlySet<number> = new Set([
  401, 402, 403, 404, 405, 406, 407, 410, 411, 414, 415, 421, 426, 431, 451, 511,
]);

export interface JudgeOptions {
  /** What 429 means. */
  readonly on429: 'retry' | 'drop';
  readonly items: number;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** What a receiver's answer means for a batch, by the rules of remote write: 2xx is taken, 5xx is tried again, other 4xx never are. */
export function judge(answer: ShownAnswer, options: JudgeOptions): SendOutcome {
  const { status } = answer;
  if (status >= 200 && status < 300) return { kind: 'sent' };
  const why = answered(answer);
  if (status === 429 && options.on429 === 'drop') {
    return { kind: 'rejected', items: allItems(options.items), why };
  }
  if (MISCONFIGURED.has(status)) return { kind: 'misconfigured', why: answeredWrong(answer) };
  if (status >= 300 && status < 400) return { kind: 'misconfigured', why: redirected(answer) };
  // What has no meaning of its own counts as its class; a status of no class is a receiver in trouble.
  const isRefusal = REFUSALS.has(status) || (status >= 400 && status < 500 && ![408, 425, 429].includes(status));
  if (isRefusal) return { kind: 'refused', why };
  return retry(why, parseRetryAfter(answer.headers['retry-after'], options.now));
}
