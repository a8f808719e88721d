import assert from 'node:assert/strict';
import { it } from 'node:test';
import { l4FlowLog } from '../../../src/catalog/l4-flow-log.ts';
import { l7FlowLog } from '../../../src/catalog/l7-flow-log.ts';
import { RowIds } from '../../../src/receivers/row-ids.ts';

function idOf(ids: Uint32Array): bigint {
  return (BigInt(ids[1]!) << 32n) | BigInt(ids[0]!);
}

it('makes ids of second, hub and a counter per table', () => {
  const rowIds = new RowIds({ hubId: 1023 });
  const ids = new Uint32Array(2);
  const made = [l4FlowLog, l4FlowLog, l7FlowLog].map((source) => {
    rowIds.next(source, 4_000_000_000, ids);
    return idOf(ids);
  });
  const first = (4_000_000_000n << 32n) | (1023n << 22n);
  assert.deepEqual(made, [first | 1n, first | 2n, first | 1n]);
});

it('reserves counters before it gives them out, and goes on behind those reserved before', () => {
  const reserved: number[] = [];
  const reserve = (table: string, upTo: number) => {
    assert.equal(table, l4FlowLog.id);
    reserved.push(upTo);
  };
  const first = new RowIds({ hubId: 0, reserve });
  const ids = new Uint32Array(2);
  for (let row = 1; row <= 65_537; row++) {
    first.next(l4FlowLog, 1, ids);
    assert.ok(reserved.at(-1)! >= row);
  }
  assert.equal(reserved.length, 2);
  const second = new RowIds({ hubId: 0, saved: new Map([[l4FlowLog.id, reserved.at(-1)!]]), reserve });
  second.next(l4FlowLog, 1, ids);
  assert.equal(ids[0], reserved[1]! + 1);
});

it('lets the counter begin anew after 22 bits', () => {
  const rowIds = new RowIds({ hubId: 1, saved: new Map([[l4FlowLog.id, 0x3f_fffe]]) });
  const ids = new Uint32Array(2);
  const low = [1, 2].map(() => {
    rowIds.next(l4FlowLog, 1, ids);
    return ids[0];
  });
  assert.deepEqual(low, [0x7f_ffff, 0x40_0000]);
});
