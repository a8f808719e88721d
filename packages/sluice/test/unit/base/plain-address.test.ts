import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainAddress } from '../../../src/base/plain-address.ts';

test('addresses as others know them', () => {
  for (const [address, plain] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '::ffff:c000:201'],
    ['2001:db8::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['', ''],
  ] as const) {
    assert.equal(plainAddress(address), plain);
  }
});
