import { valuesOf, textAt } from '../batch/read.ts';
import type { NativeBlock } from '../batch/native.ts';
import { findDataSource } from '../catalog/catalog.ts';
import type { RollUp } from '../catalog/roll-ups.ts';
import type { DataSource } from '../catalog/types.ts';
import type { CursorMarker } from '../journal/types.ts';
import { rollUpQuery } from './roll-up-query.ts';
import { identifier, joinSql, sql, type Sql } from './sql.ts';
import type { TableNames } from './tables.ts';
import { sliceCondition, type TimeSlice } from './time-slices.ts';

/** What one INSERT loads: a sealed file of Native blocks, or a stretch of it, and of that the rows of one partition of the table. */
export interface Piece {
  readonly source: DataSource;
  readonly org: number;
  /** Columns of the file that are read, by name; it may hold more. */
  readonly columns: readonly string[];
  /** Rows are grouped on their way into `source`, which is the roll-up's table. */
  readonly rollUp?: RollUp;
  readonly path: string;
  /** Rows of the INSERT; absent when only some of the rows in the file fall into the slice, or several become one. */
  readonly rows?: number;
  /** Bytes [start, end) of the file. */
  readonly start: number;
  readonly end: number;
  /** True when that is the whole file. */
  readonly whole: boolean;
  /** Absent: all rows belong to one partition. */
  readonly slice?: TimeSlice;
  /** Id of the partition that the rows belong to, as in system.parts; undefined = look at the whole table. */
  readonly partitionId?: string;
  /** Names these rows for ever: journal, partition of the journal, rows, checksum of the index, slice and block. */
  readonly token: string;
}

/**
 * How a database takes a piece exactly once. The loader saves what `prepare` gives in the journal's cursor, then inserts; after any error, and after a
 * restart, it asks `landed` with it before it sends the piece again. It is the table's only writer and has one piece of a table in flight.
 */
export interface LoadTarget {
  /** `attempt` counts from 1 for one piece; `previous` is what an earlier attempt was prepared as. */
  prepare(piece: Piece, attempt: number, previous: CursorMarker | undefined): Promise<CursorMarker>;
  /** Whether the piece prepared as `marker` is in the table. False only when an earlier insert of it cannot land any more. */
  landed(piece: Piece, marker: CursorMarker, signal: AbortSignal): Promise<boolean>;
  /** Resolves to the rows the database took when it says so. */
  insert(piece: Piece, marker: CursorMarker, signal: AbortSignal): Promise<number | undefined>;
}

/** A target that takes everything and keeps nothing: `storage.engine: none`. */
export const nowhere: LoadTarget = {
  prepare: () => Promise.resolve({}),
  landed: () => Promise.resolve(false),
  insert: () => Promise.resolve(undefined),
};

/** Statement that shows where a table stands: identity, highest block number (of a partition when named), the database's clock. */
export function positionQuery(names: TableNames, partitionId: string | undefined): Sql {
  const partition = partitionId === undefined ? sql`` : sql` AND partition_id = ${partitionId}`;
  return sql`SELECT toString((SELECT any(uuid) FROM system.tables WHERE database = ${names.database} AND name = ${names.stored})) AS uuid, (SELECT toFloat64(max(max_block_number)) FROM system.parts WHERE database = ${names.database} AND table = ${names.stored} AND active${partition}) AS block, toFloat64(toUnixTimestamp64Milli(now64(3))) AS now`;
}

export interface Position {
  /** Identity of the table: another one after it was dropped and made again. */
  readonly uuid: string;
  /** Highest block number of the active parts, 0 without one. */
  readonly block: number;
  /** Epoch milliseconds. */
  readonly now: number;
}

export function readPosition(blocks: readonly NativeBlock[]): Position {
  const [uuid, block, now] = blocks[0]?.columns ?? [];
  if (uuid === undefined || block === undefined || now === undefined) throw new Error('expected one row; got none');
  const number = (column: typeof block) => valuesOf(plain(column.data), Float64Array)[0] ?? 0;
  return { uuid: textAt(plain(uuid.data), 0), block: Math.max(number(block), 0), now: number(now) };
}

/** A scalar subquery may be NULL (the table is gone): its column is Nullable, with filler in place of NULL. */
function plain(column: NativeBlock['columns'][number]['data']) {
  return column.kind === 'nullable' ? column.inner : column;
}

/** The quoted columns that a piece inserts. */
export function insertedColumns(piece: Piece): Sql {
  const { rollUp } = piece;
  return columnList(rollUp === undefined ? piece.columns : rollUpQuery(rollUp, piece.columns).columns);
}

/** `SELECT ... FROM <file> WHERE ... GROUP BY ...`: the rows of a piece as its table takes them. */
export function selectPiece(piece: Piece, file: Sql, ...conditions: readonly Sql[]): Sql {
  const where = pieceCondition(piece, ...conditions);
  if (piece.rollUp === undefined) return sql`SELECT ${columnList(piece.columns)} FROM ${file}${where}`;
  const { select, groupBy } = rollUpQuery(piece.rollUp, piece.columns);
  return sql`SELECT ${select} FROM ${file}${where} GROUP BY ${groupBy}`;
}

/** Whether the file can go into the table as it is. */
export function isPlain(piece: Piece): boolean {
  return piece.slice === undefined && piece.rollUp === undefined;
}

function columnList(columns: readonly string[]): Sql {
  return joinSql(
    columns.map((column) => identifier(column)),
    ', ',
  );
}

/** ` WHERE` with the conditions of a piece, or nothing. */
function pieceCondition(piece: Piece, ...more: readonly Sql[]): Sql {
  const conditions = [...more];
  const slice = piece.slice === undefined ? undefined : sliceCondition(piece.source, piece.slice);
  if (slice !== undefined) conditions.push(slice);
  return conditions.length === 0 ? sql`` : sql` WHERE ${joinSql(conditions, ' AND ')}`;
}

/** Columns that both the segment and the catalog of this version have, in the segment's order. */
export function loadableColumns(source: DataSource, columns: readonly string[]): readonly string[] {
  const known = new Set((findDataSource(source.id) ?? source).columns.map((column) => column.name));
  return columns.filter((name) => known.has(name));
}
