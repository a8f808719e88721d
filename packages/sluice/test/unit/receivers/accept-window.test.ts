import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RowBlock } from '../../../src/batch/row-block.ts';
import { l4Packet } from '../../../src/catalog/l4-packet.ts';
import { type AcceptWindow, openWindow, outsideWindow } from '../../../src/receivers/accept-window.ts';

const NOW = 1_000_000;

function blockOf(window: AcceptWindow): RowBlock {
  const block = new RowBlock(l4Packet);
  openWindow(block, window, NOW);
  return block;
}

test('the ends of the window belong to it', () => {
  const block = blockOf({ behindMs: 5_000, aheadMs: 2_000 });
  assert.equal(outsideWindow(block, 994), 'too_old');
  assert.equal(outsideWindow(block, 995), undefined);
  assert.equal(outsideWindow(block, 1_002), undefined);
  assert.equal(outsideWindow(block, 1_003), 'too_new');
});

test('an open window takes what a DateTime holds', () => {
  const block = blockOf({ behindMs: Infinity, aheadMs: Infinity });
  assert.equal(outsideWindow(block, -1), 'too_old');
  assert.equal(outsideWindow(block, 0), undefined);
  assert.equal(outsideWindow(block, 4_294_967_295), undefined);
  assert.equal(outsideWindow(block, 4_294_967_296), 'too_new');
});

test('what decoders are told is what a commit does', () => {
  for (const seconds of [-1, 0, 994, 995, 1_002, 1_003, 4_294_967_296]) {
    const block = blockOf({ behindMs: 5_000, aheadMs: 2_000 });
    const outside = outsideWindow(block, seconds);
    block.commit(seconds * 1000);
    assert.deepEqual(
      [block.rows, block.tooOld, block.tooNew],
      [Number(outside === undefined), Number(outside === 'too_old'), Number(outside === 'too_new')],
    );
  }
});
