import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError, errorText } from '../base/errors.ts';
import type { Readiness } from '../base/ports.ts';
import { textAt } from '../batch/read.ts';
import { databaseOf, dataSources } from '../catalog/catalog.ts';
import { series } from '../catalog/prometheus.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createChdbTarget } from './chdb-target.ts';
import { openChdb } from './chdb.ts';
import type { ClickHouseLogin } from './clickhouse-nodes.ts';
import type { StorageConfig } from './config.ts';
import type { DerivedOptions } from './derived-tables.ts';
import { ensureDerived } from './ensure-derived.ts';
import { ensureTables } from './ensure-tables.ts';
import { nowhere, type LoadTarget } from './load-target.ts';
import { sql } from './sql.ts';
import type { Store } from './store.ts';
import { tableNames } from './tables.ts';

export interface StorageOptions {
  readonly config: StorageConfig;
  readonly dataDir: string;
  readonly organisations: readonly number[];
  /** `sync: always` of the journal: the database is told to write through as well. */
  readonly fsync: boolean;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Least and greatest pause between two attempts to open, in milliseconds. Default 500 and 30,000. */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
}

export interface Storage {
  /** Throws `storage_unavailable` with the reason while the database is not open. */
  readonly store: Store;
  /** Where the loader puts segments; the same. */
  readonly target: LoadTarget;
  ready(): Readiness;
  /** Called once, when the database has been opened; at once when it is open already. */
  onOpen(listener: () => void): void;
  /** Changes when table prometheus.series was made anew: what a dictionary says is stored is not. Waits for the database. */
  identity(org: number): Promise<string>;
  /** Stops trying, lets running statements end, closes. */
  close(): Promise<void>;
}

interface Opened {
  readonly store: Store;
  readonly target: LoadTarget;
  /** Makes what only queries of others need. Never rejects. */
  readonly derive: () => Promise<void>;
}

/**
 * Opens the database behind the caller's back and goes on trying for as long as it cannot: the hub starts, takes data into the journal, and says in
 * `ready` what is wrong.
 */
export function openStorage(options: StorageOptions): Storage {
  const { config, log, metrics } = options;
  const backoff = options.backoff ?? { minMs: 500, maxMs: 30_000 };
  const listeners: (() => void)[] = [];
  const first = Promise.withResolvers<Opened>();
  first.promise.catch(() => {});
  let opened: Opened | undefined;
  let failure: unknown;
  let failures = 0;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  const stopped = new AbortController();
  let deriving: Promise<void> | undefined;
  let opening = attempt();

  async function attempt(): Promise<void> {
    try {
      const made = await open(options, stopped.signal);
      if (closed) {
        await made.store.close();
        return;
      }
      opened = made;
      metrics.storageUp.set(1);
      log.info({ engine: config.engine, failures }, 'the database is open');
      first.resolve(made);
      for (const listener of listeners) listener();
      deriving = made.derive();
    } catch (error) {
      if (closed) return;
      failures++;
      metrics.storageUp.set(0);
      const repeated = errorText(failure) === errorText(error);
      failure = error;
      const ceiling = Math.min(backoff.minMs * 2 ** (failures - 1), backoff.maxMs);
      const pause = ceiling / 2 + (Math.random() * ceiling) / 2;
      const fields = { engine: config.engine, error: errorText(error), failures, pauseMs: Math.round(pause) };
      // Somebody must act; data goes into the journal meanwhile, until its limit.
      if (repeated) log.debug(fields, 'the database cannot be opened; it is retried');
      else log.error(fields, 'the database cannot be opened; it is retried');
      timer = setTimeout(() => {
        opening = attempt();
      }, pause);
    }
  }

  function current(): Opened {
    if (opened !== undefined && !closed) return opened;
    if (closed) throw new SluiceError('storage_unavailable', 'cannot use the database: the hub is stopping');
    const why = failure === undefined ? 'it is being opened' : errorText(failure);
    throw new SluiceError('storage_unavailable', `cannot use the database: ${why}`, { retryAfterMs: 5000 });
  }

  return {
    store: {
      engine: config.engine === 'clickhouse' ? 'clickhouse' : 'chdb',
      command: async (statement, limit) => current().store.command(statement, limit),
      select: async (statement, limit) => current().store.select(statement, limit),
      async *stream(statement, limit) {
        yield* current().store.stream(statement, limit);
      },
      close: () => Promise.resolve(),
    },
    target: {
      prepare: async (piece, attempts, previous) => current().target.prepare(piece, attempts, previous),
      landed: async (piece, marker, signal) => current().target.landed(piece, marker, signal),
      insert: async (piece, marker, signal) => current().target.insert(piece, marker, signal),
    },
    ready() {
      if (opened !== undefined) return { part: 'storage', ready: true };
      const detail = failure === undefined ? 'opening' : `${errorText(failure)} (${failures} attempts)`;
      return { part: 'storage', ready: false, detail };
    },
    onOpen(listener) {
      listeners.push(listener);
      if (opened !== undefined) listener();
    },
    async identity(org) {
      const { store } = await first.promise;
      if (config.engine === 'none') return 'none';
      const names = tableNames(series, org, config.cluster);
      const query = sql`SELECT toString(uuid) AS uuid FROM system.tables WHERE database = ${databaseOf(series, org)} AND name = ${names.stored}`;
      const blocks = await store.select(query);
      return blocks[0] === undefined ? '' : textAt(blocks[0].columns[0]!.data, 0);
    },
    async close() {
      closed = true;
      stopped.abort();
      clearTimeout(timer);
      first.reject(new SluiceError('storage_unavailable', 'cannot use the database: the hub is stopping'));
      await opening;
      await deriving;
      await opened?.store.close();
    },
  };
}

async function open(options: StorageOptions, signal: AbortSignal): Promise<Opened> {
  const { config, dataDir } = options;
  if (config.engine === 'none') return { store: refusing, target: nowhere, derive: () => Promise.resolve() };
  if (config.engine === 'chdb') {
    const store = await openChdb({ path: join(dataDir, 'chdb'), maxMemory: config['max-memory'] });
    return finish(options, { store, signal, derived: {} }, () => createChdbTarget(store, join(dataDir, 'chdb-ingest')));
  }
  const known = await login(config);
  // Loaded only by those who have one: it takes some 40 ms of a start.
  const { createClickHouse } = await import('./clickhouse.ts');
  const { createClickHouseTarget } = await import('./clickhouse-target.ts');
  const store = createClickHouse({ urls: config.urls, log: options.log, ...known });
  const { username, password = '' } = known;
  const derived = username === undefined ? {} : { login: { username, password } };
  return finish(options, { store, signal, derived }, () =>
    Promise.resolve(createClickHouseTarget(store, config.cluster)),
  );
}

interface Unfinished {
  readonly store: Store;
  readonly signal: AbortSignal;
  readonly derived: DerivedOptions;
}

async function finish(
  options: StorageOptions,
  { store, signal, derived }: Unfinished,
  target: () => Promise<LoadTarget>,
): Promise<Opened> {
  const { config, organisations, fsync, log } = options;
  try {
    const { retention, cluster } = config;
    const skipIndexes = config['skip-indexes'];
    const embedded = config.engine === 'chdb';
    const tables = { store, sources: dataSources, organisations, log, retention, skipIndexes, fsync, embedded, signal };
    const where = cluster === undefined ? {} : { cluster };
    await ensureTables({ ...tables, ...where });
    const derive = () => ensureDerived({ store, organisations, log, signal, ...derived, ...where });
    return { store, target: await target(), derive };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function readOptional(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : readFile(path);
}

async function login(config: StorageConfig): Promise<ClickHouseLogin> {
  const { tls, username } = config;
  const ca = await readOptional(tls?.['ca-file']);
  const cert = await readOptional(tls?.['cert-file']);
  const key = await readOptional(tls?.['key-file']);
  const certificates = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  const password = config['password-file']?.reveal();
  return {
    tls: certificates,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}

const refuse = () =>
  Promise.reject(new SluiceError('storage_refused', 'cannot query: storage.engine is none, nothing is kept'));

const refusing: Store = {
  engine: 'chdb',
  command: refuse,
  select: refuse,
  // oxlint-disable-next-line require-yield
  async *stream() {
    await refuse();
  },
  close: () => Promise.resolve(),
};
