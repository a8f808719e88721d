import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeRequestV2,
  decodeWriteRequest,
  emptyTally,
  encodeRequestV2,
  encodeWriteRequest,
  reduceHistogram,
  validateHistogram,
  WriteValidationError,
  type IntegerHistogram,
  type TimeSeries,
} from '../../../src/wire/index.ts';

const sample = { value: 1, timestamp: 1 };
const strict = { validation: 'strict' } as const;

for (const [what, series, message] of [
  [
    'no metric name',
    { labels: { a: 'b' }, sample },
    /timeseries\[0\]\.labels: expected the metric name as label __name__; got none/,
  ],
  ['a bad metric name', { labels: { __name__: '0a' }, sample }, /\.__name__: .* got "0a"/],
  ['a bad label name', { labels: { __name__: 'a', 'b-c': 'd' }, sample }, /label name .* got "b-c"/],
  ['an empty label name', { labels: { __name__: 'a', '': 'd' }, sample }, /label name .* got ""/],
  ['an empty value', { labels: { __name__: 'a', b: '' }, sample }, /labels\.b: expected a value; got an empty one/],
  ['a lone surrogate', { labels: { __name__: 'a', b: '\ud800' }, sample }, /lone surrogate/],
  [
    'a repeated name',
    {
      labels: [
        { name: '__name__', value: 'a' },
        { name: '__name__', value: 'a' },
      ],
      sample,
    },
    /once; got it twice/,
  ],
  ['a number as value', { labels: { __name__: 'a', b: 5 }, sample }, /labels\.b: expected a string; got number/],
  ['null as labels', { labels: null, sample }, /record of strings or a list/],
  ['no points', { labels: { __name__: 'a' } }, /timeseries\[0\]: expected at least one sample/],
  [
    'a text value',
    { labels: { __name__: 'a' }, sample: { value: '1' } },
    /timeseries\[0\]\.sample\.value: expected a number; got string/,
  ],
  [
    'seconds with fractions',
    { labels: { __name__: 'a' }, samples: [{ value: 1, timestamp: 1.5 }] },
    /samples\[0\]: expected whole milliseconds/,
  ],
  ['an invalid date', { labels: { __name__: 'a' }, samples: [{ value: 1, timestamp: new Date(NaN) }] }, /valid Date/],
  [
    'samples backwards',
    { labels: { __name__: 'a' }, samples: [{ value: 1, timestamp: 2 }, sample] },
    /samples\[1\]\.timestamp: expected oldest first; got 1 after 2/,
  ],
  [
    'a histogram without kind',
    { labels: { __name__: 'a' }, histograms: [{ sum: 1, schema: 0, count: 1 }] },
    /kind: expected 'integer' or 'float'/,
  ],
] as const) {
  test(`strict refuses ${what}`, () => {
    assert.throws(
      () => encodeWriteRequest({ timeseries: [series as unknown as TimeSeries] }, strict),
      (error) => error instanceof WriteValidationError && message.test(error.message),
    );
  });
}

test('UTF-8 names are for 2.0, or where they are asked for', () => {
  const request = { timeseries: [{ labels: { __name__: 'a.b', ü: 'x' }, sample }] };
  assert.throws(() => encodeWriteRequest(request, strict), WriteValidationError);
  assert.ok(encodeWriteRequest(request, { ...strict, nameValidationScheme: 'utf8' }).length > 0);
  assert.ok(encodeRequestV2(request, strict).length > 0);
});

test('labels are sorted by bytes whatever the order given, series after series', () => {
  const orders = [
    ['__name__', 'b', 'A', 'a'],
    ['b', 'a', 'A', '__name__'],
    ['b', 'a', 'A', '__name__'],
    ['b', 'A', '__name__'],
    ['__name__', 'b'],
    ['é', '\u{1f6b0}', '\uffff', '__name__'],
  ];
  const request = {
    timeseries: orders.map((names, at) => ({
      labels: Object.fromEntries(names.map((name) => [name, `${name}${at}`])),
      sample,
    })),
  };
  for (const decoded of [decodeWriteRequest(encodeWriteRequest(request)), decodeRequestV2(encodeRequestV2(request))]) {
    for (const [at, series] of decoded.timeseries.entries()) {
      const expected = (orders[at] as string[]).toSorted((left, right) =>
        Buffer.compare(Buffer.from(left), Buffer.from(right)),
      );
      assert.deepEqual(
        series.labels,
        expected.map((name) => ({ name, value: `${name}${at}` })),
      );
    }
  }
});

test('only own properties are labels, and names of Object.prototype are labels like others', () => {
  const labels = Object.assign(Object.create({ inherited: 'x' }) as Record<string, string>, {
    __name__: 'a',
    constructor: 'c',
  });
  Object.defineProperty(labels, '__proto__', { value: 'p', enumerable: true });
  const [series] = decodeWriteRequest(encodeWriteRequest({ timeseries: [{ labels, sample }] })).timeseries;
  assert.deepEqual(
    series?.labels.map(({ name }) => name),
    ['__name__', '__proto__', 'constructor'],
  );
});

test('external labels are added where absent', () => {
  const timeseries = [
    { labels: { __name__: 'a', region: 'own' }, sample },
    { labels: { __name__: 'a' }, sample },
  ];
  const externalLabels = [{ name: 'region', value: 'eu' }];
  const decoded = decodeWriteRequest(encodeWriteRequest({ timeseries }, { externalLabels }));
  assert.deepEqual(
    decoded.timeseries.map((series) => series.labels.at(-1)?.value),
    ['own', 'eu'],
  );
});

const integer: IntegerHistogram = {
  kind: 'integer',
  count: 6,
  sum: 3,
  schema: 3,
  zeroThreshold: 0.001,
  zeroCount: 1,
  positiveSpans: [{ offset: -2, length: 2 }],
  positiveDeltas: [2, 1],
};
const custom: IntegerHistogram = {
  kind: 'integer',
  count: 3,
  sum: 3,
  schema: -53,
  customValues: [1, 2],
  positiveSpans: [{ offset: 0, length: 3 }],
  positiveDeltas: [1, 0, 0],
};

for (const [what, histogram, problem] of [
  ['a good integer histogram', integer, undefined],
  ['a good custom-bucket histogram', custom, undefined],
  ['a stale one', { stale: true }, undefined],
  ['NaN sum with fewer in the buckets', { ...integer, sum: NaN, count: 9 }, undefined],
  [
    'NaN sum with more in the buckets',
    { ...integer, sum: NaN, count: 5 },
    /at most 5 observations in the buckets; got 6/,
  ],
  ['a wrong count', { ...integer, count: 99 }, /99 observations in the buckets; got 6/],
  ['schema 9', { ...integer, schema: 9 }, /schema -53 or -4 to 8; got 9/],
  ['schema -5', { ...integer, schema: -5 }, /got -5/],
  ['spans without buckets', { ...integer, positiveDeltas: [2] }, /2 positive buckets, as the spans say; got 1/],
  ['a huge span', { ...integer, positiveSpans: [{ offset: 0, length: 4294967295 }] }, /4294967295 positive buckets/],
  [
    'a later negative offset',
    {
      ...integer,
      positiveSpans: [
        { offset: 0, length: 1 },
        { offset: -1, length: 1 },
      ],
    },
    /span 1 not to be negative/,
  ],
  ['a negative bucket', { ...integer, positiveDeltas: [2, -3] }, /got -1 in positive bucket 1/],
  ['custom values on a standard schema', { ...integer, customValues: [1] }, /only with schema -53/],
  ['bounds that do not increase', { ...custom, customValues: [2, 2] }, /strictly increasing/],
  ['a NaN bound', { ...custom, customValues: [1, NaN] }, /got NaN/],
  ['a -Inf bound', { ...custom, customValues: [-Infinity, 1] }, /got -Infinity after -Infinity/],
  ['a +Inf bound', { ...custom, customValues: [1, Infinity] }, /\+Inf/],
  ['a zero count with custom buckets', { ...custom, zeroCount: 1 }, /zero count 0/],
  [
    'negative buckets with custom buckets',
    { ...custom, negativeSpans: [{ offset: 0, length: 0 }] },
    /no negative buckets/,
  ],
  [
    'a negative offset with custom buckets',
    { ...custom, positiveSpans: [{ offset: -1, length: 3 }] },
    /span 0 not to be negative/,
  ],
  ['too many custom buckets', { ...custom, customValues: [1] }, /at most 2 buckets for 1 custom values/],
  ['a negative float count', { kind: 'float', count: -1, sum: 0, schema: 0 }, /got -1/],
  ['a float histogram whose sum does not match', { kind: 'float', count: 9, sum: 0, schema: 0 }, undefined],
] as const) {
  test(`validateHistogram: ${what}`, () => {
    const result = validateHistogram(histogram);
    if (problem === undefined) assert.equal(result, undefined);
    else assert.match(result ?? '', problem);
  });
}

test('a histogram of schema 10 is reduced to 8: four buckets become one', () => {
  const fine: IntegerHistogram = {
    kind: 'integer',
    count: 10,
    sum: 1,
    schema: 10,
    positiveSpans: [
      { offset: -3, length: 5 },
      { offset: 6, length: 1 },
    ],
    positiveDeltas: [1, 0, 0, 1, 0, 2],
  };
  const reduced = reduceHistogram(fine);
  assert.equal(reduced.schema, 8);
  // Fine indexes -3..1 hold 1 1 1 2 2 and 8 holds 4: coarse ceil(i/4) are 0 0 0 0 1 and 2.
  assert.deepEqual(reduced.positiveSpans, [{ offset: 0, length: 3 }]);
  assert.deepEqual(reduced.positiveDeltas, BigInt64Array.of(5n, -3n, 2n));
  assert.equal(validateHistogram({ ...reduced, count: 11 }), undefined);
  assert.equal(reduceHistogram(integer), integer);
  const lying = { ...fine, positiveSpans: [{ offset: 0, length: 4294967295 }] };
  assert.equal(reduceHistogram(lying), lying);
});

test('custom buckets need 2.0: refused or dropped with a count in 1.0, kept in 2.0', () => {
  const request = { timeseries: [{ labels: { __name__: 'h' }, histograms: [{ ...custom, timestamp: 1 }] }] };
  assert.throws(() => encodeWriteRequest(request, strict), /custom buckets \(-53\) need remote write 2.0/);
  const tally = emptyTally();
  encodeWriteRequest(request, { ...strict, customBuckets: 'drop', tally });
  assert.deepEqual(tally, { samples: 0, histograms: 0, exemplars: 0, customBucketHistograms: 1, metadata: 0 });
  const [histogram] = decodeRequestV2(encodeRequestV2(request, strict)).timeseries[0]?.histograms ?? [];
  assert.ok(histogram?.kind === 'integer');
  assert.deepEqual(histogram.customValues, Float64Array.of(1, 2));
});

test('metadata of a request goes to its family in 2.0, that of a series to the request in 1.0', () => {
  const timeseries = [
    { labels: { __name__: 'x_seconds_bucket', le: '1' }, sample },
    { labels: { __name__: 'y_count' }, sample },
    { labels: { __name__: 'z' }, sample },
  ];
  const metadata = [
    { name: 'x_seconds', type: 'histogram', help: 'x' },
    { name: 'y', type: 'gauge', help: 'not its family' },
    { name: 'z', type: 'gauge', unit: 'bytes' },
  ] as const;
  const tally = emptyTally();
  const v2 = decodeRequestV2(encodeRequestV2({ timeseries, metadata }, { tally }));
  assert.deepEqual(
    v2.timeseries.map((series) => series.metadata?.type),
    ['histogram', undefined, 'gauge'],
  );
  assert.equal(tally.metadata, 1);
  const v1 = decodeWriteRequest(encodeWriteRequest({ timeseries: v2.timeseries }));
  assert.deepEqual(
    v1.metadata.map(({ name, type }) => [name, type]),
    [
      ['x_seconds', 'histogram'],
      ['z', 'gauge'],
    ],
  );
});

test('a failed encode leaves the next one unharmed', () => {
  const good = { timeseries: [{ labels: { __name__: 'a' }, sample }] };
  const before = encodeWriteRequest(good);
  assert.throws(() => encodeWriteRequest({ timeseries: [...good.timeseries, { labels: { a: 1 } as never, sample }] }));
  assert.deepEqual(encodeWriteRequest(good), before);
});
