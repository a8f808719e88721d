import { status } from '@grpc/grpc-js';
import type { SendOutcome } from '../../base/ports.ts';
import { retry } from '../retry-after.ts';
import { tlsAdvice } from '../tls-problem.ts';
import { MOST_TRIES } from './verdict.ts';

/** What a message is refused for with a code that also stands for other things. */
const TOO_LARGE = /larger than max|too large|exceeds max|message size/i;

/** Words of TLS, of which gRPC tells no code, about a connection that will not come about before somebody mends a certificate, an authority or an address. */
const TLS_PROBLEM =
  /certificate|self[- ]signed|altname|wrong version number|packet length too long|SSL routines|SSL alert|ERR_SSL|ERR_TLS|unable to verify|EPROTO/i;

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
      return TLS_PROBLEM.test(text) ? { kind: 'misconfigured', why: why + tlsAdvice(text) } : retry(why, retryMs);
    case status.RESOURCE_EXHAUSTED:
    case status.OUT_OF_RANGE:
      // OTLP: passes if there is RetryInfo. Without, most mean a quota or a limit of rate all the same; a size is what does not pass.
      return retryMs === undefined && TOO_LARGE.test(text) ? { kind: 'refused', why } : retry(why, retryMs);
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
