import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { BLOCK_BYTES, LinearMemory } from '../../../src/base/linear-memory.ts';
import { WordTable } from '../../../src/base/word-table.ts';

suite('linear memory', () => {
  test('hands out blocks that do not overlap, and takes them back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ count: fc.integer({ min: 1, max: 12 }), drop: fc.boolean() }), { maxLength: 40 }),
        (steps) => {
          const memory = new LinearMemory(64 * BLOCK_BYTES);
          const held: { address: number; count: number }[] = [];
          for (const { count, drop } of steps) {
            if (drop && held.length > 0) {
              const one = held.splice(Math.floor(held.length / 2), 1)[0]!;
              memory.release(one.address, one.count);
            } else {
              const address = memory.allocate(count);
              if (address === 0) continue;
              assert.ok(address % BLOCK_BYTES === 0 && address + count * BLOCK_BYTES <= memory.bytes.length);
              for (const other of held) {
                assert.ok(
                  address + count * BLOCK_BYTES <= other.address ||
                    other.address + other.count * BLOCK_BYTES <= address,
                );
              }
              held.push({ address, count });
            }
          }
          assert.equal(memory.usedBytes, (1 + held.reduce((sum, { count }) => sum + count, 0)) * BLOCK_BYTES);
        },
      ),
    );
  });

  test('refuses beyond its greatest size', () => {
    const memory = new LinearMemory(20 * BLOCK_BYTES);
    assert.equal(memory.allocate(20), 0);
    assert.ok(memory.allocate(19) > 0);
    assert.equal(memory.allocate(1), 0);
  });

  test('a word table keeps its records while it and the memory grow', () => {
    const memory = new LinearMemory();
    const table = new WordTable(memory, 8);
    for (let i = 0; i < 100_000; i++) {
      assert.ok(table.reserve(i));
      assert.equal(table.words[i * 8 + 7], 0);
      table.words[i * 8] = i;
      if (i % 10_000 !== 0) continue;
      const other = memory.allocate();
      memory.bytes.fill(0xff, other, other + BLOCK_BYTES);
    }
    for (let i = 0; i < 100_000; i++) assert.equal(table.words[i * 8], i);
    assert.equal(memory.words[table.address / 4 + 8 * 77], 77);
  });
});
