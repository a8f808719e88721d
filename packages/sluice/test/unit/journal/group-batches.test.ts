import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Batch } from '../../../src/batch/batch.ts';
import { decodeNative } from '../../../src/batch/native.ts';
import { encodeBlocks, groupBatches } from '../../../src/journal/group-batches.ts';
import { metadataBatch, sampleBatch, valuesIn } from './fixture.ts';

const tables = ['a', 'b', 'c', 'd'].map((id) => ({ ...sampleBatch([1]).source, id }));

test('grouped Batches keep the order of each input and, within a table, that of the inputs', () => {
  const input = fc.array(fc.nat({ max: tables.length - 1 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(input, { minLength: 1, maxLength: 5 }), (inputs) => {
      const batches = inputs.map((list) => list.map((table) => ({ ...sampleBatch([1]), source: tables[table]! })));
      const groups = groupBatches(batches);
      const written = groups.flatMap((group) => group.batches);
      const place = (batch: Batch) => groups.findIndex((group) => group.batches.includes(batch));
      assert.equal(written.length, batches.flat().length);
      for (const list of batches) {
        for (let i = 1; i < list.length; i++) assert.ok(place(list[i - 1]!) <= place(list[i]!), 'order of the list');
      }
      for (const source of tables) {
        const expected = batches.flat().filter((batch) => batch.source === source);
        assert.deepEqual(
          written.filter((batch) => batch.source === source).map((batch) => expected.indexOf(batch)),
          expected.map((_, index) => index),
        );
      }
    }),
  );
});

test('inputs of one kind become one group a table, series first', () => {
  const inputs = Array.from({ length: 20 }, (_, index) =>
    index % 3 === 0 ? [metadataBatch(['x']), sampleBatch([1])] : [sampleBatch([1])],
  );
  const groups = groupBatches(inputs);
  assert.deepEqual(
    groups.map(({ batches }) => [batches[0]!.source.table, batches.length]),
    [
      ['metadata', 7],
      ['samples', 20],
    ],
  );
});

test('organisations are not mixed', () => {
  const groups = groupBatches([[sampleBatch([1], 1)], [sampleBatch([2], 2)], [sampleBatch([3], 1)]]);
  assert.deepEqual(
    groups.map(({ batches }) => batches.flatMap(valuesIn)),
    [[2], [1, 3]],
  );
});

test('blocks keep to their limits and lose no row', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 30 }),
      (sizes, maxRows) => {
        let next = 0;
        const batches = sizes
          .filter((size) => size > 0)
          .map((size) => sampleBatch(Array.from({ length: size }, () => next++)));
        if (batches.length === 0) return;
        const found: number[] = [];
        for (const { block, batches: parts, minTime, maxTime } of encodeBlocks(batches, { maxRows, maxBytes: 600 })) {
          assert.ok(block.rows <= maxRows && (block.bytes <= 600 || block.rows === 1));
          assert.equal(decodeNative(Buffer.concat(block.chunks))?.rows, block.rows);
          const values = parts.flatMap(valuesIn);
          assert.deepEqual([minTime, maxTime], [values[0], values.at(-1)]);
          found.push(...values);
        }
        assert.deepEqual(
          found,
          Array.from({ length: next }, (_, index) => index),
        );
      },
    ),
  );
});
