/**
 * What decoding yields. Every decoded type can be handed back to the encoder, and to the client, unchanged.
 */
import type { BucketSpan, Label, MetricType, ResetHint } from './time-series.ts';

/** A decoded time in milliseconds: a number if it is a safe integer, else a bigint. Nothing is rounded. */
export type DecodedTimestamp = number | bigint;

/** A decoded sample. `value` keeps its bits as long as it is not moved through plain arrays or arithmetic. */
export type DecodedSample =
  | {
      readonly value: number;
      readonly timestamp: DecodedTimestamp;
      /** 0 = unset (always so in 1.0). */
      readonly startTimestamp: DecodedTimestamp;
      readonly stale: false;
    }
  | {
      readonly value: number;
      readonly timestamp: DecodedTimestamp;
      readonly startTimestamp: DecodedTimestamp;
      /** The 8 bytes were the stale marker. */
      readonly stale: true;
    };

/** A decoded exemplar. */
export interface DecodedExemplar {
  readonly labels: readonly Label[];
  readonly value: number;
  readonly timestamp: DecodedTimestamp;
}

interface DecodedHistogramBase {
  readonly sum: number;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly negativeSpans: readonly BucketSpan[];
  readonly positiveSpans: readonly BucketSpan[];
  readonly resetHint: ResetHint;
  readonly customValues: Float64Array;
  readonly timestamp: DecodedTimestamp;
  readonly startTimestamp: DecodedTimestamp;
}

/** A decoded integer histogram. */
export interface DecodedIntegerHistogram extends DecodedHistogramBase {
  readonly kind: 'integer';
  readonly stale: false;
  readonly count: bigint;
  readonly zeroCount: bigint;
  readonly negativeDeltas: BigInt64Array;
  readonly positiveDeltas: BigInt64Array;
}

/** A decoded float histogram. */
export interface DecodedFloatHistogram extends DecodedHistogramBase {
  readonly kind: 'float';
  readonly stale: false;
  readonly count: number;
  readonly zeroCount: number;
  readonly negativeCounts: Float64Array;
  readonly positiveCounts: Float64Array;
}

/** A decoded histogram whose sum is the stale marker; its other fields mean nothing and are not kept. */
export interface DecodedStaleHistogram {
  readonly kind: 'stale';
  readonly stale: true;
  readonly timestamp: DecodedTimestamp;
  readonly startTimestamp: DecodedTimestamp;
}

/** A decoded histogram. */
export type DecodedHistogram = DecodedIntegerHistogram | DecodedFloatHistogram | DecodedStaleHistogram;

/** Decoded metadata of a series (2.0). */
export interface DecodedMetadata {
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
}

/** Decoded metadata of a family (1.0). */
export interface DecodedFamilyMetadata extends DecodedMetadata {
  readonly name: string;
}

/** A decoded series. */
export interface DecodedTimeSeries {
  /** In the order of the wire: not sorted, not checked for duplicates or empty names. */
  readonly labels: readonly Label[];
  readonly samples: readonly DecodedSample[];
  readonly histograms: readonly DecodedHistogram[];
  readonly exemplars: readonly DecodedExemplar[];
  readonly metadata: DecodedMetadata | undefined;
  /**
   * What makes this series unusable although the message as a whole is well-formed: text that is not UTF-8, an odd
   * number of label references, a reference beyond the symbol table. A receiver answers 400 and writes the others
   * (section 4.1). Labels are then incomplete.
   */
  readonly problem: string | undefined;
}

/** A decoded request of either version. */
export interface DecodedWriteRequest {
  readonly timeseries: readonly DecodedTimeSeries[];
  /** Metadata by family; always empty for 2.0, where it is part of the series. */
  readonly metadata: readonly DecodedFamilyMetadata[];
}

/** Limits while decoding. */
export interface DecodeOptions {
  /**
   * The number of objects a request may decode to: series, labels, samples, exemplars, histograms, bucket spans and
   * symbols together. Two bytes can describe one object of a hundred, so this bounds memory. Default 4,000,000.
   */
  readonly maxElements?: number | undefined;
}

/** Default of {@link DecodeOptions.maxElements}. */
export const DEFAULT_MAX_ELEMENTS = 4_000_000;
