import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decodeWriteRequest, encodeWriteRequest } from 'promwrite/wire';
import fc from 'fast-check';
import { bitsOf, createHarness, V2 } from './harness.ts';
import { histogram, type HistogramParts, RequestV2, snappy } from './wire.ts';

type Parts = Omit<HistogramParts, 'time'>;

async function post(parts: Parts, limit?: number) {
  const harness = createHarness(limit === undefined ? {} : { limits: { histogramBuckets: limit } });
  const reply = await harness.post(
    snappy(new RequestV2().add([['__name__', 'h']], histogram(3, { ...parts, time: 5 })).encode()),
    V2,
  );
  return { status: reply.status, text: String(reply.body ?? ''), row: harness.rows.get('prometheus.histograms')?.[0] };
}

const integer: Parts = { count: 6, sum: 1, positiveSpans: [[0, 2]], positiveDeltas: [2, 1], zeroCount: 1 };
const float: Parts = { countFloat: 6, sum: 1, positiveSpans: [[0, 2]], positiveCounts: [2, 3], zeroCountFloat: 1 };
const custom: Parts = {
  count: 5,
  sum: 1,
  schema: -53,
  customValues: [1, 2],
  positiveSpans: [[0, 3]],
  positiveDeltas: [1, 1, -1],
};

suite('histogram rules', () => {
  const cases: readonly (readonly [string, Parts, RegExp | undefined])[] = [
    ['a good integer one', integer, undefined],
    ['a good float one', float, undefined],
    ['a good one of custom buckets', { ...custom, count: 4 }, undefined],
    [
      'spans of no length and offsets of 0',
      {
        ...integer,
        positiveSpans: [
          [0, 1],
          [0, 0],
          [0, 1],
        ],
      },
      undefined,
    ],
    ['a first span below zero', { ...integer, positiveSpans: [[-7, 2]] }, undefined],
    ['schema 53', { ...integer, schema: 53 }, /schema 53/],
    ['schema -5', { ...integer, schema: -5 }, /schema -5/],
    [
      'a later span below zero',
      {
        ...integer,
        positiveSpans: [
          [0, 1],
          [-1, 1],
        ],
      },
      /negative offset -1/,
    ],
    ['more span than buckets', { ...integer, positiveSpans: [[0, 3]] }, /spans for 3 buckets, but 2/],
    ['a span of 2^32 - 1', { ...integer, positiveSpans: [[0, 0xffffffff]] }, /spans for 4294967295 buckets/],
    ['fewer span than buckets', { ...integer, positiveSpans: [[0, 1]] }, /spans for 1 buckets, but 2/],
    ['a bucket below zero', { ...integer, positiveDeltas: [2, -3] }, /negative count/],
    ['a count too great', { ...integer, count: 7 }, /count 7, but 6/],
    ['a count too small', { ...integer, count: 5 }, /count 5, but 6/],
    ['a greater count with a NaN sum', { ...integer, sum: NaN, count: 7 }, undefined],
    ['a smaller count with a NaN sum', { ...integer, sum: NaN, count: 5 }, /count 5, but 6/],
    ['counts that do not add up in floats', { ...float, countFloat: 99 }, undefined],
    ['a float count below zero', { ...float, countFloat: -1 }, /negative count/],
    ['a float zero count below zero', { ...float, zeroCountFloat: -1 }, /negative count/],
    ['a float bucket below zero', { ...float, positiveCounts: [2, -1] }, /negative count/],
    ['custom bounds not rising', { ...custom, count: 4, customValues: [2, 2] }, /not rising/],
    ['a custom bound NaN', { ...custom, count: 4, customValues: [1, NaN] }, /not rising/],
    ['a custom bound +Inf', { ...custom, count: 4, customValues: [1, Infinity] }, /not rising/],
    ['custom bounds and a zero bucket', { ...custom, count: 5, zeroCount: 1 }, /zero bucket/],
    ['custom bounds and a zero threshold', { ...custom, count: 4, zeroThreshold: 1 }, /zero bucket/],
    [
      'custom bounds and negative buckets',
      { ...custom, count: 5, negativeSpans: [[0, 1]], negativeDeltas: [1] },
      /negative buckets/,
    ],
    ['buckets beyond the custom bounds', { ...custom, count: 4, positiveSpans: [[1, 3]] }, /buckets up to 4/],
    ['a custom span below zero', { ...custom, count: 4, positiveSpans: [[-1, 3]] }, /negative offset/],
    ['custom bounds with a standard schema', { ...integer, customValues: [1] }, /custom bounds with schema 0/],
  ];
  for (const [name, parts, problem] of cases) {
    test(name, async () => {
      const { status, text } = await post(parts);
      assert.equal(status, problem === undefined ? 204 : 400, text);
      if (problem !== undefined) assert.match(text, problem);
    });
  }

  test('the limit of buckets holds before memory is taken', async () => {
    const many = Array.from({ length: 5000 }, () => 0);
    const { status, text } = await post({ count: 0, sum: 1, positiveSpans: [[0, 5000]], positiveDeltas: many });
    assert.equal(status, 400);
    assert.match(text, /limits.histogram-buckets/);
  });

  test('counts above 2^53 are compared exactly', async () => {
    const huge = 2n ** 60n + 1n;
    assert.equal((await post({ count: huge, sum: 1, zeroCount: huge })).status, 204);
    assert.equal((await post({ count: huge, sum: 1, zeroCount: huge - 1n })).status, 400);
    assert.equal((await post({ count: huge, sum: 1, zeroCount: huge })).row?.['count'], huge);
  });

  test('a schema above 8 is brought down to 8: neighbours merge, offsets and counts stay right', async () => {
    // Schema 10: buckets 1..4 -> 1, 5..8 -> 2; -3..0 -> 0.
    const { row } = await post({
      count: 27,
      sum: 1,
      schema: 10,
      positiveSpans: [
        [-3, 2],
        [3, 4],
        [100, 1],
      ],
      positiveDeltas: [1, 1, 1, 1, 1, 1, 0],
    });
    assert.equal(row?.['schema'], 8);
    // Indexes -3, -2 -> 0; 2, 3, 4 -> 1; 5 -> 2; 106 -> 27. Counts 1+2; 3+4+5; 6; 6.
    assert.deepEqual(row['positive_span_offsets'], [0, 24]);
    assert.deepEqual(row['positive_span_lengths'], [3, 1]);
    assert.deepEqual(row['positive_deltas'], [3n, 9n, -6n, 0n]);
    const floats = await post({
      countFloat: 3,
      sum: 1,
      schema: 9,
      positiveSpans: [[1, 3]],
      positiveCounts: [1, 1.5, 0.5],
    });
    assert.deepEqual(floats.row?.['positive_counts'], [bitsOf(2.5), bitsOf(0.5)]);
    assert.deepEqual(floats.row['positive_span_offsets'], [1]);
    assert.deepEqual(floats.row['positive_span_lengths'], [2]);
    // 44 steps, more than a word has bits.
    const finest = await post({
      count: 6,
      sum: 1,
      schema: 52,
      positiveSpans: [
        [-1, 1],
        [2_000_000_000, 1],
        [2_000_000_000, 1],
      ],
      positiveDeltas: [2, 0, 0],
    });
    assert.deepEqual(finest.row?.['positive_span_offsets'], [0]);
    assert.deepEqual(finest.row['positive_span_lengths'], [2]);
    assert.deepEqual(finest.row['positive_deltas'], [2n, 2n]);
  });

  test('valid histograms of the client library pass and read back as they are', async () => {
    const buckets = fc.array(fc.nat(1_000_000), { minLength: 0, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        buckets,
        buckets,
        fc.nat(1000),
        fc.integer({ min: -4, max: 8 }),
        async (positive, negative, zero, schema) => {
          const deltas = (list: readonly number[]): bigint[] =>
            list.map((value, i) => BigInt(value - (list[i - 1] ?? 0)));
          const total = [...positive, ...negative, zero].reduce((sum, value) => sum + value, 0);
          const message = encodeWriteRequest({
            timeseries: [
              {
                labels: { __name__: 'h' },
                histograms: [
                  {
                    kind: 'integer',
                    timestamp: 5,
                    schema,
                    sum: 1.5,
                    count: BigInt(total),
                    zeroCount: BigInt(zero),
                    zeroThreshold: 0.001,
                    positiveSpans: positive.length === 0 ? [] : [{ offset: -3, length: positive.length }],
                    positiveDeltas: deltas(positive),
                    negativeSpans: negative.length === 0 ? [] : [{ offset: 2, length: negative.length }],
                    negativeDeltas: deltas(negative),
                  },
                ],
              },
            ],
          }).slice();
          assert.equal(decodeWriteRequest(message).timeseries.length, 1);
          const harness = createHarness();
          assert.equal((await harness.post(snappy(message))).status, 204);
          const row = harness.rows.get('prometheus.histograms')?.[0];
          assert.deepEqual(row?.['positive_deltas'], deltas(positive));
          assert.deepEqual(row['negative_deltas'], deltas(negative));
          assert.deepEqual([row['schema'], row['count'], row['zero_count']], [schema, BigInt(total), BigInt(zero)]);
        },
      ),
      { numRuns: 40 },
    );
  });
});
