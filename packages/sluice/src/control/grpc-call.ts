import type { ServerHttp2Stream } from 'node:http2';
import { ACCEPTED_ENCODINGS, framed } from './grpc-messages.ts';

/** Codes of gRPC, those used here. */
export const STATUS = {
  ok: 0,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

export interface CallStatus {
  readonly code: number;
  readonly details: string;
}

/** A call that ends with a status of its own and is counted by its outcome. */
export class CallRefused extends Error {
  readonly outcome: string;
  readonly code: number;

  constructor(outcome: string, code: number, details: string) {
    super(details);
    this.outcome = outcome;
    this.code = code;
  }
}

const HEADERS = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
  'grpc-accept-encoding': ACCEPTED_ENCODINGS,
};

/** The answering side of a call: headers, messages, then the status in the trailers; or the status alone, in the headers. */
export class GrpcCall {
  readonly #stream: ServerHttp2Stream;
  #waiting = 0;
  #hasHeaders = false;
  #isEnded = false;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  /** Messages that the far end has not taken yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether nothing can be sent any more: the status is, or the far end is gone. */
  get isOver(): boolean {
    return this.#isEnded || this.#stream.destroyed || this.#stream.closed;
  }

  /** Sends the headers, so that the far end knows it is served. */
  begin(): void {
    if (this.#hasHeaders || this.isOver) return;
    this.#hasHeaders = true;
    this.#stream.respond(HEADERS, { waitForTrailers: true });
  }

  send(message: Uint8Array): void {
    this.begin();
    if (this.isOver) return;
    this.#waiting++;
    this.#stream.write(framed(message), () => void this.#waiting--);
  }

  end(status: CallStatus): void {
    if (this.isOver) return;
    this.#isEnded = true;
    const trailers = {
      'grpc-status': String(status.code),
      'grpc-message': encodeURI(status.details.toWellFormed()),
    };
    if (!this.#hasHeaders) {
      this.#stream.respond({ ...HEADERS, ...trailers }, { endStream: true });
      return;
    }
    this.#stream.once('wantTrailers', () => this.#stream.sendTrailers(trailers));
    this.#stream.end();
  }

  /** Calls `then` when the stream has closed, at once if it has already. */
  whenClosed(then: () => void): void {
    if (this.#stream.closed || this.#stream.destroyed) then();
    else this.#stream.once('close', then);
  }
}
