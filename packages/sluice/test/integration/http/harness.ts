import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import type { HttpRoute, Readiness } from '../../../src/base/ports.ts';
import type { HttpLimits } from '../../../src/http/config.ts';
import type { HttpListener } from '../../../src/http/listener.ts';
import { startHttp } from '../../../src/http/server.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const LIMITS: HttpLimits = {
  memory: 64 << 20,
  connections: 1000,
  headerTimeoutMs: 10_000,
  bodyTimeoutMs: 10_000,
  replyTimeoutMs: 10_000,
  keepAliveMs: 10_000,
};

export interface ServeOptions {
  readonly routes?: readonly HttpRoute[];
  readonly listener?: Partial<HttpListener>;
  readonly limits?: Partial<HttpLimits>;
  readonly organisations?: readonly number[];
  readonly readiness?: () => readonly Readiness[];
}

/** Starts a server on a free port and stops it after the test. */
export async function serve(t: TestContext, options: ServeOptions = {}) {
  const metrics = createMetrics();
  const logged: string[] = [];
  const server = await startHttp({
    listeners: [{ name: 'http', addresses: [{ host: '127.0.0.1', port: 0 }], ...options.listener }],
    routes: options.routes ?? [],
    limits: { ...LIMITS, ...options.limits },
    readiness: options.readiness ?? (() => []),
    metrics,
    log: createLog({ destination: { write: (line) => void logged.push(line) } }),
    organisations: options.organisations ?? [1],
  });
  t.after(() => server.stop(0));
  const { url, port } = server.addresses[0] ?? { url: '', port: 0 };
  const value = async (name: string, labels: Record<string, string>) => {
    const metric = await metrics.registry.getSingleMetric(name)?.get();
    const found = metric?.values.find((one) => Object.entries(labels).every(([key, text]) => one.labels[key] === text));
    return found?.value ?? 0;
  };
  return {
    server,
    url,
    port,
    logged,
    /** Value of sluice_http_refused_total for a reason. */
    refused: (reason: string) => value('sluice_http_refused_total', { reason }),
    requests: (route: string, status: number) => value('sluice_http_requests_total', { route, status: String(status) }),
    connections: () => value('sluice_http_connections', { listener: 'http' }),
    memory: () => value('sluice_http_memory_bytes', {}),
  };
}

/** A connection on which bytes are written as they are. */
export class RawClient {
  readonly socket: Socket;
  readonly #closed = Promise.withResolvers<void>();
  #text = '';

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (part: string) => (this.#text += part));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#closed.resolve());
  }

  static async open(t: TestContext, port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    const client = new RawClient(socket);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('connect', resolve);
    socket.once('error', reject);
    await promise;
    return client;
  }

  /** Everything received so far. */
  get text(): string {
    return this.#text;
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** Waits until the text received matches. */
  async until(pattern: RegExp, timeoutMs = 5000): Promise<string> {
    await eventually(
      () => pattern.test(this.#text),
      timeoutMs,
      () => `${pattern} in ${JSON.stringify(this.#text.slice(0, 500))}`,
    );
    return this.#text;
  }

  /** Waits until the connection is closed; gives all that was received. */
  async closed(timeoutMs = 5000): Promise<string> {
    const late = delay(timeoutMs, 'late', { ref: false });
    if ((await Promise.race([this.#closed.promise, late])) === 'late')
      throw new Error('expected the connection to be closed');
    return this.#text;
  }
}

/** Waits until something is so. */
export async function eventually(
  isSo: () => boolean | Promise<boolean>,
  timeoutMs = 5000,
  what: () => string = () => 'something',
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`expected ${what()}`);
    await delay(5);
  }
}

/** A route that answers with what it was given. */
export function echo(changes: Partial<HttpRoute> = {}): HttpRoute {
  return {
    method: 'POST',
    path: '/echo',
    scope: 'write',
    handle: ({ body }) => ({
      status: 200,
      headers: { 'content-type': 'application/octet-stream' },
      body: Buffer.from(body),
    }),
    ...changes,
  };
}
