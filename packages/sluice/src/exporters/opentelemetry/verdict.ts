import { status } from '@grpc/grpc-js';
import type { SendOutcome } from '../../base/ports.ts';

/** Longest wait that a receiver may ask for. */
const LONGEST_WAIT_MS = 300_000;

/**
 * Failures of which OTLP says that they stay (500, INTERNAL, UNKNOWN) do pass with many servers: the batch is sent again so often before it is taken for
 * the reason.
 */
const MOST_TRIES = 8;

/** What a message is refused for with a code that also stands for other things. */
const TOO_LARGE = /larger than max|too large|exceeds max|message size/i;

/** Words of TLS about a connection that will not come about before somebody mends a certificate, an authority or an address. */
const TLS_PROBLEM =
  /certificate|self[- ]signed|altname|wrong version number|packet length too long|SSL routines|ERR_SSL|ERR_TLS|unable to verify|EPROTO/i;

export interface GrpcFailure {
  readonly code: status;
  readonly text: string;
  /** What the receiver asked for (RetryInfo). */
  readonly retryMs: number | undefined;
}

/** What the status of a call means for its batch. `attempt`: times that the batch was sent before. */
export function judgeGrpc({ code, text, retryMs }: GrpcFailure, attempt: number): SendOutcome {
  const why = `${status[code] ?? `code ${code}`}${text === '' ? '' : `: ${text}`}`;
  switch (code) {
    case status.OK:
      return { kind: 'sent' };
    case status.UNAUTHENTICATED:
    case status.PERMISSION_DENIED:
    case status.UNIMPLEMENTED:
    case status.NOT_FOUND:
      return { kind: 'misconfigured', why };
    case status.UNAVAILABLE:
      return TLS_PROBLEM.test(text) ? { kind: 'misconfigured', why } : retry(why, retryMs);
    case status.RESOURCE_EXHAUSTED:
    case status.OUT_OF_RANGE:
      // Of quotas and limits of rate, which pass, OTLP wants to be told by RetryInfo; not all receivers do.
      return TOO_LARGE.test(text) ? { kind: 'refused', why } : retry(why, retryMs);
    case status.CANCELLED:
    case status.DEADLINE_EXCEEDED:
    case status.ABORTED:
    case status.DATA_LOSS:
      return retry(why, retryMs);
    case status.INTERNAL:
    case status.UNKNOWN:
      return attempt < MOST_TRIES ? retry(why, retryMs) : { kind: 'refused', why };
    case status.INVALID_ARGUMENT:
    case status.ALREADY_EXISTS:
    case status.FAILED_PRECONDITION:
    default:
      return { kind: 'refused', why };
  }
}

export interface HttpFailure {
  readonly status: number;
  readonly text: string;
  /** `Retry-After`, if any. */
  readonly retryAfter: string | undefined;
  /** Where a redirect leads. */
  readonly location: string | undefined;
}

export interface HttpJudge {
  readonly attempt: number;
  /** What 429 means. */
  readonly on429: 'retry' | 'drop';
  /** Epoch milliseconds. */
  readonly now: number;
}

/** Address, credentials, rights, method or encoding: no other batch would get past either. */
const MISCONFIGURED: ReadonlySet<number> = new Set([401, 403, 404, 405, 406, 407, 410, 415]);
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);

/** What the answer of an HTTP receiver means for its batch. */
export function judgeHttp({ status: code, text, retryAfter, location }: HttpFailure, judge: HttpJudge): SendOutcome {
  const why = `the receiver answered ${code}${text === '' ? '' : `: ${text}`}`;
  if (code >= 200 && code < 300) return { kind: 'sent' };
  // All of them: filled in by who knows how many there are.
  if (code === 429 && judge.on429 === 'drop') return { kind: 'rejected', items: [], why };
  if (PASSING.has(code)) return retry(why, retryAfterMs(retryAfter, judge.now));
  if (MISCONFIGURED.has(code)) return { kind: 'misconfigured', why };
  if (code >= 300 && code < 400) {
    return { kind: 'misconfigured', why: `${why}${redirection(location)}; put the final address into endpoints` };
  }
  if (code >= 500 && judge.attempt < MOST_TRIES) return retry(why, retryAfterMs(retryAfter, judge.now));
  return { kind: 'refused', why };
}

/** What it means that there was no answer. */
export function judgeError(error: unknown, isTimeout: boolean): SendOutcome {
  if (isTimeout) return { kind: 'retry', why: 'no answer in time' };
  const { code, message } =
    error instanceof Error ? (error as NodeJS.ErrnoException) : { code: '', message: String(error) };
  const text = code === undefined || message.includes(code) ? message : `${message} (${code})`.trim();
  if (code === 'ERR_INVALID_CHAR') return { kind: 'misconfigured', why: `cannot send a header: ${text}` };
  return TLS_PROBLEM.test(`${code} ${message}`)
    ? { kind: 'misconfigured', why: `no TLS connection: ${text}` }
    : { kind: 'retry', why: `no answer: ${text}` };
}

function retry(why: string, afterMs: number | undefined): SendOutcome {
  return afterMs === undefined || afterMs <= 0
    ? { kind: 'retry', why }
    : { kind: 'retry', why, afterMs: Math.min(afterMs, LONGEST_WAIT_MS) };
}

/** `Retry-After`: seconds or a date. */
function retryAfterMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : date - now;
}

/** Login and query may be credentials. */
function redirection(location: string | undefined): string {
  if (location === undefined || !URL.canParse(location)) return ', a redirect, which is not followed';
  const { origin, pathname } = new URL(location);
  return `, a redirect to ${origin}${pathname}, which is not followed`;
}
