import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Names } from '../../../src/base/ports.ts';
import type { NativeBlock } from '../../../src/batch/native.ts';
import { seriesTags } from '../../../src/catalog/prometheus.ts';
import { SeriesTagLabels } from '../../../src/query/series-tags.ts';
import { statementText } from '../../../src/storage/sql.ts';
import type { Store } from '../../../src/storage/store.ts';

const NUMBERS = seriesTags.map(({ name }) => name).filter((name) => name !== 'ip4' && name !== 'ip6');

const names: Names = {
  version: 1,
  name: (_org, kind, id) => (kind === 'pod' && id !== 0 ? `pod-${id}` : ''),
  device: () => '',
  podGroupType: () => 0,
  podLabels: () => [],
};

const numbers = (values: readonly bigint[]) => ({
  kind: 'fixed' as const,
  width: 8,
  bytes: new Uint8Array(BigInt64Array.from(values).buffer),
});

/** Answers with a row for each hash that a statement names: its pod has the number of the hash. */
function storeOf(asked: bigint[][]): Store {
  return {
    engine: 'chdb',
    command: () => assert.fail(),
    stream: () => assert.fail(),
    close: () => Promise.resolve(),
    select: async (statement) => {
      const list = /tag_hash IN \(([^)]*)\)/.exec(statementText(statement))![1]!;
      const hashes = list.match(/\d+/g)!.map(BigInt);
      asked.push(hashes);
      await Promise.resolve();
      const block = {
        rows: hashes.length,
        columns: [
          { name: 'tag_hash', type: 'UInt64', data: numbers(hashes) },
          {
            name: 'numbers',
            type: 'Array(Int64)',
            data: {
              kind: 'array',
              ends: Uint32Array.from(hashes, (_, i) => (i + 1) * NUMBERS.length),
              element: numbers(hashes.flatMap((hash) => NUMBERS.map((name) => (name === 'pod_id' ? hash : 0n)))),
            },
          },
          {
            name: 'address',
            type: 'String',
            data: {
              kind: 'string',
              bytes: new Uint8Array(hashes.length),
              ends: Uint32Array.from(hashes, (_, i) => i + 1),
            },
          },
        ],
      };
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as far as it is read
      return [block as unknown as NativeBlock];
    },
  };
}

const pairs = (from: { pairs(hash: bigint): unknown }, ...hashes: bigint[]) => hashes.map((hash) => from.pairs(hash));

test('an answer keeps its tags, whatever is forgotten for others meanwhile', async () => {
  const asked: bigint[][] = [];
  const tags = new SeriesTagLabels({ store: storeOf(asked), prefix: 'df_', names, mostKnown: 3 });
  const [first, second] = await Promise.all([tags.load(1, [1n, 2n], {}), tags.load(1, [3n, 4n], {})]);
  const third = await tags.load(1, [4n, 5n, 6n, 7n], {});
  assert.deepEqual(pairs(first, 1n, 2n), [[['df_pod', 'pod-1']], [['df_pod', 'pod-2']]]);
  assert.deepEqual(pairs(second, 3n, 4n), [[['df_pod', 'pod-3']], [['df_pod', 'pod-4']]]);
  assert.deepEqual(pairs(third, 4n, 7n), [[['df_pod', 'pod-4']], [['df_pod', 'pod-7']]]);
  assert.deepEqual(asked, [
    [1n, 2n],
    [3n, 4n],
    [5n, 6n, 7n],
  ]);
});

test('what is remembered is not read again', async () => {
  const asked: bigint[][] = [];
  const tags = new SeriesTagLabels({ store: storeOf(asked), prefix: 'df_', names });
  await tags.load(1, [1n], {});
  await tags.load(1, [1n, 2n], {});
  await tags.load(2, [1n], {});
  assert.deepEqual(asked, [[1n], [2n], [1n]]);
});
