/** Requests recorded from Prometheus and vmagent, decoded and compared with what Prometheus' own code made of them. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  decodeRequestV2,
  decodeWriteRequest,
  encodeRequestV2,
  encodeWriteRequest,
  parseContentType,
  REQUEST_V2,
  uncompressBlock,
  uncompressedLength,
  validateHistogram,
  type DecodedHistogram,
  type DecodedWriteRequest,
} from '../../../src/wire/index.ts';
import { bitsOf } from '../../support/bits.ts';

interface RecordedNumber {
  readonly v: string;
  readonly bits?: string;
}

const folder = new URL('../../fixtures/', import.meta.url);
const names = readdirSync(folder).flatMap((file) => (file.endsWith('.bin') ? file.slice(0, -4) : []));

function number(value: number): RecordedNumber {
  if (Number.isNaN(value)) return { v: 'NaN', bits: bitsOf(value) };
  return { v: bitsOf(value) };
}

/** Brings both sides to bits, since the recorder prints numbers as Go does. */
function recorded(text: RecordedNumber): RecordedNumber {
  if (text.v === 'NaN') return { v: 'NaN', bits: text.bits ?? '' };
  return { v: bitsOf(text.v === '+Inf' ? Infinity : text.v === '-Inf' ? -Infinity : Number(text.v)) };
}

function histogramForm(histogram: DecodedHistogram, message: string): unknown {
  if (histogram.kind === 'stale') return { t: histogram.timestamp, stale: true };
  const hint = histogram.resetHint.toUpperCase();
  const counts =
    histogram.kind === 'integer'
      ? {
          count: String(histogram.count),
          zero_count: String(histogram.zeroCount),
          negative_deltas: Array.from(histogram.negativeDeltas, String),
          positive_deltas: Array.from(histogram.positiveDeltas, String),
        }
      : {
          count: number(histogram.count),
          zero_count: number(histogram.zeroCount),
          negative_counts: Array.from(histogram.negativeCounts, (count) => number(count).v),
          positive_counts: Array.from(histogram.positiveCounts, (count) => number(count).v),
        };
  return {
    t: histogram.timestamp,
    kind: histogram.kind === 'integer' ? 'int' : 'float',
    ...counts,
    schema: histogram.schema,
    sum: number(histogram.sum),
    zero_threshold: number(histogram.zeroThreshold),
    negative_spans: histogram.negativeSpans,
    positive_spans: histogram.positiveSpans,
    custom_values: Array.from(histogram.customValues, (bound) => number(bound).v),
    reset_hint: message === REQUEST_V2 ? `RESET_HINT_${hint === 'UNKNOWN' ? 'UNSPECIFIED' : hint}` : hint,
  };
}

interface RecordedPoint extends RecordedNumber {
  readonly t: number;
}

interface RecordedHistogram {
  readonly t: number;
  readonly kind: 'int' | 'float';
  /** Text for integers, a number for floats. */
  readonly count: string | RecordedNumber;
  readonly zero_count: string | RecordedNumber;
  readonly sum: RecordedNumber;
  readonly zero_threshold: RecordedNumber;
  readonly schema: number;
  readonly reset_hint: string;
  readonly negative_spans?: unknown;
  readonly positive_spans?: unknown;
  readonly negative_deltas?: readonly string[];
  readonly positive_deltas?: readonly string[];
  readonly negative_counts?: readonly string[];
  readonly positive_counts?: readonly string[];
  readonly custom_values?: readonly string[];
}

interface RecordedRequest {
  readonly message: string;
  readonly raw_bytes: number;
  readonly timeseries: readonly {
    readonly labels: readonly (readonly [string, string])[];
    readonly samples?: readonly RecordedPoint[];
    readonly exemplars?: readonly (RecordedPoint & { readonly labels?: readonly (readonly [string, string])[] })[];
    readonly histograms?: readonly RecordedHistogram[];
  }[];
}

function recordedHistogramForm(histogram: RecordedHistogram): unknown {
  if (histogram.sum.bits === '7ff0000000000002') return { t: histogram.t, stale: true };
  const bits = (list: readonly string[] | undefined): string[] => (list ?? []).map((text) => recorded({ v: text }).v);
  const count = (value: string | RecordedNumber): unknown => (typeof value === 'string' ? value : recorded(value));
  const counts =
    histogram.kind === 'int'
      ? { negative_deltas: histogram.negative_deltas ?? [], positive_deltas: histogram.positive_deltas ?? [] }
      : { negative_counts: bits(histogram.negative_counts), positive_counts: bits(histogram.positive_counts) };
  return {
    t: histogram.t,
    kind: histogram.kind,
    count: count(histogram.count),
    zero_count: count(histogram.zero_count),
    ...counts,
    schema: histogram.schema,
    sum: recorded(histogram.sum),
    zero_threshold: recorded(histogram.zero_threshold),
    negative_spans: histogram.negative_spans ?? [],
    positive_spans: histogram.positive_spans ?? [],
    custom_values: bits(histogram.custom_values),
    reset_hint: histogram.reset_hint,
  };
}

function point({ t, ...value }: RecordedPoint): object {
  return { t, ...recorded(value) };
}

function form(request: DecodedWriteRequest, message: string): unknown {
  return request.timeseries.map((series) => ({
    labels: series.labels.map(({ name, value }) => [name, value]),
    samples: series.samples.map((sample) => ({ t: sample.timestamp, ...number(sample.value) })),
    exemplars: series.exemplars.map((exemplar) => ({
      labels: exemplar.labels.map(({ name, value }) => [name, value]),
      t: exemplar.timestamp,
      ...number(exemplar.value),
    })),
    histograms: series.histograms.map((histogram) => histogramForm(histogram, message)),
  }));
}

test('there are recordings', () => assert.ok(names.length >= 8));

for (const name of names) {
  test(`${name} decodes as Prometheus decodes it and survives another round`, () => {
    const headers = (
      JSON.parse(readFileSync(new URL(`${name}.headers.json`, folder), 'utf8')) as { headers: Record<string, string[]> }
    ).headers;
    const expected = JSON.parse(readFileSync(new URL(`${name}.decoded.json`, folder), 'utf8')) as RecordedRequest;
    const body = new Uint8Array(readFileSync(new URL(`${name}.bin`, folder)));
    const message = parseContentType(headers['Content-Type']?.[0]);
    assert.equal(message, expected.message);
    assert.equal(uncompressedLength(body), expected.raw_bytes);
    const decode = message === REQUEST_V2 ? decodeRequestV2 : decodeWriteRequest;
    const encode = message === REQUEST_V2 ? encodeRequestV2 : encodeWriteRequest;
    const bytes = uncompressBlock(body);
    const request = decode(bytes);

    const wanted = expected.timeseries.map((series) => ({
      labels: series.labels,
      samples: (series.samples ?? []).map(point),
      exemplars: (series.exemplars ?? []).map(({ labels, ...rest }) => ({
        labels: labels ?? [],
        ...point(rest),
      })),
      histograms: (series.histograms ?? []).map(recordedHistogramForm),
    }));
    assert.deepEqual(form(request, message as string), wanted);
    for (const series of request.timeseries) {
      assert.equal(series.problem, undefined);
      for (const histogram of series.histograms) assert.equal(validateHistogram(histogram), undefined);
    }
    if (name.startsWith('vmagent')) return; // sends labels unsorted, which encoding mends
    const again = decode(encode(request, { customBuckets: 'refuse' }));
    assert.deepEqual(form(again, message as string), wanted);
    assert.deepEqual(again.metadata, request.metadata);
    assert.deepEqual(
      again.timeseries.map((series) => series.metadata?.help),
      request.timeseries.map((series) =>
        series.metadata?.type === 'unknown' && !series.metadata.help ? undefined : series.metadata?.help,
      ),
    );
  });
}
