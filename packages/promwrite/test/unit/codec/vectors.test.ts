import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compressBlock,
  decodeRequestV2,
  decodeWriteRequest,
  encodeRequestV2,
  encodeWriteRequest,
  staleMarker,
  SymbolsTable,
  uncompressBlock,
} from '../../../src/wire/index.ts';
import { bitsOf, fromHex, toHex } from '../../support/bits.ts';

const UP = '0a2c0a0e0a085f5f6e616d655f5f120275700a080a036a6f62120161121009000000000000f03f1080d095ffbc31';
const UP_V2 =
  '220022085f5f6e616d655f5f2202757022036a6f62220161220968656c7020746578742a250a0401020304121709000000000000f03f1080d095ffbc3118f08195ffbc312a0408021805';

test('remote write 1.0: up{job="a"} = 1', () => {
  const request = {
    timeseries: [{ labels: { job: 'a', __name__: 'up' }, samples: [{ value: 1, timestamp: 1_700_000_000_000 }] }],
  };
  assert.equal(toHex(encodeWriteRequest(request)), UP);
  assert.deepEqual(decodeWriteRequest(fromHex(UP)).timeseries[0], {
    labels: [
      { name: '__name__', value: 'up' },
      { name: 'job', value: 'a' },
    ],
    samples: [{ value: 1, timestamp: 1_700_000_000_000, startTimestamp: 0, stale: false }],
    histograms: [],
    exemplars: [],
    metadata: undefined,
    problem: undefined,
  });
});

test('the snappy blocks of the vectors', () => {
  assert.equal(toHex(uncompressBlock(fromHex(`2eb4${UP}`))), UP);
  assert.equal(toHex(uncompressBlock(fromHex(`4af049${UP_V2}`))), UP_V2);
  assert.equal(toHex(uncompressBlock(compressBlock(fromHex(UP)))), UP);
});

test('remote write 2.0: the same series with metadata and start time', () => {
  const request = {
    timeseries: [
      {
        labels: { job: 'a', __name__: 'up' },
        sample: { value: 1, timestamp: 1_700_000_000_000, startTimestamp: 1_699_999_990_000 },
        metadata: { type: 'gauge', help: 'help text' },
      },
    ],
  } as const;
  const encoded = encodeRequestV2(request);
  assert.equal(toHex(encoded), UP_V2);
  const [series] = decodeRequestV2(encoded).timeseries;
  assert.deepEqual(series?.metadata, { type: 'gauge', help: 'help text', unit: '' });
  assert.equal(series?.samples[0]?.startTimestamp, 1_699_999_990_000);
});

test('metadata only', () => {
  const bytes = encodeWriteRequest({ metadata: [{ name: 'm', type: 'counter', help: 'h', unit: 's' }] });
  assert.equal(toHex(bytes), '1a0b080112016d2201682a0173');
  assert.deepEqual(decodeWriteRequest(bytes), {
    timeseries: [],
    metadata: [{ name: 'm', type: 'counter', help: 'h', unit: 's' }],
  });
});

test('the stale marker arrives bit for bit, as a flag, through plain arrays and copies, and as a raw number', () => {
  const expected = '0a0d120b09020000000000f07f1005';
  const [decoded] = decodeWriteRequest(fromHex(expected)).timeseries;
  assert.equal(decoded?.samples[0]?.stale, true);
  assert.equal(bitsOf(decoded?.samples[0]?.value ?? 0), '7ff0000000000002');
  const raw = new DataView(new ArrayBuffer(8));
  raw.setBigUint64(0, 0x7ff0000000000002n);
  for (const samples of [
    [staleMarker(5)],
    structuredClone([staleMarker(5)]),
    JSON.parse(JSON.stringify([staleMarker(5)])) as { stale: true; timestamp: number }[],
    decoded?.samples,
    structuredClone(decoded?.samples),
    [{ value: raw.getFloat64(0), timestamp: 5 }],
  ]) {
    assert.equal(toHex(encodeWriteRequest({ timeseries: [{ labels: [], samples }] })), expected);
    assert.match(toHex(encodeRequestV2({ timeseries: [{ labels: [], samples }] })), /09020000000000f07f1005$/);
  }
});

test('an ordinary NaN is not a stale marker, and minus zero keeps its sign', () => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, 0x7ff8000000000001n);
  const samples = [
    { value: view.getFloat64(0), timestamp: 1 },
    { value: -0, timestamp: 2 },
    { value: 0, timestamp: 3 },
  ];
  const [series] = decodeWriteRequest(encodeWriteRequest({ timeseries: [{ labels: [], samples }] })).timeseries;
  assert.deepEqual(
    series?.samples.map((sample) => [bitsOf(sample.value), sample.stale]),
    [
      ['7ff8000000000001', false],
      ['8000000000000000', false],
      ['0000000000000000', false],
    ],
  );
});

test('a symbols table holds every text once, the empty one first', () => {
  const table = new SymbolsTable();
  assert.deepEqual(
    ['', 'a', 'b', 'a', '__proto__', 'constructor'].map((text) => table.symbolize(text)),
    [0, 1, 2, 1, 3, 4],
  );
  assert.deepEqual(table.symbols, ['', 'a', 'b', '__proto__', 'constructor']);
  table.reset();
  assert.deepEqual([table.symbolize('b'), table.symbols.length], [1, 2]);
});
