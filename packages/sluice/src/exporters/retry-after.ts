import type { SendOutcome } from '../base/ports.ts';

/** What a receiver may ask to wait at most. */
const LONGEST_WAIT_MS = 300_000;

/** To be sent again, when the receiver wants it: after so many milliseconds, if it says so. */
export function retry(why: string, afterMs: number | undefined): SendOutcome {
  return afterMs === undefined || !(afterMs > 0)
    ? { kind: 'retry', why }
    : { kind: 'retry', why, afterMs: Math.min(afterMs, LONGEST_WAIT_MS) };
}

/**
 * `Retry-After` in milliseconds from `now` (epoch milliseconds) on: seconds or an HTTP date; at most five minutes. Undefined when absent, malformed, or
 * not in the future.
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? '';
  let delay = Number.NaN;
  if (/^\d{1,9}$/.test(text)) delay = Number(text) * 1000;
  // Dates begin with the name of a day. The oldest form names no zone; all mean UTC.
  else if (/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text))
    delay = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`) - now;
  return delay > 0 ? Math.min(delay, LONGEST_WAIT_MS) : undefined;
}
