import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IdIndexes } from '../../../src/exporters/id-indexes.ts';

const word = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 0xffff_ffff }));

test('numbers by pairs of words, as a Map by text has them', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(word, word), { maxLength: 2000 }), (pairs) => {
      const indexes = new IdIndexes();
      const model = new Map<string, number>();
      for (const [number, [high, low]] of pairs.entries()) {
        const expected = model.get(`${high} ${low}`);
        assert.equal(indexes.find(high, low), expected ?? -1);
        if (expected !== undefined) continue;
        indexes.add(high, low, number);
        model.set(`${high} ${low}`, number);
      }
      assert.equal(indexes.size, model.size);
      for (const [high, low] of pairs) assert.equal(indexes.find(high, low), model.get(`${high} ${low}`));
    }),
    { numRuns: 50 },
  );
});
