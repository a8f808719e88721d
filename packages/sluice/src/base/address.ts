import { putIpv4, putIpv6 } from './address-text.ts';

/** Addresses as text, into the words that columns and look-ups have, and back. Written into bytes: address-text.ts. */

/** An address as numbers; one object is filled in anew for each text. */
export class ParsedAddress {
  isIpv4 = true;
  ip4 = 0;
  /** The 16 bytes as four words, in the order of the bytes. */
  readonly ip6: Uint32Array = new Uint32Array(4);
  readonly #bytes = new Uint8Array(this.ip6.buffer);

  /** Reads an IPv4 or IPv6 address; one that stands for an IPv4 address (`::ffff:192.0.2.1`) is read as that. False: it is none. */
  read(text: string): boolean {
    this.ip6.fill(0);
    this.ip4 = 0;
    if (!text.includes(':')) {
      const value = ip4Of(text);
      this.isIpv4 = true;
      if (value === undefined) return false;
      this.ip4 = value;
      return true;
    }
    if (!this.readIpv6(text)) return false;
    const { ip6 } = this;
    this.isIpv4 = ip6[0] === 0 && ip6[1] === 0 && ip6[2] === MAPPED;
    if (this.isIpv4) {
      const bytes = this.#bytes;
      this.ip4 = ((bytes[12]! << 24) | (bytes[13]! << 16) | (bytes[14]! << 8) | bytes[15]!) >>> 0;
      ip6.fill(0);
    }
    return true;
  }

  /** Sets every bit behind the first `bits` to 0. */
  mask(bits: number): void {
    if (this.isIpv4) {
      this.ip4 = mask4(this.ip4, bits);
      return;
    }
    for (let i = 0; i < 4; i++) this.ip6[i] = this.ip6[i]! & mask6[bits * 4 + i]!;
  }

  toString(): string {
    return this.isIpv4 ? ip4Text(this.ip4) : ip6Text(this.ip6, 0);
  }

  /** Reads an IPv6 address as such, whatever it stands for. False: it is none. */
  readIpv6(text: string): boolean {
    if (!text.includes(':')) return false;
    this.isIpv4 = false;
    this.ip6.fill(0);
    const bytes = this.#bytes;
    const halves = text.split('::');
    if (halves.length > 2) return false;
    const head = this.#groups(halves[0]!, 0);
    if (head < 0) return false;
    if (halves.length === 1) return head === 16;
    const tail = this.#groups(halves[1]!, head);
    if (tail < 0 || tail >= 16) return false;
    bytes.copyWithin(16 - (tail - head), head, tail);
    bytes.fill(0, head, 16 - (tail - head));
    return true;
  }

  /** Reads groups of 16 bits, the last of them perhaps an IPv4 address; where they end in the bytes, -1 = not an address. */
  #groups(text: string, start: number): number {
    const bytes = this.#bytes;
    let at = start;
    if (text === '') return at;
    const parts = text.split(':');
    for (const [index, part] of parts.entries()) {
      if (part.includes('.')) {
        const value = index === parts.length - 1 && at <= 12 ? ip4Of(part) : undefined;
        if (value === undefined) return -1;
        for (let i = 0; i < 4; i++) bytes[at++] = value >>> (24 - i * 8);
        continue;
      }
      if (at > 14 || !/^[0-9a-f]{1,4}$/i.test(part)) return -1;
      const value = Number.parseInt(part, 16);
      bytes[at++] = value >>> 8;
      bytes[at++] = value & 255;
    }
    return at;
  }
}

/** The word of the bytes 0, 0, 255, 255. */
const MAPPED = 0xffff_0000;

/** The number of an IPv4 address; undefined = it is none. */
function ip4Of(text: string): number | undefined {
  let value = 0;
  let part = -1;
  let parts = 0;
  for (let at = 0; at <= text.length; at++) {
    const digit = at === text.length ? DOT : text.charCodeAt(at);
    if (digit === DOT) {
      if (part < 0) return undefined;
      value = value * 256 + part;
      part = -1;
      parts++;
    } else if (digit < 48 || digit > 57 || part === 0) return undefined;
    else {
      part = (part < 0 ? 0 : part) * 10 + digit - 48;
      if (part > 255) return undefined;
    }
  }
  return parts === 4 ? value : undefined;
}

const DOT = 46;

export function mask4(ip4: number, bits: number): number {
  return bits === 0 ? 0 : (ip4 & (-1 << (32 - bits))) >>> 0;
}

/** Masks of IPv6 prefixes, four words for each length. */
export const mask6 = new Uint32Array(129 * 4);
const maskBytes = new Uint8Array(mask6.buffer);
for (let bits = 0; bits <= 128; bits++) {
  for (let i = 0; i < 16; i++) maskBytes[bits * 16 + i] = 0xff00 >> Math.min(8, Math.max(0, bits - i * 8));
}

const written = Buffer.alloc(39);

export function ip4Text(ip4: number): string {
  return written.toString('latin1', 0, putIpv4(written, 0, ip4));
}

/** In the short form; `words` hold the bytes in their order, from word `at` on. */
export function ip6Text(words: Uint32Array, at: number): string {
  const bytes = new Uint8Array(words.buffer, words.byteOffset + at * 4, 16);
  return written.toString('latin1', 0, putIpv6(written, 0, bytes, 0));
}

/** The number of a dotted IPv4 address, or undefined. */
export function ipv4Number(text: string): number | undefined {
  return ip4Of(text);
}

/** The 16 bytes of an IPv6 address, also of one that stands for an IPv4 address, or undefined. A zone (`%eth0`) is no part of it. */
export function ipv6Bytes(text: string): Uint8Array | undefined {
  const address = new ParsedAddress();
  return address.readIpv6(text.replace(/%.*$/, '')) ? new Uint8Array(address.ip6.buffer) : undefined;
}

/** `10.0.0.0/8` into `address` (masked); the prefix length, or undefined for anything else. */
export function readCidr(text: string, address: ParsedAddress): number | undefined {
  const slash = text.indexOf('/');
  if (slash < 0 || !/^\d{1,3}$/.test(text.slice(slash + 1)) || !address.read(text.slice(0, slash))) return undefined;
  const bits = Number(text.slice(slash + 1));
  if (bits > (address.isIpv4 ? 32 : 128)) return undefined;
  address.mask(bits);
  return bits;
}
