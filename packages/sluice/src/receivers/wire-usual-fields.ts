import { FROM_WIRE } from '../batch/row-block.ts';
import { KIND, LAYOUT } from './wire-table.ts';
import type { WireWalk } from './wire-walk.ts';

// Constants of this file itself are known to the compiler as such.
const { SKIP, U8, U16, U32, U64, F64, REGISTER, TEXT, SPAN, MESSAGE } = KIND;
const { kindBits, kindMask, fieldBits } = LAYOUT;
const TWO_32 = 4_294_967_296;

/** How `takeUsualFields` ends. */
export const DONE = 0;
export const MALFORMED = 1;
export const UNUSUAL = 2;

/** A varint is this long at most; so far from the end of the memory one is read without looking for the end. */
const VARINT = 10;

/**
 * Takes fields up to the end of the message, or to the first that is not of the usual forms: a tag of one or two bytes, then a number for a plain
 * column or a register, or up to 16 KiB of bytes for a text, a register or a message. No calls, no assignments to fields of the walk before the
 * end, and whole numbers of 32 bits, told to the compiler so: it looks at the arrays once and not for each field, for a third of the instructions.
 */
export function takeUsualFields(walk: WireWalk): number {
  const { bytes, table } = walk;
  const row = walk.row | 0;
  const { u8, u16, u32, f64 } = walk.memory;
  const { low: lows, high: highs, start: starts, end: ends, entered } = walk;
  const { spanFrom, spanStart, spanEnd, slotsOutside, stopOutside } = walk;
  const deepest = slotsOutside.length | 0;
  const fast = (bytes.length - VARINT) | 0;
  let slots = walk.slots | 0;
  let at = walk.at | 0;
  let stop = walk.stop | 0;
  let depth = walk.depth | 0;
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
    const target = entry >> kindBits;
    const kind = entry & kindMask;
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
      slots = (target << fieldBits) | 0;
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
  walk.at = begin;
  walk.stop = stop;
  walk.slots = slots;
  walk.depth = depth;
  return UNUSUAL;
}
