import type { BitWriter } from './bit-writer.ts';

/**
 * The code for a double after another one, with x = the exclusive or of their bits and a remembered window (leading, trailing):
 *
 *   0                                                  x = 0
 *   10, then 64 - leading - trailing bits              x fits the window: x >> trailing
 *   11, 5 bits leading, 6 bits length, then the bits   a new window; leading at most 31, length 64 is written as 0
 *
 * `window` holds leading and trailing at [at] and [at + 1]; NO_WINDOW as leading = none yet. `before` are up to 16 bits to be written first: most codes
 * are short, and one write is cheaper than two.
 */
export function writeXor(
  out: BitWriter,
  low: number,
  high: number,
  window: Uint8Array,
  at: number,
  before = 0,
  beforeBits = 0,
): void {
  if (low === 0 && high === 0) return out.bits(before << 1, beforeBits + 1);
  let leading = high === 0 ? 32 + Math.clz32(low) : Math.clz32(high);
  if (leading > 31) leading = 31;
  const trailing = low === 0 ? 63 - Math.clz32(high & -high) : 31 - Math.clz32(low & -low);
  let prefix: number;
  let prefixBits: number;
  let count: number;
  let shift = window[at + 1]!;
  if (window[at] !== NO_WINDOW && leading >= window[at]! && trailing >= shift) {
    count = 64 - window[at]! - shift;
    prefix = (before << 2) | 0b10;
    prefixBits = beforeBits + 2;
  } else {
    count = 64 - leading - trailing;
    shift = trailing;
    window[at] = leading;
    window[at + 1] = trailing;
    prefix = (before << 13) | (0b11 << 11) | (leading << 6) | (count & 63);
    prefixBits = beforeBits + 13;
  }
  const shiftedLow = shift >= 32 ? high >>> (shift - 32) : shift === 0 ? low : (low >>> shift) | (high << (32 - shift));
  if (prefixBits + count <= 32) return out.bits((prefix << count) | shiftedLow, prefixBits + count);
  out.bits(prefix, prefixBits);
  if (count > 32) out.bits(high >>> shift, count - 32);
  out.bits(shiftedLow, Math.min(count, 32));
}

export const NO_WINDOW = 255;
