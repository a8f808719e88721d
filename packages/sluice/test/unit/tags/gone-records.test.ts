import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GoneRecords } from '../../../src/tags/gone-records.ts';
import type { IdRecord } from '../../../src/tags/id-file.ts';

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ does: fc.constant('go' as const), id: fc.nat(20), s: fc.integer({ min: 1, max: 99 }) }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('return' as const), id: fc.nat(20) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('take' as const),
      beforeS: fc.nat(99),
      most: fc.integer({ min: 0, max: 12 }),
    }),
  },
);

test('whatever the order in which they went and came back, those are taken out that are due, earliest first', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const gone = new GoneRecords();
      const records = new Map<number, IdRecord>();
      const model = new Set<IdRecord>();
      for (const one of steps) {
        if (one.does === 'take') {
          const sorted = [...model].toSorted((left, right) => left.goneS - right.goneS);
          const old = sorted.filter(({ goneS }) => goneS <= one.beforeS).length;
          const due = gone.takeDue(one);
          // Of several that went in the same second any may be the first.
          const count = Math.max(old, model.size - one.most, 0);
          assert.deepEqual(
            due.map(({ goneS }) => goneS),
            sorted.slice(0, count).map(({ goneS }) => goneS),
          );
          for (const record of due) assert.ok(model.delete(record));
        } else {
          const known = records.get(one.id);
          if (known !== undefined) {
            gone.delete(known);
            model.delete(known);
          }
          if (one.does === 'go') {
            const record: IdRecord = { kind: 'pod', id: one.id, key: `${one.id}`, name: '', goneS: one.s, term: 0 };
            records.set(one.id, record);
            gone.add(record);
            model.add(record);
          }
        }
        assert.equal(gone.size, model.size);
      }
    }),
    { numRuns: 500 },
  );
});
