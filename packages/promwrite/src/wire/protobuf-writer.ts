import { encodeUtf8Into } from './utf8.ts';
import { writeStaleNaN } from './stale-marker.ts';

const TWO_32 = 4294967296;
const FIRST_CAPACITY = 16 * 1024;
/** A shared writer gives up its buffer after a message larger than this, so one huge request is not kept for ever. */
const LARGEST_KEPT = 8 * 1024 * 1024;
/** Up to this length a loop over char codes beats the call into TextEncoder. */
const LONGEST_LOOPED = 64;

/**
 * Writes protobuf into one growing buffer, front to back, without intermediate objects.
 *
 * An embedded message is written in place: {@link open} leaves room for its length, {@link close} fills it in and moves
 * the content if the room was wrong. Values of 64 bits are given as numbers, bigints or two 32-bit halves, never
 * rounded silently. Doubles are written as bits.
 */
export class ProtobufWriter {
  /** The buffer; only `[0, position)` has been written. Replaced when it grows. */
  bytes: Uint8Array<ArrayBuffer>;
  /** A view over {@link bytes}. Replaced when it grows. */
  view: DataView<ArrayBuffer>;
  /** Number of bytes written so far. */
  position = 0;

  constructor(capacity: number = FIRST_CAPACITY) {
    this.bytes = new Uint8Array(Math.max(64, capacity));
    this.view = new DataView(this.bytes.buffer);
  }

  /** Forgets what was written and starts again, keeping the buffer unless it is very large. */
  reset(): void {
    this.position = 0;
    if (this.bytes.length > LARGEST_KEPT) {
      this.bytes = new Uint8Array(FIRST_CAPACITY);
      this.view = new DataView(this.bytes.buffer);
    }
  }

  /** A copy of what was written. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.position);
  }

  /** What was written, as a view that is valid until the next write. */
  written(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.position);
  }

  /** Makes sure that `count` more bytes fit. */
  reserve(count: number): void {
    const needed = this.position + count;
    if (needed <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.position));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }

  /** Writes an unsigned 32-bit varint (a tag, a length, an enum, a uint32). */
  varint32(value: number): void {
    this.reserve(5);
    const { bytes } = this;
    let position = this.position;
    let rest = value >>> 0;
    while (rest > 0x7f) {
      bytes[position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[position++] = rest;
    this.position = position;
  }

  /** Writes a 64-bit varint given as two 32-bit halves. */
  varint64(low: number, high: number): void {
    this.reserve(10);
    const { bytes } = this;
    let position = this.position;
    let lowRest = low >>> 0;
    let highRest = high >>> 0;
    while (highRest !== 0) {
      bytes[position++] = (lowRest & 0x7f) | 0x80;
      lowRest = ((lowRest >>> 7) | (highRest << 25)) >>> 0;
      highRest >>>= 7;
    }
    while (lowRest > 0x7f) {
      bytes[position++] = (lowRest & 0x7f) | 0x80;
      lowRest >>>= 7;
    }
    bytes[position++] = lowRest;
    this.position = position;
  }

  /** Writes an int64 or uint64. A number must be a safe integer; a bigint is taken modulo 2^64. */
  int64(value: number | bigint): void {
    if (typeof value === 'number') {
      this.varint64(value, Math.floor(value / TWO_32));
    } else {
      this.varint64(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
    }
  }

  /** Writes an sint32 (zigzag). */
  sint32(value: number): void {
    this.varint32((value << 1) ^ (value >> 31));
  }

  /** Writes an sint64 (zigzag). A number must be a safe integer; a bigint must fit 64 bits. */
  sint64(value: number | bigint): void {
    if (typeof value === 'number' && value >= -0x40000000 && value < 0x40000000) {
      this.varint32((value << 1) ^ (value >> 31));
      return;
    }
    const wide = BigInt(value);
    this.int64((wide << 1n) ^ (wide >> 63n));
  }

  /** Writes 8 bytes. The bits of a NaN are kept; use {@link staleMarker} for the stale marker. */
  double(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.position, value, true);
    this.position += 8;
  }

  /** Writes the 8 bytes of the stale marker. */
  staleMarker(): void {
    this.reserve(8);
    writeStaleNaN(this.view, this.position);
    this.position += 8;
  }

  /** Writes a tag and a string with its length. A lone surrogate becomes U+FFFD. */
  stringField(tag: number, value: string): void {
    const length = value.length;
    this.reserve(length * 3 + 10);
    this.varint32(tag);
    if (length <= LONGEST_LOOPED) {
      const { bytes } = this;
      const start = this.position + 1;
      let union = 0;
      for (let index = 0; index < length; index++) {
        const unit = value.charCodeAt(index);
        union |= unit;
        bytes[start + index] = unit;
      }
      if (union < 0x80) {
        bytes[start - 1] = length;
        this.position = start + length;
        return;
      }
    }
    const start = this.open(length < 0x80 ? 1 : 2);
    this.position += encodeUtf8Into(value, this.bytes, this.position);
    this.close(start, length < 0x80 ? 1 : 2);
  }

  /**
   * Begins an embedded message or packed field whose tag has been written: leaves `lengthBytes` bytes for its length.
   *
   * @returns the position of the content, to be handed to {@link close}.
   */
  open(lengthBytes: number): number {
    this.reserve(5);
    this.position += lengthBytes;
    return this.position;
  }

  /**
   * Ends what {@link open} began, with the same `lengthBytes`. Moves the content if its length needs other room.
   *
   * @returns where the content starts now.
   */
  close(start: number, lengthBytes: number): number {
    const length = this.position - start;
    if (lengthBytes === 1 && length < 0x80) {
      this.bytes[start - 1] = length;
      return start;
    }
    const needed = varint32Size(length);
    if (needed !== lengthBytes) {
      this.reserve(5);
      this.bytes.copyWithin(start - lengthBytes + needed, start, this.position);
    }
    const end = this.position - lengthBytes + needed;
    this.position = start - lengthBytes;
    this.varint32(length);
    this.position = end;
    return start - lengthBytes + needed;
  }

  /** Appends bytes as they are. */
  raw(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.position);
    this.position += source.length;
  }
}

function varint32Size(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}
