import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { compressBlock } from 'promwrite/wire';
import { createHarness, STALE, V1, V2 } from './harness.ts';
import {
  bytes,
  double,
  histogram,
  type HistogramParts,
  type Labels,
  number,
  RequestV2,
  sample,
  seriesV1,
  snappy,
  varint,
} from './wire.ts';

/* The cases of prometheus/compliance's receiver suite as a table; each success case is sent twice, the second time 10 ms later. */

interface Counts {
  readonly samples?: number;
  readonly histograms?: number;
  readonly exemplars?: number;
}
type Expected = 204 | 400;
interface Case {
  readonly name: string;
  /** The message at a time; labels are shuffled by the suite, so by us. */
  readonly make: (now: number) => RequestV2;
  readonly status: Expected;
  readonly counts: Counts;
}

const WINDOW = { behindMs: 15 * 86_400_000, aheadMs: 600_000 };
const created = (time: number): Buffer => number(6, time);

/** Not sorted: the last label first. */
const shuffled = (labels: Record<string, string>): Labels => Object.entries(labels).toReversed();
const up = { __name__: 'up', instance: 'localhost:9090', job: 'test' };

const values: readonly (readonly [string, number | bigint])[] = [
  ['1.0', 1],
  ['StaleNaN', Number(STALE)],
  ['the stale marker itself', STALE],
  ['NaN', Number(0x7ff8000000000001n)],
  ['Inf', Infinity],
  ['-Inf', -Infinity],
];

const cases: Case[] = [];
function add(name: string, counts: Counts, make: Case['make'], status: Expected = 204): void {
  cases.push({ name, make, status, counts });
}
const one =
  (labels: Record<string, string>, ...fields: ((request: RequestV2, now: number) => Buffer)[]) =>
  (now: number) => {
    const request = new RequestV2();
    return request.add(shuffled(labels), ...fields.map((field) => field(request, now)));
  };
const at =
  (offset: number, value: number | bigint = 1) =>
  (_: RequestV2, now: number) =>
    sample(now + offset, value);
const exemplar =
  (labels: Record<string, string>, value = 1, offset = 0) =>
  (request: RequestV2, now: number) =>
    request.exemplar(Object.entries(labels), now + offset, value);
const metadata =
  (type: number, help: string, unit = '') =>
  (request: RequestV2) =>
    request.metadata(type, help, unit);
const integer: Omit<HistogramParts, 'time'> = {
  count: 23,
  sum: 100.5,
  schema: 0,
  zeroThreshold: 0.001,
  zeroCount: 2,
  positiveSpans: [[0, 3]],
  positiveDeltas: [5, 2, 1],
  negativeSpans: [[0, 1]],
  negativeDeltas: [1],
};
const distribution =
  (parts: Omit<HistogramParts, 'time'> = integer, offset = 0) =>
  (_: RequestV2, now: number) =>
    histogram(3, { ...parts, time: now + offset });

for (const [value, bits] of values) {
  for (const [shape, labels] of [
    ['simple metric', { __name__: 'up' }],
    ['with multiple labels', { ...up, env: 'prod', zone: 'a' }],
    ['label value with newlines', { ...up, text: 'one\ntwo' }],
    ['names with dots', { __name__: 'http.requests', 'host.name': 'a' }],
    ['names with spaces', { __name__: 'http requests', 'host name': 'a' }],
  ] as const) {
    add(`TestSingleMetric ${shape}, ${value}`, { samples: 1 }, one(labels, at(0, bits)));
  }
  add(`TestSingleMetric without name label, ${value}`, {}, one({ job: 'test' }, at(0, bits)), 400);
  add(`TestSingleMetric empty metric, ${value}`, {}, one({ __name__: '', job: 'test' }, at(0, bits)), 400);
  const four = (named: (index: number) => boolean) => (now: number) => {
    const request = new RequestV2();
    for (let i = 0; i < 4; i++)
      request.add(shuffled(named(i) ? { __name__: `m${i}`, job: 'a' } : { job: `j${i}` }), sample(now, bits));
    return request;
  };
  add(
    `TestMultipleMetrics 4 valid, ${value}`,
    { samples: 4 },
    four(() => true),
  );
  add(
    `TestMultipleMetrics 4 without name, ${value}`,
    {},
    four(() => false),
    400,
  );
  add(
    `TestMultipleMetrics 1 of 4 without name, ${value}`,
    { samples: 3 },
    four((index) => index !== 2),
    400,
  );
}
add(
  'TestCounterWithCreatedTimestamp',
  { samples: 1 },
  one(up, at(0), (_, now) => created(now - 3_600_000)),
);

const shapes: Readonly<Record<string, Omit<HistogramParts, 'time'>>> = {
  basic_histogram: { ...integer, count: 23 - 1 + 1 },
  custom_buckets_histogram: {
    count: 21,
    sum: 30,
    schema: -53,
    customValues: [0.1, 0.5, 1, 2.5, 5, 10],
    positiveSpans: [[0, 3]],
    positiveDeltas: [5, 2, 2],
  },
  positive_only_histogram: { count: 20, sum: 50, positiveSpans: [[0, 3]], positiveDeltas: [5, 2, 1] },
  negative_only_histogram: { count: 20, sum: -50, negativeSpans: [[0, 3]], negativeDeltas: [5, 2, 1] },
  minimal_histogram: { count: 1, sum: 1, positiveSpans: [[0, 1]], positiveDeltas: [1] },
  empty_histogram: { count: 0, sum: 0 },
};
for (const [name, parts] of Object.entries(shapes)) {
  add(`TestHistograms ${name}`, { histograms: 1 }, one({ __name__: name }, distribution(parts)));
}
add('TestHistograms bad_count_histogram', {}, one({ __name__: 'bad' }, distribution({ ...integer, count: 99 })), 400);
add(
  'TestHistogramWithCreatedTimestamp',
  { histograms: 1 },
  one({ __name__: 'h' }, distribution(), (_, now) => created(now - 3_600_000)),
);
add('TestMultipleHistograms', { histograms: 2 }, (now) => {
  const request = new RequestV2();
  for (const name of ['h1', 'h2']) request.add([['__name__', name]], histogram(3, { ...integer, time: now }));
  return request;
});
const trace = { trace_id: '5b8aa5a2d2c872e8321cf37308d69df2' };
add(
  'TestHistogramWithMetadata',
  { histograms: 1 },
  one({ __name__: 'h' }, distribution(), metadata(3, 'Help.', 'seconds')),
);
add(
  'TestHistogramWithExemplar',
  { histograms: 1, exemplars: 1 },
  one({ __name__: 'h' }, distribution(), exemplar(trace)),
);
add(
  'TestHistogramWithMetadataAndExemplar',
  { histograms: 1, exemplars: 1 },
  one({ __name__: 'h' }, distribution(), exemplar(trace), metadata(3, 'Help.')),
);
add('TestMultipleHistogramsWithMetadata', { histograms: 2 }, (now) => {
  const request = new RequestV2();
  for (const name of ['h1', 'h2']) {
    request.add([['__name__', name]], histogram(3, { ...integer, time: now }), request.metadata(3, `${name}.`, ''));
  }
  return request;
});

for (const [name, labels] of Object.entries({
  basic_exemplar: trace,
  exemplar_with_span_id: { ...trace, span_id: '051581bf3cb55c13' },
  exemplar_without_trace_id: { request_id: 'abc' },
  exemplar_with_multiple_labels: { ...trace, user: 'a', region: 'eu' },
  exemplar_no_labels: {},
  exemplar_with_special_chars: { trace_id: 'a/b?c=d&e "quoted" \\ \n' },
  exemplar_with_unicode: { trace_id: 'ü-🚰' },
})) {
  add(`TestExemplars ${name}`, { samples: 1, exemplars: 1 }, one({ __name__: 'm_total' }, at(0), exemplar(labels)));
}
add(
  'TestExemplarWithCreatedTimestamp',
  { samples: 1, exemplars: 1 },
  one(up, at(0), exemplar(trace), (_, now) => created(now - 7_200_000)),
);
add('TestMultipleExemplars', { samples: 3, exemplars: 3 }, (now) => {
  const request = new RequestV2();
  for (const name of ['a', 'b', 'c'])
    request.add([['__name__', name]], sample(now, 1), request.exemplar(Object.entries(trace), now, 1));
  return request;
});
add('TestExemplarTimestamps', { samples: 3, exemplars: 3 }, (now) => {
  const request = new RequestV2();
  for (const offset of [-3_600_000, -60_000, 0]) {
    request.add([['__name__', 'm']], sample(now + offset, 1), request.exemplar(Object.entries(trace), now + offset, 1));
  }
  return request;
});
add('TestExemplarValidation exemplar_without_name_label', {}, one({ job: 'a' }, at(0), exemplar(trace)), 400);
add('TestExemplarValidation exemplar_with_empty_name', {}, one({ __name__: '' }, at(0), exemplar(trace)), 400);
add(
  'TestExemplarValidation exemplar_with_valid_name',
  { samples: 1, exemplars: 1 },
  one({ __name__: 'm' }, at(0), exemplar(trace)),
);
for (const value of [0, -1.5, 1e308, 5e-324, NaN, Infinity, -Infinity]) {
  add(
    `TestExemplarSpecialValues ${value}`,
    { samples: 1, exemplars: 1 },
    one({ __name__: 'm' }, at(0), exemplar(trace, value)),
  );
}

for (const [type, name] of [
  'unspecified',
  'counter',
  'gauge',
  'histogram',
  'gauge_histogram',
  'summary',
  'info',
  'stateset',
].entries()) {
  const isHistogram = name === 'histogram';
  add(
    `TestMetadata ${name}_metadata`,
    isHistogram ? { histograms: 1 } : { samples: 1 },
    one({ __name__: `m_${name}` }, isHistogram ? distribution() : at(0), metadata(type, 'Help.', 'bytes')),
  );
}
add('TestMetadata metadata_no_help_no_unit', { samples: 1 }, one({ __name__: 'm' }, at(0), metadata(1, '', '')));
add(
  'TestMetadata metadata_with_special_chars',
  { samples: 1 },
  one({ __name__: 'm' }, at(0), metadata(1, 'Ünïcode "quotes" \\ \n 🚰', 'µs')),
);
add(
  'TestCounterMetadataWithCreatedTimestamp',
  { samples: 1 },
  one({ __name__: 'm_total' }, at(0), metadata(1, 'Help.'), (_, now) => created(now - 1000)),
);
add('TestMultipleMetadata', { samples: 3 }, (now) => {
  const request = new RequestV2();
  for (const name of ['a', 'b', 'c']) request.add([['__name__', name]], sample(now, 1), request.metadata(2, name, ''));
  return request;
});
add(
  'TestMetadataWithComplexLabels',
  { histograms: 1 },
  one({ __name__: 'h', 'a.b': 'ü', c: 'x\ny' }, distribution(), metadata(3, 'Help.')),
);
add('TestMetadataValidation metadata_without_name_label', {}, one({ job: 'a' }, at(0), metadata(1, 'Help.')), 400);
add('TestMetadataValidation metadata_with_empty_name', {}, one({ __name__: '' }, at(0), metadata(1, 'Help.')), 400);
add(
  'TestMetadataValidation metadata_with_valid_name',
  { samples: 1 },
  one({ __name__: 'm' }, at(0), metadata(1, 'Help.')),
);
add(
  'TestSamplesWithMetadataAndExemplars',
  { samples: 1, exemplars: 1 },
  one({ __name__: 'm' }, at(0), exemplar(trace), metadata(1, 'Help.')),
);
add(
  'TestHistogramsWithMetadataAndExemplars',
  { histograms: 1, exemplars: 1 },
  one({ __name__: 'h' }, distribution(), exemplar(trace), metadata(3, 'Help.')),
);
add('TestComplexSamplesRequest', { samples: 2, exemplars: 1 }, (now) => {
  const request = new RequestV2();
  request.add(shuffled(up), sample(now, 1), request.metadata(2, 'Up.', ''));
  return request.add(
    [['__name__', 'm_total']],
    sample(now, 5),
    request.exemplar(Object.entries(trace), now, 1),
    request.metadata(1, 'M.', ''),
  );
});
add('TestComplexHistogramsRequest', { histograms: 2, exemplars: 1 }, (now) => {
  const request = new RequestV2();
  request.add(
    [['__name__', 'h1']],
    histogram(3, { ...integer, time: now }),
    request.exemplar(Object.entries(trace), now, 1),
  );
  return request.add([['__name__', 'h2']], histogram(3, { ...integer, time: now }), request.metadata(3, 'H.', ''));
});
add('TestEdgeCaseCombinations metadata_without_data', {}, one({ __name__: 'm' }, metadata(1, 'Help.')));
add('TestEdgeCaseCombinations exemplars_without_data', { exemplars: 1 }, one({ __name__: 'm' }, exemplar(trace)));
add('TestEdgeCaseCombinations mixed_timestamp_data', { samples: 2, exemplars: 1 }, (now) => {
  const request = new RequestV2();
  request.add(shuffled(up), sample(now - 3_600_000, 1), request.exemplar(Object.entries(trace), now - 1_800_000, 1));
  return request.add(shuffled(up), sample(now, 1));
});
for (const isHistogram of [false, true]) {
  add(
    isHistogram ? 'TestManyHistograms' : 'TestManySamples',
    { [isHistogram ? 'histograms' : 'samples']: 50, exemplars: 50 },
    (now) => {
      const request = new RequestV2();
      for (let i = 0; i < 50; i++) {
        const point = isHistogram ? histogram(3, { ...integer, time: now }) : sample(now, i);
        request.add(
          [['__name__', `m${i}`]],
          point,
          request.exemplar(Object.entries(trace), now, i),
          request.metadata(isHistogram ? 3 : 1, `m${i}`, ''),
        );
      }
      return request;
    },
  );
}
add(
  'TestSpecialCharactersCombined',
  { samples: 1, exemplars: 1 },
  one({ __name__: 'm', ünï: '🚰' }, at(0), exemplar({ '🚰': 'ü' }), metadata(1, 'ü 🚰')),
);
add(
  'TestCustomBucketsHistogramWithExemplar',
  { histograms: 1, exemplars: 1 },
  one({ __name__: 'h' }, distribution(shapes['custom_buckets_histogram']), exemplar(trace)),
);

// The sum of the basic histogram: 5 + 7 + 8 positive, 1 negative, 2 zero.
assert.equal(5 + 7 + 8 + 1 + 2, integer.count);

function headerCounts(headers: Readonly<Record<string, string>> | undefined): Counts {
  const counts: Record<string, number> = {};
  for (const kind of ['Samples', 'Histograms', 'Exemplars']) {
    const value = headers?.[`X-Prometheus-Remote-Write-${kind}-Written`];
    assert.match(value ?? 'absent', /^\d+$/, `${kind} header`);
    if (value !== '0') counts[kind.toLowerCase()] = Number(value);
  }
  return counts;
}

suite('receiver suite', () => {
  for (const { name, make, status, counts } of cases) {
    test(name, async () => {
      const harness = createHarness({ window: WINDOW });
      for (const delay of status === 204 ? [0, 10] : [0]) {
        harness.rows.clear();
        const body = compressBlock(make(harness.nowMs + delay).encode());
        const reply = await harness.post(body, V2);
        assert.equal(reply.status, status, String(reply.body));
        assert.deepEqual(headerCounts(reply.headers), counts);
        for (const kind of ['samples', 'histograms', 'exemplars'] as const) {
          assert.equal(harness.rows.get(`prometheus.${kind}`)?.length ?? 0, counts[kind] ?? 0, kind);
        }
        if (status === 204) assert.equal(reply.body, undefined);
        else assert.match(String(reply.body), /\S/);
      }
    });
  }

  test('TestBadContentTypes and TestBadContentEncodings are refused before the body is looked at', async () => {
    const harness = createHarness();
    for (const type of [
      'application/json',
      'image/png',
      'application/x-protobuf;proto=other',
      'application/x-protobuf;proto',
    ]) {
      assert.equal((await harness.post(Buffer.from('0'), { ...V2, 'content-type': type })).status, 415, type);
    }
    for (const encoding of ['gzip', 'deflate', 'zstd', 'br', 'snappy, gzip']) {
      assert.equal(
        (await harness.post(Buffer.from('0'), { ...V2, 'content-encoding': encoding })).status,
        415,
        encoding,
      );
    }
  });

  test('TestCorruptRequestBody: a wrong length in the Snappy header is 400', async () => {
    const harness = createHarness();
    const message = new RequestV2().add([['__name__', 'upup']], sample(harness.nowMs, 1)).encode();
    assert.equal(message.length, 42);
    const body = snappy(message);
    body[0] = 0x30;
    const reply = await harness.post(body, V2);
    assert.equal(reply.status, 400);
    assert.deepEqual(headerCounts(reply.headers), {});
  });

  test('TestRW1BasicCompatibility and TestRW1ErrorHandling', async () => {
    const harness = createHarness();
    const body = snappy(
      Buffer.concat([
        seriesV1([['__name__', 'up']], sample(harness.nowMs, 1)),
        seriesV1([['__name__', 'down']], sample(harness.nowMs, 0)),
      ]),
    );
    const reply = await harness.post(body, V1);
    assert.equal(reply.status, 204);
    assert.deepEqual(reply.headers, {}, 'no *-Written headers for 1.0');
    assert.equal(harness.rows.get('prometheus.samples')?.length, 2);
    body[0] = 0xff;
    const corrupt = await harness.post(body, V1);
    assert.equal(corrupt.status, 400);
    assert.ok(!Object.keys(corrupt.headers ?? {}).some((name) => name.endsWith('Written')));
  });

  test('fields may come in any order: symbols last, points before labels, numbers unpacked', async () => {
    const harness = createHarness();
    const request = new RequestV2();
    const [name, value] = request.refs([['__name__', 'up']]);
    request.series.push(bytes(5, sample(harness.nowMs, 7), number(1, name!), number(1, value!)));
    request.series.push(
      bytes(
        5,
        bytes(1, varint(name!)),
        histogram(3, { ...integer, time: harness.nowMs, unpacked: true }),
        bytes(1, varint(request.ref('h'))),
      ),
    );
    assert.equal((await harness.post(snappy(request.encode('symbols last')), V2)).status, 204);
    const v1 = bytes(
      1,
      bytes(2, number(2, harness.nowMs), double(1, 8)),
      bytes(1, bytes(2, 'a'), bytes(1, 'job')),
      sample(harness.nowMs, 9),
      bytes(1, bytes(1, '__name__'), bytes(2, 'up')),
    );
    assert.equal((await harness.post(snappy(v1), V1)).status, 204);
    assert.equal(harness.rows.get('prometheus.samples')?.length, 3);
    assert.deepEqual(
      harness.rows.get('prometheus.series')?.map((row) => harness.labelsOf(row)),
      [{ __name__: 'up' }, { __name__: 'h' }, { __name__: 'up', job: 'a' }],
    );
    assert.deepEqual(
      harness.rows.get('prometheus.histograms')?.map((row) => row['positive_deltas']),
      [[5n, 2n, 1n]],
    );
  });
});
