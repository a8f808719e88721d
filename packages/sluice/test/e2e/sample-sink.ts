/** A remote-write receiver that counts numbered rows, and can be killed, started again at the same port, and made to hang. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { decodeWriteRequest, uncompressBlock } from 'promwrite/wire';
import { Arrivals, NUMBERED } from './numbered-rows.ts';

export class SampleSink implements AsyncDisposable {
  readonly arrivals = new Arrivals();
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #hangs = false;
  /** Requests that it was asked for, answered or not. */
  requests = 0;
  /** All samples, also of other metrics. */
  samples = 0;

  static async start(): Promise<SampleSink> {
    const sink = new SampleSink();
    await sink.listen();
    return sink;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/api/v1/write`;
  }

  /** Requests are read and neither counted nor answered. */
  set hangs(value: boolean) {
    this.#hangs = value;
    // Who waits for an answer will not get one any more.
    if (!value) for (const socket of this.#sockets) socket.destroy();
  }

  /** Starts, at the port that it had. */
  async listen(): Promise<void> {
    const server = createServer((request, response) => void this.#take(request, response));
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Goes away in the middle of what it does: what was counted may not be answered. */
  async kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++;
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part as Buffer);
    } catch {
      return;
    }
    if (this.#hangs || this.#server === undefined) return;
    const { timeseries } = decodeWriteRequest(uncompressBlock(Buffer.concat(parts)));
    for (const { labels, samples } of timeseries) {
      this.samples += samples.length;
      const text = (name: string) => labels.find((label) => label.name === name)?.value;
      if (text('__name__') !== NUMBERED) continue;
      for (const { value } of samples) this.arrivals.add(Number(text('lane')), value);
    }
    response.writeHead(204).end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
