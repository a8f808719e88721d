import type { FoundSeries } from '../series-lookup.ts';
import type { HistogramRows } from './histogram-rows.ts';
import { PointCursor } from './point-cursor.ts';
import { histogramPages, streamPoints, type PointRange, type PointSources } from './point-streams.ts';

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

const TWO_32 = 4_294_967_296;

/**
 * Gives all points of the series to the sink, in the order of their ids; steps once a block, so that its user can look at what is there.
 *
 * What the sources give of other series is passed over.
 *
 * Of several points for one time the first that comes is given. Floats and histograms of a series are merged by time.
 */
export async function* readPoints(
  range: PointRange,
  series: readonly FoundSeries[],
  sink: PointSink,
  sources: PointSources = streamPoints(range),
): AsyncGenerator<void> {
  const order = orderOfIds(series);
  const ranks = new Map(order.map((index, rank) => [series[index]!.seriesId, rank]));
  const floats = new PointCursor(sources.floats, ranks);
  let histograms: PointCursor | undefined;
  try {
    const some = new Set(await sources.withHistograms);
    const withHistograms = order.map((index) => series[index]!.seriesId).filter((id) => some.has(id));
    histograms = new PointCursor(histogramPages(range, withHistograms), ranks);
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
function giveFloats(cursor: PointCursor, until: number, before: number, sink: PointSink): number {
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

function giveHistograms(cursor: PointCursor, until: number, before: number, sink: PointSink): number {
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

/** Indices of the series in the order of their ids, which is the tables'. */
export function orderOfIds(series: readonly FoundSeries[]): number[] {
  return series.map((_, index) => index).toSorted((a, b) => compareIds(series[a]!, series[b]!));
}

function compareIds(left: FoundSeries, right: FoundSeries): number {
  if (left.metricId !== right.metricId) return left.metricId < right.metricId ? -1 : 1;
  return left.seriesId < right.seriesId ? -1 : left.seriesId > right.seriesId ? 1 : 0;
}
