/** Protobuf varints below 2^32. */

export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** Writes `value` at `at`; answers where it ends. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest > 127) {
    bytes[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** Value of the varint at `at`, which is known to be whole; `skipVarint` answers where it ends. */
export function varintAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 128) return first;
  let value = first & 127;
  for (let shift = 7; shift < 35; shift += 7) {
    const byte = bytes[++at]!;
    value |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  return value >>> 0;
}

export function skipVarint(bytes: Uint8Array, at: number): number {
  while (bytes[at]! > 127) at++;
  return at + 1;
}

/** Bytes of a 64-bit varint given as two halves. */
export function varint64Size(low: number, high: number): number {
  if (high === 0) return varintSize(low >>> 0);
  const bits = 64 - Math.clz32(high);
  return Math.ceil(bits / 7);
}

/** Writes a 64-bit varint (a negative number as its two's complement: ten bytes). */
export function putVarint64(bytes: Uint8Array, at: number, low: number, high: number): number {
  let rest = low >>> 0;
  let above = high >>> 0;
  while (above !== 0) {
    bytes[at++] = (rest & 127) | 128;
    rest = ((rest >>> 7) | (above << 25)) >>> 0;
    above >>>= 7;
  }
  return putVarint(bytes, at, rest);
}
