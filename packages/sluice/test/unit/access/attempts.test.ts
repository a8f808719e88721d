import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attempts } from '../../../src/access/attempts.ts';
import { BoundedCache } from '../../../src/access/bounded-cache.ts';
import { isSluiceError, type SluiceError } from '../../../src/base/errors.ts';

const LIMITS = { waiting: 2, burstMs: 100, refillMsPerSecond: 10 };

test('wrong passwords use up the time there is, and it comes back', async () => {
  let now = 0;
  const attempts = new Attempts(() => now, LIMITS);
  const wrong = () => {
    now += 40;
    return Promise.resolve(false);
  };
  for (let i = 0; i < 3; i++) assert.equal(await attempts.run(wrong), false);
  await assert.rejects(attempts.run(wrong), (error: SluiceError) => {
    assert.ok(isSluiceError(error, 'too_many_requests'));
    assert.ok((error.retryAfterMs ?? 0) >= 1000);
    return true;
  });
  now += 3000;
  assert.equal(await attempts.run(wrong), false);
});

test('right passwords use nothing up', async () => {
  let now = 0;
  const attempts = new Attempts(() => now, LIMITS);
  for (let i = 0; i < 20; i++) {
    assert.equal(await attempts.run(() => Promise.resolve(((now += 40), true))), true);
  }
});

test('one comparison runs at a time, few wait, the rest is refused', async () => {
  const attempts = new Attempts(() => 0, LIMITS);
  let running = 0;
  let most = 0;
  const gate = Promise.withResolvers<void>();
  const work = async () => {
    most = Math.max(most, ++running);
    await gate.promise;
    running--;
    return true;
  };
  const taken = [attempts.run(work), attempts.run(work), attempts.run(work)];
  await assert.rejects(attempts.run(work), /too many wrong passwords/);
  gate.resolve();
  assert.deepEqual(await Promise.all(taken), [true, true, true]);
  assert.equal(most, 1);
  assert.equal(await attempts.run(work), true, 'there is room again');
});

test('a comparison that fails does not hold up the next one', async () => {
  const attempts = new Attempts(() => 0, LIMITS);
  await assert.rejects(
    attempts.run(() => Promise.reject(new Error('no thread'))),
    /no thread/,
  );
  assert.equal(await attempts.run(() => Promise.resolve(true)), true);
});

test('the cache forgets what is not used, and the longest unused first', () => {
  let now = 0;
  const cache = new BoundedCache<number>(2, 100, () => now);
  cache.set('a', 1);
  cache.set('b', 2);
  now = 60;
  assert.equal(cache.get('a'), 1);
  cache.set('c', 3);
  assert.equal(cache.get('b'), undefined, 'b was unused for longest');
  now = 120;
  assert.equal(cache.get('a'), 1, 'use prolongs it');
  now = 220;
  assert.equal(cache.get('a'), undefined);
  assert.equal(cache.get('c'), undefined);
  assert.equal(cache.size, 0);
});
