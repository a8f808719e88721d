import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { readLimitsSchema, toReadLimits } from '../../../src/query/config.ts';
import { createRemoteRead } from '../../../src/query/remote-read/remote-read.ts';
import { decodeSamples, decodeStreamed, type AnswerSeries } from '../../unit/query/answer-decoder.ts';
import { STALE_BITS, bitsOf, staleHistogram, type HistogramPoint } from '../../unit/query/chunk-decoder.ts';
import { ask, bodyOf, uncompressed } from './ask.ts';
import { openTestDatabase, type DataSeries, type TestDatabase } from './prometheus-data.ts';

const FIXTURES = new URL('../../fixtures/remote-read/', import.meta.url);
const MINUS_ZERO = 1n << 63n;

interface RecordedValue {
  readonly v: string;
  readonly bits?: string;
}

type RecordedPoint = RecordedValue & { readonly t: number };

interface RecordedHistogram {
  readonly t: number;
  readonly kind: 'int' | 'float';
  readonly schema?: number;
  readonly reset_hint: 'UNKNOWN' | 'YES' | 'NO' | 'GAUGE';
  readonly count: string | RecordedValue;
  readonly zero_count?: string | RecordedValue;
  readonly sum: RecordedValue;
  readonly zero_threshold?: RecordedValue;
  readonly positive_spans?: readonly { offset?: number; length?: number }[];
  readonly negative_spans?: readonly { offset?: number; length?: number }[];
  readonly positive_deltas?: readonly string[];
  readonly negative_deltas?: readonly string[];
  readonly positive_counts?: readonly string[];
  readonly negative_counts?: readonly string[];
  readonly custom_values?: readonly string[];
}

interface Recorded {
  readonly request: { readonly queries: readonly unknown[] };
  readonly response: {
    readonly frames?: readonly {
      readonly query_index: number;
      readonly series: readonly {
        readonly labels: AnswerSeries['labels'];
        readonly chunks: readonly { readonly points: readonly (RecordedPoint | RecordedHistogram)[] }[];
      }[];
    }[];
    readonly results?: readonly (readonly {
      readonly labels: AnswerSeries['labels'];
      readonly samples?: readonly RecordedPoint[];
      readonly histograms?: readonly RecordedHistogram[];
    }[])[];
  };
}

describe('recorded remote-read queries', () => {
  let database: TestDatabase;
  const limits = toReadLimits(readLimitsSchema.parse({}));
  const routes = () =>
    createRemoteRead({ store: database.store, limits, metrics: createMetrics(), log: createLog({ level: 'silent' }) });

  before(async () => {
    database = await openTestDatabase();
    await database.insert(unionOf(await recorded('streamed')));
  });
  after(() => database.close());

  for (let number = 0; number < 17; number++) {
    const name = String(number).padStart(3, '0');

    it(`${name} streamed: the recorded labels, times and bits, and byte for byte the recorded stream`, async () => {
      const { request, response, decoded } = await fixture('streamed', name);
      const reply = await ask(routes(), { method: 'POST', path: '/api/v1/read', body: request });
      assert.equal(reply.status, 200);
      assert.equal(
        reply.headers?.['content-type'],
        'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse',
      );
      assert.equal(reply.headers?.['content-encoding'], undefined);
      const body = await bodyOf(reply);
      assert.deepEqual(decodeStreamed(body, 1), streamedResults(decoded));
      // Our decoder reads the recorded bytes as the recorded decoding says: it can be a judge.
      assert.deepEqual(decodeStreamed(response, 1), streamedResults(decoded));
      assert.deepEqual(body, response);
    });

    it(`${name} as samples: the recorded labels, times and bits`, async () => {
      const { request, decoded } = await fixture('samples', name);
      const reply = await ask(routes(), { method: 'POST', path: '/api/v1/prom/read', body: request });
      assert.equal(reply.status, 200);
      assert.equal(reply.headers?.['content-type'], 'application/x-protobuf');
      assert.equal(reply.headers?.['content-encoding'], 'snappy');
      const answer = decodeSamples(await uncompressed(reply));
      const sorted = sampleResults(decoded).map((series) => series.toSorted(byLabels));
      // Two differences: Prometheus loses the sign of a zero here, and leaves the series unsorted.
      assert.deepEqual(
        answer.map((series) => series.map(withoutMinusZero)),
        sorted,
      );
    });
  }
});

function byLabels(left: AnswerSeries, right: AnswerSeries): number {
  const key = ({ labels }: AnswerSeries) => Buffer.from(labels.map(([name, value]) => `${name}\0${value}\0`).join(''));
  return Buffer.compare(key(left), key(right));
}

function withoutMinusZero(series: AnswerSeries): AnswerSeries {
  const samples = series.samples.map(({ time, bits }) => ({ time, bits: bits === MINUS_ZERO ? 0n : bits }));
  return { ...series, samples };
}

async function fixture(form: 'streamed' | 'samples', name: string) {
  const at = (ending: string) => new URL(`float-and-histogram-${form}/${name}.${ending}`, FIXTURES);
  const [request, response, text] = await Promise.all([
    readFile(at('request.bin')),
    readFile(at('response.bin')),
    readFile(at('decoded.json'), 'utf8'),
  ]);
  return { request, response, decoded: JSON.parse(text) as Recorded };
}

async function recorded(form: 'streamed' | 'samples'): Promise<Recorded[]> {
  const files = await readdir(new URL(`float-and-histogram-${form}/`, FIXTURES));
  const names = files.filter((file) => file.endsWith('.decoded.json')).map((file) => file.slice(0, 3));
  assert.equal(names.length, 17);
  return Promise.all(names.toSorted().map(async (name) => (await fixture(form, name)).decoded));
}

/** Everything that any answer holds, once. */
function unionOf(all: readonly Recorded[]): DataSeries[] {
  const series = new Map<
    string,
    { labels: AnswerSeries['labels']; samples: Map<number, bigint>; histograms: Map<number, HistogramPoint> }
  >();
  for (const one of all.flatMap(streamedResults).flat()) {
    const key = JSON.stringify(one.labels);
    const known = series.get(key) ?? { labels: one.labels, samples: new Map(), histograms: new Map() };
    series.set(key, known);
    for (const { time, bits } of one.samples) known.samples.set(time, bits);
    for (const point of one.histograms) known.histograms.set(point.time, point);
  }
  return [...series.values()].map(({ labels, samples, histograms }) => ({
    labels,
    samples: [...samples].map(([time, bits]) => ({ time, bits })),
    histograms: [...histograms.values()],
  }));
}

function streamedResults({ request, response }: Recorded): AnswerSeries[][] {
  const results: AnswerSeries[][] = request.queries.map(() => []);
  for (const { query_index: index, series } of response.frames ?? []) {
    for (const { labels, chunks } of series) {
      const points = chunks.flatMap((chunk) => chunk.points);
      results[index]!.push({
        labels,
        samples: points.flatMap((point) => ('kind' in point ? [] : [{ time: point.t, bits: bitsOfText(point) }])),
        histograms: points.flatMap((point) => ('kind' in point ? [histogramPoint(point)] : [])),
      });
    }
  }
  return results;
}

function sampleResults({ response }: Recorded): AnswerSeries[][] {
  return (response.results ?? []).map((series) =>
    series.map(({ labels, samples = [], histograms = [] }) => ({
      labels,
      samples: samples.map((point) => ({ time: point.t, bits: bitsOfText(point) })),
      histograms: histograms.map(histogramPoint),
    })),
  );
}

function bitsOfText({ v, bits }: RecordedValue): bigint {
  if (bits !== undefined) return BigInt(`0x${bits}`);
  return bitsOf(Number(v.replace('Inf', 'Infinity')));
}

function histogramPoint(recordedPoint: RecordedHistogram): HistogramPoint {
  const point = recordedPoint;
  const isFloat = point.kind === 'float';
  const resetHint = ['UNKNOWN', 'YES', 'NO', 'GAUGE'].indexOf(point.reset_hint);
  if (bitsOfText(point.sum) === STALE_BITS) return { ...staleHistogram(point.t, isFloat), resetHint };
  const number = (value: string | RecordedValue | undefined) =>
    value === undefined ? 0n : typeof value === 'string' ? BigInt(value) : bitsOfText(value);
  const side = (name: 'positive' | 'negative') => ({
    spans: (point[`${name}_spans`] ?? []).map(({ offset = 0, length = 0 }) => [offset, length] as const),
    values: isFloat
      ? (point[`${name}_counts`] ?? []).map((v) => bitsOfText({ v }))
      : (point[`${name}_deltas`] ?? []).map((v) => BigInt(v)),
  });
  return {
    time: point.t,
    isFloat,
    schema: point.schema ?? 0,
    resetHint,
    count: number(point.count),
    zeroCount: number(point.zero_count),
    sum: bitsOfText(point.sum),
    zeroThreshold: number(point.zero_threshold),
    positive: side('positive'),
    negative: side('negative'),
    customValues: (point.custom_values ?? []).map((v) => bitsOfText({ v })),
  };
}
