import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseIpAddress } from '../../../src/receivers/ip-address.ts';
import { ipv6Text } from './row-values.ts';

it('reads addresses of both kinds', () => {
  assert.deepEqual([...parseIpAddress('192.0.2.255')!], [192, 0, 2, 255]);
  assert.deepEqual([...parseIpAddress('::ffff:192.0.2.255')!], [192, 0, 2, 255]);
  for (const text of ['::', '::1', '2001:db8::', '2001:db8::1:2', '1:2:3:4:5:6:7:8', 'fe80::a:b:c']) {
    assert.equal(ipv6Text(parseIpAddress(text)!), text);
  }
  assert.equal(ipv6Text(parseIpAddress('64:ff9b::192.0.2.33')!), '64:ff9b::c000:221');
});

it('knows what is none', () => {
  for (const text of ['', 'host', '1.2.3', '256.1.1.1', 'fe80::1%eth0', '1:2:3', '12345::'])
    assert.equal(parseIpAddress(text), undefined);
});
