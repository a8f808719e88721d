/**
 * The data that remote write carries, in the terms of its specification. The same types describe requests of 1.0 and
 * 2.0; what only 2.0 can carry is said at the field.
 */

/** One label. Order does not matter when writing: labels are always sorted before they are sent. */
export interface Label {
  readonly name: string;
  readonly value: string;
}

/** Labels as a plain record (`{ __name__: 'up', job: 'a' }`) or as a list. `__name__` is the metric name. */
export type Labels = Readonly<Record<string, string>> | readonly Label[];

/**
 * A point in time: **milliseconds** since 1970-01-01 UTC as a number or bigint, or a `Date`.
 *
 * A number must be a safe integer. 0 is the epoch, not "now".
 */
export type Timestamp = number | bigint | Date;

interface SampleTime {
  /** When the value was observed (milliseconds or Date). The client fills in the current time if it is absent. */
  readonly timestamp?: Timestamp | undefined;
  /**
   * When the counter or histogram began to count (milliseconds or Date; 2.0 only, left out in 1.0). Absent or 0 means
   * unknown: give 1 or -1 for a true epoch 0 (section 2.4, "start timestamp").
   */
  readonly startTimestamp?: Timestamp | undefined;
}

/** A float value at a time. NaN and infinities are allowed. */
export interface FloatSample extends SampleTime {
  readonly value: number;
  readonly stale?: false | undefined;
}

/**
 * A stale marker: it ends the series at its time. Being a flag it survives copying, `structuredClone` and JSON, which
 * the NaN that stands for it on the wire does not.
 */
export interface StaleSample extends SampleTime {
  readonly stale: true;
  /** Ignored: the wire always gets the stale NaN 0x7ff0000000000002. */
  readonly value?: number | undefined;
}

/** A sample: a float value, or a stale marker (see `staleMarker()`). */
export type Sample = FloatSample | StaleSample;

/** A reference to something outside the metrics, usually a trace, attached to a series. */
export interface Exemplar {
  /** Labels of the exemplar itself, such as `trace_id`. */
  readonly labels: Labels;
  readonly value: number;
  /** Milliseconds or Date. Required by 2.0; the client fills in the current time if it is absent. */
  readonly timestamp?: Timestamp | undefined;
}

/** Type of a metric family. */
export type MetricType =
  | 'unknown'
  | 'counter'
  | 'gauge'
  | 'histogram'
  | 'gaugehistogram'
  | 'summary'
  | 'info'
  | 'stateset';

/** What is known about a metric beyond its values. */
export interface Metadata {
  readonly type?: MetricType | undefined;
  readonly help?: string | undefined;
  readonly unit?: string | undefined;
}

/** Metadata of a metric family. In 2.0 it travels with the series of that family. */
export interface FamilyMetadata extends Metadata {
  /** Name of the metric family, such as `http_requests_total` or, for its `_bucket` series, `http_request_seconds`. */
  readonly name: string;
}

/** A run of consecutive buckets. */
export interface BucketSpan {
  /** Index of the first bucket (first span) or number of buckets skipped (later spans). */
  readonly offset: number;
  /** Number of buckets. */
  readonly length: number;
}

/** What is known about counter resets between the previous histogram and this one. `gauge` marks gauge histograms. */
export type ResetHint = 'unknown' | 'yes' | 'no' | 'gauge';

interface HistogramBase extends SampleTime {
  /** Sum of all observations. */
  readonly sum: number;
  /**
   * Resolution: -4 to 8 for exponential buckets that grow by 2^(2^-schema); -53 for custom buckets (2.0 only), whose
   * bounds are in `customValues`.
   */
  readonly schema: number;
  /** Half-width of the zero bucket, which is closed: [-zeroThreshold, +zeroThreshold]. */
  readonly zeroThreshold?: number | undefined;
  readonly negativeSpans?: readonly BucketSpan[] | undefined;
  readonly positiveSpans?: readonly BucketSpan[] | undefined;
  readonly resetHint?: ResetHint | undefined;
  /** Upper bounds (inclusive, increasing, finite) of the custom buckets of schema -53. */
  readonly customValues?: ArrayLike<number> | undefined;
  readonly stale?: false | undefined;
}

/** A native histogram with integer counts (section 3 "Native histograms"). */
export interface IntegerHistogram extends HistogramBase {
  readonly kind: 'integer';
  readonly count: number | bigint;
  readonly zeroCount?: number | bigint | undefined;
  /** Per bucket the difference to the bucket before; the first is absolute. */
  readonly negativeDeltas?: ArrayLike<number | bigint> | undefined;
  /** Per bucket the difference to the bucket before; the first is absolute. */
  readonly positiveDeltas?: ArrayLike<number | bigint> | undefined;
}

/** A native histogram with float counts. */
export interface FloatHistogram extends HistogramBase {
  readonly kind: 'float';
  readonly count: number;
  readonly zeroCount?: number | undefined;
  /** Per bucket its absolute count. */
  readonly negativeCounts?: ArrayLike<number> | undefined;
  /** Per bucket its absolute count. */
  readonly positiveCounts?: ArrayLike<number> | undefined;
}

/** A stale marker in place of a histogram. Sent as an integer histogram whose sum is the stale NaN. */
export interface StaleHistogram extends SampleTime {
  readonly stale: true;
}

/** A native histogram at a time. */
export type NativeHistogram = IntegerHistogram | FloatHistogram | StaleHistogram;

/** A series with some of its points. */
export interface TimeSeries {
  readonly labels: Labels;
  /** Samples, oldest first. */
  readonly samples?: readonly Sample[] | undefined;
  /** A single sample, for the usual case; comes before those in `samples`. */
  readonly sample?: Sample | undefined;
  /** Native histograms, oldest first. */
  readonly histograms?: readonly NativeHistogram[] | undefined;
  readonly exemplars?: readonly Exemplar[] | undefined;
  readonly metadata?: Metadata | undefined;
}

/** Everything one request carries. */
export interface WriteRequest {
  readonly timeseries?: readonly TimeSeries[] | undefined;
  /** Metadata by family. 1.0 sends all of it; 2.0 what belongs to a series of this request without its own. */
  readonly metadata?: readonly FamilyMetadata[] | undefined;
}

/**
 * A stale marker, to be used as a sample or a histogram: it says that the series has ended.
 *
 * @param timestamp when the series ended (milliseconds or Date); the client fills in the current time if absent.
 */
export function staleMarker(timestamp?: Timestamp): {
  readonly stale: true;
  readonly timestamp: Timestamp | undefined;
} {
  return { stale: true, timestamp };
}
