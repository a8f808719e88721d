/** Round trips against protobufjs, which knows nothing of this code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareUtf8,
  decodeRequestV2,
  decodeWriteRequest,
  encodeRequestV2,
  encodeWriteRequest,
  METRIC_TYPES,
  RESET_HINTS,
  WireError,
  type Timestamp,
  type BucketSpan,
  type Label,
  type NativeHistogram,
  type Sample,
  type TimeSeries,
  type WriteRequest,
} from '../../../src/wire/index.ts';
import { oracleDecode, oracleEncode, OracleV1, OracleV2 } from '../../support/oracle.ts';

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 90 }));
const labels = fc.uniqueArray(fc.record({ name: text, value: text }), {
  maxLength: 6,
  selector: (label) => label.name,
});
const timestamp = fc.oneof(fc.maxSafeInteger(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.constant(0));
const double = fc.double();
const span = fc.record({ offset: fc.integer(), length: fc.integer({ min: 0, max: 0xffffffff }) });
const shared = {
  sum: double,
  schema: fc.integer({ min: -4, max: 8 }),
  zeroThreshold: double,
  negativeSpans: fc.array(span, { maxLength: 3 }),
  positiveSpans: fc.array(span, { maxLength: 3 }),
  resetHint: fc.constantFrom(...RESET_HINTS),
  timestamp,
};
const deltas = fc
  .array(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), { maxLength: 5 })
  .map((list) => BigInt64Array.from(list));
const counts = fc.array(double, { maxLength: 5 }).map((list) => Float64Array.from(list));
const uint64 = fc.bigInt(0n, 2n ** 64n - 1n);
const histogram: fc.Arbitrary<NativeHistogram> = fc.oneof(
  fc.record({
    kind: fc.constant('integer' as const),
    count: uint64,
    zeroCount: uint64,
    negativeDeltas: deltas,
    positiveDeltas: deltas,
    ...shared,
  }),
  fc.record({
    kind: fc.constant('float' as const),
    count: double,
    zeroCount: double,
    negativeCounts: counts,
    positiveCounts: counts,
    ...shared,
  }),
);
const metadata = fc.record({ type: fc.constantFrom(...METRIC_TYPES), help: text, unit: text });

function series(v2: boolean): fc.Arbitrary<TimeSeries> {
  const sample = { value: double, timestamp };
  const samples: fc.Arbitrary<Sample> = v2 ? fc.record({ ...sample, startTimestamp: timestamp }) : fc.record(sample);
  return fc.record({
    labels,
    samples: fc.array(samples, { maxLength: 3 }),
    exemplars: fc.array(fc.record({ labels, value: double, timestamp }), { maxLength: 2 }),
    histograms: fc.array(
      v2 ? fc.tuple(histogram, timestamp).map(([given, startTimestamp]) => ({ ...given, startTimestamp })) : histogram,
      { maxLength: 2 },
    ),
  });
}

/** Repeats series with small changes: the encoder copies what equals the series before, which must not show. */
const timeseries = (v2: boolean): fc.Arbitrary<TimeSeries[]> =>
  fc.array(fc.tuple(series(v2), fc.nat(3), text), { maxLength: 5 }).map((list) =>
    list.flatMap(([one, copies, value]) => {
      const given = one.labels as Label[];
      const variants = Array.from({ length: copies }, (_, at) => ({
        ...one,
        labels: given.map((label, index) => (index === at ? { ...label, value } : label)),
      }));
      return [one, ...variants, { ...one, labels: given.slice(1) }];
    }),
  );

const sorted = (list: TimeSeries['labels']): Label[] =>
  (list as Label[]).map(({ name, value }) => ({ name, value })).toSorted((a, b) => compareUtf8(a.name, b.name));
const int = (value: Timestamp | undefined): string => (value === undefined ? '0' : `${value as number}`);

function plainSpans(list: readonly BucketSpan[] | undefined): unknown[] {
  return (list ?? []).map(({ offset, length }) => ({ offset, length }));
}

function histogramForm(given: NativeHistogram, v2: boolean): Record<string, unknown> {
  if (given.stale === true) throw new Error('not generated');
  return {
    ...(given.kind === 'integer'
      ? { count_int: int(given.count), zero_count_int: int(given.zeroCount) }
      : { count_float: given.count, zero_count_float: given.zeroCount }),
    negative_deltas: given.kind === 'integer' ? Array.from(given.negativeDeltas ?? [], String) : [],
    positive_deltas: given.kind === 'integer' ? Array.from(given.positiveDeltas ?? [], String) : [],
    negative_counts: given.kind === 'float' ? Array.from(given.negativeCounts ?? []) : [],
    positive_counts: given.kind === 'float' ? Array.from(given.positiveCounts ?? []) : [],
    sum: given.sum,
    schema: given.schema,
    zero_threshold: given.zeroThreshold,
    negative_spans: plainSpans(given.negativeSpans),
    positive_spans: plainSpans(given.positiveSpans),
    reset_hint: RESET_HINTS.indexOf(given.resetHint ?? 'unknown'),
    timestamp: int(given.timestamp),
    start_timestamp: v2 ? int(given.startTimestamp) : '0',
    custom_values: [],
  };
}

/** What the oracle yields, with absent fields at their defaults, apart from the oneofs. */
function withDefaults(value: Record<string, unknown>, defaults: Record<string, unknown>): Record<string, unknown> {
  return { ...defaults, ...value };
}

const HISTOGRAM_DEFAULTS = {
  sum: 0,
  schema: 0,
  zero_threshold: 0,
  reset_hint: 0,
  timestamp: '0',
  start_timestamp: '0',
};

function spansWithDefaults(list: readonly object[]): object[] {
  return list.map((one) => ({ offset: 0, length: 0, ...one }));
}

function oracleHistogram(value: unknown): Record<string, unknown> {
  const histogramValue = value as { negative_spans: object[]; positive_spans: object[] };
  return {
    ...withDefaults(value as Record<string, unknown>, HISTOGRAM_DEFAULTS),
    negative_spans: spansWithDefaults(histogramValue.negative_spans),
    positive_spans: spansWithDefaults(histogramValue.positive_spans),
  };
}

function labelForm(one: unknown): unknown {
  return { name: '', value: '', ...(one as object) };
}

type Entry = Record<string, Record<string, unknown>[]>;

test('the oracle reads what is encoded as 1.0', () => {
  fc.assert(
    fc.property(timeseries(false), fc.array(fc.tuple(text, metadata), { maxLength: 3 }), (list, families) => {
      const request: WriteRequest = { timeseries: list, metadata: families.map(([name, rest]) => ({ name, ...rest })) };
      const decoded = oracleDecode(OracleV1, encodeWriteRequest(request)) as unknown as Entry;
      const entries = (decoded['timeseries'] as unknown as Entry[]).map((entry) => ({
        labels: entry['labels']?.map(labelForm),
        samples: entry['samples']?.map((sample) => withDefaults(sample, { value: 0, timestamp: '0' })),
        exemplars: entry['exemplars']?.map((one) => ({
          ...withDefaults(one, { value: 0, timestamp: '0' }),
          labels: (one['labels'] as unknown[]).map(labelForm),
        })),
        histograms: entry['histograms']?.map(oracleHistogram),
      }));
      assert.deepEqual(
        entries,
        list.map((one) => ({
          labels: sorted(one.labels),
          samples: one.samples?.map((sample) => ({ value: sample.value, timestamp: int(sample.timestamp) })),
          exemplars: one.exemplars?.map((exemplar) => ({
            labels: sorted(exemplar.labels),
            value: exemplar.value,
            timestamp: int(exemplar.timestamp),
          })),
          histograms: one.histograms?.map((given) => histogramForm(given, false)),
        })),
      );
      assert.deepEqual(
        decoded['metadata']?.map((one) => withDefaults(one, { type: 0, metric_family_name: '', help: '', unit: '' })),
        families.map(([name, rest]) => ({
          type: METRIC_TYPES.indexOf(rest.type),
          metric_family_name: name,
          help: rest.help,
          unit: rest.unit,
        })),
      );
    }),
  );
});

test('the oracle reads what is encoded as 2.0', () => {
  fc.assert(
    fc.property(timeseries(true), metadata, (list, about) => {
      const request: WriteRequest = { timeseries: list.map((one) => ({ ...one, metadata: about })) };
      const decoded = oracleDecode(OracleV2, encodeRequestV2(request)) as unknown as Entry;
      const symbols = decoded['symbols'] as unknown as string[];
      assert.equal(symbols[0], '');
      assert.equal(new Set(symbols).size, symbols.length);
      const resolve = (references: unknown): Label[] => {
        const refs = references as number[];
        return refs.flatMap((name, at) =>
          at % 2 === 0 ? { name: symbols[name]!, value: symbols[refs[at + 1]!]! } : [],
        );
      };
      const merged: unknown[] = [];
      for (const entry of decoded['timeseries'] as unknown as Entry[]) {
        assert.ok(
          entry['samples']?.length === 0 || entry['histograms']?.length === 0,
          'samples and histograms never mix',
        );
        merged.push({
          labels: resolve(entry['labels_refs']),
          samples: entry['samples']?.map((one) =>
            withDefaults(one, { value: 0, timestamp: '0', start_timestamp: '0' }),
          ),
          exemplars: entry['exemplars']?.map((one) => ({
            labels: resolve(one['labels_refs']),
            value: one['value'] ?? 0,
            timestamp: one['timestamp'] ?? '0',
          })),
          histograms: entry['histograms']?.map(oracleHistogram),
        });
      }
      const expected = list.flatMap((one) => {
        const samples = (one.samples ?? []).map((sample) => ({
          value: sample.value,
          timestamp: int(sample.timestamp),
          start_timestamp: int(sample.startTimestamp),
        }));
        const exemplars = (one.exemplars ?? []).map((exemplar) => ({
          labels: sorted(exemplar.labels),
          value: exemplar.value,
          timestamp: int(exemplar.timestamp),
        }));
        const histograms = (one.histograms ?? []).map((given) => histogramForm(given, true));
        const base = { labels: sorted(one.labels) };
        if (samples.length > 0 && histograms.length > 0) {
          return [
            { ...base, samples, exemplars, histograms: [] },
            { ...base, samples: [], exemplars: [], histograms },
          ];
        }
        return [{ ...base, samples, exemplars, histograms }];
      });
      assert.deepEqual(merged, expected);
    }),
  );
});

test('what the oracle encodes is decoded, and encoding it again changes nothing', () => {
  fc.assert(
    fc.property(timeseries(false), (list) => {
      const message = {
        timeseries: list.map((one) => ({
          labels: sorted(one.labels),
          samples: one.samples?.map((sample) => ({ value: sample.value, timestamp: int(sample.timestamp) })),
          histograms: one.histograms?.map((given) => histogramForm(given, false)),
        })),
      };
      const decoded = decodeWriteRequest(oracleEncode(OracleV1, message));
      assert.deepEqual(
        decoded.timeseries.map((one) => [
          one.labels,
          one.samples.map(({ value, timestamp: time }) => [value, int(time)]),
        ]),
        message.timeseries.map((one) => [one.labels, one.samples?.map(({ value, timestamp: time }) => [value, time])]),
      );
      assert.deepEqual(decodeWriteRequest(encodeWriteRequest(decoded)), decoded);
      const second = decodeRequestV2(encodeRequestV2(decoded));
      assert.deepEqual(decodeRequestV2(encodeRequestV2(second)), second);
    }),
  );
});

test('unpacked scalars, symbols behind the series, and the old created timestamp are understood', () => {
  const seriesBytes = [0x2a, 0x13, 0x08, 1, 0x08, 2, 0x12, 0x0b, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 7, 0x30, 5];
  const symbolBytes = [0x22, 0, 0x22, 1, 0x61, 0x22, 1, 0x62];
  const bytes = seriesBytes.concat(symbolBytes);
  const [one] = decodeRequestV2(Uint8Array.from(bytes)).timeseries;
  assert.deepEqual(one?.labels, [{ name: 'a', value: 'b' }]);
  assert.deepEqual(one?.samples, [{ value: 1, timestamp: 7, startTimestamp: 5, stale: false }]);
});

for (const [what, entry, problem] of [
  ['an odd number of references', [0x0a, 1, 1], /in pairs; got 1/],
  ['a reference beyond the table', [0x0a, 2, 1, 9], /below 3, the number of symbols; got 9/],
  ['text that is not UTF-8', [0x0a, 2, 1, 2], /reference 2 is not valid UTF-8/],
  ['a help reference beyond the table', [0x2a, 2, 0x18, 9], /help reference below 3/],
  ['a unit reference beyond the table', [0x2a, 2, 0x20, 9], /unit reference below 3/],
  ['a bad reference of an exemplar', [0x22, 4, 0x0a, 2, 1, 9], /exemplar: expected a label reference/],
] as const) {
  test(`${what} spoils its series and no other`, () => {
    const good = [0x2a, 4, 0x0a, 2, 1, 1];
    const bytes = [0x22, 0, 0x22, 1, 0x61, 0x22, 1, 0xff, ...good, 0x2a, entry.length, ...entry, ...good];
    const problems = decodeRequestV2(Uint8Array.from(bytes)).timeseries.map((one) => one.problem);
    assert.equal(problems.length, 3);
    assert.match(problems[1] ?? '', problem);
    assert.deepEqual([problems[0], problems[2]], [undefined, undefined]);
  });
}

test('a label that is not UTF-8 spoils its series and no other in 1.0', () => {
  const good = [0x0a, 8, 0x0a, 6, 0x0a, 1, 0x61, 0x12, 1, 0x62];
  const bad = [0x0a, 8, 0x0a, 6, 0x0a, 1, 0x61, 0x12, 1, 0xff];
  const decoded = decodeWriteRequest(Uint8Array.from([...good, ...bad, ...good]));
  assert.deepEqual(
    decoded.timeseries.map((one) => [one.labels.length, one.problem]),
    [
      [1, undefined],
      [0, 'a label name or value is not valid UTF-8'],
      [1, undefined],
    ],
  );
});

test('a 2.0 body decoded as 1.0 is empty, and unknown fields are skipped', () => {
  const v2 = encodeRequestV2({ timeseries: [{ labels: { a: 'b' }, sample: { value: 1, timestamp: 1 } }] });
  assert.deepEqual(decodeWriteRequest(v2), { timeseries: [], metadata: [] });
  assert.deepEqual(decodeWriteRequest(Uint8Array.from([0xc2, 0x3e, 1, 5, 0x51, 1, 2, 3, 4, 5, 6, 7, 8])), {
    timeseries: [],
    metadata: [],
  });
});

test('cut or mutated messages are decoded or refused with a WireError, never anything else', () => {
  fc.assert(
    fc.property(timeseries(true), fc.nat(), fc.nat(), fc.nat(255), fc.boolean(), (list, cut, at, value, v2) => {
      const bytes = v2 ? encodeRequestV2({ timeseries: list }) : encodeWriteRequest({ timeseries: list });
      const mutated = bytes.slice(0, cut % 3 === 0 ? cut % (bytes.length + 1) : bytes.length);
      if (mutated.length > 0) mutated[at % mutated.length] = value;
      for (const decode of [decodeWriteRequest, decodeRequestV2]) {
        try {
          decode(mutated, { maxElements: 10_000 });
        } catch (error) {
          assert.ok(error instanceof WireError, String(error));
        }
      }
    }),
    { numRuns: 1000 },
  );
});

test('a message of countless empty elements is refused before it fills the memory', () => {
  const bytes = new Uint8Array(2_000_000);
  for (let at = 0; at < bytes.length; at += 2) bytes[at] = 0x0a;
  assert.throws(
    () => decodeWriteRequest(bytes, { maxElements: 100_000 }),
    (error) => error instanceof WireError && error.kind === 'limit',
  );
});
