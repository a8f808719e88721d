import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeRequestV2, decodeWriteRequest, encodeWriteRequest } from 'promwrite/wire';
import type { FamilyMetadata } from 'promwrite';
import { findDataSource } from '../../../../src/catalog/catalog.ts';
import { metadataOf } from '../../../../src/exporters/prometheus/metric-metadata.ts';
import { RequestV2 } from '../../../../src/exporters/prometheus/request-v2.ts';
import { showSeries } from '../../../../src/exporters/prometheus/show.ts';
import { goldenBatch, goldenExports } from '../golden-batch.ts';
import { rowEncoder, selectorOf } from './encoder-of.ts';
import { Lanes } from './lanes.ts';

const metadata: ReadonlyMap<string, FamilyMetadata> = new Map([
  ['m1', { name: 'm1', type: 'gauge', help: 'first', unit: 's' }],
  ['m2', { name: 'm2', type: 'gauge', help: 'first' }],
]);

/** Symbols of a request as they stand in it. */
function symbolsOf(request: Uint8Array): string[] {
  const symbols: string[] = [];
  for (let at = 0; request[at] === 0x22;) {
    let length = 0;
    let shift = 0;
    do length |= (request[++at]! & 127) << shift;
    while (request[at]! > 127 && (shift += 7) > 0);
    symbols.push(Buffer.from(request.subarray(at + 1, at + 1 + length)).toString());
    at += 1 + length;
  }
  return symbols;
}

describe('a request of remote write 2.0', () => {
  test('says the same as that of 1.0, with metadata', () => {
    const cases = goldenExports('flow_metrics.network_map.1s').filter(({ org_id }) => org_id === 1);
    const batch = goldenBatch(cases);
    const selector = selectorOf(batch.source);
    const { bodies } = new Lanes().take(rowEncoder(selector).begin(batch, 0, 0)).batch();
    const known = metadataOf([selector], '');
    const request = new RequestV2(known).encode(bodies);
    const { timeseries } = decodeRequestV2(request);
    assert.equal(timeseries.length, cases.length * 65);
    assert.deepEqual(
      timeseries.map(({ labels, samples }) => ({ labels, samples })),
      decodeWriteRequest(bodies).timeseries.map(({ labels, samples }) => ({ labels, samples })),
    );
    for (const { labels, metadata: told } of timeseries) {
      const { name: _, ...wanted } = known.get(labels.find(({ name }) => name === '__name__')!.value)!;
      assert.deepEqual({ ...told }, wanted);
    }
    const symbols = symbolsOf(request);
    assert.equal(symbols[0], '');
    assert.equal(new Set(symbols).size, symbols.length);
    assert.ok(request.length * 4 < bodies.length, `${request.length} of ${bodies.length}`);
  });

  test('begins anew each time', () => {
    const request = new RequestV2(metadata);
    const bodies = (value: string) =>
      encodeWriteRequest({
        timeseries: [{ labels: { __name__: 'm1', a: value }, samples: [{ value: 1, timestamp: 5 }] }],
      });
    request.encode(bodies('before'));
    assert.deepEqual(symbolsOf(request.encode(bodies('after'))).toSorted(), [
      '',
      '__name__',
      'a',
      'after',
      'first',
      'm1',
      's',
    ]);
  });

  test('property: series of any kind come out as they went in', () => {
    const name = fc.stringMatching(/^[A-Za-z_]{1,3}$/).filter((label) => label !== '__name__');
    const labels = fc
      .tuple(
        fc.constantFrom('m1', 'm2', 'm3', ''),
        fc.dictionary(name, fc.oneof(fc.constantFrom('x', 'y'), fc.string({ minLength: 1, maxLength: 200 })), {
          maxKeys: 6,
          noNullPrototype: true,
        }),
      )
      .map(([metric, others]) => (metric === '' ? { ...others, z: '1' } : { ...others, __name__: metric }));
    const timeseries = fc.array(
      fc.record({
        labels,
        samples: fc.tuple(fc.record({ value: fc.double(), timestamp: fc.integer() })),
      }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(timeseries, fc.integer({ min: 1, max: 4 }), (series, times) => {
        // Runs of series that differ in little, as rows make them.
        const repeated = series.flatMap((one) => Array.from({ length: times }, () => one));
        const bodies = encodeWriteRequest({ timeseries: repeated });
        const decoded = decodeRequestV2(new RequestV2(metadata).encode(bodies));
        assert.deepEqual(
          decoded.timeseries.map((one) => ({ labels: one.labels, samples: one.samples })),
          decodeWriteRequest(bodies).timeseries.map((one) => ({ labels: one.labels, samples: one.samples })),
        );
        for (const one of decoded.timeseries) {
          const metric = one.labels.find((label) => label.name === '__name__')?.value ?? '';
          assert.equal(one.metadata?.help ?? '', metadata.get(metric)?.help ?? '');
          assert.equal(one.metadata?.unit ?? '', metadata.get(metric)?.unit ?? '');
        }
      }),
      { numRuns: 300 },
    );
  });

  test('has room for many symbols', () => {
    const timeseries = Array.from({ length: 3000 }, (_, i) => ({
      labels: { __name__: `metric_${i}`, value: 'v'.repeat(i % 300) + String(i) },
      samples: [{ value: i, timestamp: i }],
    }));
    const bodies = encodeWriteRequest({ timeseries });
    const decoded = decodeRequestV2(new RequestV2(new Map()).encode(bodies)).timeseries;
    assert.deepEqual(
      decoded.map(({ labels, samples }) => ({ labels, samples })),
      decodeWriteRequest(bodies).timeseries.map(({ labels, samples }) => ({ labels, samples })),
    );
  });
});

test('metadata has every metric that is exported, with its prefix', () => {
  const network = selectorOf(findDataSource('flow_metrics.network.1s')!);
  const application = selectorOf(findDataSource('flow_metrics.application.1s')!);
  const found = metadataOf([network, application], 'deepflow_');
  assert.equal(found.get('deepflow_byte_tx')?.unit, 'byte');
  assert.deepEqual(found.get('deepflow_request'), {
    name: 'deepflow_request',
    type: 'gauge',
    help: 'Requests, in one interval',
    unit: 'request',
  });
  assert.equal(found.get('deepflow_rrt_max')?.help, 'Greatest response delay, in one interval');
  // Four of the nine metrics of applications are metrics of the network, too.
  assert.equal(found.size, 65 + 5);
});

test('a series is shown as PromQL writes it', () => {
  const body = encodeWriteRequest({
    timeseries: [{ labels: { __name__: 'up', job: 'a"b' }, samples: [{ stale: true, timestamp: 1500 }] }],
  });
  assert.equal(showSeries(body), 'up{job="a\\"b"} stale 1500');
});
