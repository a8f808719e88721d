import { bug, SluiceError } from '../base/errors.ts';
import type { Column } from '../batch/batch.ts';
import type { NativeBlock } from '../batch/native.ts';
import { databaseOf } from '../catalog/catalog.ts';
import { series as seriesSource } from '../catalog/prometheus.ts';
import { identifier, sql, type Sql } from '../storage/sql.ts';
import type { Store } from '../storage/store.ts';
import { labelSetReader, type LabelSet } from './label-set.ts';
import { matchersSql, type Matcher } from './matchers.ts';
import { atLeast } from './time-range.ts';

/** One series, found by its labels. */
export interface FoundSeries extends LabelSet {
  readonly metricId: bigint;
  readonly seriesId: bigint;
}

export interface SeriesLookup {
  readonly store: Store;
  readonly org: number;
  readonly matchers: readonly Matcher[];
  /** Epoch milliseconds: series that went silent before are left out. */
  readonly start: number;
  /** A further condition, on `metric_id` and `series_id` say. */
  readonly condition?: Sql;
  /** Awaited before a stream is opened, which is for long answers only: whoever holds one already must give it up first. */
  readonly beforeStream?: () => Promise<void>;
  /** More series than this are refused with `bad_request`. */
  readonly limit: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * An active series is announced again every 24 h, by the hub's clock; its samples may be 10 minutes ahead of that. So a sample at a time has an
 * announcement at most 24 h 10 min before it, or later. The rest is for clocks that are set.
 */
const ANNOUNCED_WITHIN_MS = 25 * 3_600_000;

/** The condition on `time` of prometheus.series under which a series can have samples at `start` or later. */
export function announcedSince(start: number): Sql {
  return atLeast('time', start - ANNOUNCED_WITHIN_MS);
}

/**
 * The series that match and can have samples at `start` or later, sorted by label set.
 *
 * There is no upper bound: what comes late is announced when it comes, after the times it is about. A series without samples in the range costs
 * little, a missing one would be a wrong answer. Labels belong to the ids, so of several rows of a series any one will do.
 */
export async function findSeries(lookup: SeriesLookup): Promise<FoundSeries[]> {
  const { store, org, matchers, limit, timeoutMs, signal } = lookup;
  const table = identifier(databaseOf(seriesSource, org), seriesSource.table);
  const further = lookup.condition === undefined ? sql`` : sql` AND ${lookup.condition}`;
  const statement = sql`SELECT metric_id, series_id, CAST(metric_name AS String) AS metric, CAST(labels AS Map(String, String)) AS label_map
    FROM ${table} WHERE ${matchersSql(matchers)} AND ${announcedSince(lookup.start)}${further}`;
  const found = new Map<bigint, FoundSeries>();
  // Short answers whole: starting a stream stops the event loop for some milliseconds.
  const short = await store.select(sql`${statement} LIMIT ${SHORT_ROWS + 1}`, { timeoutMs, signal });
  if (rowsIn(short) <= SHORT_ROWS) for (const block of short) readBlock(block, found);
  else {
    await lookup.beforeStream?.();
    for await (const block of store.stream(statement, { timeoutMs, signal })) {
      readBlock(block, found);
      if (found.size > limit) break;
    }
  }
  if (found.size > limit) {
    const problem = `more than ${limit} series match`;
    throw new SluiceError('bad_request', `cannot answer the query: ${problem}; narrow it, or raise limits.read-series`);
  }
  return [...found.values()].toSorted(byKey);
}

/** Rows that are fetched in one piece, about 5 MB of labels. */
const SHORT_ROWS = 20_000;

function rowsIn(blocks: readonly NativeBlock[]): number {
  return blocks.reduce((sum, { rows }) => sum + rows, 0);
}

export function byKey(left: LabelSet, right: LabelSet): number {
  return left.key < right.key ? -1 : left.key > right.key ? 1 : 0;
}

function readBlock(block: NativeBlock, found: Map<bigint, FoundSeries>): void {
  const [metricIds, seriesIds, names, labels] = block.columns.map((column) => column.data);
  const metric = idsOf(metricIds!);
  const series = idsOf(seriesIds!);
  const readLabels = labelSetReader(names!, labels!);
  for (let row = 0; row < block.rows; row++) {
    const seriesId = series(row);
    if (found.has(seriesId)) continue;
    const set = readLabels(row);
    found.set(seriesId, { metricId: metric(row), seriesId, labels: set.labels, key: set.key });
  }
}

/** Reads a UInt64 column value by value. */
export function idsOf(column: Column): (row: number) => bigint {
  if (column.kind !== 'fixed' || column.width !== 8) return bug(`expected a column of ids; got ${column.kind}`);
  const { bytes } = column;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (row) => view.getBigUint64(row * 8, true);
}
