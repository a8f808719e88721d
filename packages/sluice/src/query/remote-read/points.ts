import { bug } from '../../base/errors.ts';
import type { NativeBlock } from '../../batch/native.ts';
import { valuesOf } from '../../batch/read.ts';
import { databaseOf } from '../../catalog/catalog.ts';
import { histograms as histogramSource, samples as sampleSource } from '../../catalog/prometheus.ts';
import type { DataSource } from '../../catalog/types.ts';
import { identifier, joinSql, sql, type Sql } from '../../storage/sql.ts';
import type { Store } from '../../storage/store.ts';
import type { FoundSeries } from '../series-lookup.ts';
import { atLeast, atMost } from '../time-range.ts';
import { HISTOGRAM_COLUMNS, histogramRows, type HistogramRows } from './histogram-rows.ts';

/** Takes the points of one series after the other: times in epoch milliseconds, strictly ascending. */
export interface PointSink {
  /** `index` counts in the list of series that was asked for. Series without points are left out. */
  begin(index: number): void;
  /** The first `count` float samples of these lists, which are used again afterwards; their bits as two Uint32 each (low, high). */
  floats(times: Float64Array, values: Uint32Array, count: number): void;
  /** A native histogram: row `row` of a block that stays as it is until the next block is asked for. */
  histogram(time: number, rows: HistogramRows, row: number): void;
  end(): void;
}

export interface PointQuery {
  readonly store: Store;
  readonly org: number;
  /** At most a few thousand: their ids stand in the statement. */
  readonly series: readonly FoundSeries[];
  /** These are all series of their metrics, or nearly: sorting others out here is cheaper than naming these in the statement. */
  readonly wholeMetrics: boolean;
  /** Epoch milliseconds, both ends belong to the range. */
  readonly start: number;
  readonly end: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const TWO_32 = 4_294_967_296;
const HISTOGRAMS_PER_BLOCK = 2048;

/**
 * Gives all points of the series to the sink, in the order of their ids; steps once a block, so that its user can look at what is there.
 *
 * Of several points for one time the first that comes is given. Floats and histograms of a series are merged by time.
 */
export async function* readPoints(query: PointQuery, sink: PointSink): AsyncGenerator<void> {
  const order = query.series.map((_, index) => index);
  order.sort((a, b) => compareIds(query.series[a]!, query.series[b]!));
  const ranks = new Map(order.map((index, rank) => [query.series[index]!.seriesId, rank]));
  const floats = new Cursor(query, sampleSource, ['value'], ranks);
  const histograms = new Cursor(query, histogramSource, HISTOGRAM_COLUMNS, ranks);
  try {
    await Promise.all([floats.load(), histograms.load()]);
    let current = -1;
    let last = -Infinity;
    for (;;) {
      if (floats.isUsedUp) {
        yield;
        await floats.load();
      }
      if (histograms.isUsedUp) {
        yield;
        await histograms.load();
      }
      const rank = Math.min(floats.rank, histograms.rank);
      if (rank !== current) {
        if (current >= 0) sink.end();
        if (rank === Infinity) return;
        sink.begin(order[rank]!);
        current = rank;
        last = -Infinity;
      }
      if (histograms.rank !== rank) last = giveFloats(floats, Infinity, last, sink);
      else if (floats.rank !== rank) last = giveHistograms(histograms, Infinity, last, sink);
      else if (floats.time <= histograms.time) last = giveFloats(floats, histograms.time, last, sink);
      else last = giveHistograms(histograms, floats.time, last, sink);
    }
  } finally {
    await Promise.all([floats.close(), histograms.close()]);
  }
}

/** Floats on their way to the sink. */
const ROOM = 4800;
const roomTimes = new Float64Array(ROOM);
const roomValues = new Uint32Array(ROOM * 2);

/** Gives the floats of the current series that lie at `until` or before; returns the time of the last point given. */
function giveFloats(cursor: Cursor, until: number, before: number, sink: PointSink): number {
  const { times, values, runEnd } = cursor;
  let last = before;
  let row = cursor.row;
  while (row < runEnd) {
    let count = 0;
    for (; row < runEnd && count < ROOM; row++) {
      const time = (times[row * 2 + 1]! | 0) * TWO_32 + times[row * 2]!;
      if (time > until) break;
      if (time === last) continue;
      last = time;
      roomTimes[count] = time;
      roomValues[count * 2] = values[row * 2]!;
      roomValues[count * 2 + 1] = values[row * 2 + 1]!;
      count++;
    }
    if (count > 0) sink.floats(roomTimes, roomValues, count);
    if (count < ROOM) break;
  }
  cursor.moveTo(row);
  return last;
}

function giveHistograms(cursor: Cursor, until: number, before: number, sink: PointSink): number {
  const { times, runEnd } = cursor;
  const rows = cursor.histograms();
  let last = before;
  let row = cursor.row;
  for (; row < runEnd; row++) {
    const time = (times[row * 2 + 1]! | 0) * TWO_32 + times[row * 2]!;
    if (time > until) break;
    if (time !== last) sink.histogram(time, rows, row);
    last = time;
  }
  cursor.moveTo(row);
  return last;
}

const nothing = new Uint32Array(0);

/** Walks over the rows of one table, run by run: a run is the rows of one series within a block. Asks for the next block while one is worked on. */
class Cursor {
  times: Uint32Array = nothing;
  values: Uint32Array = nothing;
  row = 0;
  runEnd = 0;
  /** Place of the current series in the order of ids; Infinity at the end. */
  rank = -1;
  #rows = 0;
  #ids: Uint32Array = nothing;
  #block: NativeBlock | undefined;
  #histograms: HistogramRows | undefined;
  readonly #ranks: ReadonlyMap<bigint, number>;
  readonly #blocks: AsyncIterator<NativeBlock>;
  #next: Promise<IteratorResult<NativeBlock>>;

  constructor(query: PointQuery, source: DataSource, columns: readonly string[], ranks: ReadonlyMap<bigint, number>) {
    const { store, timeoutMs, signal } = query;
    const settings: Record<string, number> = { optimize_read_in_order: 1 };
    if (source === histogramSource) settings['max_block_size'] = HISTOGRAMS_PER_BLOCK;
    this.#ranks = ranks;
    this.#blocks = store
      .stream(pointsStatement(query, source, columns), { timeoutMs, signal, settings })
      [Symbol.asyncIterator]();
    this.#next = this.#ask();
  }

  get isUsedUp(): boolean {
    return this.row === this.#rows && this.rank !== Infinity;
  }

  /** Time of the current row. */
  get time(): number {
    return (this.times[this.row * 2 + 1]! | 0) * TWO_32 + this.times[this.row * 2]!;
  }

  /** Goes on to the next block. */
  async load(): Promise<void> {
    do {
      const result = await this.#next;
      if (result.done === true) {
        this.rank = Infinity;
        this.#block = undefined;
        return;
      }
      this.#next = this.#ask();
      this.#take(result.value);
    } while (this.row === this.#rows);
  }

  /** The histograms of the current block. */
  histograms(): HistogramRows {
    return (this.#histograms ??= histogramRows(this.#block ?? bug('there is a block')));
  }

  /** Goes on to a row of the current run, or to its end: then to the next run of a series that was asked for. */
  moveTo(row: number): void {
    this.row = row;
    while (this.row === this.runEnd && this.row < this.#rows) this.#startRun();
  }

  async close(): Promise<void> {
    this.#next.catch(() => {});
    await this.#blocks.return?.();
  }

  #ask(): Promise<IteratorResult<NativeBlock>> {
    const next = this.#blocks.next();
    // Whoever awaits it sees the failure; nobody may come to.
    next.catch(() => {});
    return next;
  }

  #take(block: NativeBlock): void {
    this.#block = block;
    this.#histograms = undefined;
    this.#rows = block.rows;
    this.#ids = valuesOf(block.columns[0]!.data, Uint32Array);
    this.times = valuesOf(block.columns[1]!.data, Uint32Array);
    const third = block.columns[2]!;
    this.values = third.name === 'value' ? valuesOf(third.data, Uint32Array) : nothing;
    this.runEnd = 0;
    this.moveTo(0);
  }

  /** Finds the run that begins at `row`; skips it when its series was not asked for. */
  #startRun(): void {
    const ids = this.#ids;
    const low = ids[this.row * 2]!;
    const high = ids[this.row * 2 + 1]!;
    let end = this.row + 1;
    while (end < this.#rows && ids[end * 2] === low && ids[end * 2 + 1] === high) end++;
    this.runEnd = end;
    const rank = this.#ranks.get((BigInt(high) << 32n) | BigInt(low));
    if (rank === undefined) this.row = end;
    else this.rank = rank;
  }
}

function pointsStatement(query: PointQuery, source: DataSource, columns: readonly string[]): Sql {
  const { series, start, end } = query;
  const table = identifier(databaseOf(source, query.org), source.table);
  const metricIds = [...new Set(series.map(({ metricId }) => metricId))];
  const selected = joinSql(
    ['series_id', 'time', ...columns].map((name) => identifier(name)),
    ', ',
  );
  // A series id says all, as it is made of all labels. The metric ids are there for the primary key.
  const ids = query.wholeMetrics ? sql`` : sql` AND series_id IN (${series.map(({ seriesId }) => seriesId)})`;
  return sql`SELECT ${selected} FROM ${table} WHERE metric_id IN (${metricIds})${ids}
    AND ${atLeast('time', start)} AND ${atMost('time', end)} ORDER BY metric_id, series_id, time`;
}

function compareIds(left: FoundSeries, right: FoundSeries): number {
  if (left.metricId !== right.metricId) return left.metricId < right.metricId ? -1 : 1;
  return left.seriesId < right.seriesId ? -1 : left.seriesId > right.seriesId ? 1 : 0;
}
