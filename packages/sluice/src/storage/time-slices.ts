import { open } from 'node:fs/promises';
import { SluiceError } from '../base/errors.ts';
import { decodeNative } from '../batch/native.ts';
import { valuesOf } from '../batch/read.ts';
import type { DataSource } from '../catalog/types.ts';
import type { Segment, SegmentBlock } from '../journal/types.ts';
import { nextPartitionStart, partitionIdAt, partitionStart } from './partition-calendar.ts';
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

const TICKS_PER_SECOND = { s: 1, ms: 1000, us: 1e6, ns: 1e9 } as const;

/** The slices of a segment, earliest first. Reads the file only when a block's own times span partitions. */
export async function sliceSegment(segment: Segment, source: DataSource): Promise<readonly SegmentSlice[]> {
  const cut = source.partitionBy;
  if (cut === 'none') return [{ slice: undefined, partitionId: 'all' }];
  const starts = new Set<number>();
  for (const block of segment.blocks) {
    const first = partitionStart(cut, block.minTime);
    const last = partitionStart(cut, block.maxTime);
    starts.add(first);
    starts.add(last);
    // Between the two anything may lie, or nothing.
    if (last > nextPartitionStart(cut, first)) await collectStarts(segment, block, source, starts);
  }
  const sorted = [...starts].toSorted((a, b) => a - b);
  if (sorted.length <= 1) return [{ slice: undefined, partitionId: partitionIdAt(cut, sorted[0] ?? 0) }];
  // Partitions begin at whole seconds: the division is exact, which a factor of 0.001 would not be.
  const ticks = (start: number) => (start / 1000) * TICKS_PER_SECOND[source.time.unit];
  return sorted.map((start, index) => ({
    slice: {
      from: index === 0 ? undefined : ticks(start),
      to: index === sorted.length - 1 ? undefined : ticks(sorted[index + 1]!),
    },
    partitionId: partitionIdAt(cut, start),
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
  // Ticks of nanoseconds are above 2^53; borders are whole hours, so BigInt of the double is exact.
  if (slice.from !== undefined) parts.push(sql`${ticks} >= ${BigInt(slice.from)}`);
  if (slice.to !== undefined) parts.push(sql`${ticks} < ${BigInt(slice.to)}`);
  return parts.length === 0 ? undefined : joinSql(parts, ' AND ');
}

/** Adds the begins of the partitions of all rows of a block. */
async function collectStarts(
  segment: Segment,
  block: SegmentBlock,
  source: DataSource,
  starts: Set<number>,
): Promise<void> {
  const cut = source.partitionBy;
  if (cut === 'none') return;
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
  // Rare enough for BigInt, which alone holds nanoseconds exactly: a rounded time next to a border would name the wrong partition.
  const perSecond = BigInt(TICKS_PER_SECOND[source.time.unit]);
  const values = column.width === 4 ? valuesOf(column, Uint32Array) : valuesOf(column, BigInt64Array);
  let from = 0n;
  let to = 0n;
  for (let row = 0; row < block.rows; row++) {
    const ticks = BigInt(values[row]!);
    if (ticks >= from && ticks < to) continue;
    const over = ((ticks % perSecond) + perSecond) % perSecond;
    const start = partitionStart(cut, Number((ticks - over) / perSecond) * 1000);
    starts.add(start);
    from = BigInt(start / 1000) * perSecond;
    to = BigInt(nextPartitionStart(cut, start) / 1000) * perSecond;
  }
}
