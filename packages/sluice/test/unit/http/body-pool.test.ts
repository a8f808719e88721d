import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyPool } from '../../../src/http/body-pool.ts';

test('a buffer that came back is given out again for a body of its size', () => {
  const pool = new BodyPool(1 << 20);
  const first = pool.take(170_000);
  assert.equal(first.length, 1 << 18);
  pool.give(first);
  assert.equal(pool.keptBytes, 1 << 18);
  assert.equal(pool.take(200_000), first);
  assert.equal(pool.keptBytes, 0);
  assert.notEqual(pool.take(200_000), first, 'one buffer has one holder');
});

test('small sizes share the smallest buffer; a power of two stays one', () => {
  const pool = new BodyPool(1 << 20);
  assert.equal(pool.take(1).length, 1 << 16);
  assert.equal(pool.take(1 << 16).length, 1 << 16);
  assert.equal(pool.take((1 << 16) + 1).length, 1 << 17);
});

test('keeps no more than it may', () => {
  const pool = new BodyPool(1 << 17);
  const buffers = Array.from({ length: 5 }, () => pool.take(1));
  for (const buffer of buffers) pool.give(buffer);
  assert.equal(pool.keptBytes, 1 << 17);
});
