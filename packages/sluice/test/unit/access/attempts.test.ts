import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attempts, peerNetwork } from '../../../src/access/attempts.ts';
import { BoundedCache } from '../../../src/access/bounded-cache.ts';
import { isSluiceError, type SluiceError } from '../../../src/base/errors.ts';

const LIMITS = {
  all: { waiting: 5, burstMs: 250, refillMsPerSecond: 25 },
  peer: { waiting: 3, burstMs: 100, refillMsPerSecond: 10 },
  peers: 3,
};
const PEER = '192.0.2.1';

test('wrong passwords use up the time there is, and it comes back', async () => {
  let now = 0;
  const attempts = new Attempts(() => now, LIMITS);
  const wrong = () => {
    now += 40;
    return Promise.resolve(false);
  };
  for (let i = 0; i < 3; i++) assert.equal(await attempts.run(PEER, wrong), false);
  await assert.rejects(attempts.run(PEER, wrong), (error: SluiceError) => {
    assert.ok(isSluiceError(error, 'too_many_requests'));
    assert.ok((error.retryAfterMs ?? 0) >= 1000);
    return true;
  });
  now += 3000;
  assert.equal(await attempts.run(PEER, wrong), false);
});

test('who guesses is refused, everybody else is not', async () => {
  let now = 0;
  const attempts = new Attempts(() => now, LIMITS);
  const takes40 = (equal: boolean) => () => {
    now += 40;
    return Promise.resolve(equal);
  };
  const guess = (peer: string) => attempts.run(peer, takes40(false));
  for (let i = 0; i < 3; i++) await guess('2001:db8::1');
  for (let host = 2; host < 6; host++)
    await assert.rejects(guess(`2001:db8::${host}`), /too many/, 'another address of the same network');
  assert.equal(await guess('2001:db8:0:1::1'), false);
  assert.equal(await attempts.run(PEER, takes40(true)), true);
});

test('all together are bounded, and a peer that is forgotten gains nothing by it', async () => {
  let now = 0;
  const attempts = new Attempts(() => now, LIMITS);
  let computed = 0;
  for (let i = 0; i < 200; i++) {
    const compare = () => {
      now += 1;
      computed += 1;
      return Promise.resolve(false);
    };
    await attempts.run(`198.51.100.${i}`, compare).catch(() => undefined);
    for (let again = 0; again < 10; again++) await attempts.run(`198.51.100.${i}`, compare).catch(() => undefined);
  }
  assert.ok(computed >= 250 && computed < 260, `${computed} ms`);
});

test('one peer that waits leaves room for another', async () => {
  const attempts = new Attempts(() => 0, LIMITS);
  const gate = Promise.withResolvers<boolean>();
  const first = Array.from({ length: 10 }, () => attempts.run('192.0.2.7', () => gate.promise));
  const settled = Promise.allSettled(first);
  const other = attempts.run('192.0.2.8', () => Promise.resolve(true));
  gate.resolve(true);
  assert.equal(await other, true);
  assert.equal((await settled).filter(({ status }) => status === 'fulfilled').length, 3);
});

test('a peer is an IPv4 address or an IPv6 network', () => {
  const networks = {
    '192.0.2.1': '192.0.2.1',
    '::ffff:192.0.2.1': '192.0.2.1',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
    '2001:db8::6': '2001:db8:0:0::/64',
    'fe80::1:2:3:4:5': 'fe80:0:0:1::/64',
    '::1': '0:0:0:0::/64',
    '1::': '1:0:0:0::/64',
    '': '',
  };
  for (const [address, network] of Object.entries(networks)) assert.equal(peerNetwork(address), network, address);
});

test('right passwords use nothing up', async () => {
  let now = 0;
  const attempts = new Attempts(() => now, LIMITS);
  for (let i = 0; i < 20; i++) {
    assert.equal(await attempts.run(PEER, () => Promise.resolve(((now += 40), true))), true);
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
  const taken = [attempts.run(PEER, work), attempts.run(PEER, work), attempts.run(PEER, work)];
  await assert.rejects(attempts.run(PEER, work), /too many wrong passwords/);
  gate.resolve();
  assert.deepEqual(await Promise.all(taken), [true, true, true]);
  assert.equal(most, 1);
  assert.equal(await attempts.run(PEER, work), true, 'there is room again');
});

test('a comparison that fails does not hold up the next one', async () => {
  const attempts = new Attempts(() => 0, LIMITS);
  await assert.rejects(
    attempts.run(PEER, () => Promise.reject(new Error('no thread'))),
    /no thread/,
  );
  assert.equal(await attempts.run(PEER, () => Promise.resolve(true)), true);
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
