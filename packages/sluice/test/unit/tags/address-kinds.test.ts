import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isGlobalUnicast, isLoopback, isMulticast } from '../../../src/tags/address-kinds.ts';

const none = new Uint32Array(4);

function list(...subnets: readonly [address: string, bits: number, family: 'ipv4' | 'ipv6'][]): BlockList {
  const blocks = new BlockList();
  for (const [address, bits, family] of subnets) blocks.addSubnet(address, bits, family);
  return blocks;
}

const loopback = list(['127.0.0.0', 8, 'ipv4'], ['::1', 128, 'ipv6']);
const multicast = list(['224.0.0.0', 4, 'ipv4'], ['ff00::', 8, 'ipv6']);
const others = list(
  ['0.0.0.0', 32, 'ipv4'],
  ['255.255.255.255', 32, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['::', 128, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
);

const ip4Text = (ip: number) => [24, 16, 8, 0].map((shift) => (ip >>> shift) & 255).join('.');
const ip6Text = (bytes: Uint8Array) =>
  Array.from({ length: 8 }, (_, i) => ((bytes[i * 2]! << 8) | bytes[i * 2 + 1]!).toString(16)).join(':');

/** Numbers near the borders of the networks, and any others. */
const ip4 = fc.oneof(
  fc.nat(0xffff_ffff),
  fc
    .tuple(
      fc.constantFrom(0, 0x7f00_0000, 0x8000_0000, 0xe000_0000, 0xf000_0000, 0xa9fe_0000, 0xa9ff_0000),
      fc.integer({ min: -2, max: 2 }),
    )
    .map(([base, step]) => (base + step) >>> 0),
);
const byte = fc.oneof(fc.constantFrom(0, 1, 0xfe, 0xff, 0x80, 0xbf, 0xc0), fc.nat(255));
const ip6 = fc
  .tuple(fc.array(byte, { minLength: 2, maxLength: 2 }), fc.constantFrom(0, 0, 1, 0xff), fc.constantFrom(0, 1, 2))
  .map(([head, fill, last]) => Uint8Array.from([...head, ...Array.from({ length: 13 }, () => fill), last]));

describe('kinds of addresses agree with networks as Node knows them', () => {
  test('IPv4', () => {
    fc.assert(
      fc.property(ip4, (ip) => {
        const text = ip4Text(ip);
        assert.equal(isLoopback(true, ip, none, 0), loopback.check(text), text);
        assert.equal(isMulticast(true, ip, none, 0), multicast.check(text), text);
        const special = [loopback, multicast, others].some((kind) => kind.check(text));
        assert.equal(isGlobalUnicast(true, ip, none, 0), !special, text);
      }),
    );
  });

  test('IPv6, at any row', () => {
    fc.assert(
      fc.property(ip6, fc.nat(3), (bytes, row) => {
        const words = new Uint32Array(16);
        new Uint8Array(words.buffer).set(bytes, row * 16);
        const text = ip6Text(bytes);
        assert.equal(isLoopback(false, 0, words, row * 4), loopback.check(text, 'ipv6'), text);
        assert.equal(isMulticast(false, 0, words, row * 4), multicast.check(text, 'ipv6'), text);
        const special = [loopback, multicast, others].some((kind) => kind.check(text, 'ipv6'));
        assert.equal(isGlobalUnicast(false, 0, words, row * 4), !special, text);
      }),
    );
  });
});
