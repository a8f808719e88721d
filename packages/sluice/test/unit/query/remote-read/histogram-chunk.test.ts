import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HistogramChunk, type Fit } from '../../../../src/query/remote-read/histogram-chunk.ts';
import type { HistogramRows, Lists } from '../../../../src/query/remote-read/histogram-rows.ts';
import { bitsOf, decodeHistogramChunk, staleHistogram, type HistogramPoint } from '../chunk-decoder.ts';

function halves(values: readonly bigint[]): Uint32Array {
  return new Uint32Array(
    values.flatMap((value) => [Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n))]),
  );
}

function lists<T>(all: readonly (readonly T[])[], make: (values: T[]) => Uint32Array): Lists<Uint32Array> {
  let end = 0;
  return { ends: Uint32Array.from(all, (one) => (end += one.length)), values: make(all.flat()) };
}

/** Points as a block would have them. */
function rowsOf(points: readonly HistogramPoint[]): HistogramRows {
  const side = (name: 'positive' | 'negative') => {
    const offsets = points.map((point) => point[name].spans.map(([offset]) => offset));
    const lengths = points.map((point) => point[name].spans.map(([, length]) => length));
    const { ends, values } = lists(offsets, (all) => Uint32Array.from(all));
    return {
      offsets: { ends, values: new Int32Array(values.buffer) },
      lengths: lists(lengths, (all) => Uint32Array.from(all)),
      deltas: lists(
        points.map((point) => (point.isFloat ? [] : point[name].values)),
        halves,
      ),
      counts: lists(
        points.map((point) => (point.isFloat ? point[name].values : [])),
        halves,
      ),
    };
  };
  const column = (pick: (point: HistogramPoint) => bigint) => halves(points.map(pick));
  return {
    rows: points.length,
    isFloat: Uint8Array.from(points, (point) => (point.isFloat ? 1 : 0)),
    schema: Int32Array.from(points, (point) => point.schema),
    resetHint: Uint8Array.from(points, (point) => point.resetHint),
    count: column((point) => (point.isFloat ? 0n : point.count)),
    countFloat: column((point) => (point.isFloat ? point.count : 0n)),
    sum: column((point) => point.sum),
    zeroThreshold: column((point) => point.zeroThreshold),
    zeroCount: column((point) => (point.isFloat ? 0n : point.zeroCount)),
    zeroCountFloat: column((point) => (point.isFloat ? point.zeroCount : 0n)),
    positive: side('positive'),
    negative: side('negative'),
    customValues: lists(
      points.map((point) => point.customValues),
      halves,
    ),
  };
}

function encodeAll(points: readonly HistogramPoint[]): Buffer {
  const rows = rowsOf(points);
  const chunk = new HistogramChunk();
  for (const [row, point] of points.entries()) {
    if (row === 0) chunk.start(rows, row, point.time, 'unknown');
    else chunk.append(rows, row, point.time);
  }
  return Buffer.from(chunk.finish());
}

const integer = (change: Partial<HistogramPoint> = {}): HistogramPoint => ({
  time: 1000,
  isFloat: false,
  schema: 3,
  resetHint: 0,
  count: 10n,
  zeroCount: 1n,
  sum: bitsOf(1.5),
  zeroThreshold: bitsOf(2 ** -128),
  positive: {
    spans: [
      [-4, 2],
      [1, 1],
    ],
    values: [3n, 1n, -2n],
  },
  negative: { spans: [[0, 1]], values: [5n] },
  customValues: [],
  ...change,
});

const float = (change: Partial<HistogramPoint> = {}): HistogramPoint => ({
  ...integer(),
  isFloat: true,
  count: bitsOf(10.5),
  zeroCount: bitsOf(0.5),
  positive: { spans: [[-4, 2]], values: [bitsOf(3), bitsOf(7)] },
  negative: { spans: [], values: [] },
  ...change,
});

function fitOf(first: HistogramPoint, second: HistogramPoint): Fit {
  const chunk = new HistogramChunk();
  chunk.start(rowsOf([first, second]), 0, first.time, 'unknown');
  return chunk.fit(rowsOf([first, second]), 1);
}

describe('histogram chunks', () => {
  const bits64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
  const signed64 = fc.oneof(
    fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
    fc.integer({ min: -300, max: 300 }).map(BigInt),
    fc.constantFrom(
      ...[3, 4, 5, 31, 32, 33, 255, 256, 2047, 2048, 131_071, 131_072, 2 ** 24, 2 ** 24 + 1].flatMap((n) => [
        BigInt(n),
        BigInt(-n),
      ]),
    ),
    fc.constantFrom(1n << 55n, -(1n << 55n), (1n << 55n) - 1n, (1n << 55n) + 1n, 1n - (1n << 55n)),
  );
  // Without the stale marker's bits, which have a case of their own.
  const sum = bits64.filter((bits) => bits !== 0x7ff0000000000002n);
  const span = fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 0, max: 4 }));
  const layout = fc.record({
    isFloat: fc.boolean(),
    schema: fc.constantFrom(-4, 0, 3, 8, -53),
    zeroThreshold: fc.oneof(
      bits64,
      fc.integer({ min: -260, max: 12 }).map((power) => bitsOf(2 ** power)),
      fc.constant(0n),
    ),
    positive: fc.array(span, { maxLength: 4 }),
    negative: fc.array(span, { maxLength: 4 }),
    custom: fc.array(
      fc.oneof(
        fc.integer({ min: -5, max: 40_000_000 }).map((n) => bitsOf(n / 1000)),
        fc.double({ noNaN: true }).map(bitsOf),
      ),
      { maxLength: 5 },
    ),
  });
  const series = layout.chain((shape) => {
    const buckets = (spans: readonly (readonly [number, number])[]) => {
      const size = spans.reduce((total, [, length]) => total + length, 0);
      return fc.array(shape.isFloat ? bits64 : signed64, { minLength: size, maxLength: size });
    };
    const point = fc.record({
      step: fc.integer({ min: 1, max: 2 ** 35 }),
      count: bits64,
      zeroCount: bits64,
      sum,
      positive: buckets(shape.positive),
      negative: buckets(shape.negative),
    });
    const gauge = fc.boolean();
    return fc.tuple(fc.constant(shape), fc.array(point, { minLength: 1, maxLength: 30 }), gauge);
  });

  it('decode to the histograms they were made of, bit for bit', () => {
    fc.assert(
      fc.property(series, fc.nat(2 ** 42), ([shape, parts, gauge], start) => {
        let time = start;
        const points = parts.map((part, index): HistogramPoint => ({
          time: (time += part.step),
          isFloat: shape.isFloat,
          schema: shape.schema,
          resetHint: gauge ? 3 : index === 0 ? 0 : 2,
          count: part.count,
          zeroCount: part.zeroCount,
          sum: part.sum,
          zeroThreshold: shape.zeroThreshold === 1n << 63n ? 0n : shape.zeroThreshold,
          positive: { spans: shape.positive, values: part.positive },
          negative: { spans: shape.negative, values: part.negative },
          customValues: shape.schema === -53 ? shape.custom.map((bits) => (bits === 1n << 63n ? 0n : bits)) : [],
        }));
        assert.deepEqual(decodeHistogramChunk(encodeAll(points), shape.isFloat), points);
      }),
      { numRuns: 300 },
    );
  });

  it('end with stale markers, which have no buckets', () => {
    for (const kind of [integer, float]) {
      const points = [kind({ time: 1 }), kind({ time: 15, resetHint: 2 })];
      const stale = [20, 40].map((time) => ({ ...staleHistogram(time, points[0]!.isFloat), resetHint: 2 }));
      const all = [...points, ...stale];
      assert.deepEqual(decodeHistogramChunk(encodeAll(all), points[0]!.isFloat), all);
      const alone = [{ ...stale[0]!, resetHint: 0 }];
      assert.deepEqual(decodeHistogramChunk(encodeAll(alone), points[0]!.isFloat), alone);
    }
  });

  it('are cut where a reader would take one histogram for the continuation of another', () => {
    const cases: [string, HistogramPoint, HistogramPoint, Fit][] = [
      ['the same again', integer(), integer({ resetHint: 2 }), 'yes'],
      ['more', integer(), integer({ count: 11n, positive: { ...integer().positive, values: [4n, 1n, -2n] } }), 'yes'],
      ['a lower count', integer(), integer({ count: 9n }), 'reset'],
      ['a lower zero count', integer(), integer({ zeroCount: 0n }), 'reset'],
      ['a lower bucket', integer(), integer({ positive: { ...integer().positive, values: [4n, 0n, -3n] } }), 'reset'],
      ['a lower negative bucket', integer(), integer({ negative: { spans: [[0, 1]], values: [4n] } }), 'reset'],
      ['a reset that the sender names', integer(), integer({ resetHint: 1 }), 'reset'],
      ['a lower float count', float(), float({ count: bitsOf(10.4) }), 'reset'],
      [
        'a lower float bucket',
        float(),
        float({ positive: { ...float().positive, values: [bitsOf(3), bitsOf(6)] } }),
        'reset',
      ],
      ['a gauge after a gauge, lower', integer({ resetHint: 3 }), integer({ resetHint: 3, count: 1n }), 'yes'],
      ['a gauge after a counter', integer(), integer({ resetHint: 3 }), 'no'],
      ['another kind', integer(), float(), 'no'],
      ['another schema', integer(), integer({ schema: 2 }), 'no'],
      ['another threshold', integer(), integer({ zeroThreshold: 0n }), 'no'],
      ['other spans', integer(), integer({ positive: { spans: [[-4, 3]], values: [3n, 1n, -2n] } }), 'no'],
      [
        'other bounds',
        integer({ schema: -53, customValues: [1n] }),
        integer({ schema: -53, customValues: [2n] }),
        'no',
      ],
      ['a stale marker', integer(), staleHistogram(2, false), 'yes'],
      ['a histogram after a stale marker', staleHistogram(2, false), integer(), 'no'],
      ['a stale marker after one', staleHistogram(2, false), staleHistogram(3, false), 'yes'],
    ];
    for (const [name, first, second, wanted] of cases) assert.equal(fitOf(first, second), wanted, name);
  });

  it('say in their head how they begin', () => {
    const head = (point: HistogramPoint, given: 'unknown' | 'noReset' | 'reset') => {
      const chunk = new HistogramChunk();
      chunk.start(rowsOf([point]), 0, point.time, given);
      return chunk.finish()[2]! >> 6;
    };
    assert.equal(head(integer(), 'unknown'), 0b00);
    assert.equal(head(integer(), 'noReset'), 0b01);
    assert.equal(head(integer(), 'reset'), 0b10);
    assert.equal(head(integer({ resetHint: 1 }), 'unknown'), 0b10);
    assert.equal(head(integer({ resetHint: 3 }), 'noReset'), 0b11);
  });
});
