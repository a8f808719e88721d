import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNetworkTest } from '../../../src/access/networks.ts';
import { tryParseNetwork } from '../../../src/access/config.ts';

function networkTest(...texts: string[]) {
  return createNetworkTest(
    texts.map((text) => {
      const network = tryParseNetwork(text);
      assert.ok(network, text);
      return network;
    }),
  );
}

test('IPv4 networks, also for addresses inside IPv6', () => {
  const allows = networkTest('10.1.0.0/16', '192.0.2.7');
  for (const address of ['10.1.0.0', '10.1.255.255', '192.0.2.7', '::ffff:10.1.2.3', '::FFFF:192.0.2.7'])
    assert.ok(allows(address), address);
  for (const address of ['10.2.0.0', '192.0.2.8', '::1', '::ffff:10.2.0.1', 'fd00::1', '', 'nonsense', undefined]) {
    assert.ok(!allows(address), String(address));
  }
});

test('IPv6 networks, with and without a zone', () => {
  const allows = networkTest('fe80::/10', '2001:db8::/32');
  for (const address of ['fe80::1', 'fe80::1%eth0', '2001:db8:ffff::1']) assert.ok(allows(address), address);
  for (const address of ['2001:db9::1', '10.0.0.1', '::1']) assert.ok(!allows(address), address);
});

test('/0 is everybody of one family', () => {
  assert.ok(networkTest('0.0.0.0/0')('203.0.113.9'));
  assert.ok(!networkTest('0.0.0.0/0')('2001:db8::1'));
});
