import { WireError } from './wire-error.ts';
import { decodeUtf8 } from './utf8.ts';

/** Wire type 0: int32, int64, uint32, uint64, sint32, sint64, bool, enum. */
export const VARINT = 0;
/** Wire type 1: fixed64, sfixed64, double. */
export const FIXED64 = 1;
/** Wire type 2: string, bytes, embedded messages, packed repeated fields. */
export const LENGTH_DELIMITED = 2;
/** Wire type 5: fixed32, sfixed32, float. */
export const FIXED32 = 5;

const TWO_32 = 4294967296;
const lossyDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Reads protobuf from untrusted bytes.
 *
 * Layout: a message is a sequence of fields, each a tag varint (`field number << 3 | wire type`) and a value. A varint
 * carries 7 bits a byte, least significant group first, with the top bit set on all bytes but the last.
 *
 * Every read is checked against {@link end}, the end of the enclosing message, so a length can never reach into what
 * follows it. Refused: varints longer than 10 bytes, field number 0, wire types 3, 4, 6 and 7, lengths beyond the
 * enclosing message. Nothing recurses: {@link enter} and {@link leave} move `end`.
 *
 * 64-bit varints are left as two 32-bit halves in {@link low} and {@link high}; no BigInt is made unless asked for.
 */
export class ProtobufReader {
  /** The bytes being read; positions are indexes into this array. */
  bytes: Uint8Array;
  /** A view over `bytes` with the same indexes. */
  view: DataView;
  /** Index of the next byte to read. */
  position: number;
  /** Index just behind the message being read. */
  end: number;
  /** Lower 32 bits (signed) of the varint read last by {@link varint64}. */
  low = 0;
  /** Upper 32 bits (signed) of the varint read last by {@link varint64}. */
  high = 0;

  /** Starts at `position` (default 0) and ends at `end` (default: the end of `bytes`). */
  constructor(bytes: Uint8Array, position: number = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (position < 0 || end > bytes.length || position > end) {
      throw new RangeError(`cannot read protobuf: the range ${position}..${end} is not inside ${bytes.length} bytes`);
    }
    this.position = position;
    this.end = end;
  }

  /** True while the message being read has more bytes. */
  hasMore(): boolean {
    return this.position < this.end;
  }

  /** Reads a tag and returns it whole: `field number * 8 + wire type`. Its low 3 bits are the wire type. */
  tag(): number {
    const bytes = this.bytes;
    const position = this.position;
    if (position < this.end) {
      const first = bytes[position]!;
      // One-byte tags with a legal wire type are the only ones known messages use below field 16.
      if (first < 0x80 && first >= 8) {
        const wireType = first & 7;
        if (wireType <= 2 || wireType === 5) {
          this.position = position + 1;
          return first;
        }
      }
    }
    return this.#slowTag();
  }

  #slowTag(): number {
    const start = this.position;
    this.varint64();
    const tag = this.low >>> 0;
    const wireType = tag & 7;
    if (this.high !== 0 || tag < 8) {
      throw new WireError(
        'cannot read protobuf: expected a field number from 1 to 536870911; got another',
        'malformed',
        start,
      );
    }
    if (wireType === 3 || wireType === 4 || wireType > 5) {
      throw new WireError(
        `cannot read protobuf: expected wire type 0, 1, 2 or 5; got ${wireType} for field ${tag >>> 3}`,
        'malformed',
        start,
      );
    }
    return tag;
  }

  /** Reads a varint of up to 64 bits into {@link low} and {@link high}. Bits above the 64th are dropped. */
  varint64(): void {
    const { bytes, end } = this;
    let position = this.position;
    let low = 0;
    let high = 0;
    for (let index = 0; index < 10; index++) {
      if (position >= end) throw this.#truncated();
      const byte = bytes[position++]!;
      if (index < 4) {
        low |= (byte & 0x7f) << (index * 7);
      } else if (index === 4) {
        low |= (byte & 0x7f) << 28;
        high = (byte & 0x7f) >>> 4;
      } else {
        high |= (byte & 0x7f) << (index * 7 - 32);
      }
      if (byte < 0x80) {
        this.low = low;
        this.high = high;
        this.position = position;
        return;
      }
    }
    throw new WireError(
      'cannot read protobuf: expected a varint of at most 10 bytes; got a longer one',
      'malformed',
      this.position,
    );
  }

  /** Reads a varint as uint32. As protobuf demands, bits above the 32nd are dropped. */
  uint32(): number {
    const position = this.position;
    if (position < this.end) {
      const byte = this.bytes[position]!;
      if (byte < 0x80) {
        this.position = position + 1;
        return byte;
      }
    }
    this.varint64();
    return this.low >>> 0;
  }

  /** Reads a varint as int32 (also enums). Bits above the 32nd are dropped. */
  int32(): number {
    this.varint64();
    return this.low;
  }

  /** Reads a zigzag varint as sint32. */
  sint32(): number {
    this.varint64();
    return (this.low >>> 1) ^ -(this.low & 1);
  }

  /** Reads a varint as int64: a number if it is a safe integer, else a bigint, so nothing is rounded. */
  int64(): number | bigint {
    this.varint64();
    const { low, high } = this;
    if (high >= -0x200000 && high < 0x200000) {
      const value = high * TWO_32 + (low >>> 0);
      if (value !== -0x20000000000000) return value;
    }
    return (BigInt(high) << 32n) | BigInt(low >>> 0);
  }

  /** Reads a varint as uint64. */
  uint64(): bigint {
    this.varint64();
    return (BigInt(this.high >>> 0) << 32n) | BigInt(this.low >>> 0);
  }

  /** Reads a zigzag varint as sint64. */
  sint64(): bigint {
    this.varint64();
    const sign = -(this.low & 1);
    const low = ((this.low >>> 1) | (this.high << 31)) ^ sign;
    const high = (this.high >>> 1) ^ sign;
    return (BigInt(high) << 32n) | BigInt(low >>> 0);
  }

  /**
   * Reads 8 bytes as a double. The bits of a NaN survive as long as the number is not stored in a plain array or used
   * in arithmetic; `isStaleNaNAt` asks about the stale marker beforehand.
   */
  double(): number {
    const position = this.position;
    if (this.end - position < 8) throw this.#truncated();
    this.position = position + 8;
    return this.view.getFloat64(position, true);
  }

  /** Reads a length and checks that so many bytes remain in the enclosing message. */
  length(): number {
    const start = this.position;
    let length: number;
    const byte = start < this.end ? this.bytes[start]! : 0x80;
    if (byte < 0x80) {
      this.position = start + 1;
      length = byte;
    } else {
      this.varint64();
      length = this.high === 0 ? this.low >>> 0 : Number.POSITIVE_INFINITY;
    }
    if (length > this.end - this.position) {
      throw new WireError(
        'cannot read protobuf: a length reaches beyond the end of the enclosing message',
        'malformed',
        start,
      );
    }
    return length;
  }

  /** Steps into an embedded message: reads its length, sets {@link end} to its end, returns what `end` was. */
  enter(): number {
    const outer = this.end;
    const length = this.length();
    this.end = this.position + length;
    return outer;
  }

  /** Steps out of an embedded message that has been read to its end. `outer` is what {@link enter} returned. */
  leave(outer: number): void {
    this.position = this.end;
    this.end = outer;
  }

  /** Reads a length and returns that many bytes as a view (no copy). */
  byteView(): Uint8Array {
    const length = this.length();
    const start = this.position;
    this.position = start + length;
    return this.bytes.subarray(start, this.position);
  }

  /** Reads a UTF-8 string; `undefined` if the bytes are not valid UTF-8 (the position moves on regardless). */
  string(): string | undefined {
    const length = this.length();
    const start = this.position;
    this.position = start + length;
    return decodeUtf8(this.bytes, this.view, start, this.position);
  }

  /** Reads a string in which every sequence that is not UTF-8 becomes U+FFFD. */
  lossyString(): string {
    const start = this.position;
    const text = this.string();
    if (text !== undefined) return text;
    this.position = start;
    return lossyDecoder.decode(this.byteView());
  }

  /** Skips the value of a field with this tag. */
  skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.varint64();
        return;
      case FIXED64:
        this.#advance(8);
        return;
      case FIXED32:
        this.#advance(4);
        return;
      default: {
        const length = this.length();
        this.position += length;
      }
    }
  }

  /**
   * Skips a field no decoder branch took: an unknown field is passed over, a known one (its bit is set in `known`, bit
   * n = field n) has come with a wire type that is not its own and is refused.
   */
  skipUnknown(tag: number, known: number): void {
    const field = tag >>> 3;
    if (field < 32 && (known >>> field) & 1) {
      throw new WireError(
        `cannot read protobuf: field ${field} has the unexpected wire type ${tag & 7}`,
        'malformed',
        this.position,
      );
    }
    this.skip(tag);
  }

  #advance(count: number): void {
    if (this.end - this.position < count) throw this.#truncated();
    this.position += count;
  }

  #truncated(): WireError {
    return new WireError('cannot read protobuf: a value ends behind its message', 'malformed', this.position);
  }
}
