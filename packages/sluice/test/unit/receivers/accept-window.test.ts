import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outsideWindow } from '../../../src/receivers/accept-window.ts';

const NOW = 1_000_000;

test('the ends of the window belong to it', () => {
  const window = { behindMs: 5_000, aheadMs: 2_000 };
  assert.equal(outsideWindow(window, 994, NOW), 'too_old');
  assert.equal(outsideWindow(window, 995, NOW), undefined);
  assert.equal(outsideWindow(window, 1_002, NOW), undefined);
  assert.equal(outsideWindow(window, 1_003, NOW), 'too_new');
});

test('an open window takes what a DateTime holds', () => {
  const open = { behindMs: Infinity, aheadMs: Infinity };
  assert.equal(outsideWindow(open, -1, NOW), 'too_old');
  assert.equal(outsideWindow(open, 0, NOW), undefined);
  assert.equal(outsideWindow(open, 4_294_967_295, NOW), undefined);
  assert.equal(outsideWindow(open, 4_294_967_296, NOW), 'too_new');
});
