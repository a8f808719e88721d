import type { SendOutcome } from '../base/ports.ts';
import { isTlsProblem, plainTlsText, tlsAdvice } from './tls-problem.ts';

/** What it means that a request has no answer. `isAborted`: its time ran out, or the exporter stops. */
export function judgeNoAnswer(error: unknown, isAborted: boolean): SendOutcome {
  if (isAborted) return { kind: 'retry', why: 'no answer in time' };
  const code = codeOf(error);
  const message = plainTlsText(error instanceof Error ? error.message : String(error));
  const isTold = code === '' || message.includes(code);
  const text = message === '' ? code : isTold ? message : `${message} (${code})`;
  if (isTlsProblem(code))
    return { kind: 'misconfigured', why: `no TLS connection: ${text}${tlsAdvice(`${code} ${message}`)}` };
  if (code === 'ERR_INVALID_CHAR') {
    return { kind: 'misconfigured', why: `a header has characters that HTTP headers cannot carry: ${text}` };
  }
  return { kind: 'retry', why: `no answer: ${text}` };
}

function codeOf(error: unknown): string {
  const { code, errors } = (error ?? {}) as { code?: unknown; errors?: readonly unknown[] };
  if (typeof code === 'string') return code;
  return Array.isArray(errors) ? codeOf(errors[0]) : '';
}
