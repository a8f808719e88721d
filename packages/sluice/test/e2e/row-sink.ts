/** A remote-write receiver that keeps the labels of what comes, newest last. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeWriteRequest, uncompressBlock } from 'promwrite/wire';

export interface SunkRow {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class RowSink implements AsyncDisposable {
  readonly rows: SunkRow[] = [];
  readonly #server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      for (const { labels, samples } of decodeWriteRequest(uncompressBlock(Buffer.concat(parts))).timeseries) {
        const named = Object.fromEntries(labels.map(({ name, value }) => [name, value]));
        for (const { value } of samples) this.rows.push({ labels: named, value });
      }
      response.writeHead(204).end();
    });
  });

  static async start(): Promise<RowSink> {
    const sink = new RowSink();
    sink.#server.listen(0, '127.0.0.1');
    await once(sink.#server, 'listening');
    return sink;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/api/v1/write`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
