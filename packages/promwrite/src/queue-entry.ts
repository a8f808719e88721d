import type { PointCounts } from './codec/tally.ts';
import { hashLabels, type NormalSeries } from './normal-series.ts';

/** A piece of a series in the queue: at most one batch full of points. */
export interface QueueEntry {
  readonly series: NormalSeries;
  /** Hash of the labels. */
  readonly hash: number;
  /** Place in the order of appending, over the whole queue. */
  readonly sequence: number;
  /** When it was appended, in milliseconds of the monotonic clock. */
  readonly appendedAt: number;
  /** Samples, histograms and exemplars together. */
  readonly points: number;
}

/** Number of points of a series, by kind. */
export function countPoints(entries: readonly QueueEntry[]): PointCounts {
  const counts = { samples: 0, histograms: 0, exemplars: 0 };
  for (const { series } of entries) {
    counts.samples += series.samples.length;
    counts.histograms += series.histograms.length;
    counts.exemplars += series.exemplars.length;
  }
  return counts;
}

/** Makes entries of a series, cut into pieces of at most `largest` points, oldest first. */
export function makeEntries(series: NormalSeries, largest: number, nextSequence: () => number): QueueEntry[] {
  const hash = hashLabels(series.labels);
  const appendedAt = performance.now();
  const entries: QueueEntry[] = [];
  const { samples, histograms, exemplars } = series;
  const total = samples.length + histograms.length + exemplars.length;
  for (let start = 0; start < total; start += largest) {
    // Where this piece lies in a list that begins at the given place among all points.
    const piece = (begin: number): [number, number] => [
      Math.max(0, start - begin),
      Math.max(0, start + largest - begin),
    ];
    const afterSamples = samples.length;
    const afterHistograms = afterSamples + histograms.length;
    entries.push({
      series: {
        labels: series.labels,
        metadata: series.metadata,
        samples: samples.slice(...piece(0)),
        histograms: histograms.slice(...piece(afterSamples)),
        exemplars: exemplars.slice(...piece(afterHistograms)),
      },
      hash,
      sequence: nextSequence(),
      appendedAt,
      points: Math.min(largest, total - start),
    });
  }
  return entries;
}

/** Removes points older than `oldest` (milliseconds since 1970); entries left without points vanish. */
export function withoutOld(entries: readonly QueueEntry[], oldest: number): QueueEntry[] {
  const isRecent = (point: { readonly timestamp: number | bigint }): boolean => point.timestamp >= oldest;
  return entries.flatMap((entry) => {
    const { series } = entry;
    const samples = series.samples.filter(isRecent);
    const histograms = series.histograms.filter(isRecent);
    const exemplars = series.exemplars.filter(isRecent);
    const points = samples.length + histograms.length + exemplars.length;
    if (points === entry.points) return entry;
    return points === 0 ? [] : { ...entry, series: { ...series, samples, histograms, exemplars }, points };
  });
}
