import type { BitWriter } from './bit-writer.ts';
import { NO_WINDOW } from './xor-code.ts';

/*
 * XOR chunk: uint16 big-endian number of samples, then bits.
 *
 *   sample 0    varint time in ms | 64 bits of the value
 *   sample 1    uvarint time - time of 0 | xor code
 *   others      D = this distance of times - the one before:  0           D = 0
 *               (n bits cover -(2^(n-1) - 1) .. 2^(n-1))      10, 14 bits | 110, 17 bits | 1110, 20 bits | 1111, 64 bits
 *               | xor code
 */

/** Samples of one chunk as Prometheus cuts them. */
export const SAMPLES_PER_CHUNK = 120;

/** Greatest number of bytes a sample takes: 4 + 64 bits of time, 2 + 11 + 64 bits of value. */
const SAMPLE_BYTES = 19;

/**
 * Writes the chunk of `count` samples from `from` on: times in epoch milliseconds, strictly ascending; values as bits, two Uint32 a value: low, high.
 *
 * The loop keeps the bits in progress in variables of its own and has the XOR code (xor-code.ts) written out: calls for every few bits cost three times
 * as much.
 */
export function writeXorChunk(
  out: BitWriter,
  times: Float64Array,
  values: Uint32Array,
  from: number,
  count: number,
): void {
  out.reset();
  out.reserve(24 + count * SAMPLE_BYTES);
  out.bits(count, 16);
  let time = times[from]!;
  let low = values[from * 2]! | 0;
  let high = values[from * 2 + 1]! | 0;
  out.varint(time);
  out.bits64(low >>> 0, high >>> 0);
  const end = from + count;
  let distance = 0;
  if (count > 1) {
    distance = times[from + 1]! - time;
    out.uvarint(distance);
  }
  const { view } = out;
  let at = out.length;
  let pending = out.pending;
  let used = out.pendingBits;
  let leading = NO_WINDOW;
  let trailing = 0;
  for (let index = from + 1; index < end; index++) {
    // Up to 16 bits of time; longer ones are written at once.
    let head = 0;
    let headBits = 0;
    const nextTime = times[index]!;
    if (index > from + 1) {
      const nextDistance = nextTime - time;
      const difference = nextDistance - distance;
      distance = nextDistance;
      if (difference === 0) headBits = 1;
      else if (difference >= -8191 && difference <= 8192) {
        head = (0b10 << 14) | (difference & 0x3fff);
        headBits = 16;
      } else {
        out.length = at;
        out.pending = pending;
        out.pendingBits = used;
        writeLongTime(out, difference);
        at = out.length;
        pending = out.pending;
        used = out.pendingBits;
      }
    }
    time = nextTime;
    const nextLow = values[index * 2]! | 0;
    const nextHigh = values[index * 2 + 1]! | 0;
    const xorLow = low ^ nextLow;
    const xorHigh = high ^ nextHigh;
    low = nextLow;
    high = nextHigh;
    let valueBits = 0;
    if ((xorLow | xorHigh) === 0) {
      head <<= 1;
      headBits += 1;
    } else {
      const zerosBefore = xorHigh === 0 ? 31 : Math.min(Math.clz32(xorHigh), 31);
      const zerosBehind = xorLow === 0 ? 63 - Math.clz32(xorHigh & -xorHigh) : 31 - Math.clz32(xorLow & -xorLow);
      if (leading !== NO_WINDOW && zerosBefore >= leading && zerosBehind >= trailing) {
        valueBits = 64 - leading - trailing;
        head = (head << 2) | 0b10;
        headBits += 2;
      } else {
        leading = zerosBefore;
        trailing = zerosBehind;
        valueBits = 64 - leading - trailing;
        head = (head << 13) | (0b11 << 11) | (leading << 6) | (valueBits & 63);
        headBits += 13;
      }
    }
    let free = 32 - used;
    if (headBits < free) {
      pending |= head << (free - headBits);
      used += headBits;
    } else {
      used = headBits - free;
      view.setInt32(at, pending | (head >>> used));
      at += 4;
      pending = used === 0 ? 0 : head << (32 - used);
    }
    if (valueBits === 0) continue;
    if (valueBits > 32) {
      const part = xorHigh >>> trailing;
      const bits = valueBits - 32;
      free = 32 - used;
      if (bits < free) {
        pending |= part << (free - bits);
        used += bits;
      } else {
        used = bits - free;
        view.setInt32(at, pending | (part >>> used));
        at += 4;
        pending = used === 0 ? 0 : part << (32 - used);
      }
      valueBits = 32;
    }
    const part =
      trailing >= 32
        ? xorHigh >>> (trailing - 32)
        : trailing === 0
          ? xorLow
          : (xorLow >>> trailing) | (xorHigh << (32 - trailing));
    free = 32 - used;
    if (valueBits < free) {
      pending |= part << (free - valueBits);
      used += valueBits;
    } else {
      used = valueBits - free;
      view.setInt32(at, pending | (part >>> used));
      at += 4;
      pending = used === 0 ? 0 : part << (32 - used);
    }
  }
  out.length = at;
  out.pending = pending;
  out.pendingBits = used;
  out.finish();
}

/** Differences beyond 14 bits. */
function writeLongTime(out: BitWriter, difference: number): void {
  if (difference >= -65_535 && difference <= 65_536) return out.bits((0b110 << 17) | (difference & 0x1ffff), 20);
  if (difference >= -524_287 && difference <= 524_288) return out.bits((0b1110 << 20) | (difference & 0xfffff), 24);
  out.bits(0b1111, 4);
  out.bits64(difference | 0, Math.floor(difference / 4_294_967_296));
}
