/** Addresses as text, written into bytes. Each answers where the text ends. */

const HEX = Buffer.from('0123456789abcdef');
const DOT = 0x2e;
const COLON = 0x3a;

/** `10.0.0.1`; at most 15 bytes. */
export function putIpv4(out: Uint8Array, at: number, address: number): number {
  let end = putOctet(out, at, address >>> 24);
  out[end++] = DOT;
  end = putOctet(out, end, (address >>> 16) & 255);
  out[end++] = DOT;
  end = putOctet(out, end, (address >>> 8) & 255);
  out[end++] = DOT;
  return putOctet(out, end, address & 255);
}

function putOctet(out: Uint8Array, at: number, value: number): number {
  if (value >= 100) out[at++] = 48 + Math.trunc(value / 100);
  if (value >= 10) out[at++] = 48 + (Math.trunc(value / 10) % 10);
  out[at++] = 48 + (value % 10);
  return at;
}

/**
 * The 16 bytes at `start` in the short form of RFC 5952: small letters, no leading zeros, the first of the longest runs of two or more zero groups as
 * `::`; addresses that stand for IPv4 ones as those (`::ffff:10.0.0.1` is `10.0.0.1` in DeepFlow). At most 39 bytes.
 */
export function putIpv6(out: Uint8Array, at: number, bytes: Uint8Array, start: number): number {
  if (isMapped(bytes, start)) {
    const [a, b, c, d] = [bytes[start + 12]!, bytes[start + 13]!, bytes[start + 14]!, bytes[start + 15]!];
    return putIpv4(out, at, ((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
  }
  let runStart = -1;
  let runLength = 1;
  for (let group = 0; group < 8; group++) {
    let length = 0;
    while (group + length < 8 && groupAt(bytes, start, group + length) === 0) length++;
    if (length > runLength) {
      runStart = group;
      runLength = length;
    }
    group += length;
  }
  for (let group = 0; group < 8; group++) {
    if (group === runStart) {
      out[at++] = COLON;
      out[at++] = COLON;
      group += runLength - 1;
      continue;
    }
    if (group > 0 && group !== runStart + runLength) out[at++] = COLON;
    const value = groupAt(bytes, start, group);
    if (value >= 0x1000) out[at++] = HEX[value >>> 12]!;
    if (value >= 0x100) out[at++] = HEX[(value >>> 8) & 15]!;
    if (value >= 0x10) out[at++] = HEX[(value >>> 4) & 15]!;
    out[at++] = HEX[value & 15]!;
  }
  return at;
}

function groupAt(bytes: Uint8Array, start: number, group: number): number {
  return (bytes[start + group * 2]! << 8) | bytes[start + group * 2 + 1]!;
}

function isMapped(bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < 10; i++) if (bytes[start + i] !== 0) return false;
  return bytes[start + 10] === 255 && bytes[start + 11] === 255;
}

/** 48 bits in two words, low and high, as `aa:bb:cc:dd:ee:ff`; 17 bytes. */
export function putMac(out: Uint8Array, at: number, low: number, high: number): number {
  for (let i = 5; i >= 0; i--) {
    const byte = i >= 4 ? (high >>> ((i - 4) * 8)) & 255 : (low >>> (i * 8)) & 255;
    out[at++] = HEX[byte >>> 4]!;
    out[at++] = HEX[byte & 15]!;
    if (i > 0) out[at++] = COLON;
  }
  return at;
}
