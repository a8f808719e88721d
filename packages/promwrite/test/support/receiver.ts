import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  decodeRequestV2,
  decodeWriteRequest,
  parseContentType,
  REQUEST_V2,
  uncompressBlock,
  type DecodedWriteRequest,
} from '../../src/wire/index.ts';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly at: number;
  readonly decoded: DecodedWriteRequest;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Milliseconds to wait before answering; 'never' keeps the connection open. */
  readonly delay?: number | 'never';
  readonly drop?: boolean;
}

/** A receiver on the loopback that decodes what it gets and answers as told. */
export class Receiver {
  readonly requests: ReceivedRequest[] = [];
  reply: (request: ReceivedRequest, index: number) => Reply | Promise<Reply> = (request) => accept(request);
  concurrent = 0;
  mostConcurrent = 0;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('error', () => undefined);
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        void (async () => {
          this.concurrent++;
          this.mostConcurrent = Math.max(this.mostConcurrent, this.concurrent);
          const message = parseContentType(request.headers['content-type']);
          const bytes = uncompressBlock(Buffer.concat(chunks));
          const received: ReceivedRequest = {
            method: request.method ?? '',
            path: request.url ?? '',
            headers: request.headers,
            at: performance.now(),
            decoded: message === REQUEST_V2 ? decodeRequestV2(bytes) : decodeWriteRequest(bytes),
          };
          this.requests.push(received);
          const reply = await this.reply(received, this.requests.length - 1);
          const { delay = 0 } = reply;
          if (delay === 'never') return;
          await new Promise((resolve) => setTimeout(resolve, delay));
          this.concurrent--;
          if (reply.drop === true) {
            request.socket.destroy();
            return;
          }
          response.writeHead(reply.status ?? 204, reply.headers);
          response.end(reply.body);
        })();
      });
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/api/v1/write`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** 204, with the counts of what came in for remote write 2.0. */
export function accept(request: ReceivedRequest): Reply {
  if (!request.headers['content-type']?.includes('v2')) return {};
  const count = (kind: 'samples' | 'histograms' | 'exemplars'): string =>
    String(request.decoded.timeseries.reduce((sum, series) => sum + series[kind].length, 0));
  return {
    headers: {
      'X-Prometheus-Remote-Write-Samples-Written': count('samples'),
      'X-Prometheus-Remote-Write-Histograms-Written': count('histograms'),
      'X-Prometheus-Remote-Write-Exemplars-Written': count('exemplars'),
    },
  };
}
