import type { BitWriter } from './bit-writer.ts';

/**
 * The code for a double after another one, with x = the exclusive or of their bits and a remembered window (leading, trailing):
 *
 *   0                                                  x = 0
 *   10, then 64 - leading - trailing bits              x fits the window: x >> trailing
 *   11, 5 bits leading, 6 bits length, then the bits   a new window; leading at most 31, length 64 is written as 0
 *
 * `window` holds leading and trailing at [at] and [at + 1]; NO_WINDOW as leading = none yet.
 */
export function writeXor(out: BitWriter, low: number, high: number, window: Uint8Array, at: number): void {
  if (low === 0 && high === 0) return out.bits(0, 1);
  let leading = high === 0 ? 32 + Math.clz32(low) : Math.clz32(high);
  if (leading > 31) leading = 31;
  const trailing = low === 0 ? 63 - Math.clz32(high & -high) : 31 - Math.clz32(low & -low);
  let count: number;
  let shift = window[at + 1]!;
  if (window[at] !== NO_WINDOW && leading >= window[at]! && trailing >= shift) {
    out.bits(0b10, 2);
    count = 64 - window[at]! - shift;
  } else {
    count = 64 - leading - trailing;
    window[at] = leading;
    window[at + 1] = trailing;
    shift = trailing;
    out.bits((0b11 << 11) | (leading << 6) | (count & 63), 13);
  }
  if (shift >= 32) out.bits(high >>> (shift - 32), count);
  else if (shift === 0) out.wideBits(low, high, count);
  else out.wideBits((low >>> shift) | (high << (32 - shift)), high >>> shift, count);
}

export const NO_WINDOW = 255;
