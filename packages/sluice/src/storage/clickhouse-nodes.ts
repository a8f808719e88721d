import { performance } from 'node:perf_hooks';
import { createClient, ClickHouseLogLevel, type ClickHouseClient, type Logger } from '@clickhouse/client';
import { bug } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';

export interface ClickHouseLogin {
  readonly username?: string;
  readonly password?: string;
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
}

/** One server of the cluster and how it has been doing. */
export interface ClickHouseNode {
  readonly url: string;
  readonly client: ClickHouseClient;
  /** Until when (monotonic ms) it is only used if no other one is better; 0 = it is well. */
  restUntil: number;
  failures: number;
  /** Number of the shard it belongs to; 0 = not known yet or no cluster. */
  shard: number;
}

const REST_MIN_MS = 500;
const REST_MAX_MS = 30_000;

/** Statements may run long (a segment on a slow server); each has its own limit, this one is above all of them. */
const REQUEST_TIMEOUT_MS = 900_000;

/** One client per server, as the client knows one address. The same one is used until it fails, then the next that is well. */
export class ClickHouseNodes {
  readonly all: readonly ClickHouseNode[];
  #preferred: number;

  constructor(urls: readonly string[], login: ClickHouseLogin, log: Log) {
    this.all = urls.map((url) => ({ url, client: makeClient(url, login, log), restUntil: 0, failures: 0, shard: 0 }));
    // Several hubs with one list of servers spread over them.
    this.#preferred = Math.floor(Math.random() * urls.length);
  }

  /** Nodes in the order to try: the well ones first, from the preferred one on; then those whose rest ends soonest. Of one shard when named. */
  inOrder(shard?: number): readonly ClickHouseNode[] {
    const now = performance.now();
    const from = this.#preferred;
    const rotated = [...this.all.slice(from), ...this.all.slice(0, from)];
    const candidates = shard === undefined ? rotated : rotated.filter((node) => node.shard === shard);
    const well = candidates.filter((node) => node.restUntil <= now);
    const resting = candidates.filter((node) => node.restUntil > now).toSorted((a, b) => a.restUntil - b.restUntil);
    return [...well, ...resting];
  }

  succeeded(node: ClickHouseNode): void {
    node.failures = 0;
    node.restUntil = 0;
  }

  /** The node could not be reached: others are preferred until it has rested. */
  failed(node: ClickHouseNode): void {
    const rest = Math.min(REST_MIN_MS * 2 ** node.failures, REST_MAX_MS);
    node.failures++;
    node.restUntil = performance.now() + rest;
    if (this.all[this.#preferred] === node) this.#preferred = (this.#preferred + 1) % this.all.length;
  }

  first(): ClickHouseNode {
    return this.inOrder()[0] ?? bug('a server has an address');
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((node) => node.client.close()));
  }
}

function makeClient(url: string, login: ClickHouseLogin, log: Log): ClickHouseClient {
  const { username, password, tls } = login;
  return createClient({
    url,
    application: 'sluice',
    request_timeout: REQUEST_TIMEOUT_MS,
    max_open_connections: 16,
    // Below the shortest default of servers still in use, so that no request starts on a connection they are closing.
    keep_alive: { enabled: true, idle_socket_ttl: 2000 },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...tlsOptions(tls),
    log: { LoggerClass: loggerClass(log), level: ClickHouseLogLevel.ERROR },
  });
}

function tlsOptions(tls: ClickHouseLogin['tls']) {
  if (tls?.ca === undefined) return {};
  return tls.cert === undefined || tls.key === undefined
    ? { tls: { ca_cert: tls.ca } }
    : { tls: { ca_cert: tls.ca, cert: tls.cert, key: tls.key } };
}

/** The client would write every error to the console; its errors reach our callers anyway, so here they are for debugging. */
function loggerClass(log: Log): new () => Logger {
  const say = (entry: { readonly module: string; readonly message: string }) =>
    log.debug({ module: entry.module, what: entry.message }, 'clickhouse client');
  return class implements Logger {
    trace = say;
    debug = say;
    info = say;
    warn = say;
    error = say;
  };
}
