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
  return errorReply(503, errorText(error), retryAfter(error));
}

/** The header that says when to try again. */
export function retryAfter({ retryAfterMs = RETRY_AFTER_MS }: SluiceError): Readonly<Record<string, string>> {
  return { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) };
}
