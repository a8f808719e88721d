import type { BitWriter } from './bit-writer.ts';
import { NO_WINDOW, writeXor } from './xor-code.ts';

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

const window = new Uint8Array(2);

/**
 * Writes the chunk of `count` samples from `from` on: times in epoch milliseconds, strictly ascending; values as bits, two Uint32 a value: low, high.
 */
export function writeXorChunk(
  out: BitWriter,
  times: Float64Array,
  values: Uint32Array,
  from: number,
  count: number,
): void {
  out.reset();
  out.reserve(16 + count * SAMPLE_BYTES);
  out.bits(count, 16);
  window[0] = NO_WINDOW;
  window[1] = 0;
  let time = times[from]!;
  let low = values[from * 2]!;
  let high = values[from * 2 + 1]!;
  out.varint(time);
  out.bits64(low, high);
  let distance = 0;
  for (let index = from + 1; index < from + count; index++) {
    const nextTime = times[index]!;
    const nextDistance = nextTime - time;
    const nextLow = values[index * 2]!;
    const nextHigh = values[index * 2 + 1]!;
    const difference = nextDistance - distance;
    if (difference === 0 && index > from + 1) writeXor(out, low ^ nextLow, high ^ nextHigh, window, 0, 0, 1);
    else if (difference >= -8191 && difference <= 8192 && index > from + 1) {
      writeXor(out, low ^ nextLow, high ^ nextHigh, window, 0, (0b10 << 14) | (difference & 0x3fff), 16);
    } else {
      if (index === from + 1) out.uvarint(nextDistance);
      else writeLongTime(out, difference);
      writeXor(out, low ^ nextLow, high ^ nextHigh, window, 0);
    }
    time = nextTime;
    distance = nextDistance;
    low = nextLow;
    high = nextHigh;
  }
  out.finish();
}

/** Differences beyond 14 bits. */
function writeLongTime(out: BitWriter, difference: number): void {
  if (difference >= -65_535 && difference <= 65_536) return out.bits((0b110 << 17) | (difference & 0x1ffff), 20);
  if (difference >= -524_287 && difference <= 524_288) return out.bits((0b1110 << 20) | (difference & 0xfffff), 24);
  out.bits(0b1111, 4);
  out.bits64(difference | 0, Math.floor(difference / 4_294_967_296));
}
