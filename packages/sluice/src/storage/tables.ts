import { bug } from '../base/errors.ts';
import { databaseOf } from '../catalog/catalog.ts';
import type { ColumnSpec, DataSource } from '../catalog/types.ts';
import type { Retention, SkipIndexes } from './config.ts';
import { partitionExpression } from './partition-calendar.ts';
import { keptMs } from './retention.ts';
import { identifier, joinSql, sql, trustedSql, type Sql } from './sql.ts';

/**
 * The catalog as DDL. One server (chDB is one): a plain MergeTree `<table>`. A cluster: Replicated `<table>_local` on every node, loaded directly,
 * and a Distributed `<table>` over them, which everybody queries.
 *
 * Deduplication windows exist only in the Replicated form, where token and part are committed together. A plain MergeTree must not have one: it
 * writes its log before it renames the part, and a death in between would lose rows silently.
 */

export interface TableOptions {
  readonly retention: Retention;
  /** Name of the cluster in the servers' configuration; absent = one server. */
  readonly cluster?: string;
  /** Default: none. */
  readonly skipIndexes?: SkipIndexes;
  /** `sync: always`: parts are on the disk itself before an insert is confirmed. */
  readonly fsync?: boolean;
  /** For the embedded engine, whose memory is bounded and whose version is known. */
  readonly embedded?: boolean;
}

/** Names of the tables of a data source, quoted. */
export interface TableNames {
  readonly database: string;
  /** The table that holds the rows, and that the loader writes to. */
  readonly stored: string;
  /** The table that is queried; the same one unless there is a cluster. */
  readonly queried: string;
}

export function tableNames(source: DataSource, org: number, cluster?: string): TableNames {
  return {
    database: databaseOf(source, org),
    stored: cluster === undefined ? source.table : `${source.table}_local`,
    queried: source.table,
  };
}

export function createDatabase(database: string, cluster?: string): Sql {
  return sql`CREATE DATABASE IF NOT EXISTS ${identifier(database)}${onCluster(cluster)}`;
}

/** Statements that make the tables of one data source, in order. Harmless where they exist. */
export function createTables(source: DataSource, org: number, options: TableOptions): readonly Sql[] {
  const names = tableNames(source, org, options.cluster);
  const stored = identifier(names.database, names.stored);
  const columns = source.columns.map((column) => sql`${identifier(column.name)} ${columnDefinition(column)}`);
  const indexes = hasIndexes(source, options) ? indexedColumns(source).map(indexDefinition) : [];
  const clauses: Sql[] = [
    sql`CREATE TABLE IF NOT EXISTS ${stored}${onCluster(options.cluster)} (${joinSql([...columns, ...indexes], ', ')})`,
    sql`ENGINE = ${engine(source, names, options.cluster)}`,
  ];
  const partition = partitionExpression(source);
  if (partition !== undefined) clauses.push(sql`PARTITION BY ${partition}`);
  const order = joinSql(
    source.orderBy.map((name) => identifier(name)),
    ', ',
  );
  clauses.push(sql`ORDER BY (${order})`);
  const kept = keptMs(source, options.retention);
  if (kept !== undefined) clauses.push(sql`TTL ${trustedSql(ttlExpression(source, kept))}`);
  const settings = tableSettings(source, options).map(([name, value]) => sql`${trustedSql(name)} = ${value}`);
  clauses.push(sql`SETTINGS ${joinSql(settings, ', ')}`);
  const create = joinSql(clauses, ' ');
  if (options.cluster === undefined) return [create];
  return [create, createDistributed(names, options.cluster)];
}

function createDistributed(names: TableNames, cluster: string): Sql {
  const queried = identifier(names.database, names.queried);
  const stored = identifier(names.database, names.stored);
  return sql`CREATE TABLE IF NOT EXISTS ${queried}${onCluster(cluster)} AS ${stored} ENGINE = Distributed(${cluster}, ${names.database}, ${names.stored}, rand())`;
}

/** Statements that add a column which the tables of an earlier version lack: to the stored table first. */
export function addColumn(source: DataSource, org: number, column: ColumnSpec, cluster?: string): readonly Sql[] {
  const names = tableNames(source, org, cluster);
  const added = (table: string, definition: Sql) =>
    sql`ALTER TABLE ${identifier(names.database, table)}${onCluster(cluster)} ADD COLUMN IF NOT EXISTS ${identifier(column.name)} ${definition}`;
  const statements = [added(names.stored, columnDefinition(column))];
  if (cluster !== undefined) statements.push(added(names.queried, trustedSql(column.type)));
  return statements;
}

/** Whether the skip indexes of the table are asked for. */
export function hasIndexes(source: DataSource, options: Pick<TableOptions, 'skipIndexes'>): boolean {
  const { skipIndexes = 'none' } = options;
  return typeof skipIndexes === 'string' ? skipIndexes === 'all' : skipIndexes.has(source.id);
}

/** Columns that can have a skip index. */
export function indexedColumns(source: DataSource): readonly ColumnSpec[] {
  return source.columns.filter((column) => column.index !== undefined);
}

/** Name of a column's skip index; others than these are not ours. */
export function indexName(column: ColumnSpec): string {
  return `${column.name}_idx`;
}

/** Adds or drops skip indexes of the stored table. Rows that are there get added ones when their parts are merged. */
export function changeIndexes(
  source: DataSource,
  org: number,
  options: TableOptions & { readonly columns: readonly ColumnSpec[] },
): Sql {
  const names = tableNames(source, org, options.cluster);
  const changes = hasIndexes(source, options)
    ? options.columns.map((column) => sql`ADD INDEX IF NOT EXISTS ${indexBody(column)}`)
    : options.columns.map((column) => sql`DROP INDEX IF EXISTS ${identifier(indexName(column))}`);
  return sql`ALTER TABLE ${identifier(names.database, names.stored)}${onCluster(options.cluster)} ${joinSql(changes, ', ')}`;
}

/** The statement that gives the stored table another retention; `forever` takes the TTL away. */
export function changeRetention(source: DataSource, org: number, options: TableOptions): Sql {
  const names = tableNames(source, org, options.cluster);
  const table = sql`${identifier(names.database, names.stored)}${onCluster(options.cluster)}`;
  const kept = keptMs(source, options.retention);
  if (kept === undefined) return sql`ALTER TABLE ${table} REMOVE TTL`;
  return sql`ALTER TABLE ${table} MODIFY TTL ${trustedSql(ttlExpression(source, kept))}`;
}

/** The TTL as ClickHouse itself spells it in system.tables.engine_full, so that the two can be compared. */
export function ttlExpression(source: DataSource, keptForMs: number): string {
  const { column, unit } = source.time;
  // A whole number of the greatest unit: ClickHouse keeps the spelling.
  const seconds = Math.ceil(keptForMs / 1000);
  const interval =
    seconds % 86_400 === 0
      ? `toIntervalDay(${seconds / 86_400})`
      : seconds % 3600 === 0
        ? `toIntervalHour(${seconds / 3600})`
        : `toIntervalSecond(${seconds})`;
  return `${unit === 's' ? column : `toDateTime(${column})`} + ${interval}`;
}

/** TTL clause of an existing table, read from system.tables.engine_full; undefined when it has none. */
export function ttlOf(engineFull: string): string | undefined {
  return / TTL (.*?)(?: SETTINGS |$)/.exec(engineFull)?.[1];
}

function columnDefinition(column: ColumnSpec): Sql {
  return trustedSql(column.codec === undefined ? column.type : `${column.type} CODEC(${column.codec})`);
}

function indexDefinition(column: ColumnSpec): Sql {
  return sql`INDEX ${indexBody(column)}`;
}

function indexBody(column: ColumnSpec): Sql {
  const type = trustedSql(column.index ?? bug(`${column.name} has no skip index`));
  return sql`${identifier(indexName(column))} ${identifier(column.name)} TYPE ${type} GRANULARITY 2`;
}

function engine(source: DataSource, names: TableNames, cluster: string | undefined): Sql {
  const { kind } = source.engine;
  const own = engineArguments(source);
  if (cluster === undefined) return own === undefined ? trustedSql(kind) : sql`${trustedSql(kind)}(${own})`;
  const path = `/clickhouse/tables/{shard}/${names.database}/${names.stored}`;
  const replicated = trustedSql(`Replicated${kind}`);
  return own === undefined
    ? sql`${replicated}(${path}, '{replica}')`
    : sql`${replicated}(${path}, '{replica}', ${own})`;
}

function engineArguments({ engine: chosen }: DataSource): Sql | undefined {
  switch (chosen.kind) {
    case 'MergeTree':
      return undefined;
    case 'ReplacingMergeTree':
      return identifier(chosen.version);
    case 'SummingMergeTree':
      return sql`(${joinSql(
        chosen.sums.map((name) => identifier(name)),
        ', ',
      )})`;
  }
}

function tableSettings(source: DataSource, options: TableOptions): readonly (readonly [string, number])[] {
  const settings: [string, number][] = [];
  // Whole parts leave when their last row is due: cheap, and right where a part holds an hour or a day.
  if (source.partitionBy !== 'none') settings.push(['ttl_only_drop_parts', 1]);
  // A changed retention rewrites only the parts' dates, not their rows.
  settings.push(['materialize_ttl_recalculate_only', 1]);
  if (options.embedded === true) {
    // A file for each of a hundred columns costs an insert two fifths of its CPU, and the start of the hub 10 ms a part in place of 4; from 10 MiB on by
    // default. Larger parts have them: merges of those go column by column.
    settings.push(['min_bytes_for_wide_part', 64 * 2 ** 20]);
    // Columns of nothing but zeros compress to nothing all the same, and a part then has no description of each to be read at start.
    settings.push(['ratio_of_defaults_for_sparse_serialization', 1]);
    // Write buffers begin small. Otherwise a part with columns in files of their own takes about 2 MiB of buffers a column: 400 MiB for 32,000 rows of
    // l4_flow_log, against 120 MiB, in the same time.
    settings.push(['min_columns_to_activate_adaptive_write_buffer', 1]);
    // A part that was merged away stays in memory, some 20 kB of it, for this long (8 minutes by default): dozens a second when late rows fall into many
    // partitions. The kernel has written its successor to the disk by then.
    settings.push(['old_parts_lifetime', 60]);
  }
  if (isSynced(source, options)) {
    settings.push(['fsync_after_insert', 1], ['fsync_part_directory', 1], ['min_rows_to_fsync_after_merge', 1]);
  }
  if (options.cluster !== undefined) {
    settings.push(['replicated_deduplication_window', 10_000], ['replicated_deduplication_window_seconds', 604_800]);
  }
  return settings;
}

/** The settings of `sync: always` as an ALTER, for tables made without them (or back again). */
export function changeFsync(source: DataSource, org: number, options: TableOptions): Sql {
  const names = tableNames(source, org, options.cluster);
  const on = isSynced(source, options) ? 1 : 0;
  return sql`ALTER TABLE ${identifier(names.database, names.stored)}${onCluster(options.cluster)} MODIFY SETTING fsync_after_insert = ${on}, fsync_part_directory = ${on}, min_rows_to_fsync_after_merge = ${on}`;
}

function onCluster(cluster: string | undefined): Sql {
  if (cluster === undefined) return sql``;
  return cluster === '' ? bug('a cluster has a name') : sql` ON CLUSTER ${identifier(cluster)}`;
}

/**
 * Whether inserts and merges of the table are synced to the disk. Always for what is said once in 24 h (series, metadata): a power failure that took it
 * would be felt until it is said again.
 */
export function isSynced(source: DataSource, options: { readonly fsync?: boolean }): boolean {
  return options.fsync === true || source.engine.kind === 'ReplacingMergeTree';
}
