/** What encoding 1.0 and 2.0 have in common: checking and ordering the points of a series. */
import type { ProtobufWriter } from '../wire/protobuf-writer.ts';
import { toMilliseconds } from './timestamp.ts';
import { WriteValidationError } from './validation-error.ts';
import type { Metadata, TimeSeries, Timestamp } from './time-series.ts';

/** Number of samples of a series. */
export function sampleCount(series: TimeSeries): number {
  return (series.sample === undefined ? 0 : 1) + (series.samples?.length ?? 0);
}

/** Path of a sample for error messages. */
export function samplePath(seriesPath: string, index: number): string {
  return index === -1 ? `${seriesPath}.sample` : `${seriesPath}.samples[${index}]`;
}

/** Writes fields 1 (value) of a Sample or 1/2 of an Exemplar under `tag`. */
export function writeValue(writer: ProtobufWriter, tag: number, value: number, path: () => string): void {
  if (typeof value !== 'number') {
    throw new WriteValidationError(
      `${path()}.value`,
      `expected a number; got ${value === null ? 'null' : typeof value}`,
    );
  }
  // proto3 leaves out +0, but -0 has other bits.
  if (value === 0 && 1 / value > 0) return;
  writer.reserve(9);
  writer.bytes[writer.position++] = tag;
  writer.double(value);
}

/** Writes a timestamp field under `tag`, unless it is 0; returns the milliseconds. */
export function writeTimestamp(
  writer: ProtobufWriter,
  tag: number,
  timestamp: Timestamp,
  path: () => string,
): number | bigint {
  const milliseconds = Number.isSafeInteger(timestamp) ? (timestamp as number) : toMilliseconds(timestamp, path);
  if (milliseconds !== 0 && milliseconds !== 0n) {
    writer.reserve(11);
    writer.bytes[writer.position++] = tag;
    writer.int64(milliseconds);
  }
  return milliseconds;
}

/** Refuses a series that carries nothing. */
export function assertHasPoints(series: TimeSeries, path: () => string): void {
  if (sampleCount(series) === 0 && !(series.histograms?.length ?? 0) && !(series.exemplars?.length ?? 0)) {
    throw new WriteValidationError(path(), 'expected at least one sample, histogram or exemplar; got none');
  }
}

/** Refuses points that go back in time; equal times are left to the receiver. */
export function assertInOrder(previous: number | bigint, current: number | bigint, path: () => string): void {
  if (current < previous) {
    throw new WriteValidationError(
      `${path()}.timestamp`,
      `expected oldest first; got ${current} after ${previous}; sort the samples or use validation: 'sanitize'`,
    );
  }
}

/** True if metadata says anything. */
export function hasMetadata(metadata: Metadata | undefined): metadata is Metadata {
  return (
    metadata !== undefined &&
    ((metadata.type !== undefined && metadata.type !== 'unknown') || !!metadata.help || !!metadata.unit)
  );
}

/** Name of the family a series belongs to: classic histograms and summaries spread over suffixed series. */
export function familyName(metricName: string, type: Metadata['type']): string {
  const suffix =
    type === 'histogram' || type === 'gaugehistogram'
      ? /_(?:bucket|count|sum|gcount|gsum)$/
      : type === 'summary'
        ? /_(?:count|sum)$/
        : undefined;
  return suffix === undefined ? metricName : metricName.replace(suffix, '');
}
