import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findHubProcess } from '../../../src/exporters/hub-process.ts';

const MACHINE = 'pid:[4026531836]';

test('in a container, or where nobody can tell, the pid says nothing', () => {
  assert.equal(findHubProcess({ pid: 1, namespace: () => 'pid:[4026532207]' }), undefined);
  assert.equal(findHubProcess({ pid: 1, namespace: () => undefined }), undefined);
});

test('addresses are the same list until they change, and are looked at once a minute', () => {
  let addresses = ['10.0.0.1', '127.0.0.1'];
  let now = 0;
  const hub = findHubProcess({ pid: 7, namespace: () => MACHINE, addresses: () => [...addresses], now: () => now });
  assert.equal(hub?.pid, 7);
  const first = hub.addresses();
  assert.deepEqual(first, addresses);
  now = 60_000;
  assert.equal(hub.addresses(), first);
  addresses = ['10.0.0.2', '127.0.0.1'];
  now = 119_999;
  assert.equal(hub.addresses(), first);
  now = 120_000;
  assert.deepEqual(hub.addresses(), addresses);
});
