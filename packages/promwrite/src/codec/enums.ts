/** Numbers of the enums on the wire; the same in 1.0 and 2.0. */
import type { MetricType, ResetHint } from './time-series.ts';

/** MetricMetadata.MetricType and Metadata.MetricType, index = number. */
export const METRIC_TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

/** Histogram.ResetHint, index = number. */
export const RESET_HINTS: readonly ResetHint[] = ['unknown', 'yes', 'no', 'gauge'];
