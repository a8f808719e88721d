/** Series in the one form that the queue keeps: everything a later moment could change is settled. */
import { LabelSet, METRIC_NAME } from './codec/label-set.ts';
import { familyName } from './codec/series-encode.ts';
import { toMilliseconds } from './codec/timestamp.ts';
import type {
  Exemplar,
  FamilyMetadata,
  Label,
  Metadata,
  NativeHistogram,
  Sample,
  TimeSeries,
  Timestamp,
} from './codec/time-series.ts';

/** A point whose time is settled, in milliseconds. */
type Timed<Point> = Point & { readonly timestamp: number | bigint };

/** A series with sorted labels, own metadata, and a time at every point. Shares nothing the caller could change. */
export interface NormalSeries {
  readonly labels: readonly Label[];
  readonly samples: readonly Timed<Sample>[];
  readonly histograms: readonly Timed<NativeHistogram>[];
  readonly exemplars: readonly Timed<Exemplar>[];
  readonly metadata: Metadata | undefined;
}

/** Brings valid series into normal form. */
export function normalizeSeries(
  timeseries: readonly TimeSeries[],
  families: readonly FamilyMetadata[] | undefined,
  externalLabels: readonly Label[] | undefined,
  now: number,
): NormalSeries[] {
  const metadataByFamily = new Map((families ?? []).map((family) => [family.name, family]));
  const set = new LabelSet();
  return timeseries.map((series, index) => {
    set.collect(series.labels, externalLabels, () => `timeseries[${index}]`);
    const settle = <Point extends { readonly timestamp?: Timestamp | undefined }>(point: Point): Timed<Point> => ({
      ...point,
      timestamp: point.timestamp === undefined ? now : toMilliseconds(point.timestamp, () => `timeseries[${index}]`),
    });
    const samples = series.sample === undefined ? (series.samples ?? []) : [series.sample, ...(series.samples ?? [])];
    return {
      labels: set.toLabels(),
      samples: samples.map(settle),
      histograms: (series.histograms ?? []).map(settle),
      exemplars: (series.exemplars ?? []).map(settle),
      metadata: series.metadata ?? findMetadata(set.get(METRIC_NAME) ?? '', metadataByFamily),
    };
  });
}

function findMetadata(metricName: string, families: ReadonlyMap<string, FamilyMetadata>): Metadata | undefined {
  if (families.size === 0) return undefined;
  for (const type of ['unknown', 'histogram', 'summary'] as const) {
    const name = familyName(metricName, type);
    const family = families.get(name);
    if (family !== undefined && familyName(metricName, family.type) === name) return family;
  }
  return undefined;
}

/** Hash of sorted labels: picks the shard, so that all points of a series take the same way. */
export function hashLabels(labels: readonly Label[]): number {
  let hash = 0x811c9dc5;
  for (const { name, value } of labels) {
    hash = hashText(hashText(hash, name), value);
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}

function hashText(seed: number, text: string): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  // A unit no text contains by itself keeps "a"+"bc" apart from "ab"+"c".
  return Math.imul(hash ^ 0x1_0000, 0x01000193);
}
