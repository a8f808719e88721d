import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClaimTable, NEVER } from '../../../src/tags/claim-table.ts';

interface Claim {
  readonly entry: number;
  readonly key: readonly [number, number];
  readonly value: number;
  readonly rank: number;
  from: number;
  to: number;
}

/** The rule in plain words: of the claims on a key that are valid, the one of the greatest rank, of equal ranks the one added last. */
function winner(claims: readonly Claim[], key: readonly [number, number], second: number): number {
  const valid = claims.filter(
    (one) => one.key[0] === key[0] && one.key[1] === key[1] && second >= one.from && second < one.to,
  );
  return valid.toReversed().toSorted((left, right) => right.rank - left.rank)[0]?.value ?? 0;
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      key: fc.tuple(fc.nat(7), fc.nat(3)),
      rank: fc.nat(2),
      at: fc.nat(20),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const), which: fc.nat(), at: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.nat() }) },
);

test('finds what a plain list of claims says, through growth and removal', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const table = new ClaimTable(2);
      const claims: Claim[] = [];
      let value = 0;
      for (const one of steps) {
        if (one.kind === 'add') {
          table.key.set(one.key);
          const entry = table.add(++value, one.rank);
          table.begin(entry, one.at);
          claims.push({ entry, key: one.key, value, rank: one.rank, from: one.at, to: NEVER });
        } else if (claims.length > 0) {
          const at = one.which % claims.length;
          const claim = claims[at]!;
          if (one.kind === 'end') {
            table.end(claim.entry, one.at);
            claim.to = one.at;
          } else {
            table.remove(claim.entry);
            claims.splice(at, 1);
          }
        }
      }
      assert.equal(table.size, claims.length);
      for (let a = 0; a < 8; a++) {
        for (let b = 0; b < 4; b++) {
          for (const second of [0, 5, 10, 20, 21]) {
            table.key.set([a, b]);
            assert.equal(table.find(second), winner(claims, [a, b], second), `${a} ${b} at ${second}`);
          }
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('a claim that has not begun is not found, and all that are valid are visited best first', () => {
  const table = new ClaimTable(1);
  table.key[0] = 7;
  const low = table.add(1, 0);
  const high = table.add(2, 5);
  assert.equal(table.find(NEVER - 1), 0);
  table.begin(low, 0);
  assert.equal(table.find(100), 1);
  table.begin(high, 50);
  assert.deepEqual([table.find(49), table.find(50)], [1, 2]);
  const seen: number[] = [];
  table.visit(60, (value) => {
    seen.push(value);
    return true;
  });
  assert.deepEqual(seen, [2, 1]);
  const spans: number[][] = [];
  table.end(low, 55);
  table.history((from, to, value) => spans.push([from, to, value]));
  assert.deepEqual(spans, [
    [50, NEVER, 2],
    [0, 55, 1],
  ]);
});
