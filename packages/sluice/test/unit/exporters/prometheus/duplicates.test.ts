import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeWriteRequest } from 'promwrite/wire';
import type { SeriesOptions } from '../../../../src/exporters/prometheus/options.ts';
import { RowEncoder } from '../../../../src/exporters/prometheus/row-encoder.ts';
import { countersOf, rowEncoder, seriesOptions } from './encoder-of.ts';
import { Lanes } from './lanes.ts';
import { numberCells, standInSelector, textCells } from './stand-in-selector.ts';

interface Row {
  readonly tag: string;
  readonly second: number;
  readonly bytes: number;
  readonly most: number;
}

function selectorOf(rows: readonly Row[]) {
  return standInSelector([
    { label: 'tag', cells: textCells(rows.map(({ tag }) => tag)) },
    { label: 'byte', isMetric: true, cells: numberCells(rows.map(({ bytes }) => bytes)) },
    {
      label: 'rtt_max',
      isMetric: true,
      spec: { rollUp: 'average' },
      cells: numberCells(rows.map(({ most }) => most)),
    },
  ]);
}

/** `name{tag} value@ms` of every series, in order. */
function seriesOf(lanes: Lanes): string[] {
  return lanes.writers.flatMap((_, lane) =>
    decodeWriteRequest(lanes.batch(lane).bodies).timeseries.map(({ labels, samples }) => {
      const label = (wanted: string) => labels.find(({ name }) => name === wanted)?.value ?? '';
      return `${label('__name__')}{${label('tag')}} ${samples[0]!.value}@${samples[0]!.timestamp}`;
    }),
  );
}

function encode(rows: readonly Row[], options: Partial<SeriesOptions>, lanes = new Lanes()): Lanes {
  const selector = selectorOf(rows);
  const batch = selector.batch(
    rows.length,
    rows.map(({ second }) => second),
  );
  return lanes.take(rowEncoder(selector, options).begin(batch, 100, 0));
}

const twice: readonly Row[] = [
  { tag: 'a', second: 1, bytes: 3, most: 9 },
  { tag: 'b', second: 1, bytes: 1, most: 1 },
  { tag: 'a', second: 1, bytes: 4, most: 5 },
  { tag: 'a', second: 2, bytes: 8, most: 8 },
];

describe('rows that are the same series at the same time', () => {
  test('merge: the greatest of what is a greatest, the sum of others, where the first one stood', () => {
    const lanes = encode(twice, { onDuplicate: 'merge' });
    assert.deepEqual(seriesOf(lanes), [
      'byte{a} 7@1000',
      'rtt_max{a} 9@1000',
      'byte{b} 1@1000',
      'rtt_max{b} 1@1000',
      'byte{a} 8@2000',
      'rtt_max{a} 8@2000',
    ]);
    assert.deepEqual([...lanes.writers[0]!.rows.subarray(0, 6)], [100, 100, 101, 101, 103, 103]);
    assert.deepEqual([...lanes.writers[0]!.times.subarray(0, 6)], [1000, 1000, 1000, 1000, 2000, 2000]);
    assert.equal(lanes.writers[0]!.leastRow, 100);
  });

  test('last: the last row has it', () => {
    assert.deepEqual(seriesOf(encode(twice, { onDuplicate: 'last' })).slice(0, 2), [
      'byte{a} 4@1000',
      'rtt_max{a} 5@1000',
    ]);
  });

  test('keep: all are sent', () => {
    assert.equal(seriesOf(encode(twice, { onDuplicate: 'keep' })).length, 8);
  });

  test('metrics that one of the rows left out are added', () => {
    const rows = [
      { tag: 'a', second: 1, bytes: 3, most: 0 },
      { tag: 'a', second: 1, bytes: 0, most: 5 },
      { tag: 'a', second: 1, bytes: 2, most: 6 },
    ];
    assert.deepEqual(seriesOf(encode(rows, { emptyMetrics: false })), ['byte{a} 5@1000', 'rtt_max{a} 6@1000']);
  });

  test('a new batch knows nothing of the one before', () => {
    const lanes = encode(twice, {});
    lanes.writers[0]!.at = 0;
    lanes.writers[0]!.count = 0;
    encode(twice.slice(0, 1), {}, lanes);
    assert.deepEqual(seriesOf(lanes), ['byte{a} 3@1000', 'rtt_max{a} 9@1000']);
  });

  test('are counted', async () => {
    const selector = selectorOf(twice);
    const { counters, metrics } = countersOf('flow_metrics.network.1s');
    new Lanes().take(new RowEncoder(selector, seriesOptions(), counters).begin(selector.batch(4, [1, 1, 1, 2]), 0, 0));
    assert.equal((await metrics.exporterMerged.get()).values[0]!.value, 2);
  });

  test('property: what is sent is what a plain map makes of the rows, in any number of lanes', () => {
    const row = fc.record({
      tag: fc.constantFrom('', 'a', 'b', 'cc', 'x'.repeat(200)),
      second: fc.integer({ min: 0, max: 3 }),
      bytes: fc.integer({ min: 0, max: 5 }),
      most: fc.integer({ min: 0, max: 5 }),
    });
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 400 }),
        fc.constantFrom('merge' as const, 'last' as const),
        fc.boolean(),
        fc.integer({ min: 1, max: 5 }),
        (rows, onDuplicate, emptyMetrics, lanes) => {
          const model = new Map<string, number>();
          for (const { tag, second, bytes, most } of rows) {
            for (const [name, value] of [
              ['byte', bytes],
              ['rtt_max', most],
            ] as const) {
              if (value === 0 && !emptyMetrics) continue;
              const key = `${name}{${tag}} @${second * 1000}`;
              const before = model.get(key);
              const merged = name === 'byte' ? (before ?? 0) + value : Math.max(before ?? 0, value);
              model.set(key, onDuplicate === 'merge' ? merged : value);
            }
          }
          const expected = [...model].map(([key, value]) => key.replace('@', `${value}@`));
          const sent = seriesOf(encode(rows, { onDuplicate, emptyMetrics }, new Lanes(lanes)));
          assert.deepEqual(sent.toSorted(), expected.toSorted());
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('lanes', () => {
  test('all series of one label set go one way, and sets are spread over all of them', () => {
    const rows = Array.from({ length: 400 }, (_, i) => ({ tag: `t${i % 100}`, second: i, bytes: 1, most: 1 }));
    const lanes = encode(rows, {}, new Lanes(4));
    const where = new Map<string, Set<number>>();
    for (const [lane] of lanes.writers.entries()) {
      const { timeseries } = decodeWriteRequest(lanes.batch(lane).bodies);
      assert.ok(timeseries.length > 0);
      let last = -1;
      for (const { labels, samples } of timeseries) {
        const tag = labels.find(({ name }) => name === 'tag')!.value;
        where.set(tag, (where.get(tag) ?? new Set()).add(lane));
        assert.ok(Number(samples[0]!.timestamp) >= last);
        last = Number(samples[0]!.timestamp);
      }
    }
    assert.equal(where.size, 100);
    for (const found of where.values()) assert.equal(found.size, 1);
  });
});

test('whole numbers above 2^53 are rounded to the nearest double', () => {
  const selector = standInSelector([
    {
      label: 'byte',
      isMetric: true,
      cells: { kind: 'unsigned64', words: Uint32Array.of(0xffff_ffff, 0xffff_ffff, 3, 0x20_0000) },
    },
  ]);
  const pass = rowEncoder(selector).begin(selector.batch(2, [1, 2]), 0, 0);
  const { timeseries } = decodeWriteRequest(new Lanes().take(pass).batch().bodies);
  assert.deepEqual(
    timeseries.map(({ samples }) => samples[0]!.value),
    [18_446_744_073_709_552_000, 9_007_199_254_740_996],
  );
});
