import { bug } from '../base/errors.ts';
import { FROM_WIRE, NumberMemory, type RowBlock } from '../batch/row-block.ts';

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
  | { readonly kind: 'decimals'; readonly column: string }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'span'; readonly register: number }
  | { readonly kind: 'spans'; readonly list: number }
  | { readonly kind: 'message'; readonly message: string };

/** Fields of each message by number; the first message is the record itself. */
export type MessagePlans = Readonly<Record<string, Readonly<Record<number, FieldPlan>>>>;

/** A number or a text into a column: a varint is cut to the column's width, a Float64 column takes it as a number, eight bytes as they are. */
export const toColumn = (column: string): FieldPlan => ({ kind: 'column', column });
/** A repeated text into an Array(String) column. */
export const toTexts = (column: string): FieldPlan => ({ kind: 'texts', column });
/** A repeated number, packed or not, into an array column; eight-byte values as doubles. */
export const toNumbers = (column: string): FieldPlan => ({ kind: 'numbers', column });
/** A repeated 64-bit number, packed or not, as decimal texts joined by commas into a text column. */
export const toDecimals = (column: string): FieldPlan => ({ kind: 'decimals', column });
/** A number into `low[register]` and `high[register]`. */
export const toRegister = (register: number): FieldPlan => ({ kind: 'register', register });
/** Bytes into `start[register]` and `end[register]`; of several, the last. */
export const toSpan = (register: number): FieldPlan => ({ kind: 'span', register });
/** Repeated bytes into `lists[list]`, for the decoder to go through. */
export const toSpans = (list: number): FieldPlan => ({ kind: 'spans', list });
/** A sub-message of `message`'s plan; `entered` tells that it came. */
export const toMessage = (message: string): FieldPlan => ({ kind: 'message', message });

// What is done with the value of a field, and to what: an entry of the table is target * 32 + kind. The target is a register, a text, a message or a
// column; of plain numbers, where the column begins in the block's memory, counted in numbers.
const SKIP = 0;
const U8 = 1;
const U16 = 2;
const U32 = 3;
const U64 = 4;
const F64 = 5;
const REGISTER = 6;
const TEXT = 7;
const SPAN = 8;
const MESSAGE = 9;
const NULLABLE = 10;
const TEXTS = 11;
const NUMBERS = 12;
const DECIMALS = 13;
const SPANS = 14;
/** No field has number 0. */
const NO_FIELD = 15;
const KIND_BITS = 5;
const KIND_MASK = 31;

/** How `#usualFields` ends. */
const DONE = 0;
const MALFORMED = 1;
const UNUSUAL = 2;

/** Fields that a plan may name: 1 to 127. */
const FIELD_BITS = 7;
/** A varint is this long at most; so far from the end of the memory one is read without looking for the end. */
const VARINT = 10;
const TWO_32 = 4_294_967_296;

/** Walks records of one kind into blocks of one table. One record at a time; not re-entrant. */
export class WireWalker {
  /** Numbers, by register: 0 when the field did not come. */
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  /** Bounds of bytes, by register: start = end when the field did not come. */
  readonly start: Uint32Array;
  readonly end: Uint32Array;
  /** Bounds of repeated bytes, by list. */
  readonly lists: readonly SpanList[];
  /** By message number (`message`): 1 when it came. */
  readonly entered: Uint8Array;

  readonly #plans: MessagePlans;
  readonly #names: readonly string[];
  readonly #table: Int32Array;
  #block: RowBlock | undefined;
  #generation = -1;
  #compiled = false;
  /** Slots of the table that hold plain numbers, and their columns. */
  readonly #numberSlots: number[] = [];
  readonly #numberColumns: number[] = [];
  #memory = new NumberMemory(0);
  #spanFrom: Uint8Array = new Uint8Array(0);
  #spanStart: Uint32Array = new Uint32Array(0);
  #spanEnd: Uint32Array = new Uint32Array(0);
  #bytes: Uint8Array = new Uint8Array(0);
  #row = 0;
  /** The walk between fields: position, end of the message, where its slots begin, and how many messages are around it. */
  #at = 0;
  #stop = 0;
  #slots = 0;
  #depth = 0;
  /** Messages around the present one, outermost first: where their slots begin, and where they end. */
  readonly #slotsOutside: Int32Array;
  readonly #stopOutside: Int32Array;
  /** The varint read last by `#varint`. */
  #varintLow = 0;
  #varintHigh = 0;

  constructor(plans: MessagePlans) {
    this.#plans = plans;
    this.#names = Object.keys(plans);
    this.#table = new Int32Array(this.#names.length << FIELD_BITS);
    const [numbers, spans] = [registersOf(plans, 'register'), registersOf(plans, 'span')];
    this.low = new Uint32Array(numbers);
    this.high = new Uint32Array(numbers);
    this.start = new Uint32Array(spans);
    this.end = new Uint32Array(spans);
    this.entered = new Uint8Array(this.#names.length);
    this.#slotsOutside = new Int32Array(this.#names.length);
    this.#stopOutside = new Int32Array(this.#names.length);
    this.lists = Array.from({ length: listsOf(plans) }, () => new SpanList());
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
    this.#row = block.rows;
    this.#clear(bytes);
  }

  /** Begins a record of which only registers are wanted; for plans without columns. */
  scan(bytes: Uint8Array): void {
    if (!this.#compiled) this.#compile(undefined);
    this.#clear(bytes);
  }

  /** Walks the message in [start, end); false when it is malformed. */
  walk(message: number, start: number, end: number): boolean {
    this.#slots = message << FIELD_BITS;
    this.#at = start;
    this.#stop = end;
    this.#depth = 0;
    for (;;) {
      const state = this.#usualFields();
      if (state !== UNUSUAL) return state === DONE;
      if (!this.#unusualField()) return false;
    }
  }

  /**
   * Takes fields up to the end of the message, or to the first that is not of the usual forms: a tag of one or two bytes, then a number for a plain
   * column or a register, or up to 16 KiB of bytes for a text, a register or a message. No calls, no assignments to fields of this object before the
   * end, and whole numbers of 32 bits, told to the compiler so: it looks at the arrays once and not for each field, for a third of the instructions.
   */
  #usualFields(): number {
    const bytes = this.#bytes;
    const table = this.#table;
    const row = this.#row | 0;
    const { u8, u16, u32, f64 } = this.#memory;
    const { low: lows, high: highs, start: starts, end: ends, entered } = this;
    const spanFrom = this.#spanFrom;
    const spanStart = this.#spanStart;
    const spanEnd = this.#spanEnd;
    const slotsOutside = this.#slotsOutside;
    const stopOutside = this.#stopOutside;
    const deepest = slotsOutside.length | 0;
    const fast = (bytes.length - VARINT) | 0;
    let slots = this.#slots | 0;
    let at = this.#at | 0;
    let stop = this.#stop | 0;
    let depth = this.#depth | 0;
    let begin = at;
    for (;;) {
      if (at >= stop) {
        if (depth === 0) return DONE;
        depth = (depth - 1) | 0;
        slots = slotsOutside[depth]! | 0;
        stop = stopOutside[depth]! | 0;
        continue;
      }
      begin = at;
      // Nearer to the end of the memory each byte would need a look at the end.
      if (at > fast) break;
      let tag = bytes[at]! | 0;
      at = (at + 1) | 0;
      if (tag > 127) {
        const second = bytes[at]! | 0;
        at = (at + 1) | 0;
        if (second > 7) break;
        tag = (tag & 127) | (second << 7);
      }
      const entry = table[slots | (tag >>> 3)]! | 0;
      const target = entry >> KIND_BITS;
      const kind = entry & KIND_MASK;
      const wireType = tag & 7;
      if (wireType === 0) {
        if (kind > REGISTER || at > fast) break;
        let low = bytes[at]! | 0;
        let high = 0;
        at = (at + 1) | 0;
        if (low > 127) {
          let byte = bytes[at]! | 0;
          at = (at + 1) | 0;
          low = (low & 127) | ((byte & 127) << 7);
          if (byte > 127) {
            byte = bytes[at]! | 0;
            at = (at + 1) | 0;
            low |= (byte & 127) << 14;
            if (byte > 127) {
              byte = bytes[at]! | 0;
              at = (at + 1) | 0;
              low |= (byte & 127) << 21;
              if (byte > 127) {
                byte = bytes[at]! | 0;
                at = (at + 1) | 0;
                low |= byte << 28;
                high = (byte & 127) >>> 4;
                if (byte > 127) {
                  byte = bytes[at]! | 0;
                  at = (at + 1) | 0;
                  high |= (byte & 127) << 3;
                  if (byte > 127) {
                    byte = bytes[at]! | 0;
                    at = (at + 1) | 0;
                    high |= (byte & 127) << 10;
                    if (byte > 127) {
                      byte = bytes[at]! | 0;
                      at = (at + 1) | 0;
                      high |= (byte & 127) << 17;
                      if (byte > 127) {
                        byte = bytes[at]! | 0;
                        at = (at + 1) | 0;
                        high |= (byte & 127) << 24;
                        if (byte > 127) {
                          byte = bytes[at]! | 0;
                          at = (at + 1) | 0;
                          high |= byte << 31;
                          if (byte > 127) return MALFORMED;
                        }
                      }
                    }
                  }
                }
              }
            }
          }
        }
        if (at > stop) return MALFORMED;
        switch (kind) {
          case U8:
            u8[(target + row) | 0] = low;
            break;
          case U16:
            u16[(target + row) | 0] = low;
            break;
          case U32:
            u32[(target + row) | 0] = low;
            break;
          case U64: {
            const at64 = (target + (row << 1)) | 0;
            u32[at64] = low;
            u32[(at64 + 1) | 0] = high;
            break;
          }
          case F64:
            f64[(target + row) | 0] = (high >>> 0) * TWO_32 + (low >>> 0);
            break;
          case REGISTER:
            lows[target] = low;
            highs[target] = high;
            break;
        }
        continue;
      }
      if (wireType !== 2 || at >= fast) break;
      let size = bytes[at]! | 0;
      at = (at + 1) | 0;
      if (size > 127) {
        const second = bytes[at]! | 0;
        at = (at + 1) | 0;
        if (second > 127) break;
        size = (size & 127) | (second << 7);
      }
      const last = (at + size) | 0;
      if (last > stop) return MALFORMED;
      if (kind === MESSAGE) {
        if (depth === deepest) return MALFORMED;
        entered[target] = 1;
        slotsOutside[depth] = slots;
        stopOutside[depth] = stop;
        depth = (depth + 1) | 0;
        slots = (target << FIELD_BITS) | 0;
        stop = last;
        continue;
      }
      if (kind === TEXT) {
        spanFrom[target] = FROM_WIRE;
        spanStart[target] = at;
        spanEnd[target] = last;
      } else if (kind === SPAN) {
        starts[target] = at;
        ends[target] = last;
      } else if (kind !== SKIP) break;
      at = last;
    }
    this.#at = begin;
    this.#stop = stop;
    this.#slots = slots;
    this.#depth = depth;
    return UNUSUAL;
  }

  /** Takes one field of any form; false when it is malformed. */
  #unusualField(): boolean {
    const stop = this.#stop;
    let at = this.#varint(this.#at, stop);
    if (at < 0 || this.#varintHigh !== 0) return false;
    const tag = this.#varintLow;
    const field = tag >>> 3;
    if (field === 0) return false;
    const entry = field < 1 << FIELD_BITS ? this.#table[this.#slots | field]! : SKIP;
    switch (tag & 7) {
      case 0:
        at = this.#varint(at, stop);
        this.#at = at;
        return at >= 0 && this.#setNumber(entry, this.#varintLow >>> 0, this.#varintHigh >>> 0, false);
      case 1:
        this.#at = at + 8;
        return stop - at >= 8 && this.#setNumber(entry, this.#word(at), this.#word(at + 4), true);
      case 2: {
        at = this.#varint(at, stop);
        if (at < 0 || this.#varintHigh !== 0 || this.#varintLow >>> 0 > stop - at) return false;
        this.#at = at + this.#varintLow;
        return (entry & KIND_MASK) === MESSAGE
          ? this.#enter(entry >> KIND_BITS, at)
          : this.#setBytes(entry, at, this.#at);
      }
      case 5:
        this.#at = at + 4;
        return stop - at >= 4 && this.#setNumber(entry, this.#word(at), 0, false);
      default:
        return false;
    }
  }

  /** Goes into a message that begins at `start` and ends where the present position is. */
  #enter(message: number, start: number): boolean {
    const depth = this.#depth;
    if (depth === this.#slotsOutside.length) return false;
    this.entered[message] = 1;
    this.#slotsOutside[depth] = this.#slots;
    this.#stopOutside[depth] = this.#stop;
    this.#depth = depth + 1;
    this.#slots = message << FIELD_BITS;
    this.#stop = this.#at;
    this.#at = start;
    return true;
  }

  /** Reads a varint of which the bytes may end; answers where it ends, or -1. */
  #varint(start: number, end: number): number {
    const bytes = this.#bytes;
    let at = start;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= end) return -1;
      const byte = bytes[at++]!;
      if (shift < 28) low |= (byte & 127) << shift;
      else if (shift === 28) {
        low |= byte << 28;
        high = (byte & 127) >>> 4;
      } else high |= (byte & 127) << (shift - 32);
      if (byte < 128) {
        this.#varintLow = low;
        this.#varintHigh = high;
        return at;
      }
    }
    return -1;
  }

  /** `isDouble`: eight bytes on the wire. */
  #setNumber(entry: number, low: number, high: number, isDouble: boolean): boolean {
    const row = this.#row;
    const target = entry >> KIND_BITS;
    const kind = entry & KIND_MASK;
    switch (kind) {
      case SKIP:
        return true;
      case U8:
        this.#memory.u8[target + row] = low;
        return true;
      case U16:
        this.#memory.u16[target + row] = low;
        return true;
      case U32:
        this.#memory.u32[target + row] = low;
        return true;
      case F64:
        // Eight bytes on the wire are the double itself.
        if (isDouble) this.#setHalves((target + row) * 2, low, high);
        else this.#memory.f64[target + row] = high * TWO_32 + low;
        return true;
      case U64:
        this.#setHalves(target + row * 2, low, high);
        return true;
      case REGISTER:
        this.low[target] = low;
        this.high[target] = high;
        return true;
      case NULLABLE:
        this.#setNullable(target, low, high, isDouble);
        return true;
      case NUMBERS:
        this.#block!.pushNumber(target, isDouble ? asDouble(low, high) : low);
        return true;
      case DECIMALS:
        this.#block!.joinDecimal(target, low, high);
        return true;
      default:
        return false;
    }
  }

  #setHalves(at: number, low: number, high: number): void {
    const { u32 } = this.#memory;
    u32[at] = low;
    u32[at + 1] = high;
  }

  #setNullable(column: number, low: number, high: number, isDouble: boolean): void {
    const block = this.#block!;
    if (block.isDouble(column)) block.setDouble(column, isDouble ? asDouble(low, high) : high * TWO_32 + low);
    else if (block.fixed[column]!.width === 8) block.setHalves(column, low, high);
    else block.setNumber(column, low);
  }

  #setBytes(entry: number, start: number, end: number): boolean {
    const target = entry >> KIND_BITS;
    switch (entry & KIND_MASK) {
      case SKIP:
        return true;
      case TEXT:
        this.#spanFrom[target] = FROM_WIRE;
        this.#spanStart[target] = start;
        this.#spanEnd[target] = end;
        return true;
      case SPAN:
        this.start[target] = start;
        this.end[target] = end;
        return true;
      case SPANS:
        this.lists[target]!.add(start, end);
        return true;
      case TEXTS:
        this.#block!.pushTextBytes(target, this.#bytes, start, end);
        return true;
      case NUMBERS:
        return this.#block!.elementWidth(target) === 8
          ? this.#packedDoubles(target, start, end)
          : this.#packed(entry, start, end);
      case DECIMALS:
        return this.#packed(entry, start, end);
      default:
        return false;
    }
  }

  #packed(entry: number, start: number, end: number): boolean {
    for (let at = start; at < end;) {
      at = this.#varint(at, end);
      if (at < 0 || !this.#setNumber(entry, this.#varintLow >>> 0, this.#varintHigh >>> 0, false)) return false;
    }
    return true;
  }

  #packedDoubles(column: number, start: number, end: number): boolean {
    if ((end - start) % 8 !== 0) return false;
    for (let at = start; at < end; at += 8) {
      this.#block!.pushNumber(column, asDouble(this.#word(at), this.#word(at + 4)));
    }
    return true;
  }

  #word(at: number): number {
    const bytes = this.#bytes;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  #clear(bytes: Uint8Array): void {
    this.#bytes = bytes;
    const { low, high, start, end, entered, lists } = this;
    // Short: a loop costs less than calls of fill.
    for (let register = 0; register < low.length; register++) {
      low[register] = 0;
      high[register] = 0;
    }
    for (let register = 0; register < start.length; register++) {
      start[register] = 0;
      end[register] = 0;
    }
    for (let message = 0; message < entered.length; message++) entered[message] = 0;
    for (let list = 0; list < lists.length; list++) lists[list]!.count = 0;
  }

  #bind(block: RowBlock): void {
    if (!this.#compiled) this.#compile(block);
    this.#block = block;
    this.#generation = block.generation;
    this.#memory = block.memory;
    for (let index = 0; index < this.#numberSlots.length; index++) {
      const slot = this.#numberSlots[index]!;
      const kind = this.#table[slot]! & KIND_MASK;
      this.#table[slot] = ((block.fixed[this.#numberColumns[index]!]!.start / UNIT[kind]!) << KIND_BITS) | kind;
    }
    this.#spanFrom = block.spanFrom;
    this.#spanStart = block.spanStart;
    this.#spanEnd = block.spanEnd;
  }

  #compile(block: RowBlock | undefined): void {
    for (const [message, fields] of Object.values(this.#plans).entries()) {
      this.#table[message << FIELD_BITS] = NO_FIELD;
      for (const [number, plan] of Object.entries(fields)) {
        const [kind, target] = this.#resolve(plan, block);
        const slot = (message << FIELD_BITS) | Number(number);
        this.#table[slot] = (target << KIND_BITS) | kind;
        if (kind !== SKIP && kind <= F64) {
          this.#numberSlots.push(slot);
          this.#numberColumns.push(target);
        }
      }
    }
    this.#compiled = true;
  }

  #resolve(plan: FieldPlan, block: RowBlock | undefined): [kind: number, target: number] {
    switch (plan.kind) {
      case 'message':
        return [MESSAGE, this.message(plan.message)];
      case 'register':
        return [REGISTER, plan.register];
      case 'span':
        return [SPAN, plan.register];
      case 'spans':
        return [SPANS, plan.list];
      case 'column':
      case 'texts':
      case 'numbers':
      case 'decimals':
        return columnEntry(plan, block ?? bug('a record that goes into columns needs a block'));
    }
  }
}

/** Bytes by which the target of a plain number is counted, by kind. */
const UNIT = [1, 1, 2, 4, 4, 8];

/** Number of registers of a kind: one more than the greatest. */
function registersOf(plans: MessagePlans, kind: 'register' | 'span'): number {
  let count = 0;
  for (const fields of Object.values(plans)) {
    for (const plan of Object.values(fields)) {
      if (plan.kind === kind) count = Math.max(count, plan.register + 1);
    }
  }
  return count;
}

function listsOf(plans: MessagePlans): number {
  let count = 0;
  for (const fields of Object.values(plans)) {
    for (const plan of Object.values(fields)) if (plan.kind === 'spans') count = Math.max(count, plan.list + 1);
  }
  return count;
}

/** Bounds of repeated bytes, in the order they came. */
class SpanList {
  count = 0;
  starts = new Uint32Array(16);
  ends = new Uint32Array(16);

  add(start: number, end: number): void {
    if (this.count === this.starts.length) {
      this.starts = doubled(this.starts);
      this.ends = doubled(this.ends);
    }
    this.starts[this.count] = start;
    this.ends[this.count++] = end;
  }
}

function doubled(values: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(values.length * 2);
  larger.set(values);
  return larger;
}

function columnEntry(
  plan: Extract<FieldPlan, { readonly column: string }>,
  block: RowBlock,
): [kind: number, target: number] {
  const column = block.column(plan.column);
  switch (plan.kind) {
    case 'texts':
      return [TEXTS, column];
    case 'numbers':
      return [NUMBERS, column];
    case 'decimals':
      return [DECIMALS, column];
    case 'column': {
      const text = block.textOf[column]!;
      if (text >= 0) return [TEXT, text];
      return [block.nulls[column] === undefined ? numberKind(block, column) : NULLABLE, column];
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
