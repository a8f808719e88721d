import type { ColumnSpec, DataSource } from './types.ts';
import { singleEndTags } from './universal-tags.ts';

/** What Prometheus senders deliver (design 2.3): one table a kind of message, joined by `metric_id` and `series_id`. */

const ids = [
  {
    name: 'metric_id',
    type: 'UInt64',
    role: 'id',
    codec: 'ZSTD(1)',
    description: 'First 8 bytes, little-endian, of the SHA-256 of the metric name',
  },
  {
    name: 'series_id',
    type: 'UInt64',
    role: 'id',
    codec: 'ZSTD(1)',
    description: 'First 8 bytes, little-endian, of the SHA-256 of the sorted labels, name included',
  },
] as const;

const time = {
  name: 'time',
  type: "DateTime64(3, 'UTC')",
  role: 'time',
  codec: 'Delta, ZSTD(1)',
  unit: 'ms',
  description: 'Timestamp given by the sender',
} as const;

/** What DateTime64(3) can hold, the years 1900 to 2299, in epoch milliseconds, both inclusive. Other times could be stored, but not be asked for. */
export const storableTimes = { from: -2_208_988_800_000, until: 10_413_791_999_999 } as const;

const arrival = {
  database: 'prometheus',
  time: { column: 'time', unit: 'ms' },
  acceptAheadMs: 600_000,
  sealAfterMs: 1_000,
} as const;

const bucketColumns = (['positive', 'negative'] as const).flatMap(
  (side) =>
    [
      {
        name: `${side}_span_offsets`,
        type: 'Array(Int32)',
        role: 'metric',
        codec: 'ZSTD(1)',
        description: `Offsets of the ${side} spans`,
      },
      {
        name: `${side}_span_lengths`,
        type: 'Array(UInt32)',
        role: 'metric',
        codec: 'ZSTD(1)',
        description: `Lengths of the ${side} spans`,
      },
      {
        name: `${side}_deltas`,
        type: 'Array(Int64)',
        role: 'metric',
        codec: 'ZSTD(1)',
        description: `Integer histograms: each ${side} bucket's difference to the one before`,
      },
      {
        name: `${side}_counts`,
        type: 'Array(Float64)',
        role: 'metric',
        codec: 'ZSTD(1)',
        description: `Float histograms: count of each ${side} bucket`,
      },
    ] as const,
);

export const samples = {
  ...arrival,
  id: 'prometheus.samples',
  table: 'samples',
  description: 'Float samples, bit for bit: NaN payloads and stale markers included',
  columns: [
    ...ids,
    time,
    { name: 'value', type: 'Float64', role: 'metric', codec: 'Delta, ZSTD(1)', description: 'Sample value' },
  ],
  engine: { kind: 'MergeTree' },
  orderBy: ['metric_id', 'series_id', 'time'],
  partitionBy: 'day',
  retention: { days: 15, extraHours: 0 },
} as const satisfies DataSource;

/**
 * What the tag inventory knows of a series' resource. They hold from `valid_from` on: a series whose tags change gets a row of its own. Columns of 16
 * bytes are four words of a tag row (base/ports.ts SeriesTagger), all others one.
 */
export const seriesTags: readonly ColumnSpec[] = singleEndTags
  .filter(({ name }) => name !== 'team_id')
  // Without their indexes: the table is small, and read by labels.
  .map(({ name, type, role, description }) => ({ name, type, role, description }));

export const series = {
  ...arrival,
  id: 'prometheus.series',
  table: 'series',
  description:
    'Label sets. A row is written at first sight, when tags change, and again every 24 h while the series is active',
  columns: [
    ...ids,
    {
      name: 'valid_from',
      type: "DateTime64(3, 'UTC')",
      role: 'id',
      codec: 'ZSTD(1)',
      unit: 'ms',
      description: 'Since when these labels and tags hold',
    },
    { ...time, description: 'When this row was written: the series was active then' },
    {
      name: 'metric_name',
      type: 'LowCardinality(String)',
      role: 'tag',
      codec: 'ZSTD(1)',
      description: 'Value of the label __name__',
    },
    {
      name: 'labels',
      type: 'Map(LowCardinality(String), String)',
      role: 'tag',
      codec: 'ZSTD(1)',
      description: 'The other labels, sorted by name',
    },
    ...seriesTags,
  ],
  engine: { kind: 'ReplacingMergeTree', version: 'time' },
  orderBy: ['metric_id', 'series_id', 'valid_from'],
  partitionBy: 'none',
  retention: { days: 15, extraHours: 48 },
} as const satisfies DataSource;

export const histograms = {
  ...arrival,
  id: 'prometheus.histograms',
  table: 'histograms',
  description: 'Native histograms: integer and float, exponential and custom buckets',
  columns: [
    ...ids,
    time,
    {
      name: 'start_time',
      type: "DateTime64(3, 'UTC')",
      role: 'metric',
      codec: 'ZSTD(1)',
      unit: 'ms',
      description: 'When counting began; 0 = unknown',
    },
    {
      name: 'is_float',
      type: 'UInt8',
      role: 'metric',
      codec: 'ZSTD(1)',
      description: '1: the float columns hold the counts; 0: the integer ones do',
    },
    {
      name: 'schema',
      type: 'Int32',
      role: 'metric',
      codec: 'ZSTD(1)',
      description: 'Resolution -4..8; -53 = custom buckets',
    },
    {
      name: 'reset_hint',
      type: 'UInt8',
      role: 'metric',
      codec: 'ZSTD(1)',
      description: '0 unknown, 1 counter reset, 2 none, 3 gauge',
    },
    {
      name: 'count',
      type: 'UInt64',
      role: 'metric',
      codec: 'ZSTD(1)',
      description: 'Observations, integer histograms',
    },
    {
      name: 'count_float',
      type: 'Float64',
      role: 'metric',
      codec: 'ZSTD(1)',
      description: 'Observations, float histograms',
    },
    {
      name: 'sum',
      type: 'Float64',
      role: 'metric',
      codec: 'ZSTD(1)',
      description: 'Sum of observations; the stale NaN marks the end',
    },
    {
      name: 'zero_threshold',
      type: 'Float64',
      role: 'metric',
      codec: 'ZSTD(1)',
      description: 'Breadth of the zero bucket',
    },
    {
      name: 'zero_count',
      type: 'UInt64',
      role: 'metric',
      codec: 'ZSTD(1)',
      description: 'Zero bucket, integer histograms',
    },
    {
      name: 'zero_count_float',
      type: 'Float64',
      role: 'metric',
      codec: 'ZSTD(1)',
      description: 'Zero bucket, float histograms',
    },
    ...bucketColumns,
    {
      name: 'custom_values',
      type: 'Array(Float64)',
      role: 'metric',
      codec: 'ZSTD(1)',
      description: 'Upper bounds of custom buckets (schema -53)',
    },
  ],
  engine: { kind: 'MergeTree' },
  orderBy: ['metric_id', 'series_id', 'time'],
  partitionBy: 'day',
  retention: { days: 15, extraHours: 0 },
} as const satisfies DataSource;

export const exemplars = {
  ...arrival,
  id: 'prometheus.exemplars',
  table: 'exemplars',
  description: 'Exemplars: single observations with labels of their own, usually a trace id',
  columns: [
    ...ids,
    time,
    { name: 'value', type: 'Float64', role: 'metric', codec: 'ZSTD(1)', description: 'Observed value' },
    {
      name: 'labels',
      type: 'Map(LowCardinality(String), String)',
      role: 'tag',
      codec: 'ZSTD(1)',
      description: "The exemplar's own labels",
    },
  ],
  engine: { kind: 'MergeTree' },
  orderBy: ['metric_id', 'series_id', 'time'],
  partitionBy: 'day',
  retention: { days: 15, extraHours: 0 },
} as const satisfies DataSource;

export const metadata = {
  ...arrival,
  id: 'prometheus.metadata',
  table: 'metadata',
  description:
    'Type, unit and help of metric families. A row is written at first sight, on change, and again every 24 h',
  columns: [
    {
      name: 'metric_family_name',
      type: 'String',
      role: 'id',
      codec: 'ZSTD(1)',
      description: 'Name of the metric family',
    },
    {
      name: 'type',
      type: 'LowCardinality(String)',
      role: 'tag',
      codec: 'ZSTD(1)',
      description: 'counter, gauge, histogram, gaugehistogram, summary, info, stateset or unknown',
    },
    { name: 'unit', type: 'LowCardinality(String)', role: 'tag', codec: 'ZSTD(1)', description: 'Unit, may be empty' },
    { name: 'help', type: 'String', role: 'text', codec: 'ZSTD(1)', description: 'Help text' },
    { ...time, description: 'When this was last said' },
  ],
  engine: { kind: 'ReplacingMergeTree', version: 'time' },
  orderBy: ['metric_family_name', 'type', 'unit', 'help'],
  partitionBy: 'none',
  retention: { days: 15, extraHours: 48 },
} as const satisfies DataSource;
