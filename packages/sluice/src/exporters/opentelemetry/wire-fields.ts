/** A field of a message; `low` and `high` of numbers, the bytes [start, end) of everything else. */
export interface WireField {
  readonly number: number;
  readonly type: number;
  readonly low: number;
  readonly high: number;
  readonly start: number;
  readonly end: number;
}

/** The fields of a protobuf message in their order; what is malformed ends them. For answers and for people, not for hot paths. */
export function* wireFields(bytes: Uint8Array): Generator<WireField> {
  let at = 0;
  while (at < bytes.length) {
    const tag = readVarint(bytes, at);
    if (tag === undefined) return;
    at = tag.next;
    const [number, type] = [tag.low >>> 3, tag.low & 7];
    if (type === 0) {
      const value = readVarint(bytes, at);
      if (value === undefined) return;
      yield { number, type, low: value.low, high: value.high, start: at, end: value.next };
      at = value.next;
      continue;
    }
    let length = type === 1 ? 8 : 4;
    if (type === 2) {
      const size = readVarint(bytes, at);
      if (size === undefined || size.high !== 0) return;
      at = size.next;
      length = size.low;
    } else if (type !== 1 && type !== 5) return;
    if (at + length > bytes.length) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, length);
    const low = type === 2 ? 0 : view.getUint32(0, true);
    yield { number, type, low, high: type === 1 ? view.getUint32(4, true) : 0, start: at, end: at + length };
    at += length;
  }
}

/** A number of 64 bits with its sign. */
export function longOf({ low, high }: WireField): bigint {
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}

function readVarint(bytes: Uint8Array, start: number): { low: number; high: number; next: number } | undefined {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) return undefined;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) {
      return { low: Number(value & 0xffff_ffffn), high: Number((value >> 32n) & 0xffff_ffffn), next: start + i + 1 };
    }
  }
  return undefined;
}
