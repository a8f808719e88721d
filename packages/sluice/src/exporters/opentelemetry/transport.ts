import type { SendOutcome } from '../../base/ports.ts';
import type { SendTarget } from '../../delivery/types.ts';
import type { RequestIdentity } from './request-identity.ts';

/** The receiver took the request; what it said stands in an ExportTraceServiceResponse. */
export interface Taken {
  readonly kind: 'taken';
  readonly message: Buffer;
  readonly isJson: boolean;
}

/** One way of sending requests. */
export interface Transport {
  /** One attempt; never rejects. */
  send(request: Buffer, target: SendTarget, identity: RequestIdentity): Promise<Taken | SendOutcome>;
  close(): void;
}
