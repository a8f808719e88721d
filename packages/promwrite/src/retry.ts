/** When a failed write is tried again. */

/** Retry rules, in Prometheus' terms (`queue_config`). Times are in milliseconds. */
export interface RetryOptions {
  /** Attempts after the first, default 10. 0 = never retry; `Infinity` = until it succeeds or is aborted. */
  readonly maxRetries?: number | undefined;
  /** Delay before the first retry, default 30 ms; doubles with every further one. */
  readonly minBackoff?: number | undefined;
  /** Longest delay of the back-off, default 5000 ms. A receiver's `Retry-After` may be longer. */
  readonly maxBackoff?: number | undefined;
  /** Vary delays by up to 10 % either way, default true, so that many senders do not come back at once. */
  readonly jitter?: boolean | undefined;
  /** Also retry after 429, default false as in Prometheus. */
  readonly retryOnHttp429?: boolean | undefined;
  /** Let a `Retry-After` of the receiver replace the back-off, default true. */
  readonly respectRetryAfter?: boolean | undefined;
  /** Give up when the next attempt would begin later than this many milliseconds after the first. Default: no limit. */
  readonly maxElapsed?: number | undefined;
}

/** Retry rules with all defaults filled in. */
export interface RetryPolicy {
  readonly maxRetries: number;
  readonly minBackoff: number;
  readonly maxBackoff: number;
  readonly jitter: boolean;
  readonly retryOnHttp429: boolean;
  readonly respectRetryAfter: boolean;
  readonly maxElapsed: number;
}

/** Longest delay a timer can hold: 2^31 - 1 ms. A longer one would fire at once. */
const LONGEST_TIMER = 0x7fffffff;

/**
 * Fills in defaults; `false` means no retries.
 *
 * @throws RangeError for numbers that make no sense, TypeError for unknown options.
 */
export function retryPolicy(options: RetryOptions | false | undefined, base?: RetryPolicy): RetryPolicy {
  const given = options === false ? { maxRetries: 0 } : (options ?? {});
  const policy: RetryPolicy = {
    maxRetries: given.maxRetries ?? base?.maxRetries ?? 10,
    minBackoff: given.minBackoff ?? base?.minBackoff ?? 30,
    maxBackoff: given.maxBackoff ?? base?.maxBackoff ?? 5000,
    jitter: given.jitter ?? base?.jitter ?? true,
    retryOnHttp429: given.retryOnHttp429 ?? base?.retryOnHttp429 ?? false,
    respectRetryAfter: given.respectRetryAfter ?? base?.respectRetryAfter ?? true,
    maxElapsed: given.maxElapsed ?? base?.maxElapsed ?? Number.POSITIVE_INFINITY,
  };
  const unknown = typeof given === 'object' ? Object.keys(given).find((key) => !Object.hasOwn(policy, key)) : given;
  if (unknown !== undefined) {
    throw new TypeError(`cannot use retry: ${JSON.stringify(unknown)} is not an option; check its spelling`);
  }
  for (const key of ['maxRetries', 'minBackoff', 'maxBackoff', 'maxElapsed'] as const) {
    if (!(policy[key] >= 0))
      throw new RangeError(`cannot use retry.${key}: expected a number >= 0; got ${policy[key]}`);
  }
  return policy;
}

/** True if an answer with this status, or none (`undefined`), is worth another attempt under `policy`. */
export function isRetried(
  error: { readonly retryable: boolean; readonly statusCode: number | undefined },
  policy: RetryPolicy,
): boolean {
  return error.retryable && (error.statusCode !== 429 || policy.retryOnHttp429);
}

/**
 * Milliseconds until the next attempt.
 *
 * @param retries how many retries came before this one.
 * @param retryAfter the receiver's wish in milliseconds, if any.
 */
export function retryDelay(policy: RetryPolicy, retries: number, retryAfter: number | undefined): number {
  if (policy.respectRetryAfter && retryAfter !== undefined) return Math.min(retryAfter, LONGEST_TIMER);
  const backoff = Math.min(policy.maxBackoff, policy.minBackoff * 2 ** Math.min(retries, 50));
  const varied = policy.jitter ? backoff * (0.9 + Math.random() * 0.2) : backoff;
  return Math.min(varied, LONGEST_TIMER);
}

/**
 * Reads a `Retry-After` header: seconds or an HTTP date.
 *
 * @returns milliseconds from `now` on, or `undefined` if it is absent, malformed, zero or in the past.
 */
export function parseRetryAfter(header: string | null | undefined, now: number): number | undefined {
  const text = header?.trim() ?? '';
  let delay: number;
  if (/^\d+$/.test(text)) delay = Number(text) * 1000;
  // HTTP dates begin with the name of a day; Date.parse alone takes almost anything for a date.
  else if (/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) delay = Date.parse(withZone(text)) - now;
  else return undefined;
  return delay > 0 ? delay : undefined;
}

/** The oldest of the three HTTP date forms (asctime) names no zone; all of them mean UTC. */
function withZone(date: string): string {
  return date.endsWith('GMT') ? date : `${date} GMT`;
}

/** Waits; ends early, without an error, when `signal` aborts. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
