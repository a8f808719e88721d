import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { NativeBlock } from '../../../../src/batch/native.ts';
import { FloatTable } from '../../../../src/query/remote-read/float-table.ts';

type Row = readonly [series: bigint, time: number, value: bigint];

/** Columns at odd places of one buffer, as they come from the database. */
function blockOf(rows: readonly Row[]): NativeBlock {
  const bytes = new Uint8Array(3 + rows.length * 24);
  const view = new DataView(bytes.buffer);
  for (const [row, [series, time, value]] of rows.entries()) {
    view.setBigUint64(3 + row * 8, series, true);
    view.setBigInt64(3 + (rows.length + row) * 8, BigInt(time), true);
    view.setBigUint64(3 + (2 * rows.length + row) * 8, value, true);
  }
  const columns = ['series_id', 'time', 'value'].map((name, index) => {
    const start = 3 + index * rows.length * 8;
    return {
      name,
      type: 'UInt64',
      data: { kind: 'fixed' as const, width: 8, bytes: bytes.subarray(start, start + rows.length * 8) },
    };
  });
  return { rows: rows.length, columns, end: bytes.length };
}

function pointsOf(table: FloatTable, index: number): [number, bigint][] {
  const count = table.gather(index);
  return Array.from({ length: count }, (_, at) => [
    table.times[at]!,
    (BigInt(table.values[at * 2 + 1]!) << 32n) | BigInt(table.values[at * 2]!),
  ]);
}

describe('float table', () => {
  it('gives each series its rows by time, of several for one time the first, whatever the order of rows', () => {
    // Ids that differ in one half only, and stand at the same place of the hash table.
    const ids = [1n, 1n << 32n, (1n << 32n) | 1n, 17n, 2n ** 64n - 1n];
    const row = fc.tuple(
      fc.constantFrom(...ids, 33n, 2n << 32n),
      fc.oneof(fc.integer({ min: -5, max: 20 }), fc.constantFrom(1_795_200_000_000, -(2 ** 40))),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    );
    fc.assert(
      fc.property(fc.array(fc.array(row, { minLength: 1, maxLength: 30 }), { maxLength: 4 }), (blocks) => {
        const table = new FloatTable(blocks.map(blockOf), ids);
        for (const [index, id] of ids.entries()) {
          const byTime = new Map<number, bigint>();
          for (const [series, time, value] of blocks.flat()) {
            if (series === id && !byTime.has(time)) byTime.set(time, value);
          }
          assert.deepEqual(
            pointsOf(table, index),
            [...byTime].toSorted(([a], [b]) => a - b),
          );
        }
      }),
    );
  });

  it('grows with the runs and rows of a series, and gives blocks in an order of ids', async () => {
    const rows = Array.from({ length: 5000 }, (_, at): Row => [BigInt(at % 2), at, BigInt(at)]);
    const table = new FloatTable([blockOf(rows)], [0n, 1n]);
    assert.deepEqual(
      pointsOf(table, 1),
      Array.from({ length: 2500 }, (_, at) => [at * 2 + 1, BigInt(at * 2 + 1)]),
    );
    const blocks: NativeBlock[] = [];
    for await (const block of table.inOrder([1, 0], [0n, 1n])) blocks.push(block);
    assert.deepEqual(
      blocks.map((block) => pointsOf(new FloatTable([block], [0n, 1n]), 1).length),
      [2500, 0],
    );
  });

  it('gives the memory of a large answer back', () => {
    const block = blockOf(Array.from({ length: 50_000 }, (_, at): Row => [1n, at, 0n]));
    const { data } = block.columns[0]!;
    const table = new FloatTable([block], [1n]);
    assert.equal(table.gather(0), 50_000);
    table.free();
    assert.equal(data.kind === 'fixed' && data.bytes.buffer.byteLength, 0);
  });
});
