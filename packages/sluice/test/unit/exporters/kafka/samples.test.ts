import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SeriesLabels } from '../../../../src/base/ports.ts';
import type { Batch } from '../../../../src/batch/batch.ts';
import { samples as source } from '../../../../src/catalog/prometheus.ts';
import { encodeSamples } from '../../../../src/exporters/kafka/encode.ts';
import { LabelTexts } from '../../../../src/exporters/kafka/label-texts.ts';
import { readHead } from '../../../../src/exporters/kafka/message-head.ts';
import { partitionNumber } from '../../../../src/exporters/kafka/murmur2.ts';
import { sampleIds } from '../../../../src/exporters/kafka/sample-json.ts';
import { encodeAll, kafkaConfig, type Lanes, passOptions } from './encoded.ts';

interface Sample {
  readonly series: bigint;
  readonly time: number;
  /** A double, or its bits. */
  readonly value: number | bigint;
}

const STALE = 0x7ff0_0000_0000_0002n;

function batchOf(samples: readonly Sample[]): Batch {
  const words = (of: (sample: Sample) => bigint) => ({
    kind: 'fixed' as const,
    width: 8,
    bytes: new Uint8Array(BigUint64Array.from(samples, of).buffer),
  });
  const bits = (value: number | bigint) =>
    typeof value === 'bigint' ? value : new BigUint64Array(Float64Array.of(value).buffer)[0]!;
  const columns = new Map([
    ['metric_id', words(() => 11n)],
    ['series_id', words(({ series }) => series)],
    ['time', words(({ time }) => BigInt(time))],
    ['value', words(({ value }) => bits(value))],
  ]);
  return {
    source,
    org: 1,
    rows: samples.length,
    columns: source.columns.map(({ name }) => columns.get(name)!),
    minTime: 0,
    maxTime: 0,
  };
}

/** Label fields of a 1.0 TimeSeries. */
function fieldsOf(labels: readonly (readonly [string, string])[]): Uint8Array {
  return Buffer.concat(
    labels.map(([name, value]) => {
      const [key, text] = [Buffer.from(name), Buffer.from(value)];
      const length = [key.length + text.length + 4];
      return Buffer.concat([
        Buffer.from([0x0a, ...length, 0x0a, key.length]),
        key,
        Buffer.from([0x12, text.length]),
        text,
      ]);
    }),
  );
}

const up = fieldsOf([
  ['__name__', 'up'],
  ['instance', '10.0.0.1:9100'],
  ['job', 'a "node"'],
]);

/** Series 1 is in memory, 2 in the database, others nowhere. */
function labelsOfTwo(): SeriesLabels & { loads: number[] } {
  const loads: number[] = [];
  return {
    loads,
    find: (_org, _metricLow, _metricHigh, low, high) => (low === 1 && high === 0 ? up : undefined),
    load: async (_org, ids) => {
      loads.push(ids.length / 4);
      return Array.from({ length: ids.length / 4 }, (_, i) =>
        ids[i * 4 + 2] === 2 ? fieldsOf([['__name__', 'down']]) : undefined,
      );
    },
  };
}

async function encoded(samples: readonly Sample[], keys: Readonly<Record<string, unknown>> = {}): Promise<Lanes> {
  const batch = batchOf(samples);
  const config = kafkaConfig({ 'data-sources': ['prometheus.samples'], ...keys });
  const labels = new LabelTexts(labelsOfTwo());
  await labels.prepare(1, sampleIds(batch));
  return encodeAll(encodeSamples(passOptions(batch, config), labels));
}

describe('samples as JSON', () => {
  it('has name, labels, value and time', async () => {
    const lanes = await encoded([{ series: 1n, time: 1_700_000_000_120, value: 0.25 }]);
    const [item] = lanes.items();
    assert.equal(
      item!.body,
      '{"datasource":"prometheus.samples","metric_name":"up","labels":{"instance":"10.0.0.1:9100","job":"a \\"node\\""},"value":0.25,"time":1700000000120,"org_id":1,"time_str":"2023-11-14 22:13:20.12 +0000 UTC"}',
    );
    assert.equal(item!.time, 1_700_000_000_120);
    assert.deepEqual(readHead(item!.head), { topic: 'deepflow.prometheus.samples', key: undefined });
  });

  it('says what is no number', async () => {
    const values = [STALE, NaN, Infinity, -Infinity, 3];
    const lanes = await encoded(values.map((value) => ({ series: 1n, time: 1000, value })));
    const rows = lanes.items().map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    assert.deepEqual(
      rows.map(({ value, value_str }) => [value, value_str]),
      [
        [null, 'stale'],
        [null, 'NaN'],
        [null, '+Inf'],
        [null, '-Inf'],
        [3, undefined],
      ],
    );
  });

  it('asks for unknown series once, and rejects samples of those that nobody knows', async () => {
    const series = labelsOfTwo();
    const labels = new LabelTexts(series);
    const batch = batchOf([2n, 3n, 2n, 3n, 1n].map((id) => ({ series: id, time: 1000, value: 1 })));
    await labels.prepare(1, sampleIds(batch));
    await labels.prepare(1, sampleIds(batch));
    assert.deepEqual(series.loads, [2, 1]);
    const config = kafkaConfig({ 'data-sources': ['prometheus.samples'] });
    const lanes = encodeAll(encodeSamples({ ...passOptions(batch, config), firstRow: 100 }, labels));
    assert.deepEqual(
      lanes.items().map(({ row }) => row),
      [100, 102, 104],
    );
    assert.deepEqual(
      lanes.rejected,
      [101, 103].map((row) => ({
        row,
        why: 'the labels of its series are not known',
        text: 'series 0000000000000003',
      })),
    );
  });

  it('keeps thousands of series apart, of several organisations', async () => {
    const labels = new LabelTexts({
      find: (org, _a, _b, low, high) => fieldsOf([['__name__', `m${org}_${high}_${low}`]]),
      load: async () => [],
    });
    const ids = (count: number) =>
      Uint32Array.from({ length: count * 4 }, (_, i) => (i % 4 < 2 ? 0 : i % 4 === 2 ? i * 7919 : i % 5));
    const all = ids(5000);
    for (const org of [1, 2]) await labels.prepare(org, all);
    for (const org of [1, 2]) {
      for (let at = 0; at < all.length; at += 4) {
        const text = Buffer.from(labels.get(org, all[at + 2]!, all[at + 3]!)!).toString();
        assert.equal(text, `,"metric_name":"m${org}_${all[at + 3]}_${all[at + 2]}","labels":{}`);
      }
    }
  });

  it('keeps the samples of a series in one lane, by its id', async () => {
    const samples = [1n, 2n, 1n, 2n].map((series, i) => ({ series, time: 1000 + i, value: i }));
    const lanes = await encoded(samples, { kafka: { key: 'series-hash' } });
    for (const [id, rows] of [
      ['0000000000000001', [0, 2]],
      ['0000000000000002', [1, 3]],
    ] as const) {
      const items = lanes.items().filter(({ head }) => readHead(head).key?.toString() === id);
      assert.deepEqual(
        items.map(({ row }) => row),
        rows,
      );
      assert.deepEqual(new Set(items.map(({ lane }) => lane)), new Set([partitionNumber(Buffer.from(id)) % 4]));
    }
  });

  it('leaves out what is too old', async () => {
    const now = 1_700_000_100_000;
    const batch = batchOf([now - 20_000, now - 10_000, now].map((time) => ({ series: 1n, time, value: 1 })));
    const labels = new LabelTexts(labelsOfTwo());
    await labels.prepare(1, sampleIds(batch));
    const config = kafkaConfig({ 'data-sources': ['prometheus.samples'], 'max-age': '10s' });
    const pass = encodeSamples(passOptions(batch, config), labels);
    assert.deepEqual([...pass.rows], [1, 2]);
    assert.deepEqual([...pass.left], [['too_old', 1]]);
  });
});
