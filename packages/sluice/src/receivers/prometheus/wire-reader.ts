import { SluiceError } from '../../base/errors.ts';
import type { LinearMemory } from '../../base/linear-memory.ts';

/**
 * Reads protobuf fields in a LinearMemory at `at`, strictly: lengths stay within the enclosing message, varints have at most ten bytes, field numbers
 * are not 0, groups do not exist. Throws SluiceError `bad_request`. A 64-bit varint is left in `low` and `high`.
 */
export class WireReader {
  at = 0;
  /** Unsigned halves of the last varint or fixed 64-bit value. */
  low = 0;
  high = 0;
  #bytes: Uint8Array;
  #view: DataView;
  readonly #memory: LinearMemory;

  constructor(memory: LinearMemory) {
    this.#memory = memory;
    this.#bytes = memory.bytes;
    this.#view = memory.view;
  }

  /** Takes the memory's views anew; after anything that may have let it grow. */
  refresh(): void {
    this.#bytes = this.#memory.bytes;
    this.#view = this.#memory.view;
  }

  /** Number and wire type of the next field. */
  tag(end: number): number {
    const byte = this.at < end ? this.#bytes[this.at]! : 128;
    let tag = byte;
    if (byte < 128) this.at++;
    else {
      this.varint(end);
      if (this.high !== 0) throw malformed('a field number above 2^29');
      tag = this.low;
    }
    if (tag < 8) throw malformed('field number 0');
    return tag;
  }

  /** Reads a varint into `low` and `high`. */
  varint(end: number): void {
    const bytes = this.#bytes;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= end) throw malformed('a varint that is cut off');
      const byte = bytes[this.at++]!;
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else if (byte > 1) throw malformed('a varint of more than 64 bits');
      else high |= bits << 31;
      if (byte < 128) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw malformed('a varint of more than ten bytes');
  }

  /** Reads the length of a length-delimited field; returns where the field ends. */
  limit(end: number): number {
    let length = this.at < end ? this.#bytes[this.at]! : 128;
    if (length < 128) this.at++;
    else {
      this.varint(end);
      if (this.high !== 0) throw malformed('a length beyond its message');
      length = this.low;
    }
    if (length > end - this.at) throw malformed('a length beyond its message');
    return this.at + length;
  }

  /** Reads 8 bytes into `low` and `high`. */
  fixed64(end: number): void {
    if (end - this.at < 8) throw malformed('a number that is cut off');
    this.low = this.#view.getUint32(this.at, true);
    this.high = this.#view.getUint32(this.at + 4, true);
    this.at += 8;
  }

  /** Steps over the value of a field that is not known. */
  skip(tag: number, end: number): void {
    switch (tag & 7) {
      case 0:
        this.varint(end);
        return;
      case 1:
        this.#step(8, end);
        return;
      case 2:
        this.at = this.limit(end);
        return;
      case 5:
        this.#step(4, end);
        return;
      default:
        throw malformed(`wire type ${tag & 7}`);
    }
  }

  /** A field whose tag is none of the known ones: skipped, unless its number is a known field's (up to `lastKnown`), as its type is wrong then. */
  skipUnknown(tag: number, end: number, isKnown: boolean): void {
    if (isKnown) throw malformed(`field ${tag >>> 3} with wire type ${tag & 7}`);
    this.skip(tag, end);
  }

  #step(count: number, end: number): void {
    if (end - this.at < count) throw malformed('a number that is cut off');
    this.at += count;
  }
}

export function malformed(what: string): SluiceError {
  return new SluiceError('bad_request', `cannot decode the message: ${what}; expected protobuf of the declared type`);
}
