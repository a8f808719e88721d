import type { SendOutcome } from '../../base/ports.ts';
import type { SendTarget } from '../../delivery/types.ts';
import type { RequestIdentity } from '../request-identity.ts';
import type { Taken, TraceRequest, Transport } from './transport.ts';

/** A transport that is loaded with its first request: the library of gRPC takes 60 ms of a start. */
export class LateTransport implements Transport {
  readonly #load: () => Promise<Transport>;
  #transport: Promise<Transport> | undefined;

  constructor(load: () => Promise<Transport>) {
    this.#load = load;
  }

  async send(request: TraceRequest, target: SendTarget, identity: RequestIdentity): Promise<Taken | SendOutcome> {
    this.#transport ??= this.#load();
    return (await this.#transport).send(request, target, identity);
  }

  close(): void {
    void this.#transport?.then((transport) => transport.close());
  }
}
