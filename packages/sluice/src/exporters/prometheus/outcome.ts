import type { SendOutcome } from '../../base/ports.ts';
import type { Answer } from './post.ts';

/** What the receiver may ask to wait at most. */
const LONGEST_WAIT_MS = 300_000;

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
export function judge(answer: Answer, options: JudgeOptions): SendOutcome {
  const { status } = answer;
  if (status >= 200 && status < 300) return { kind: 'sent' };
  const why = `the receiver answered ${status}${answer.text === '' ? '' : `: ${answer.text}`}`;
  if (status === 429 && options.on429 === 'drop') {
    return { kind: 'rejected', items: Array.from({ length: options.items }, (_, item) => item), why };
  }
  if (MISCONFIGURED.has(status)) return { kind: 'misconfigured', why };
  if (status >= 300 && status < 400) return { kind: 'misconfigured', why: redirectProblem(answer) };
  // What has no meaning of its own counts as its class; a status of no class is a receiver in trouble.
  const isRefusal = REFUSALS.has(status) || (status >= 400 && status < 500 && ![408, 425, 429].includes(status));
  if (isRefusal) return { kind: 'refused', why };
  const afterMs = parseRetryAfter(answer.headers['retry-after'], options.now);
  return afterMs === undefined ? { kind: 'retry', why } : { kind: 'retry', why, afterMs };
}

function redirectProblem({ status, headers }: Answer): string {
  const { location } = headers;
  const isKnown = location !== undefined && URL.canParse(location);
  // Login and query may be credentials.
  const where = isKnown ? ` to ${new URL(location).origin}${new URL(location).pathname}` : '';
  return `the receiver answered ${status}, a redirect${where} that is not followed; put the final address into endpoints`;
}

/** `Retry-After` in milliseconds from `now` on: seconds or an HTTP date. Undefined when absent, malformed, or not in the future. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? '';
  let delay = Number.NaN;
  if (/^\d{1,9}$/.test(text)) delay = Number(text) * 1000;
  // Dates begin with the name of a day. The oldest form names no zone; all mean UTC.
  else if (/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text))
    delay = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`) - now;
  return delay > 0 ? Math.min(delay, LONGEST_WAIT_MS) : undefined;
}

/** Errors of TLS that stay until somebody mends a certificate, an authority or an address. */
const TLS_PROBLEM =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|EPROTO)/;

/** What it means that there was no answer. */
export function judgeError(error: unknown, signal: AbortSignal): SendOutcome {
  if (signal.aborted) return { kind: 'retry', why: 'no answer in time' };
  const code = codeOf(error);
  const text = error instanceof Error ? error.message : String(error);
  if (TLS_PROBLEM.test(code)) return { kind: 'misconfigured', why: `no TLS connection: ${text} (${code})` };
  if (code === 'ERR_INVALID_CHAR') {
    return { kind: 'misconfigured', why: `a header has characters that HTTP headers cannot carry: ${text}` };
  }
  return { kind: 'retry', why: `no answer: ${text === '' ? code : text}` };
}

function codeOf(error: unknown): string {
  const { code, errors } = (error ?? {}) as { code?: unknown; errors?: readonly unknown[] };
  if (typeof code === 'string') return code;
  return Array.isArray(errors) ? codeOf(errors[0]) : '';
}
