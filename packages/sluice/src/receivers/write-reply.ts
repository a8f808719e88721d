import { errorText, type SluiceError } from '../base/errors.ts';
import type { HttpReply } from '../base/ports.ts';

const RETRY_AFTER_MS = 5_000;

/** An answer in words, as `{"error": ...}`. */
export function errorReply(status: number, error: string, headers: Readonly<Record<string, string>> = {}): HttpReply {
  return {
    status,
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: `${JSON.stringify({ error })}\n`,
  };
}

/** The journal takes nothing at the moment: the request may be sent again. */
export function unavailableReply(error: SluiceError): HttpReply {
  const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? RETRY_AFTER_MS) / 1000));
  return errorReply(503, errorText(error), { 'Retry-After': String(seconds) });
}
