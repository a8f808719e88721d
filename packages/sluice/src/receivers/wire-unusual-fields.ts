import { FROM_WIRE } from '../batch/row-block.ts';
import { KIND, LAYOUT } from './wire-table.ts';
import type { WireWalk } from './wire-walk.ts';

const { SKIP, U8, U16, U32, U64, F64, REGISTER, TEXT, SPAN, MESSAGE, NULLABLE, TEXTS, NUMBERS, DECIMALS, SPANS } = KIND;
const { kindBits, kindMask, fieldBits } = LAYOUT;
const TWO_32 = 4_294_967_296;

/** Fields of any form, one at a time: what `takeUsualFields` leaves. */
export class UnusualFields {
  readonly #walk: WireWalk;
  /** The varint read last by `#varint`. */
  #varintLow = 0;
  #varintHigh = 0;

  constructor(walk: WireWalk) {
    this.#walk = walk;
  }

  /** Takes one field of any form; false when it is malformed. */
  take(): boolean {
    const walk = this.#walk;
    const { stop } = walk;
    let at = this.#varint(walk.at, stop);
    if (at < 0 || this.#varintHigh !== 0) return false;
    const tag = this.#varintLow;
    const field = tag >>> 3;
    if (field === 0) return false;
    const entry = field < 1 << fieldBits ? walk.table[walk.slots | field]! : SKIP;
    switch (tag & 7) {
      case 0:
        at = this.#varint(at, stop);
        walk.at = at;
        return at >= 0 && this.#setNumber(entry, this.#varintLow >>> 0, this.#varintHigh >>> 0, false);
      case 1:
        walk.at = at + 8;
        return stop - at >= 8 && this.#setNumber(entry, this.#word(at), this.#word(at + 4), true);
      case 2: {
        at = this.#varint(at, stop);
        if (at < 0 || this.#varintHigh !== 0 || this.#varintLow >>> 0 > stop - at) return false;
        walk.at = at + this.#varintLow;
        return (entry & kindMask) === MESSAGE ? this.#enter(entry >> kindBits, at) : this.#setBytes(entry, at, walk.at);
      }
      case 5:
        walk.at = at + 4;
        return stop - at >= 4 && this.#setNumber(entry, this.#word(at), 0, false);
      default:
        return false;
    }
  }

  /** Goes into a message that begins at `start` and ends where the present position is. */
  #enter(message: number, start: number): boolean {
    const walk = this.#walk;
    const { depth } = walk;
    if (depth === walk.slotsOutside.length) return false;
    walk.entered[message] = 1;
    walk.slotsOutside[depth] = walk.slots;
    walk.stopOutside[depth] = walk.stop;
    walk.depth = depth + 1;
    walk.slots = message << fieldBits;
    walk.stop = walk.at;
    walk.at = start;
    return true;
  }

  /** Reads a varint of which the bytes may end; answers where it ends, or -1. */
  #varint(start: number, end: number): number {
    const { bytes } = this.#walk;
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
    const walk = this.#walk;
    const { row } = walk;
    const target = entry >> kindBits;
    const kind = entry & kindMask;
    switch (kind) {
      case SKIP:
        return true;
      case U8:
        walk.memory.u8[target + row] = low;
        return true;
      case U16:
        walk.memory.u16[target + row] = low;
        return true;
      case U32:
        walk.memory.u32[target + row] = low;
        return true;
      case F64:
        // Eight bytes on the wire are the double itself.
        if (isDouble) this.#setHalves((target + row) * 2, low, high);
        else walk.memory.f64[target + row] = high * TWO_32 + low;
        return true;
      case U64:
        this.#setHalves(target + row * 2, low, high);
        return true;
      case REGISTER:
        walk.low[target] = low;
        walk.high[target] = high;
        return true;
      case NULLABLE:
        this.#setNullable(target, low, high, isDouble);
        return true;
      case NUMBERS:
        walk.block!.pushNumber(target, isDouble ? asDouble(low, high) : low);
        return true;
      case DECIMALS:
        walk.block!.joinDecimal(target, low, high);
        return true;
      default:
        return false;
    }
  }

  #setHalves(at: number, low: number, high: number): void {
    const { u32 } = this.#walk.memory;
    u32[at] = low;
    u32[at + 1] = high;
  }

  #setNullable(column: number, low: number, high: number, isDouble: boolean): void {
    const block = this.#walk.block!;
    if (block.isDouble(column)) block.setDouble(column, isDouble ? asDouble(low, high) : high * TWO_32 + low);
    else if (block.fixed[column]!.width === 8) block.setHalves(column, low, high);
    else block.setNumber(column, low);
  }

  #setBytes(entry: number, start: number, end: number): boolean {
    const walk = this.#walk;
    const target = entry >> kindBits;
    switch (entry & kindMask) {
      case SKIP:
        return true;
      case TEXT:
        walk.spanFrom[target] = FROM_WIRE;
        walk.spanStart[target] = start;
        walk.spanEnd[target] = end;
        return true;
      case SPAN:
        walk.start[target] = start;
        walk.end[target] = end;
        return true;
      case SPANS:
        walk.lists[target]!.add(start, end);
        return true;
      case TEXTS:
        walk.block!.pushTextBytes(target, walk.bytes, start, end);
        return true;
      case NUMBERS:
        return walk.block!.elementWidth(target) === 8
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
      this.#walk.block!.pushNumber(column, asDouble(this.#word(at), this.#word(at + 4)));
    }
    return true;
  }

  #word(at: number): number {
    const { bytes } = this.#walk;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }
}

const doubles = new Float64Array(1);
const halves = new Uint32Array(doubles.buffer);

function asDouble(low: number, high: number): number {
  halves[0] = low;
  halves[1] = high;
  return doubles[0]!;
}
