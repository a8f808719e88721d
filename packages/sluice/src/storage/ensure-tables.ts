import { textAt } from '../batch/read.ts';
import { databaseOf } from '../catalog/catalog.ts';
import type { DataSource } from '../catalog/types.ts';
import type { Log } from '../telemetry/log.ts';
import { keptMs } from './retention.ts';
import { sql, type Sql } from './sql.ts';
import type { Store } from './store.ts';
import {
  addColumn,
  changeFsync,
  changeIndexes,
  changeRetention,
  createDatabase,
  createTables,
  hasIndexes,
  indexedColumns,
  indexName,
  tableNames,
  ttlExpression,
  ttlOf,
  type TableOptions,
  isSynced,
} from './tables.ts';

export interface EnsureOptions extends TableOptions {
  readonly store: Store;
  readonly sources: readonly DataSource[];
  readonly organisations: readonly number[];
  readonly log: Log;
  /** Ends it early; it then rejects with SluiceError `cancelled`. */
  readonly signal?: AbortSignal;
}

/**
 * Makes databases and tables that are missing, adds missing columns, and brings retention, skip indexes and fsync settings to what is configured. What
 * exists and fits costs four questions in all. Run after every opening, before anything is loaded (design 2.1, invariant 10).
 */
export async function ensureTables(options: EnsureOptions): Promise<void> {
  const { sources, organisations, cluster } = options;
  const databases = new Set(organisations.flatMap((org) => sources.map((source) => databaseOf(source, org))));
  if (databases.size === 0) return;
  const existing = await readExisting(options, [...databases]);
  const before = performance.now();
  let statements = 0;
  for (const database of databases) {
    // On a cluster always: a node that joined later has neither database nor tables.
    if (cluster !== undefined || !existing.databases.has(database)) {
      await run(options, createDatabase(database, cluster));
      statements++;
    }
  }
  for (const org of organisations) {
    for (const source of sources) {
      for (const statement of statementsFor(source, org, options, existing)) {
        await run(options, statement);
        statements++;
      }
    }
  }
  if (statements === 0) return;
  const facts = { statements, databases: [...databases], tookMs: Math.round(performance.now() - before) };
  options.log.info(facts, 'tables made or changed');
}

interface Existing {
  readonly databases: ReadonlySet<string>;
  /** engine_full by `database\0table`. */
  readonly tables: ReadonlyMap<string, string>;
  /** `database\0table\0column` */
  readonly columns: ReadonlySet<string>;
  /** `database\0table\0index` */
  readonly indexes: ReadonlySet<string>;
}

function statementsFor(source: DataSource, org: number, options: TableOptions, existing: Existing): Sql[] {
  const names = tableNames(source, org, options.cluster);
  const key = `${names.database}\0${names.stored}`;
  const engineFull = existing.tables.get(key);
  const statements: Sql[] = [];
  if (engineFull === undefined || options.cluster !== undefined) statements.push(...createTables(source, org, options));
  if (engineFull === undefined) return statements;
  for (const column of source.columns) {
    if (!existing.columns.has(`${key}\0${column.name}`))
      statements.push(...addColumn(source, org, column, options.cluster));
  }
  const kept = keptMs(source, options.retention);
  const wanted = kept === undefined ? undefined : ttlExpression(source, kept);
  if (ttlOf(engineFull) !== wanted) statements.push(changeRetention(source, org, options));
  const wrong = indexedColumns(source).filter(
    (column) => existing.indexes.has(`${key}\0${indexName(column)}`) !== hasIndexes(source, options),
  );
  if (wrong.length > 0) statements.push(changeIndexes(source, org, { ...options, columns: wrong }));
  const synced = /\bfsync_after_insert = (?:1|true)\b/.test(engineFull);
  if (synced !== isSynced(source, options)) statements.push(changeFsync(source, org, options));
  return statements;
}

async function readExisting({ store, signal }: EnsureOptions, databases: readonly string[]): Promise<Existing> {
  const limit = signal === undefined ? {} : { signal };
  const found = {
    databases: new Set<string>(),
    tables: new Map<string, string>(),
    columns: new Set<string>(),
    indexes: new Set<string>(),
  };
  const databaseRows = await store.select(sql`SELECT name FROM system.databases WHERE name IN (${databases})`, limit);
  for (const [name] of texts(databaseRows)) found.databases.add(name!);
  const tables = sql`SELECT database, name, engine_full FROM system.tables WHERE database IN (${databases})`;
  for (const [database, name, engine] of texts(await store.select(tables, limit))) {
    found.tables.set(`${database}\0${name}`, engine!);
  }
  const columns = sql`SELECT database, table, name FROM system.columns WHERE database IN (${databases})`;
  for (const row of texts(await store.select(columns, limit))) found.columns.add(row.join('\0'));
  const indexes = sql`SELECT database, table, name FROM system.data_skipping_indices WHERE database IN (${databases})`;
  for (const row of texts(await store.select(indexes, limit))) found.indexes.add(row.join('\0'));
  return found;
}

function* texts(blocks: Awaited<ReturnType<Store['select']>>): Generator<string[]> {
  for (const block of blocks) {
    for (let row = 0; row < block.rows; row++) yield block.columns.map((column) => textAt(column.data, row));
  }
}

async function run({ store, log, signal }: EnsureOptions, statement: Sql): Promise<void> {
  log.debug({ statement: statement.text }, 'changing tables');
  await store.command(statement, { timeoutMs: 300_000, ...(signal === undefined ? {} : { signal }) });
}
