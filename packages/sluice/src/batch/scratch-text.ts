import { grown, viewOf } from './byte-memory.ts';
import { MAX_DECIMAL, writeDecimal } from './decimal.ts';

const COMMA = 0x2c;
const encoder = new TextEncoder();

/** Texts of the pending row that lie in no message: made while it is written, thrown away with it. Methods answer where a text ends that begins at the former `length`. */
export class ScratchText {
  length = 0;
  view: DataView;
  #bytes = new Uint8Array(1024);

  constructor() {
    this.view = viewOf(this.#bytes);
  }

  encode(text: string): number {
    this.#reserve(text.length * 3);
    this.length += encoder.encodeInto(text, this.#bytes.subarray(this.length)).written;
    return this.length;
  }

  copy(bytes: Uint8Array, start: number, end: number): number {
    this.#reserve(end - start);
    this.#bytes.set(bytes.subarray(start, end), this.length);
    this.length += end - start;
    return this.length;
  }

  /** A whole number of 64 bits. */
  decimal(low: number, high: number): number {
    this.#reserve(MAX_DECIMAL);
    this.length = writeDecimal(this.#bytes, this.length, low, high);
    return this.length;
  }

  /** Puts a comma behind the text [start, end); answers where the text begins then: it moves to the end if something else lies behind it. */
  comma(start: number, end: number): number {
    this.#reserve(end - start + 1);
    let begin = start;
    if (end !== this.length) {
      begin = this.length;
      this.#bytes.copyWithin(begin, start, end);
      this.length += end - start;
    }
    this.#bytes[this.length++] = COMMA;
    return begin;
  }

  #reserve(count: number): void {
    if (this.length + count <= this.#bytes.length) return;
    this.#bytes = grown(this.#bytes, Math.max(this.length + count, this.#bytes.length * 2));
    this.view = viewOf(this.#bytes);
  }
}
