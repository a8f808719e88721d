import { bug } from '../../base/errors.ts';
import type { NativeBlock } from '../../batch/native.ts';
import { databaseOf } from '../../catalog/catalog.ts';
import { histograms as histogramSource, samples as sampleSource } from '../../catalog/prometheus.ts';
import type { DataSource } from '../../catalog/types.ts';
import { identifier, joinSql, sql, type Sql } from '../../storage/sql.ts';
import type { Store } from '../../storage/store.ts';
import { idsOf, rowsIn } from '../series-lookup.ts';
import { atLeast, atMost } from '../time-range.ts';
import { HISTOGRAM_COLUMNS } from './histogram-rows.ts';

/** Whose points, of which time. */
export interface PointRange {
  readonly store: Store;
  readonly org: number;
  readonly metricIds: readonly bigint[];
  /** Absent = all series of the metrics. At most a few thousand: they stand in the statement. */
  readonly seriesIds?: readonly bigint[];
  /** Epoch milliseconds, both ends belong to the range. */
  readonly start: number;
  readonly end: number;
  /** False: there are no histograms to ask for. */
  readonly histograms: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Where points come from. */
export interface PointSources {
  /** `series_id`, `time`, `value`, in the order of the ids and times. */
  readonly floats: AsyncIterator<NativeBlock>;
  /** The series that have histograms in the range. */
  readonly withHistograms: Promise<readonly bigint[]>;
}

const HISTOGRAMS_PER_PAGE = 1024;

/** Floats in order, however many they are. */
export function streamPoints(range: PointRange): PointSources {
  const withHistograms = seriesWithHistograms(range);
  const { store, timeoutMs, signal } = range;
  const statement = orderedRows(range, sampleSource, FLOAT_COLUMNS);
  const floats = store.stream(statement, { timeoutMs, signal, settings: { optimize_read_in_order: 1 } });
  return { floats: floats[Symbol.asyncIterator](), withHistograms };
}

/** An answer that the database works on. */
export interface FetchedPoints {
  readonly range: PointRange;
  /** `series_id`, `time`, `value` as they stand in the table; undefined when there are more than `mostRows`. */
  readonly floats: Promise<readonly NativeBlock[] | undefined>;
  readonly withHistograms: Promise<readonly bigint[]>;
}

/** Asks for the floats in one piece and in no order, for answers that are expected to be small: it costs the database half of what a stream does. */
export function fetchPoints(range: PointRange, mostRows: number): FetchedPoints {
  const { store, timeoutMs, signal } = range;
  const statement = sql`SELECT ${columnList(FLOAT_COLUMNS)} FROM ${rowsOf(range, sampleSource)} LIMIT ${mostRows + 1}`;
  // More threads only mix the runs: two cost more CPU and were no faster. Nor were two statements, the first encoded while the second is answered.
  const floats = store.select(statement, { timeoutMs, signal, settings: { max_threads: 1 } });
  const withHistograms = seriesWithHistograms(range);
  const few = floats.then((blocks) => (rowsIn(blocks) > mostRows ? undefined : blocks));
  // Whoever reads the points sees the failure; nobody may come to.
  few.catch(() => {});
  return { range, floats: few, withHistograms };
}

/**
 * The histograms of these series (in the order of their ids): `series_id`, `time` and HISTOGRAM_COLUMNS, in the order of the ids and times.
 *
 * Page by page and not as a stream: who holds one stream and waits for another would wait for ever when all do.
 */
export async function* histogramPages(range: PointRange, seriesIds: readonly bigint[]): AsyncGenerator<NativeBlock> {
  const { store, timeoutMs, signal } = range;
  const columns = ['series_id', 'time', ...HISTOGRAM_COLUMNS];
  const options = { timeoutMs, signal, settings: { optimize_read_in_order: 1 } };
  let at = 0;
  // Within a series: the time its next page begins with.
  let from: number | undefined;
  while (at < seriesIds.length) {
    const single = from !== undefined;
    const ids = single ? [seriesIds[at]!] : seriesIds.slice(at);
    const page = { ...range, seriesIds: ids, start: from ?? range.start };
    const statement = sql`${orderedRows(page, histogramSource, columns)} LIMIT ${HISTOGRAMS_PER_PAGE}`;
    let rows = 0;
    for (const block of await store.select(statement, options)) {
      const last = block.rows - 1;
      rows += block.rows;
      at = seriesIds.indexOf(idsOf(block.columns[0]!.data)(last), at);
      if (at < 0) bug('the database gives the series it was asked for, in the order of their ids');
      from = timeOf(block, last) + 1;
      yield block;
    }
    if (rows === HISTOGRAMS_PER_PAGE) continue;
    if (!single) return;
    at++;
    from = undefined;
  }
}

function timeOf(block: NativeBlock, row: number): number {
  return Number(BigInt.asIntN(64, idsOf(block.columns[1]!.data)(row)));
}

function orderedRows(range: PointRange, source: DataSource, columns: readonly string[]): Sql {
  return sql`SELECT ${columnList(columns)} FROM ${rowsOf(range, source)} ORDER BY metric_id, series_id, time`;
}

const FLOAT_COLUMNS = ['series_id', 'time', 'value'];

function columnList(columns: readonly string[]): Sql {
  const names = columns.map((name) => identifier(name));
  return joinSql(names, ', ');
}

/** Most series have none: asking who has some is cheaper than another stream, whose start stops the event loop. */
function seriesWithHistograms(range: PointRange): Promise<bigint[]> {
  if (!range.histograms) return Promise.resolve([]);
  const found = askForHistograms(range);
  // Whoever reads the points sees the failure; nobody may come to.
  found.catch(() => {});
  return found;
}

async function askForHistograms(range: PointRange): Promise<bigint[]> {
  const { store, timeoutMs, signal } = range;
  const statement = sql`SELECT DISTINCT series_id FROM ${rowsOf(range, histogramSource)}`;
  const found: bigint[] = [];
  for (const block of await store.select(statement, { timeoutMs, signal })) {
    const id = idsOf(block.columns[0]!.data);
    for (let row = 0; row < block.rows; row++) found.push(id(row));
  }
  return found;
}

/** The table and the condition on its rows. */
function rowsOf(range: PointRange, source: DataSource): Sql {
  const table = identifier(databaseOf(source, range.org), source.table);
  // A series id says all, as it is made of all labels. The metric ids are there for the primary key.
  const series = range.seriesIds === undefined ? sql`` : sql` AND series_id IN (${range.seriesIds})`;
  return sql`${table} WHERE metric_id IN (${range.metricIds})${series} AND ${atLeast('time', range.start)} AND ${atMost('time', range.end)}`;
}
