/**
 * Every error Sluice raises on purpose. docs/errors.md lists the same codes; a test compares the two in both directions.
 * Wording: "cannot <do> <what>: <cause>" or "expected A; got B", then what to do about it. Never a secret.
 */
export const ERROR_CODES = {
  config_invalid: 'the configuration has mistakes; each is listed with file, line and column',
  listen_failed: 'an address cannot be listened on',
  data_dir_locked: 'another process holds the data directory',
  data_dir_unusable: 'the data directory cannot be created, read or written',
  format_too_new: 'a file in the data directory was written by a newer Sluice',
  journal_full: 'storage has not taken enough of the journal; inputs are refused until it does',
  disk_full: 'less than journal.min-free-bytes is free; inputs are refused until there is room',
  journal_failed: 'the journal cannot be written',
  stopping: 'the hub is stopping and takes no more input',
  storage_unavailable: 'the database cannot be opened or reached; retried until it can',
  storage_refused: 'the database refuses a statement for good',
  storage_limit: 'a query needs more time, memory or rows than its limit allows',
  bad_request: 'the request cannot be understood',
  unauthorized: 'credentials are missing or wrong',
  forbidden: 'the credentials do not allow this',
  not_found: 'there is no such route',
  method_not_allowed: 'the route exists, but not for this method',
  unsupported_media_type: 'the content type or encoding is not one this route understands',
  too_large: 'the request is larger than its limit',
  too_many_requests: 'a limit on rate or series is reached',
  overloaded: 'running requests use all the memory they may; the same request can succeed later',
  cancelled: 'the client went away',
  hub_unreachable: 'a command cannot ask the running hub: it is not there, or refuses',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface SluiceErrorOptions {
  readonly cause?: unknown;
  /** How long the peer should wait before it tries again, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** An expected failure: `code` decides what is done about it, the message is for people. */
export class SluiceError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: SluiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SluiceError';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** True for a SluiceError, of the given code when one is named. */
export function isSluiceError(error: unknown, code?: ErrorCode): error is SluiceError {
  return error instanceof SluiceError && (code === undefined || error.code === code);
}

/** The text of anything thrown, for logs and messages. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Ends a situation that the program's own logic excludes. */
export function bug(message: string): never {
  throw new Error(`BUG: ${message}`);
}
