import type { SendOutcome } from '../../base/ports.ts';
import type { SendTarget } from '../../delivery/types.ts';
import type { RequestIdentity } from '../request-identity.ts';

/** An ExportTraceServiceRequest. */
export interface TraceRequest {
  readonly bytes: Buffer;
  /** How many are in it. */
  readonly spans: number;
}

/** The receiver took the request; what it said stands in an ExportTraceServiceResponse. */
export interface Taken {
  readonly kind: 'taken';
  readonly message: Buffer;
  readonly isJson: boolean;
}

/** One way of sending requests. */
export interface Transport {
  /** One attempt; never rejects. */
  send(request: TraceRequest, target: SendTarget, identity: RequestIdentity): Promise<Taken | SendOutcome>;
  close(): void;
}
