import { STATUS_CODES } from 'node:http';
import type { HttpReply } from '../base/ports.ts';
import type { ErrorCode, SluiceError } from '../base/errors.ts';

/** The HTTP status of every error code; nothing else decides it. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  config_invalid: 500,
  listen_failed: 500,
  data_dir_locked: 500,
  data_dir_unusable: 500,
  format_too_new: 500,
  journal_full: 503,
  disk_full: 503,
  journal_failed: 503,
  stopping: 503,
  storage_unavailable: 503,
  storage_refused: 500,
  storage_limit: 422,
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  unsupported_media_type: 415,
  too_large: 413,
  too_many_requests: 429,
  overloaded: 503,
  cancelled: 499,
  hub_unreachable: 500,
};

const DEFAULT_RETRY_MS = 5000;
const MAX_TEXT = 8192;

/** The answer to an expected failure: status, its message as plain text, and `Retry-After` where another attempt makes sense. */
export function replyOfError(error: SluiceError, headers: Readonly<Record<string, string>> = {}): HttpReply {
  const status = STATUS[error.code];
  const waits = status === 429 || status === 503;
  const retryAfterMs = error.retryAfterMs ?? (waits ? DEFAULT_RETRY_MS : undefined);
  // Whole seconds in HTTP: rounded up, as 0 would mean at once.
  const retry = retryAfterMs === undefined ? undefined : String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
  return textReply(status, error.message, retry === undefined ? headers : { ...headers, 'retry-after': retry });
}

/** A plain text answer: bounded, without control characters, ending in a line break. */
export function textReply(status: number, text: string, headers: Readonly<Record<string, string>> = {}): HttpReply {
  const cut = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text;
  const body = `${cut.replaceAll(/[^\P{Cc}\n\t]/gu, '\u{FFFD}')}\n`;
  return { status, headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' }, body };
}

/** The answer to a failure nobody expected: it tells nothing, the log has the rest. */
export function internalErrorReply(headers: Readonly<Record<string, string>> = {}): HttpReply {
  return textReply(500, `${STATUS_CODES[500]}: the log of the hub says more`, headers);
}
