import { bug } from '../base/errors.ts';
import type { Column } from './batch.ts';
import { FixedValues, NumberMemory } from './number-memory.ts';
import { TextValues } from './text-values.ts';

/** Arrays of texts (width 0) or of numbers. */
export class ListValues {
  readonly texts = new TextValues(16);
  /** Bytes of an element; 0 = texts. */
  readonly width: number;
  #numbers: FixedValues;
  #count = 0;
  #ends: Uint32Array;
  #closed = 0;

  constructor(width: number, capacity: number) {
    this.width = width;
    this.#numbers = new FixedValues(Math.max(width, 1));
    this.#ends = new Uint32Array(capacity);
  }

  get pending(): number {
    return this.#total - this.#closed;
  }

  get bytes(): number {
    return (this.width === 0 ? this.texts.length : this.#count * this.width) + 8;
  }

  get #total(): number {
    return this.width === 0 ? this.texts.count : this.#count;
  }

  pushNumber(value: number): void {
    const numbers = this.#numbers;
    const at = this.#count++;
    if ((at + 1) * this.width > numbers.u8.length) {
      const capacity = Math.max(at * 2, 16);
      numbers.place(new NumberMemory((capacity * this.width + 7) & ~7), 0, capacity);
    }
    if (this.width === 8) numbers.f64[at] = value;
    else if (this.width === 4) numbers.u32[at] = value;
    else if (this.width === 2) numbers.u16[at] = value;
    else if (this.width === 1) numbers.u8[at] = value;
    else bug('an array of texts holds no numbers');
  }

  /** Leaves at most `count` elements pending. */
  keep(count: number): void {
    if (this.pending <= count) return;
    if (this.width > 0) this.#count = this.#closed + count;
    else this.texts.keep(this.#closed + count);
  }

  close(row: number): void {
    this.#closed = this.#total;
    this.#ends[row] = this.#closed;
  }

  abandon(): void {
    if (this.width === 0) this.texts.keep(this.#closed);
    else this.#count = this.#closed;
  }

  grow(capacity: number): void {
    const ends = new Uint32Array(capacity);
    ends.set(this.#ends);
    this.#ends = ends;
  }

  reset(): void {
    this.#count = 0;
    this.texts.reset();
    this.#closed = 0;
  }

  finish(rows: number): Column {
    const element: Column =
      this.width === 0
        ? this.texts.finish(this.#closed)
        : { kind: 'fixed', width: this.width, bytes: this.#numbers.u8.subarray(0, this.#closed * this.width) };
    return { kind: 'array', ends: this.#ends.subarray(0, rows), element };
  }
}
