import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bitsOf, createHarness, type Harness, recordings, type Row, type Value } from './harness.ts';

/** The independent decoding of a recorded request. */
interface Decoded {
  readonly message: string;
  readonly timeseries?: readonly {
    readonly labels: readonly (readonly [string, string])[];
    readonly samples?: readonly Float[];
    readonly exemplars?: readonly (Float & { readonly labels?: readonly (readonly [string, string])[] })[];
    readonly histograms?: readonly DecodedHistogram[];
    readonly metadata?: { readonly help: string; readonly type: string; readonly unit: string };
  }[];
  readonly metadata?: readonly { family: string; help: string; type: string; unit: string }[];
}
interface Float {
  readonly t?: number;
  readonly v: string;
  readonly bits?: string;
}
interface DecodedHistogram {
  readonly kind: 'int' | 'float';
  readonly t: number;
  readonly count: string | Float;
  readonly sum: Float;
  readonly schema: number;
  readonly zero_threshold: Float;
  readonly zero_count: string | Float;
  readonly reset_hint: string;
  readonly positive_spans?: readonly { offset: number; length: number }[];
  readonly negative_spans?: readonly { offset: number; length: number }[];
  readonly positive_deltas?: readonly string[];
  readonly negative_deltas?: readonly string[];
  readonly positive_counts?: readonly string[];
  readonly negative_counts?: readonly string[];
  readonly custom_values?: readonly string[];
  readonly start_timestamp?: number;
}

function bits(value: Float | string): bigint {
  if (typeof value !== 'string' && value.bits !== undefined) return BigInt(`0x${value.bits}`);
  const text = typeof value === 'string' ? value : value.v;
  return bitsOf(Number(text.replace('+Inf', 'Infinity').replace('-Inf', '-Infinity')));
}

const key = (labels: Iterable<readonly [string, string]>): string =>
  JSON.stringify([...labels].toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));

const id = (row: Row): string => `${row['metric_id']}/${row['series_id']}`;

/** Points of a table with their labels in place of ids. */
function points(harness: Harness, table: string, value: (row: Row) => Value | Record<string, Value>): string[] {
  const names = new Map(
    (harness.rows.get('prometheus.series') ?? []).map((row) => [id(row), key(Object.entries(harness.labelsOf(row)))]),
  );
  return (harness.rows.get(table) ?? []).map((row) =>
    text([names.get(id(row)) ?? 'no labels', row['time']!, value(row)]),
  );
}

const text = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `0x${part.toString(16)}` : part));

const HINTS: Readonly<Record<string, number>> = { UNKNOWN: 0, UNSPECIFIED: 0, YES: 1, NO: 2, GAUGE: 3 };

function histogramValue(histogram: DecodedHistogram): Record<string, Value> {
  const isFloat = histogram.kind === 'float';
  const integer = (value: string | Float): bigint => (isFloat ? 0n : BigInt(value as string));
  const float = (value: string | Float): bigint => (isFloat ? bits(value) : 0n);
  const side = (name: 'positive' | 'negative'): Record<string, Value> => ({
    [`${name}_span_offsets`]: (histogram[`${name}_spans`] ?? []).map(({ offset }) => offset),
    [`${name}_span_lengths`]: (histogram[`${name}_spans`] ?? []).map(({ length }) => length),
    [`${name}_deltas`]: (histogram[`${name}_deltas`] ?? []).map(BigInt),
    [`${name}_counts`]: (histogram[`${name}_counts`] ?? []).map(bits),
  });
  return {
    start_time: histogram.start_timestamp ?? 0,
    is_float: isFloat ? 1 : 0,
    schema: histogram.schema,
    reset_hint: HINTS[histogram.reset_hint.replace('RESET_HINT_', '')] ?? -1,
    count: integer(histogram.count),
    count_float: float(histogram.count),
    sum: bits(histogram.sum),
    zero_threshold: bits(histogram.zero_threshold),
    zero_count: integer(histogram.zero_count),
    zero_count_float: float(histogram.zero_count),
    ...side('positive'),
    ...side('negative'),
    custom_values: (histogram.custom_values ?? []).map(bits),
  };
}

function histogramRow(row: Row): Record<string, Value> {
  const { metric_id: _metric, series_id: _series, time: _time, ...rest } = row;
  return rest;
}

for (const recording of recordings()) {
  const decoded = recording.decoded as Decoded;
  test(`${recording.name} is taken as its independent decoding says`, async () => {
    const harness = createHarness();
    // Twice: at first every series is new, then every one is known.
    for (let round = 0; round < 2; round++) {
      for (const table of ['samples', 'exemplars', 'histograms']) harness.rows.delete(`prometheus.${table}`);
      const reply = await harness.post(recording.body, recording.headers);
      assert.equal(reply.status, 204, String(reply.body));
      const entries = decoded.timeseries ?? [];
      const each = <T>(
        pick: (entry: (typeof entries)[number]) => readonly T[] | undefined,
        make: (point: T) => unknown[],
      ) => entries.flatMap((entry) => (pick(entry) ?? []).map((point) => text([key(entry.labels), ...make(point)])));
      assert.deepEqual(
        points(harness, 'prometheus.samples', (row) => row['value']!),
        each(
          (entry) => entry.samples,
          (sample) => [sample.t ?? 0, bits(sample)],
        ),
      );
      assert.deepEqual(
        points(harness, 'prometheus.exemplars', (row) => [row['value']!, row['labels']!]),
        each(
          (entry) => entry.exemplars,
          (exemplar) => [exemplar.t ?? 0, [bits(exemplar), exemplar.labels ?? []]],
        ),
      );
      assert.deepEqual(
        points(harness, 'prometheus.histograms', histogramRow).map(sorted),
        each(
          (entry) => entry.histograms,
          (histogram) => [histogram.t, histogramValue(histogram)],
        ).map(sorted),
      );
      if (recording.headers['content-type']?.includes('v2.Request') === true) {
        const count = (name: string): number => Number(reply.headers?.[`X-Prometheus-Remote-Write-${name}-Written`]);
        assert.equal(count('Samples'), entries.flatMap(({ samples = [] }) => samples).length);
        assert.equal(count('Histograms'), entries.flatMap(({ histograms = [] }) => histograms).length);
        assert.equal(count('Exemplars'), entries.flatMap(({ exemplars = [] }) => exemplars).length);
      } else assert.deepEqual(reply.headers, {});
    }
    const series = harness.rows.get('prometheus.series') ?? [];
    assert.equal(
      series.length,
      new Set((decoded.timeseries ?? []).map(({ labels }) => key(labels))).size,
      'announced once',
    );
    if (decoded.metadata !== undefined && decoded.metadata.length > 0) {
      const seen = (harness.rows.get('prometheus.metadata') ?? []).map((row) => [
        row['metric_family_name'],
        row['type'],
        row['unit'],
        row['help'],
      ]);
      const wanted = new Map(
        decoded.metadata.map((item) => [
          text(item),
          [item.family, item.type.toLowerCase().replace('_', ''), item.unit, item.help],
        ]),
      );
      assert.deepEqual(seen, [...wanted.values()]);
    } else if (decoded.timeseries?.some(({ metadata }) => metadata !== undefined) === true) {
      const texts = new Set(
        decoded.timeseries.flatMap(({ metadata }) => (metadata === undefined ? [] : [metadata.help])),
      );
      const seen = new Set((harness.rows.get('prometheus.metadata') ?? []).map((row) => row['help']));
      assert.deepEqual(seen, texts);
    }
  });
}

function sorted(line: string): string {
  const [labels, time, value] = JSON.parse(line) as [string, number, Record<string, Value>];
  return text([labels, time, Object.entries(value).toSorted(([a], [b]) => a.localeCompare(b))]);
}
