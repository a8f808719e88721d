import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { ip6Text, ParsedAddress, readCidr } from '../../../src/base/address.ts';
import { addressBytes } from '../tags/address-bytes.ts';

const address = new ParsedAddress();

test('every address is read as Node reads it', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      assert.ok(address.read(text), text);
      if (address.isIpv4 && text.includes(':')) return;
      if (address.isIpv4) assert.equal(address.toString(), text);
      else {
        assert.deepEqual(
          new Uint8Array(address.ip6.slice().buffer),
          addressBytes(text.includes('.') ? address.toString() : text),
        );
        const short = ip6Text(address.ip6, 0);
        assert.equal(isIP(short), 6);
        const again = new ParsedAddress();
        assert.ok(again.read(short));
        assert.deepEqual(again.ip6, address.ip6);
      }
    }),
  );
});

test('nothing else is', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f.:]{1,40}$/)), (text) => {
      // Leading zeros are refused by both; a zone is none of ours.
      assert.equal(address.read(text), isIP(text) !== 0 && !text.includes('%'), text);
    }),
    { numRuns: 2000 },
  );
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.1.1.1',
    '1::2::3',
    ':::',
    'fe80::1%eth0',
    '1:2:3:4:5:6:7:8:9',
  ]) {
    assert.equal(address.read(text), false, text);
  }
});

test('an IPv4 address within IPv6 is that address', () => {
  assert.ok(address.read('::ffff:192.0.2.1'));
  assert.deepEqual([address.isIpv4, address.toString()], [true, '192.0.2.1']);
});

test('prefixes are masked', () => {
  assert.equal(readCidr('10.1.2.3/16', address), 16);
  assert.equal(address.toString(), '10.1.0.0');
  assert.equal(readCidr('fd00:1:2:3::9/50', address), 50);
  assert.equal(address.toString(), 'fd00:1:2::');
  assert.equal(readCidr('0.0.0.0/0', address), 0);
  for (const text of ['10.0.0.0/33', '10.0.0.0', 'fd00::/129', 'x/8', '10.0.0.0/-1']) {
    assert.equal(readCidr(text, address), undefined, text);
  }
});
