import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TagState } from '../../../src/series/tag-state.ts';

function of(state: TagState, subject: number): number[] {
  const found: number[] = [];
  for (let one = state.first(subject); one !== 0; one = state.next(one)) found.push(one);
  return found.toSorted((left, right) => left - right);
}

test('series are found by subject, whatever was set, changed and dropped before', () => {
  const series = fc.integer({ min: 1, max: 40 });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), series, subject: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ kind: fc.constant('drop' as const), series, subject: fc.constant(0) }),
    fc.record({ kind: fc.constant('announced' as const), series, subject: fc.integer({ min: 0, max: 9 }) }),
    fc.record({ kind: fc.constant('clear' as const), series, subject: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const state = new TagState();
      const subjects = new Map<number, number>();
      const signatures = new Map<number, number>();
      for (const one of steps) {
        if (one.kind === 'set') {
          state.setSubject(one.series, one.subject);
          subjects.set(one.series, one.subject);
        } else if (one.kind === 'announced') {
          state.setAnnounced(one.series, 3, one.subject);
          signatures.set(one.series, one.subject);
        } else if (one.kind === 'drop') {
          state.drop(one.series);
          subjects.delete(one.series);
          signatures.delete(one.series);
        } else {
          state.clearSubjects();
          subjects.clear();
        }
        for (let subject = 1; subject <= 5; subject++) {
          const expected = [...subjects].filter(([, its]) => its === subject).map(([number]) => number);
          assert.deepEqual(
            of(state, subject),
            expected.toSorted((left, right) => left - right),
          );
        }
        assert.equal(state.signature(one.series), signatures.get(one.series) ?? 0);
      }
    }),
    { numRuns: 100 },
  );
});
