import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { HttpRoute, Readiness } from '../base/ports.ts';
import { SluiceError } from '../base/errors.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { BodyPool } from './body-pool.ts';
import type { HttpLimits } from './config.ts';
import { Connections } from './connections.ts';
import { runExchange, type ExchangeContext } from './exchange.ts';
import { hubRoutes } from './hub-routes.ts';
import { openListener, type HttpListener, type ListenAddress, type OpenedListener, type Peer } from './listener.ts';
import { MemoryBudget } from './memory-budget.ts';
import type { OpenRequest } from './open-request.ts';
import type { RefusedReason } from './refused.ts';
import { createRouting, describeRoutes, groupRoutes } from './routing.ts';

export interface HttpOptions {
  readonly listeners: readonly HttpListener[];
  /** The same ones on every listener. */
  readonly routes: readonly HttpRoute[];
  readonly limits: HttpLimits;
  readonly readiness: () => readonly Readiness[];
  readonly metrics: Metrics;
  readonly log: Log;
  /** Accepted organisations. */
  readonly organisations: readonly number[];
}

export interface HttpServer {
  readonly addresses: readonly ListenAddress[];
  /** Takes nothing new, lets running requests end until `deadlineMs` from now, then aborts them. Resolves when every socket is closed. */
  readonly stop: (deadlineMs: number) => Promise<void>;
}

/** How long aborted requests may still answer. */
const ABORT_GRACE_MS = 250;
const KEPT_BODY_BYTES = 16 << 20;

/** Opens all listeners. Throws SluiceError `listen_failed`; then none is open. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { limits, metrics, log } = options;
  const endpoints = groupRoutes([...hubRoutes(options.readiness, metrics), ...options.routes]);
  const refuse = (reason: RefusedReason) => metrics.httpRefused.inc({ reason });
  const connections = new Connections({ limit: limits.connections, metrics, refuse });
  const running = new Set<OpenRequest>();
  const peers = new WeakMap<Socket, Peer>();
  const mayLog = rateLimited(1000);
  let stopping = false;

  const context: ExchangeContext = {
    limits,
    budget: new MemoryBudget({ limit: limits.memory, onChange: (granted) => metrics.httpMemory.set(granted) }),
    pool: new BodyPool(KEPT_BODY_BYTES),
    organisations: new Set(options.organisations),
    hint: describeRoutes(endpoints),
    refuse,
    count: requestCounter(metrics),
    logFailure: (err, route) =>
      mayLog((suppressed) => log.error({ err, route, suppressed }, 'a request failed for a reason nobody expected')),
    running,
    stopping: () => stopping,
  };
  const routing = await createRouting(endpoints, (request, response, endpoint, wildcards) => {
    const peer = peers.get(request.socket);
    if (peer === undefined) {
      request.destroy();
      return;
    }
    const { connection, certificate, listener } = peer;
    const { admit } = listener;
    void runExchange(context, { request, response, connection, admit, certificate, endpoint, wildcards });
  });

  const opened: OpenedListener[] = [];
  const closeAll = () => Promise.all(opened.map((one) => one.close()));
  const sweepMs = Math.max(20, Math.min(250, limits.bodyTimeoutMs / 4));
  const sweeper = setInterval(() => connections.sweep(), sweepMs).unref();
  try {
    for (const listener of options.listeners) {
      for (const { host, port } of listener.addresses) {
        const onRequest: Parameters<typeof openListener>[0]['onRequest'] = (request, response) => {
          const connection = peers.get(request.socket)?.connection;
          if (connection === undefined) request.destroy();
          else connection.enter(() => routing(request, response));
        };
        opened.push(await openListener({ listener, host, port, limits, connections, peers, refuse, log, onRequest }));
      }
    }
  } catch (error) {
    const closed = closeAll();
    // Senders that found the first address open already would keep it so.
    connections.close();
    connections.destroyAll();
    await closed;
    clearInterval(sweeper);
    throw error;
  }

  async function stop(deadlineMs: number): Promise<void> {
    stopping = true;
    const closed = closeAll();
    connections.close();
    await untilEmpty(running, deadlineMs);
    for (const request of running) request.abort(new SluiceError('stopping', 'the hub is stopping'));
    await untilEmpty(running, ABORT_GRACE_MS);
    connections.destroyAll();
    await closed;
    clearInterval(sweeper);
  }

  return { addresses: opened.map((one) => one.address), stop };
}

/** Counts answers by route pattern and status, with the label lookup done once for each. */
function requestCounter(metrics: Metrics): (route: string, status: number) => void {
  const counters = new Map<string, { inc: () => void }>();
  return (route, status) => {
    const key = `${status} ${route}`;
    let counter = counters.get(key);
    if (counter === undefined) counters.set(key, (counter = metrics.httpRequests.labels(route, String(status))));
    counter.inc();
  };
}

async function untilEmpty(set: ReadonlySet<unknown>, timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (set.size > 0 && performance.now() < end) await delay(10);
}
