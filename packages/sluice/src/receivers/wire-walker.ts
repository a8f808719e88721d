import { bug } from '../base/errors.ts';
import { FROM_WIRE, type RowBlock } from '../batch/row-block.ts';

/**
 * From protobuf bytes into the pending row of a RowBlock, led by a table: for each message and field number, what to do with the value.
 *
 *   field:   tag varint (number << 3 | wire type), then by wire type
 *            0 varint of up to 10 bytes | 1 eight bytes | 2 length varint + bytes | 5 four bytes
 *
 * Most fields go straight into a column. What needs a rule first goes into *registers*, numbered by the decoder: 64-bit numbers as halves, or bounds of
 * bytes. Unknown fields are skipped; of a repeated singular field the last wins, sub-messages merge. A field of the wrong wire type, a length beyond
 * its message or a group make the record malformed.
 */

/** What to do with one field. */
export type FieldPlan =
  | { readonly kind: 'column'; readonly column: string }
  | { readonly kind: 'texts'; readonly column: string }
  | { readonly kind: 'numbers'; readonly column: string }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'span'; readonly register: number }
  | { readonly kind: 'message'; readonly message: string };

/** Fields of each message by number; the first message is the record itself. */
export type MessagePlans = Readonly<Record<string, Readonly<Record<number, FieldPlan>>>>;

/** A number or a text into a column: a varint is cut to the column's width, a Float64 column takes it as a number, eight bytes as they are. */
export const toColumn = (column: string): FieldPlan => ({ kind: 'column', column });
/** A repeated text into an Array(String) column. */
export const toTexts = (column: string): FieldPlan => ({ kind: 'texts', column });
/** A repeated number, packed or not, into an array column; eight-byte values as doubles. */
export const toNumbers = (column: string): FieldPlan => ({ kind: 'numbers', column });
/** A number into `low[register]` and `high[register]`. */
export const toRegister = (register: number): FieldPlan => ({ kind: 'register', register });
/** Bytes into `start[register]` and `end[register]`; of several, the last. */
export const toSpan = (register: number): FieldPlan => ({ kind: 'span', register });
/** A sub-message of `message`'s plan; `entered` tells that it came. */
export const toMessage = (message: string): FieldPlan => ({ kind: 'message', message });

const SKIP = 0;
const U8 = 1;
const U16 = 2;
const U32 = 3;
const U64 = 4;
const F64 = 5;
const TEXT = 6;
const TEXTS = 7;
const NUMBERS = 8;
const REGISTER = 9;
const SPAN = 10;
const MESSAGE = 11;
const REGISTERS = 64;

/** Walks records of one kind into blocks of one table. One record at a time; not re-entrant. */
export class WireWalker {
  /** Numbers, by register: 0 when the field did not come. */
  readonly low = new Uint32Array(REGISTERS);
  readonly high = new Uint32Array(REGISTERS);
  /** Bounds of bytes, by register: start = end when the field did not come. */
  readonly start = new Uint32Array(REGISTERS);
  readonly end = new Uint32Array(REGISTERS);
  /** By message number (`message`): 1 when it came. */
  readonly entered: Uint8Array;

  readonly #plans: MessagePlans;
  readonly #names: readonly string[];
  readonly #kinds: Uint8Array;
  readonly #targets: Int32Array;
  #block: RowBlock | undefined;
  #generation = -1;
  #compiled = false;
  readonly #u8: Uint8Array[] = [];
  readonly #u16: Uint16Array[] = [];
  readonly #u32: Uint32Array[] = [];
  readonly #f64: Float64Array[] = [];
  readonly #nulls: (Uint8Array | undefined)[] = [];
  #spanFrom: Uint8Array = new Uint8Array(0);
  #spanStart: Uint32Array = new Uint32Array(0);
  #spanEnd: Uint32Array = new Uint32Array(0);
  #bytes: Uint8Array = new Uint8Array(0);
  #row = 0;

  constructor(plans: MessagePlans) {
    this.#plans = plans;
    this.#names = Object.keys(plans);
    this.#kinds = new Uint8Array(this.#names.length * 64);
    this.#targets = new Int32Array(this.#names.length * 64);
    this.entered = new Uint8Array(this.#names.length);
  }

  /** Number of a message, for `walk` and `entered`. */
  message(name: string): number {
    const number = this.#names.indexOf(name);
    return number < 0 ? bug(`no plan for message ${name}`) : number;
  }

  /** Begins a record whose values go into the pending row of `block`; blocks of one walker are of one table. */
  begin(block: RowBlock, bytes: Uint8Array): void {
    if (block !== this.#block || block.generation !== this.#generation) this.#bind(block);
    block.wire = bytes;
    this.#bytes = bytes;
    this.#row = block.rows;
    this.low.fill(0);
    this.high.fill(0);
    this.start.fill(0);
    this.end.fill(0);
    this.entered.fill(0);
  }

  /** Walks the message in [start, end); false when it is malformed. */
  walk(message: number, start: number, end: number): boolean {
    const bytes = this.#bytes;
    let at = start;
    while (at < end) {
      let tag = bytes[at++]!;
      if (tag > 127) {
        tag &= 127;
        let shift = 7;
        for (;;) {
          if (at >= end || shift > 28) return false;
          const byte = bytes[at++]!;
          tag |= (byte & 127) << shift;
          if (byte < 128) break;
          shift += 7;
        }
      }
      const field = tag >>> 3;
      if (field === 0) return false;
      const slot = (message << 6) | field;
      const kind = field < 64 ? this.#kinds[slot]! : SKIP;
      switch (tag & 7) {
        case 0: {
          if (at >= end) return false;
          let low = bytes[at++]!;
          let high = 0;
          if (low > 127) {
            low &= 127;
            let shift = 7;
            for (;;) {
              if (at >= end || shift > 63) return false;
              const byte = bytes[at++]!;
              if (shift < 28) low |= (byte & 127) << shift;
              else if (shift === 28) {
                low |= (byte & 127) << 28;
                high = (byte & 127) >>> 4;
              } else high |= (byte & 127) << (shift - 32);
              if (byte < 128) break;
              shift += 7;
            }
          }
          if (!this.#setNumber(kind, this.#targets[slot]!, low >>> 0, high >>> 0)) return false;
          break;
        }
        case 2: {
          if (at >= end) return false;
          let size = bytes[at++]!;
          if (size > 127) {
            size &= 127;
            let shift = 7;
            for (;;) {
              if (at >= end || shift > 28) return false;
              const byte = bytes[at++]!;
              size |= (byte & 127) << shift;
              if (byte < 128) break;
              shift += 7;
            }
            if (size < 0) return false;
          }
          const stop = at + size;
          if (stop > end) return false;
          if (kind === TEXT) {
            const text = this.#targets[slot]!;
            this.#spanFrom[text] = FROM_WIRE;
            this.#spanStart[text] = at;
            this.#spanEnd[text] = stop;
          } else if (kind === MESSAGE) {
            const child = this.#targets[slot]!;
            this.entered[child] = 1;
            if (!this.walk(child, at, stop)) return false;
          } else if (kind !== SKIP && !this.#setBytes(kind, this.#targets[slot]!, at, stop)) return false;
          at = stop;
          break;
        }
        case 1:
          if (at + 8 > end || !this.#setNumber(kind, this.#targets[slot]!, this.#word(at), this.#word(at + 4), true))
            return false;
          at += 8;
          break;
        case 5:
          if (at + 4 > end || !this.#setNumber(kind, this.#targets[slot]!, this.#word(at), 0)) return false;
          at += 4;
          break;
        default:
          return false;
      }
    }
    return true;
  }

  #setNumber(kind: number, target: number, low: number, high: number, isDouble = false): boolean {
    const row = this.#row;
    switch (kind) {
      case SKIP:
        return true;
      case U8:
        this.#u8[target]![row] = low;
        break;
      case U16:
        this.#u16[target]![row] = low;
        break;
      case U32:
        this.#u32[target]![row] = low;
        break;
      case F64:
        // Eight bytes on the wire are the double itself.
        if (isDouble) this.#setHalves(target, low, high);
        else this.#f64[target]![row] = high * 4_294_967_296 + low;
        break;
      case U64:
        this.#setHalves(target, low, high);
        break;
      case REGISTER:
        this.low[target] = low;
        this.high[target] = high;
        return true;
      case NUMBERS:
        this.#block!.pushNumber(target, isDouble ? asDouble(low, high) : low);
        return true;
      default:
        return false;
    }
    const nulls = this.#nulls[target];
    if (nulls !== undefined) nulls[row] = 0;
    return true;
  }

  #setHalves(target: number, low: number, high: number): void {
    const column = this.#u32[target]!;
    column[this.#row * 2] = low;
    column[this.#row * 2 + 1] = high;
  }

  #setBytes(kind: number, target: number, start: number, end: number): boolean {
    switch (kind) {
      case SPAN:
        this.start[target] = start;
        this.end[target] = end;
        return true;
      case TEXTS:
        this.#block!.pushTextBytes(target, this.#bytes, start, end);
        return true;
      case NUMBERS:
        return this.#packed(target, start, end);
      default:
        return false;
    }
  }

  #packed(column: number, start: number, end: number): boolean {
    const block = this.#block!;
    if (block.elementWidth(column) === 8) {
      if ((end - start) % 8 !== 0) return false;
      for (let at = start; at < end; at += 8) block.pushNumber(column, asDouble(this.#word(at), this.#word(at + 4)));
      return true;
    }
    for (let at = start; at < end;) {
      let value = 0;
      let shift = 0;
      for (;;) {
        if (at >= end || shift > 63) return false;
        const byte = this.#bytes[at++]!;
        if (shift < 32) value |= (byte & 127) << shift;
        if (byte < 128) break;
        shift += 7;
      }
      block.pushNumber(column, value >>> 0);
    }
    return true;
  }

  #word(at: number): number {
    const bytes = this.#bytes;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  #bind(block: RowBlock): void {
    if (!this.#compiled) this.#compile(block);
    this.#block = block;
    this.#generation = block.generation;
    for (const [index, values] of block.fixed.entries()) {
      if (values === undefined) continue;
      this.#u8[index] = values.u8;
      this.#u16[index] = values.u16;
      this.#u32[index] = values.u32;
      this.#f64[index] = values.f64;
      this.#nulls[index] = block.nulls[index];
    }
    this.#spanFrom = block.spanFrom;
    this.#spanStart = block.spanStart;
    this.#spanEnd = block.spanEnd;
  }

  #compile(block: RowBlock): void {
    for (const [message, fields] of Object.values(this.#plans).entries()) {
      for (const [number, plan] of Object.entries(fields)) {
        const slot = (message << 6) | Number(number);
        const [kind, target] = this.#resolve(plan, block);
        this.#kinds[slot] = kind;
        this.#targets[slot] = target;
      }
    }
    this.#compiled = true;
  }

  #resolve(plan: FieldPlan, block: RowBlock): [kind: number, target: number] {
    switch (plan.kind) {
      case 'message':
        return [MESSAGE, this.message(plan.message)];
      case 'register':
        return [REGISTER, plan.register];
      case 'span':
        return [SPAN, plan.register];
      case 'texts':
        return [TEXTS, block.column(plan.column)];
      case 'numbers':
        return [NUMBERS, block.column(plan.column)];
      case 'column': {
        const column = block.column(plan.column);
        const text = block.textOf[column]!;
        return text >= 0 ? [TEXT, text] : [numberKind(block, column), column];
      }
    }
  }
}

function numberKind(block: RowBlock, column: number): number {
  if (block.isDouble(column)) return F64;
  const kind = new Map([
    [1, U8],
    [2, U16],
    [4, U32],
    [8, U64],
  ]).get(block.fixed[column]?.width ?? 0);
  return kind ?? bug(`column ${column} of ${block.source.id} does not take a number of the wire`);
}

const doubles = new Float64Array(1);
const halves = new Uint32Array(doubles.buffer);

function asDouble(low: number, high: number): number {
  halves[0] = low;
  halves[1] = high;
  return doubles[0]!;
}
