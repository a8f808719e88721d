import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import {
  decodeRequestV2,
  decodeWriteRequest,
  parseContentType,
  REQUEST_V2,
  uncompressBlock,
  type DecodedWriteRequest,
} from 'promwrite/wire';

export interface PlainAnswer {
  readonly status: number;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a receiver does with a request. */
export type Behaviour =
  | PlainAnswer
  /** Takes the request and says nothing. */
  | 'hang'
  /** Ends the connection before an answer. */
  | 'close'
  /** Ends it in the middle of a status line, or of a body. */
  | 'half a status'
  | { readonly status: number; readonly cutBody: string }
  /** No HTTP. */
  | 'nonsense';

export interface Received {
  readonly at: number;
  readonly path: string;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly raw: Buffer;
  readonly socket: Socket;
  /** Uncompressed. */
  readonly body: Uint8Array;
  readonly message: string;
  readonly request: DecodedWriteRequest;
}

const OK: Behaviour = { status: 204 };

/** A remote-write receiver that answers what a test says. */
export class ScriptedReceiver implements AsyncDisposable {
  /** All requests with series in them. */
  readonly requests: Received[] = [];
  /** Requests of metadata alone. */
  readonly metadata: Received[] = [];
  readonly #server: Server;
  readonly #behave: (received: Received, index: number) => Behaviour | undefined;
  readonly #scheme: string;

  private constructor(behave: (received: Received, index: number) => Behaviour | undefined, tls?: ServerOptions) {
    this.#behave = behave;
    this.#scheme = tls === undefined ? 'http' : 'https';
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      void this.#take(request, response);
    };
    this.#server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  }

  /** `behave` says what each request gets; undefined = it is taken. */
  static async start(
    behave: (received: Received, index: number) => Behaviour | undefined = () => OK,
    options: { readonly tls?: ServerOptions; readonly port?: number } = {},
  ): Promise<ScriptedReceiver> {
    const receiver = new ScriptedReceiver(behave, options.tls);
    receiver.#server.listen(options.port ?? 0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}/api/v1/write`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part as Buffer);
    } catch {
      return;
    }
    const raw = Buffer.concat(parts);
    const body = uncompressBlock(raw);
    const message = parseContentType(request.headers['content-type']) ?? 'unknown';
    const received: Received = {
      at: performance.now(),
      path: request.url ?? '',
      method: request.method ?? '',
      headers: request.headers,
      raw,
      socket: request.socket,
      body,
      message,
      request: message === REQUEST_V2 ? decodeRequestV2(body) : decodeWriteRequest(body),
    };
    if (received.request.timeseries.length === 0) {
      this.metadata.push(received);
      response.writeHead(204).end();
      return;
    }
    this.requests.push(received);
    const behaviour = this.#behave(received, this.requests.length - 1) ?? OK;
    if (behaviour === 'hang') return;
    if (behaviour === 'close') request.socket.destroy();
    else if (behaviour === 'half a status') request.socket.end('HTTP/1.1 20');
    else if (behaviour === 'nonsense') request.socket.end('220 smtp.example ready\r\n');
    else if ('cutBody' in behaviour) {
      response.writeHead(behaviour.status, { 'content-length': behaviour.cutBody.length + 100 });
      response.write(behaviour.cutBody, () => request.socket.destroy());
    } else response.writeHead(behaviour.status, behaviour.headers ?? {}).end(behaviour.body);
  }
}

/** Answer of a receiver of 2.0 that wrote so many samples. */
export function written(samples: number, status = 204): PlainAnswer {
  return {
    status,
    headers: {
      'X-Prometheus-Remote-Write-Samples-Written': String(samples),
      'X-Prometheus-Remote-Write-Histograms-Written': '0',
      'X-Prometheus-Remote-Write-Exemplars-Written': '0',
    },
  };
}
