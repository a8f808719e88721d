import { open } from 'node:fs/promises';
import { SluiceError } from '../base/errors.ts';
import { decodeNative } from '../batch/native.ts';
import { valuesOf } from '../batch/read.ts';
import type { DataSource } from '../catalog/types.ts';
import type { Segment, SegmentBlock } from '../journal/types.ts';
import { identifier, joinSql, sql, trustedSql, type Sql } from './sql.ts';

/**
 * One INSERT may make only one part, so a segment whose rows belong to several partitions of its table goes in by slices of time, one a partition.
 *
 * The slices of a segment lie end to end and the outer ones are open, so that every row falls into exactly one of them, whatever its time. They are
 * computed from the file alone: the same after a restart.
 */
export interface TimeSlice {
  /** Ticks of the time column: rows at or after; undefined = open. */
  readonly from: number | undefined;
  /** Rows before; undefined = open. */
  readonly to: number | undefined;
}

export interface SegmentSlice {
  /** Undefined: all rows are in one partition. */
  readonly slice: TimeSlice | undefined;
  /** Partition id as in system.parts; undefined where ClickHouse's own rules for odd times would have to be repeated. */
  readonly partitionId: string | undefined;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const TICKS_PER_MS = { s: 1 / 1000, ms: 1, us: 1000, ns: 1e6 } as const;
/** The range of DateTime: within it partition ids follow from the calendar. */
const ORDINARY_MS = { from: 0, to: 2 ** 32 * 1000 - DAY_MS } as const;

/** The slices of a segment, earliest first. Reads the file only when a block's own times span partitions. */
export async function sliceSegment(segment: Segment, source: DataSource): Promise<readonly SegmentSlice[]> {
  if (source.partitionBy === 'none') return [{ slice: undefined, partitionId: 'all' }];
  const width = source.partitionBy === 'day' ? DAY_MS : HOUR_MS;
  const cells = new Set<number>();
  for (const block of segment.blocks) {
    const first = Math.floor(block.minTime / width);
    const last = Math.floor(block.maxTime / width);
    cells.add(first);
    cells.add(last);
    // Between the two anything may lie, or nothing.
    if (last - first > 1) await collectCells(segment, block, source, width, cells);
  }
  const sorted = [...cells].toSorted((a, b) => a - b);
  if (sorted.length <= 1) {
    return [{ slice: undefined, partitionId: partitionIdAt((sorted[0] ?? 0) * width, source) }];
  }
  const ticks = TICKS_PER_MS[source.time.unit];
  return sorted.map((cell, index) => ({
    slice: {
      from: index === 0 ? undefined : cell * width * ticks,
      to: index === sorted.length - 1 ? undefined : sorted[index + 1]! * width * ticks,
    },
    partitionId: partitionIdAt(cell * width, source),
  }));
}

/** Condition for the rows of a slice, in the ticks of the time column itself. */
export function sliceCondition(source: DataSource, slice: TimeSlice): Sql | undefined {
  const functions = {
    s: 'toUnixTimestamp',
    ms: 'toUnixTimestamp64Milli',
    us: 'toUnixTimestamp64Micro',
    ns: 'toUnixTimestamp64Nano',
  } as const;
  const ticks = sql`${trustedSql(functions[source.time.unit])}(${identifier(source.time.column)})`;
  const parts: Sql[] = [];
  // Ticks of nanoseconds are above 2^53; cell borders are whole hours, so BigInt of the double is exact.
  if (slice.from !== undefined) parts.push(sql`${ticks} >= ${BigInt(slice.from)}`);
  if (slice.to !== undefined) parts.push(sql`${ticks} < ${BigInt(slice.to)}`);
  return parts.length === 0 ? undefined : joinSql(parts, ' AND ');
}

/** `20241120` for a day, seconds since 1970 for an hour: what `partitionExpression` of tables.ts gives. */
function partitionIdAt(startMs: number, source: DataSource): string | undefined {
  if (startMs < ORDINARY_MS.from || startMs >= ORDINARY_MS.to) return undefined;
  return source.partitionBy === 'hour'
    ? String(startMs / 1000)
    : new Date(startMs).toISOString().slice(0, 10).replaceAll('-', '');
}

async function collectCells(
  segment: Segment,
  block: SegmentBlock,
  source: DataSource,
  width: number,
  cells: Set<number>,
): Promise<void> {
  const bytes = Buffer.allocUnsafe(block.length);
  const file = await open(segment.path, 'r');
  try {
    await file.read(bytes, 0, block.length, block.offset);
  } finally {
    await file.close();
  }
  const column = decodeNative(bytes)?.columns.find(({ name }) => name === source.time.column)?.data;
  if (column?.kind !== 'fixed' || (column.width !== 4 && column.width !== 8)) {
    throw new SluiceError('storage_refused', `cannot read the times in ${segment.path}: no readable column of times`);
  }
  // Rare enough for BigInt, which alone holds nanoseconds exactly: a rounded time next to a border would name the wrong cell.
  const cellTicks = BigInt(width * TICKS_PER_MS[source.time.unit]);
  const values = column.width === 4 ? valuesOf(column, Uint32Array) : valuesOf(column, BigInt64Array);
  let from = 0n;
  let to = 0n;
  for (let row = 0; row < block.rows; row++) {
    const ticks = BigInt(values[row]!);
    if (ticks >= from && ticks < to) continue;
    const over = ((ticks % cellTicks) + cellTicks) % cellTicks;
    from = ticks - over;
    to = from + cellTicks;
    cells.add(Number(from / cellTicks));
  }
}
