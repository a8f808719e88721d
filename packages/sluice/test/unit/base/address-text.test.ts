import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { putIpv4, putIpv6, putMac } from '../../../src/base/address-text.ts';

function text(put: (out: Uint8Array, at: number) => number): string {
  const out = new Uint8Array(64);
  const end = put(out, 3);
  assert.ok(end <= 3 + 39);
  assert.ok(out.subarray(end).every((byte) => byte === 0));
  return Buffer.from(out.subarray(3, end)).toString();
}

test('IPv4 addresses are dotted', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
      const address = Buffer.from(bytes).readUInt32BE();
      assert.equal(
        text((out, at) => putIpv4(out, at, address)),
        [...bytes].join('.'),
      );
    }),
  );
});

test('IPv6 addresses are as short as browsers write them', () => {
  const group = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 0xffff }));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      fc.pre(!(groups.slice(0, 5).every((value) => value === 0) && groups[5] === 0xffff));
      const bytes = Uint8Array.from([9, ...groups.flatMap((value) => [value >> 8, value & 255])]);
      const { hostname } = new URL(`http://[${groups.map((value) => value.toString(16)).join(':')}]/`);
      assert.equal(
        text((out, at) => putIpv6(out, at, bytes, 1)),
        hostname.slice(1, -1),
      );
    }),
    { numRuns: 500 },
  );
});

test('an IPv6 address that stands for one of IPv4 is that one', () => {
  const bytes = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 200, 7]);
  assert.equal(
    text((out, at) => putIpv6(out, at, bytes, 0)),
    '10.0.200.7',
  );
});

test('MAC addresses have colons', () => {
  assert.equal(
    text((out, at) => putMac(out, at, 0x0304_05ff, 0x0a0b)),
    '0a:0b:03:04:05:ff',
  );
});
