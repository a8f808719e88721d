import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Progress, type Piece } from '../../../src/delivery/progress.ts';

/** A batch in the model: the rows that it has items of. */
interface Batch {
  readonly piece: Piece;
  rows: number[];
}

/*
 * The arithmetic of cursors against a plain model: rows are read in order, each gives items to some lanes (or none: left out), lanes confirm their
 * batches first to last, sometimes half of one. The cursor must never pass a row that a batch still has, and must reach the end when all are done.
 */
test('the cursor never passes a row that is not confirmed, and reaches the end', () => {
  const lanes = 3;
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('read' as const), to: fc.subarray([0, 1, 2]) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('seal' as const), lane: fc.nat({ max: 2 }), cut: fc.nat({ max: 4 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('done' as const), lane: fc.nat({ max: 2 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('half' as const), lane: fc.nat({ max: 2 }) }) },
    // An encoder that writes an item of an earlier row later.
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('late' as const), lane: fc.nat({ max: 2 }), back: fc.nat({ max: 5 }) }),
    },
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), fc.nat({ max: 1000 }), (actions, firstRow) => {
      const progress = new Progress(lanes, firstRow);
      let next = firstRow;
      let told = firstRow;
      const sealed: Batch[][] = Array.from({ length: lanes }, () => []);
      const open: (Batch | undefined)[] = Array.from({ length: lanes });
      const put = (lane: number, row: number) => {
        const batch = open[lane];
        if (batch === undefined) open[lane] = { piece: progress.add(lane, row), rows: [row] };
        else {
          batch.rows.push(row);
          progress.include(lane, batch.piece, row);
        }
      };
      const seal = (lane: number, cut: number) => {
        const batch = open[lane];
        if (batch === undefined) return;
        open[lane] = undefined;
        const parts = [batch.rows.slice(0, cut), batch.rows.slice(cut)].filter((rows) => rows.length > 0);
        if (parts.length === 1) sealed[lane]!.push(batch);
        else {
          progress.remove(lane, batch.piece);
          for (const rows of parts) sealed[lane]!.push({ piece: progress.add(lane, Math.min(...rows)), rows });
        }
      };
      const done = (lane: number) => {
        const batch = sealed[lane]!.shift();
        if (batch !== undefined) progress.remove(lane, batch.piece);
      };
      const check = () => {
        const pending = [...sealed.flat(), ...open].flatMap((batch) => batch?.rows ?? []);
        const confirmed = progress.confirmed();
        assert.ok(confirmed <= Math.min(next, ...pending), `${confirmed} passes ${Math.min(next, ...pending)}`);
        return { pending, confirmed };
      };
      for (const one of actions) {
        switch (one.kind) {
          case 'read':
            for (const lane of one.to) put(lane, next);
            progress.advance(++next);
            break;
          case 'late': {
            // Only a row that nobody was told of as confirmed can still come.
            const row = next - 1 - one.back;
            if (row >= progress.confirmed()) put(one.lane, row);
            break;
          }
          case 'seal':
            seal(one.lane, one.cut);
            break;
          case 'done':
            done(one.lane);
            break;
          case 'half': {
            const batch = sealed[one.lane]![0];
            if (batch === undefined || batch.rows.length < 2) break;
            batch.rows = batch.rows.slice(1);
            progress.shrink(one.lane, batch.piece, Math.min(...batch.rows));
            break;
          }
        }
        const { confirmed } = check();
        if (actions.every(({ kind }) => kind !== 'late')) assert.ok(confirmed >= told, 'it does not go back');
        told = confirmed;
      }
      for (let lane = 0; lane < lanes; lane++) {
        seal(lane, 0);
        while (sealed[lane]!.length > 0) {
          done(lane);
          check();
        }
      }
      assert.equal(progress.confirmed(), next);
    }),
    { numRuns: 500 },
  );
});

test('in order, the cursor is exactly the least unconfirmed row', () => {
  const progress = new Progress(2, 10);
  assert.equal(progress.confirmed(), 10);
  const first = progress.add(0, 10);
  const second = progress.add(1, 11);
  progress.advance(15);
  assert.equal(progress.confirmed(), 10);
  progress.shrink(0, first, 13);
  assert.equal(progress.confirmed(), 11);
  progress.remove(1, second);
  assert.equal(progress.confirmed(), 13);
  progress.remove(0, first);
  assert.equal(progress.confirmed(), 15);
});
