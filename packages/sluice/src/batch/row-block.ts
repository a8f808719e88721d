import { bug } from '../base/errors.ts';
import type { ColumnSpec, DataSource } from '../catalog/types.ts';
import type { Batch, Column } from './batch.ts';
import { viewOf } from './byte-memory.ts';
import { parseColumnType, type ColumnType } from './column-type.ts';
import { constantsView, type ConstantText } from './constant-text.ts';
import { ListValues } from './list-values.ts';
import { FixedValues, NumberMemory, placeTogether } from './number-memory.ts';
import { ScratchText } from './scratch-text.ts';
import { TextValues } from './text-values.ts';

/**
 * Rows of one table, written one after the other, value by value in any order.
 *
 * A row is pending until `commit` takes it or `abandon` wipes it out; what was not set is 0, '', [] or NULL. Numbers go straight into typed arrays at
 * the pending row; texts are only noted as spans and copied, column by column, by `commit`: the last value set wins, and a bad row leaves nothing
 * behind.
 *
 * Columns are named by their index: those of the data source in order, then its key columns, which are not part of the Batch. Views are replaced when
 * the block grows (`generation` changes) or is exchanged: bind them anew then.
 */
export class RowBlock {
  readonly source: DataSource;
  /** Rows committed; also the index of the pending row. */
  rows = 0;
  /** Rows that the columns have room for. The pending row always fits. */
  capacity: number;
  /** Changes whenever the typed arrays have been replaced. */
  generation = 0;
  /** Least and greatest time of the committed rows, epoch milliseconds. */
  minTime = Infinity;
  maxTime = -Infinity;
  /** Accept window, epoch milliseconds: `commit` wipes out rows of other times and counts them. Whoever hands the block out sets it. */
  acceptFrom = -Infinity;
  acceptUntil = Infinity;
  /** Rows wiped out since `reset`. */
  tooOld = 0;
  tooNew = 0;
  /** Bytes that spans of `FROM_WIRE` lie in: set it before a record is decoded. */
  wire: Uint8Array = EMPTY;

  /** All of `fixed` in one memory, where each has its `start`: the quickest way to many columns of one row. */
  memory: NumberMemory = new NumberMemory(0);
  /** By column index: numbers of a fixed width (those of a Nullable too), else undefined. */
  readonly fixed: (FixedValues | undefined)[] = [];
  /** By column index: 1 = NULL, for Nullable columns, else undefined. */
  readonly nulls: (Uint8Array | undefined)[] = [];
  /** By column index: number of a text column among the texts, or -1. */
  readonly textOf: Int32Array;
  /** By number of a text: where the pending value lies: FROM_NONE (empty), FROM_WIRE, FROM_SCRATCH or FROM_CONSTANTS, and its bounds there. */
  readonly spanFrom: Uint8Array;
  readonly spanStart: Uint32Array;
  readonly spanEnd: Uint32Array;

  readonly #texts: TextValues[] = [];
  /** By column index. */
  readonly #lists: (ListValues | undefined)[] = [];
  readonly #listValues: ListValues[] = [];
  readonly #names = new Map<string, number>();
  readonly #doubles = new Set<number>();
  readonly #scratch = new ScratchText();
  #viewed: Uint8Array = EMPTY;
  #view = viewOf(EMPTY);

  constructor(source: DataSource, capacity = 256) {
    this.source = source;
    this.capacity = capacity;
    const all: readonly Pick<ColumnSpec, 'name' | 'type'>[] = [...source.columns, ...(source.keys ?? [])];
    this.textOf = new Int32Array(all.length).fill(-1);
    for (const [index, column] of all.entries()) {
      const type: ColumnType = parseColumnType(column.type);
      this.#names.set(column.name, index);
      if (/^(?:Nullable\()?Float64/.test(column.type)) this.#doubles.add(index);
      if (type.kind === 'fixed') this.fixed[index] = new FixedValues(type.width);
      else if (type.kind === 'nullable' && type.inner.kind === 'fixed') {
        this.fixed[index] = new FixedValues(type.inner.width);
        this.nulls[index] = new Uint8Array(capacity).fill(1);
      } else if (type.kind === 'string') {
        this.textOf[index] = this.#texts.length;
        this.#texts.push(new TextValues(capacity));
      } else if (type.kind === 'array' && (type.element.kind === 'string' || type.element.kind === 'fixed')) {
        const list = new ListValues(type.element.kind === 'string' ? 0 : type.element.width, capacity);
        this.#lists[index] = list;
        this.#listValues.push(list);
      } else bug(`${source.id}.${column.name}: rows of type ${column.type} cannot be written one by one`);
    }
    this.memory = placeTogether(this.fixed, capacity);
    this.spanFrom = new Uint8Array(this.#texts.length);
    this.spanStart = new Uint32Array(this.#texts.length);
    this.spanEnd = new Uint32Array(this.#texts.length);
  }

  /** Index of a column or key column, by name. Look it up once, not per row. */
  column(name: string): number {
    return this.#names.get(name) ?? bug(`${this.source.id} has no column ${name}`);
  }

  /** As `column`, or -1. */
  findColumn(name: string): number {
    return this.#names.get(name) ?? -1;
  }

  /** Whether a column holds doubles. */
  isDouble(column: number): boolean {
    return this.#doubles.has(column);
  }

  /** Width of the elements of an array of numbers, 0 for texts. */
  elementWidth(column: number): number {
    return this.#list(column).width;
  }

  /** A number of up to 32 bits, cut to the column's width; negative ones as two's complement. */
  setNumber(column: number, value: number): void {
    const values = this.fixed[column]!;
    const { rows } = this;
    if (values.width === 4) values.u32[rows] = value;
    else if (values.width === 1) values.u8[rows] = value;
    else if (values.width === 2) values.u16[rows] = value;
    else if (values.width === 8) {
      values.u32[rows * 2] = value;
      values.u32[rows * 2 + 1] = value < 0 ? 0xffff_ffff : 0;
    } else bug('a number of up to 32 bits in a wider column');
    this.#notNull(column);
  }

  /** A 64-bit number as two halves. */
  setHalves(column: number, low: number, high: number): void {
    const { u32 } = this.fixed[column]!;
    u32[this.rows * 2] = low;
    u32[this.rows * 2 + 1] = high;
    this.#notNull(column);
  }

  /** A whole number below 2^53 in a 64-bit column. */
  setInteger(column: number, value: number): void {
    const high = Math.floor(value / 4_294_967_296);
    this.setHalves(column, value >>> 0, high >>> 0);
  }

  setDouble(column: number, value: number): void {
    this.fixed[column]!.f64[this.rows] = value;
    this.#notNull(column);
  }

  /** Bytes of a fixed width (IPv6, UUID), as ClickHouse sends them. */
  setBytes(column: number, bytes: Uint8Array, start: number): void {
    const values = this.fixed[column]!;
    const at = this.rows * values.width;
    for (let i = 0; i < values.width; i++) values.u8[at + i] = bytes[start + i]!;
    this.#notNull(column);
  }

  setText(column: number, text: string): void {
    const start = this.#scratch.length;
    this.#setSpan(column, FROM_SCRATCH, start, this.#scratch.encode(text));
  }

  /** Text [start, end) of `bytes`; copied now when it is not the wire. */
  setTextBytes(column: number, bytes: Uint8Array, start: number, end: number): void {
    if (bytes === this.wire) return this.#setSpan(column, FROM_WIRE, start, end);
    const at = this.#scratch.length;
    this.#setSpan(column, FROM_SCRATCH, at, this.#scratch.copy(bytes, start, end));
  }

  /** Appends a whole number of 64 bits, in decimal, to a pending text of such numbers; behind a comma when there is one. */
  joinDecimal(column: number, low: number, high: number): void {
    const text = this.textOf[column]!;
    let start = this.#scratch.length;
    if (text >= 0 && this.spanFrom[text] !== FROM_NONE && this.spanEnd[text]! > this.spanStart[text]!) {
      if (this.spanFrom[text] !== FROM_SCRATCH) bug('numbers are joined to nothing but numbers');
      start = this.#scratch.comma(this.spanStart[text]!, this.spanEnd[text]!);
    }
    this.#setSpan(column, FROM_SCRATCH, start, this.#scratch.decimal(low, high));
  }

  /** One of the ready-made texts. */
  setConstant(column: number, constant: ConstantText): void {
    this.#setSpan(column, FROM_CONSTANTS, constant.start, constant.end);
  }

  /** Appends an element to the pending row's array of texts. */
  pushText(column: number, text: string): void {
    const scratch = this.#scratch;
    const start = scratch.length;
    const end = scratch.encode(text);
    this.#list(column).texts.append(scratch.view, start, end);
    scratch.length = start;
  }

  /** Appends text [start, end) of `bytes` to the pending row's array of texts. */
  pushTextBytes(column: number, bytes: Uint8Array, start: number, end: number): void {
    this.#list(column).texts.append(bytes === this.wire ? this.#wireView() : viewOf(bytes), start, end);
  }

  /** Appends one of the ready-made texts to the pending row's array of texts. */
  pushConstant(column: number, constant: ConstantText): void {
    this.#list(column).texts.append(constantsView, constant.start, constant.end);
  }

  /** Appends a number of up to 32 bits, or a double in an array of doubles. */
  pushNumber(column: number, value: number): void {
    this.#list(column).pushNumber(value);
  }

  /** Elements of the pending row's array so far. */
  pending(column: number): number {
    return this.#list(column).pending;
  }

  /** Drops elements of the pending row's array behind the first `count`. */
  keep(column: number, count: number): void {
    this.#list(column).keep(count);
  }

  /** Takes the pending row, or wipes it out when `time` (epoch milliseconds) lies outside of the accept window. */
  commit(time: number): void {
    if (!(time >= this.acceptFrom && time <= this.acceptUntil)) {
      if (time > this.acceptUntil) this.tooNew++;
      else this.tooOld++;
      this.abandon();
      return;
    }
    const { rows, spanFrom, spanStart, spanEnd } = this;
    const texts = this.#texts;
    const wire = this.#wireView();
    for (let i = 0; i < spanFrom.length; i++) {
      const from = spanFrom[i]!;
      // Empty ones are filled in later, many at once.
      if (from === FROM_NONE) continue;
      spanFrom[i] = FROM_NONE;
      const start = spanStart[i]!;
      const end = spanEnd[i]!;
      if (start === end) continue;
      const view = from === FROM_WIRE ? wire : from === FROM_SCRATCH ? this.#scratch.view : constantsView;
      texts[i]!.appendAt(rows, view, start, end);
    }
    for (const list of this.#listValues) list.close(rows);
    this.#scratch.length = 0;
    if (time < this.minTime) this.minTime = time;
    if (time > this.maxTime) this.maxTime = time;
    this.rows = rows + 1;
    if (this.rows === this.capacity) this.#grow();
  }

  /** Wipes the pending row out. */
  abandon(): void {
    const { rows } = this;
    for (const values of this.fixed) values?.u8.fill(0, rows * values.width, (rows + 1) * values.width);
    for (const nulls of this.nulls) if (nulls !== undefined) nulls[rows] = 1;
    this.spanFrom.fill(FROM_NONE);
    for (const list of this.#listValues) list.abandon();
    this.#scratch.length = 0;
  }

  /** Bytes that the committed rows take. */
  get bytes(): number {
    let sum = 0;
    for (const values of this.fixed) if (values !== undefined) sum += this.rows * values.width;
    for (const text of this.#texts) sum += text.lengthAt(this.rows);
    for (const list of this.#listValues) sum += list.bytes;
    return sum;
  }

  /** Bytes [start, end) of a committed text: what a look-up by name compares. */
  textAt(column: number, row: number): Uint8Array {
    const text = this.#texts[this.textOf[column]!] ?? bug('not a text column');
    return text.value(row);
  }

  /** The committed rows as a Batch: views of this memory, valid until `reset`. */
  finish(org: number): Batch {
    const columns = this.source.columns.map((_, index) => this.#column(index));
    return { source: this.source, org, rows: this.rows, columns, minTime: this.minTime, maxTime: this.maxTime };
  }

  /** Empties the block for further rows. */
  reset(): void {
    for (const values of this.fixed) values?.u8.fill(0, 0, (this.rows + 1) * values.width);
    for (const nulls of this.nulls) nulls?.fill(1, 0, this.rows + 1);
    for (const text of this.#texts) text.reset();
    for (const list of this.#listValues) list.reset();
    this.spanFrom.fill(FROM_NONE);
    this.#scratch.length = 0;
    this.rows = 0;
    this.tooOld = 0;
    this.tooNew = 0;
    this.minTime = Infinity;
    this.maxTime = -Infinity;
    this.wire = EMPTY;
    // Messages are not held on to.
    this.#viewed = EMPTY;
    this.#view = viewOf(EMPTY);
  }

  #wireView(): DataView {
    if (this.wire !== this.#viewed) {
      this.#viewed = this.wire;
      this.#view = viewOf(this.wire);
    }
    return this.#view;
  }

  #notNull(column: number): void {
    const nulls = this.nulls[column];
    if (nulls !== undefined) nulls[this.rows] = 0;
  }

  #setSpan(column: number, from: number, start: number, end: number): void {
    const text = this.textOf[column]!;
    if (text < 0) bug(`${this.source.id}: column ${column} is not a text`);
    this.spanFrom[text] = from;
    this.spanStart[text] = start;
    this.spanEnd[text] = end;
  }

  #list(column: number): ListValues {
    return this.#lists[column] ?? bug(`${this.source.id}: column ${column} is not an array`);
  }

  #grow(): void {
    this.capacity *= 2;
    this.memory = placeTogether(this.fixed, this.capacity);
    for (const [index, nulls] of this.nulls.entries()) {
      if (nulls === undefined) continue;
      const replaced = new Uint8Array(this.capacity).fill(1);
      replaced.set(nulls);
      this.nulls[index] = replaced;
    }
    for (const text of this.#texts) text.grow(this.capacity);
    for (const list of this.#listValues) list.grow(this.capacity);
    this.generation++;
  }

  #column(index: number): Column {
    const values = this.fixed[index];
    if (values !== undefined) {
      const fixed: Column = {
        kind: 'fixed',
        width: values.width,
        bytes: values.u8.subarray(0, this.rows * values.width),
      };
      const nulls = this.nulls[index];
      return nulls === undefined ? fixed : { kind: 'nullable', nulls: nulls.subarray(0, this.rows), inner: fixed };
    }
    const text = this.#texts[this.textOf[index]!];
    return text === undefined ? this.#list(index).finish(this.rows) : text.finish(this.rows);
  }
}

export const FROM_NONE = 0;
export const FROM_WIRE = 1;
export const FROM_SCRATCH = 2;
export const FROM_CONSTANTS = 3;

const EMPTY = new Uint8Array(0);
