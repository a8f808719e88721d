import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { labelsOf } from '../../../src/query/label-set.ts';
import { loadSeriesLabels } from '../../../src/query/series-labels.ts';
import { idsOf, openTestDatabase, type DataSeries } from './prometheus-data.ts';

const database = await openTestDatabase([1, 7]);
after(() => database.close());

const T = 1_700_000_000_000;
const series = (name: string, pod: string): DataSeries => ({
  labels: [
    ['A', 'before the name'],
    ['__name__', name],
    ['pod', pod],
  ],
  samples: [{ time: T, bits: 0n }],
  announced: [T, T + 86_400_000],
});

function words(...all: readonly DataSeries[]): Uint32Array {
  const ids = BigUint64Array.from(
    all.flatMap(({ labels }) => {
      const { metric, series: id } = idsOf(labels);
      return [metric, id];
    }),
  );
  return new Uint32Array(ids.buffer);
}

test('labels of series come in the order asked for, each once however often it was announced; unknown ones are undefined', async () => {
  const up = series('up', 'a');
  const down = series('down', 'b');
  const other = series('up', 'c');
  await database.insert([up, down]);
  await database.insert([other], 7);
  const found = await loadSeriesLabels(database.store, 1, words(down, other, up));
  const read = found.map((labels) => (labels === undefined ? undefined : [...labelsOf({ labels, key: '' })]));
  assert.deepEqual(read, [down.labels, undefined, up.labels]);
  const [elsewhere] = await loadSeriesLabels(database.store, 7, words(other));
  assert.deepEqual([...labelsOf({ labels: elsewhere!, key: '' })], other.labels);
});

test('more series than stand in one statement', async () => {
  const many = Array.from({ length: 5000 }, (_, index) => series('many', `pod-${index}`));
  await database.insert(many);
  const found = await loadSeriesLabels(database.store, 1, words(...many));
  assert.equal(new Set(found.map((labels) => Buffer.from(labels!).toString('hex'))).size, 5000);
  assert.deepEqual([...labelsOf({ labels: found[4999]!, key: '' })], many[4999]!.labels);
});
