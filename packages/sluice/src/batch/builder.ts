import { bug } from '../base/errors.ts';
import type { DataSource } from '../catalog/types.ts';
import type { Batch, Column } from './batch.ts';
import { parseColumnType, type ColumnType } from './column-type.ts';

/**
 * Growing columns. A decoder takes the builders of its columns once and writes into their typed arrays; nothing is allocated per row.
 *
 * The memory is reused: after `finish` the Batch's views stay valid until `reset`, so a builder may be reset only when whoever was given the Batch
 * is done with it (for the journal: when `append` has settled).
 */

const encoder = new TextEncoder();

/** Values of a fixed width. Write through the view that fits (`u8`, `u32`, ...), after `reserve`; a 64-bit value as two Uint32: low, high. */
export class FixedBuilder {
  readonly kind = 'fixed';
  readonly width: number;
  rows = 0;
  u8: Uint8Array;
  u16!: Uint16Array;
  i32!: Int32Array;
  u32!: Uint32Array;
  f64!: Float64Array;

  constructor(width: number, capacity: number) {
    this.width = width;
    this.u8 = new Uint8Array(0);
    this.#allocate(capacity);
  }

  /** Makes room for `count` more values; the views may be replaced. */
  reserve(count: number): void {
    const needed = (this.rows + count) * this.width;
    if (needed > this.u8.length) this.#allocate(Math.max(this.rows + count, this.rows * 2));
  }

  /** Appends a value as bytes[start, start + width). */
  append(bytes: Uint8Array, start: number): void {
    this.reserve(1);
    const at = this.rows++ * this.width;
    for (let i = 0; i < this.width; i++) this.u8[at + i] = bytes[start + i]!;
  }

  /** Appends one value of up to 32 bits. */
  appendUint(value: number): void {
    this.reserve(1);
    const row = this.rows++;
    if (this.width === 4) this.u32[row] = value;
    else if (this.width === 1) this.u8[row] = value;
    else if (this.width === 2) this.u16[row] = value;
    else bug(`a value of ${this.width} bytes is not one of up to 32 bits`);
  }

  /** Appends one 64-bit value as two halves. */
  appendHalves(low: number, high: number): void {
    this.reserve(1);
    const at = this.rows++ * 2;
    this.u32[at] = low;
    this.u32[at + 1] = high;
  }

  finish(): Column {
    return { kind: 'fixed', width: this.width, bytes: this.u8.subarray(0, this.rows * this.width) };
  }

  reset(): void {
    this.rows = 0;
  }

  #allocate(values: number): void {
    const old = this.u8;
    // A multiple of 8, so that every view fits.
    const buffer = new ArrayBuffer((Math.max(values, 8) * this.width + 7) & ~7);
    this.u8 = new Uint8Array(buffer);
    this.u8.set(old);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }
}

/** Texts, length-prefixed one after the other. */
export class StringBuilder {
  readonly kind = 'string';
  rows = 0;
  bytes: Uint8Array;
  /** Bytes used so far. */
  length = 0;
  ends: Uint32Array;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(Math.max(capacity, 8) * 16);
    this.ends = new Uint32Array(Math.max(capacity, 8));
  }

  /** Appends the text source[start, end). */
  append(source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.#reserve(size + 5);
    const { bytes } = this;
    let at = writeVarint(bytes, this.length, size);
    // A call costs more than a short loop.
    if (size <= 48) for (let i = start; i < end; i++) bytes[at++] = source[i]!;
    else {
      bytes.set(source.subarray(start, end), at);
      at += size;
    }
    this.#end(at);
  }

  appendText(text: string): void {
    const encoded = encoder.encode(text);
    this.append(encoded, 0, encoded.length);
  }

  finish(): Column {
    return { kind: 'string', bytes: this.bytes.subarray(0, this.length), ends: this.ends.subarray(0, this.rows) };
  }

  reset(): void {
    this.rows = 0;
    this.length = 0;
  }

  #end(at: number): void {
    if (this.rows === this.ends.length) {
      const grown = new Uint32Array(this.ends.length * 2);
      grown.set(this.ends);
      this.ends = grown;
    }
    this.length = at;
    this.ends[this.rows++] = at;
  }

  #reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.length + count, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

export class NullableBuilder {
  readonly kind = 'nullable';
  readonly inner: ColumnBuilder;
  readonly #nulls: FixedBuilder;

  constructor(inner: ColumnBuilder, capacity: number) {
    this.inner = inner;
    this.#nulls = new FixedBuilder(1, capacity);
  }

  get rows(): number {
    return this.#nulls.rows;
  }

  /** Says whether the value that was just appended to `inner` (filler, if so) is NULL. */
  close(isNull: boolean): void {
    this.#nulls.appendUint(isNull ? 1 : 0);
  }

  finish(): Column {
    const nulls = this.#nulls.finish();
    return {
      kind: 'nullable',
      nulls: nulls.kind === 'fixed' ? nulls.bytes : bug('nulls are bytes'),
      inner: this.inner.finish(),
    };
  }

  reset(): void {
    this.#nulls.reset();
    this.inner.reset();
  }
}

/** Arrays and maps: append the elements of a row to `element`, then close the row. */
export class ArrayBuilder {
  readonly kind = 'array';
  readonly element: ColumnBuilder;
  rows = 0;
  #ends: Uint32Array;

  constructor(element: ColumnBuilder, capacity: number) {
    this.element = element;
    this.#ends = new Uint32Array(Math.max(capacity, 8));
  }

  /** Ends the current row's array; elements appended since the last call are its own. */
  close(): void {
    if (this.rows === this.#ends.length) {
      const grown = new Uint32Array(this.#ends.length * 2);
      grown.set(this.#ends);
      this.#ends = grown;
    }
    this.#ends[this.rows++] = this.element.rows;
  }

  finish(): Column {
    return { kind: 'array', ends: this.#ends.subarray(0, this.rows), element: this.element.finish() };
  }

  reset(): void {
    this.rows = 0;
    this.element.reset();
  }
}

export class TupleBuilder {
  readonly kind = 'tuple';
  readonly elements: readonly ColumnBuilder[];

  constructor(elements: readonly ColumnBuilder[]) {
    this.elements = elements;
  }

  get rows(): number {
    return this.elements[0]?.rows ?? 0;
  }

  finish(): Column {
    return { kind: 'tuple', elements: this.elements.map((element) => element.finish()) };
  }

  reset(): void {
    for (const element of this.elements) element.reset();
  }
}

export type ColumnBuilder = FixedBuilder | StringBuilder | NullableBuilder | ArrayBuilder | TupleBuilder;

/** A growing Batch of one table. The decoder fills every column to the same number of rows and says the range of times. */
export class BatchBuilder {
  readonly source: DataSource;
  readonly columns: readonly ColumnBuilder[];

  constructor(source: DataSource, capacity = 1024) {
    this.source = source;
    this.columns = source.columns.map((column) => createBuilder(parseColumnType(column.type), capacity));
  }

  /** Rows so far: those of the first column. */
  get rows(): number {
    return this.columns[0]?.rows ?? 0;
  }

  /** Builder of a fixed-width column, by name. */
  fixed(name: string): FixedBuilder {
    const builder = this.column(name);
    return builder instanceof FixedBuilder ? builder : bug(`${this.source.id}.${name} is not of a fixed width`);
  }

  /** Builder of a text column, by name. */
  string(name: string): StringBuilder {
    const builder = this.column(name);
    return builder instanceof StringBuilder ? builder : bug(`${this.source.id}.${name} is not a text`);
  }

  /** Builder of an array or map column, by name. */
  array(name: string): ArrayBuilder {
    const builder = this.column(name);
    return builder instanceof ArrayBuilder ? builder : bug(`${this.source.id}.${name} is not an array`);
  }

  column(name: string): ColumnBuilder {
    const index = this.source.columns.findIndex((column) => column.name === name);
    return this.columns[index] ?? bug(`${this.source.id} has no column ${name}`);
  }

  /** The rows so far as a Batch; times in epoch milliseconds. */
  finish(org: number, minTime: number, maxTime: number): Batch {
    const rows = this.rows;
    for (const [index, column] of this.columns.entries()) {
      if (column.rows !== rows)
        bug(`${this.source.id}.${this.source.columns[index]?.name} has ${column.rows} rows; expected ${rows}`);
    }
    return { source: this.source, org, rows, columns: this.columns.map((column) => column.finish()), minTime, maxTime };
  }

  reset(): void {
    for (const column of this.columns) column.reset();
  }
}

export function createBuilder(type: ColumnType, capacity: number): ColumnBuilder {
  switch (type.kind) {
    case 'fixed':
      return new FixedBuilder(type.width, capacity);
    case 'string':
      return new StringBuilder(capacity);
    case 'nullable':
      return new NullableBuilder(createBuilder(type.inner, capacity), capacity);
    case 'array':
      return new ArrayBuilder(createBuilder(type.element, capacity), capacity);
    case 'tuple':
      return new TupleBuilder(type.elements.map((element) => createBuilder(element, capacity)));
  }
}

/** Writes `value` (0..2^32-1) as unsigned LEB128 at `at`; returns the position behind it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value >>> 0;
  while (rest > 127) {
    target[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}
