import { bug } from '../../base/errors.ts';
import type { NativeBlock } from '../../batch/native.ts';
import { databaseOf } from '../../catalog/catalog.ts';
import { histograms as histogramSource, samples as sampleSource } from '../../catalog/prometheus.ts';
import type { DataSource } from '../../catalog/types.ts';
import { identifier, joinSql, sql, type Sql } from '../../storage/sql.ts';
import type { Store } from '../../storage/store.ts';
import { idsOf, type FoundSeries } from '../series-lookup.ts';
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
  const ids = query.wholeMetrics ? undefined : query.series.map(({ seriesId }) => seriesId);
  // Most series have none: asking who has some is cheaper than another stream, whose start stops the event loop.
  const asked = seriesWithHistograms(query);
  const floats = new Cursor(streamPoints(query, sampleSource, ['value'], ids), ranks);
  let histograms: Cursor | undefined;
  try {
    const some = await asked;
    histograms = new Cursor(
      some.length === 0 ? noBlocks() : streamPoints(query, histogramSource, HISTOGRAM_COLUMNS, some),
      ranks,
    );
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
    await Promise.all([floats.close(), histograms?.close()]);
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
  readonly #rooms: Uint8Array<ArrayBuffer>[] = [];
  readonly #ranks: ReadonlyMap<bigint, number>;
  readonly #blocks: AsyncIterator<NativeBlock>;
  #next: Promise<IteratorResult<NativeBlock>>;

  constructor(blocks: AsyncIterable<NativeBlock>, ranks: ReadonlyMap<bigint, number>) {
    this.#ranks = ranks;
    const iterator = blocks[Symbol.asyncIterator]();
    this.#blocks = iterator;
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
    this.#ids = this.#words(0, block);
    this.times = this.#words(1, block);
    this.values = block.columns[2]!.name === 'value' ? this.#words(2, block) : nothing;
    this.runEnd = 0;
    this.moveTo(0);
  }

  /** A column of 64-bit values as Uint32; in memory of our own, used again for each block, when it is not aligned. */
  #words(index: number, block: NativeBlock): Uint32Array {
    const { data } = block.columns[index]!;
    if (data.kind !== 'fixed' || data.width !== 8) return bug(`expected a column of 8 bytes a value; got ${data.kind}`);
    const { bytes } = data;
    if (bytes.byteOffset % 4 === 0) return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    let room = this.#rooms[index];
    if (room === undefined || room.length < bytes.length) this.#rooms[index] = room = new Uint8Array(bytes.length);
    room.set(bytes);
    return new Uint32Array(room.buffer, 0, bytes.length / 4);
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

/** Rows of one table as a stream; `ids` undefined = all series of the metrics. */
function streamPoints(
  query: PointQuery,
  source: DataSource,
  columns: readonly string[],
  ids: readonly bigint[] | undefined,
): AsyncIterable<NativeBlock> {
  const { store, timeoutMs, signal } = query;
  const settings: Record<string, number> = { optimize_read_in_order: 1 };
  if (source === histogramSource) settings['max_block_size'] = HISTOGRAMS_PER_BLOCK;
  const names = ['series_id', 'time', ...columns].map((name) => identifier(name));
  const statement = sql`SELECT ${joinSql(names, ', ')} FROM ${rowsOf(query, source, ids)} ORDER BY metric_id, series_id, time`;
  return store.stream(statement, { timeoutMs, signal, settings });
}

async function seriesWithHistograms(query: PointQuery): Promise<bigint[]> {
  const { store, series, timeoutMs, signal } = query;
  const ids = query.wholeMetrics ? undefined : series.map(({ seriesId }) => seriesId);
  const statement = sql`SELECT DISTINCT series_id FROM ${rowsOf(query, histogramSource, ids)}`;
  const found: bigint[] = [];
  for (const block of await store.select(statement, { timeoutMs, signal })) {
    const id = idsOf(block.columns[0]!.data);
    for (let row = 0; row < block.rows; row++) found.push(id(row));
  }
  return found;
}

/** The table and the condition on its rows. */
function rowsOf(query: PointQuery, source: DataSource, ids: readonly bigint[] | undefined): Sql {
  const table = identifier(databaseOf(source, query.org), source.table);
  const metricIds = [...new Set(query.series.map(({ metricId }) => metricId))];
  // A series id says all, as it is made of all labels. The metric ids are there for the primary key.
  const named = ids === undefined ? sql`` : sql` AND series_id IN (${ids})`;
  return sql`${table} WHERE metric_id IN (${metricIds})${named} AND ${atLeast('time', query.start)} AND ${atMost('time', query.end)}`;
}

async function* noBlocks(): AsyncGenerator<NativeBlock> {}

function compareIds(left: FoundSeries, right: FoundSeries): number {
  if (left.metricId !== right.metricId) return left.metricId < right.metricId ? -1 : 1;
  return left.seriesId < right.seriesId ? -1 : left.seriesId > right.seriesId ? 1 : 0;
}
