import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compareUtf8, decodeWriteRequest } from 'promwrite/wire';
import type { SeriesLabels } from '../../../../src/base/ports.ts';
import type { SeriesOptions } from '../../../../src/exporters/prometheus/options.ts';
import { SampleEncoder } from '../../../../src/exporters/prometheus/sample-encoder.ts';
import { countersOf, selectorOf, seriesOptions } from './encoder-of.ts';
import { Lanes } from './lanes.ts';
import { batchOf, fieldsOf, source, type Sample } from './sample-batch.ts';

/** Series by number, found in memory, loaded, or not known. */
function seriesFrom(memory: ReadonlyMap<number, Uint8Array>, database: ReadonlyMap<number, Uint8Array> = new Map()) {
  const loads: number[][] = [];
  const series: SeriesLabels = {
    // A copy that is spoilt when others have had their turn.
    find(_org, _metricLow, _metricHigh, low, high) {
      assert.equal(low, 7);
      const found = memory.get(high);
      if (found === undefined) return undefined;
      const lent = found.slice();
      setImmediate(() => lent.fill(0));
      return lent;
    },
    load(_org, ids) {
      const wanted = Array.from({ length: ids.length / 4 }, (_, i) => ids[i * 4 + 3]!);
      loads.push(wanted);
      return Promise.resolve(wanted.map((id) => database.get(id)));
    },
  };
  return { series, loads };
}

async function encode(
  samples: readonly Sample[],
  { series }: { readonly series: SeriesLabels },
  own: Partial<SeriesOptions> = {},
  lanes = new Lanes(),
): Promise<Lanes> {
  const batch = batchOf(samples);
  const options = seriesOptions(own);
  const { counters } = countersOf(source.id, options.maxLabels);
  const encoder = new SampleEncoder({ selector: selectorOf(source), series, options, counters });
  await encoder.prepare(batch);
  await new Promise((resolve) => setImmediate(resolve));
  return lanes.take(encoder.begin(batch, 50, 0));
}

function linesOf(lanes: Lanes, lane = 0): string[] {
  const { bodies } = lanes.batch(lane);
  return decodeWriteRequest(bodies).timeseries.map(({ labels, samples }) => {
    const [sample] = samples;
    const text = labels.map(({ name, value }) => `${name}=${value}`).join(',');
    return `${text} ${sample!.stale ? 'stale' : sample!.value}@${sample!.timestamp}`;
  });
}

const up = fieldsOf({ __name__: 'up', job: 'node', instance: 'a:9100' });
const down = fieldsOf({ __name__: 'down', job: 'node' });
const one = 0x3ff0000000000000n;

describe('samples of Prometheus senders', () => {
  test('go out with their labels, milliseconds and the very bits of their values', async () => {
    const bits = [
      0x7ff0000000000002n,
      0x7ff8000000000001n,
      0xfff0000000000000n,
      0x8000000000000000n,
      0x0000000000000001n,
    ];
    const samples = bits.map((value, index) => ({ series: 1, time: 1_700_000_000_123n + BigInt(index), bits: value }));
    const lanes = await encode(samples, seriesFrom(new Map([[1, up]])));
    assert.deepEqual(linesOf(lanes), [
      '__name__=up,instance=a:9100,job=node stale@1700000000123',
      '__name__=up,instance=a:9100,job=node NaN@1700000000124',
      '__name__=up,instance=a:9100,job=node -Infinity@1700000000125',
      '__name__=up,instance=a:9100,job=node 0@1700000000126',
      '__name__=up,instance=a:9100,job=node 5e-324@1700000000127',
    ]);
    const { bytes, ends } = lanes.writers[0]!;
    for (const [item, value] of bits.entries()) {
      // 8 bytes of the value, tag and 6 bytes of the time.
      assert.equal(new DataView(bytes.buffer).getBigUint64(ends[item]! - 15, true), value);
    }
    assert.deepEqual([...lanes.writers[0]!.times.subarray(0, 2)], [1_700_000_000_123, 1_700_000_000_124]);
    assert.deepEqual([...lanes.writers[0]!.rows.subarray(0, 5)], [50, 51, 52, 53, 54]);
  });

  test('from before 1970 have negative times', async () => {
    const lanes = await encode([{ series: 1, time: -5n, bits: one }], seriesFrom(new Map([[1, up]])));
    assert.match(linesOf(lanes)[0]!, / 1@-5$/);
    assert.equal(lanes.writers[0]!.times[0], -5);
  });

  test('of series that left memory have their labels loaded, all at once', async () => {
    const samples = [1, 2, 1, 3, 2].map((series, index) => ({ series, time: BigInt(index), bits: one }));
    const from = seriesFrom(new Map([[1, up]]), new Map([[2, down]]));
    const lanes = await encode(samples, from);
    assert.deepEqual(from.loads, [[2, 3]]);
    assert.deepEqual(
      linesOf(lanes).map((line) => line.replace(/.* /, '')),
      ['1@0', '1@1', '1@2', '1@4'],
    );
    assert.deepEqual(
      lanes.rejected.map(({ row, why }) => [row, why]),
      [[53, 'unknown_series']],
    );
  });

  test('of one series and time are not added up: the last one is sent, unless all are kept', async () => {
    const samples = [1n, 2n, 3n].map((add, index) => ({ series: 1, time: index === 2 ? 9n : 8n, bits: one + add }));
    const from = seriesFrom(new Map([[1, up]]));
    const merged = await encode(samples, from);
    assert.equal(merged.writers[0]!.count, 2);
    const { bytes, ends } = merged.writers[0]!;
    assert.equal(new DataView(bytes.buffer).getBigUint64(ends[0]! - 10, true), one + 2n);
    assert.equal((await encode(samples, from, { onDuplicate: 'keep' })).writers[0]!.count, 3);
  });

  test('stay in one lane with their series', async () => {
    const samples = Array.from({ length: 300 }, (_, i) => ({ series: i % 3, time: BigInt(i), bits: one }));
    const lanes = await encode(
      samples,
      seriesFrom(new Map([0, 1, 2].map((id) => [id, fieldsOf({ __name__: `m${id}` })]))),
      {},
      new Lanes(4),
    );
    const seen = lanes.writers.flatMap((_, lane) => [
      ...new Set(linesOf(lanes, lane).map((line) => line.split(' ')[0])),
    ]);
    assert.deepEqual(
      seen.toSorted((a, b) => compareUtf8(a!, b!)),
      ['__name__=m0', '__name__=m1', '__name__=m2'],
    );
  });

  test('get external labels that they lack, and the prefix', async () => {
    const externalLabels = new Map([
      ['job', 'other'],
      ['Zone', 'eu'],
      ['zone', 'z'],
      ['k', 'v'],
    ]);
    const lanes = await encode([{ series: 1, time: 1n, bits: one }], seriesFrom(new Map([[1, up]])), {
      externalLabels,
      metricPrefix: 'x_',
    });
    assert.deepEqual(linesOf(lanes), ['Zone=eu,__name__=x_up,instance=a:9100,job=node,k=v,zone=z 1@1']);
  });

  test('lose their last labels when they have too many, never name and external ones', async () => {
    const many = fieldsOf({ A: '1', B: '2', __name__: 'm', a: '3', b: '4' });
    const from = seriesFrom(new Map([[1, many]]));
    const sample = [{ series: 1, time: 1n, bits: one }];
    const limited = (maxLabels: number) => encode(sample, from, { maxLabels, externalLabels: new Map([['c', '5']]) });
    assert.deepEqual(linesOf(await limited(6)), ['A=1,B=2,__name__=m,a=3,b=4,c=5 1@1']);
    assert.deepEqual(linesOf(await limited(4)), ['A=1,B=2,__name__=m,c=5 1@1']);
    assert.deepEqual(linesOf(await limited(3)), ['A=1,__name__=m,c=5 1@1']);
    assert.deepEqual(linesOf(await limited(1)), ['__name__=m,c=5 1@1']);
  });

  test('property: what is decoded is what went in', async () => {
    const sample = fc.record({
      series: fc.integer({ min: 0, max: 40 }),
      time: fc.oneof(fc.bigInt({ min: -(2n ** 53n) + 1n, max: 2n ** 53n - 1n }), fc.constantFrom(0n, 1n, -1n)),
      bits: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    });
    const known = new Map(
      Array.from({ length: 40 }, (_, id) => [id, fieldsOf({ __name__: 'm', id: String(id), pad: 'p'.repeat(id * 9) })]),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(sample, { maxLength: 300 }), async (samples) => {
        const lanes = await encode(samples, seriesFrom(known), { onDuplicate: 'keep' });
        const expected = samples.filter(({ series }) => series < 40);
        assert.equal(lanes.rejected.length, samples.length - expected.length);
        const { timeseries } = decodeWriteRequest(lanes.batch().bodies);
        assert.deepEqual(
          timeseries.map(({ labels, samples: [point] }) => [labels[1]!.value, BigInt(point!.timestamp)]),
          expected.map(({ series, time }) => [String(series), time]),
        );
      }),
      { numRuns: 60 },
    );
  });
});
