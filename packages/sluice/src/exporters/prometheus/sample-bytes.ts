import { putVarint64, varint64Size } from '../varint.ts';

/**
 * The sample of a series as it stands at the end of a TimeSeries (field 2). A value of 0 is written out, so that every sample of a time has one length
 * and its value one place:
 *
 *   12 | length of the rest | 09 | 8 bytes of the value, little-endian | 10 | varint of the time, epoch milliseconds (10 bytes before 1970)
 */
export const SAMPLE_TAG = 0x12;
const VALUE_TAG = 0x09;
const TIME_TAG = 0x10;

const TWO_32 = 4_294_967_296;

const one = new Float64Array(1);
const oneBytes = new Uint8Array(one.buffer);
const oneWords = new Uint32Array(one.buffer);

/** Bytes of a sample with this time. */
export function sampleSize(timeLow: number, timeHigh: number): number {
  return 12 + varint64Size(timeLow, timeHigh);
}

export function lowWord(timeMs: number): number {
  return (timeMs % TWO_32) >>> 0;
}

export function highWord(timeMs: number): number {
  return Math.floor(timeMs / TWO_32) >>> 0;
}

/** Writes a sample whose value is given as bits: low and high word. */
export function putSample(bytes: Uint8Array, at: number, value: Words, time: Words): number {
  bytes[at] = SAMPLE_TAG;
  bytes[at + 1] = sampleSize(time.low, time.high) - 2;
  bytes[at + 2] = VALUE_TAG;
  const { low, high } = value;
  bytes[at + 3] = low;
  bytes[at + 4] = low >>> 8;
  bytes[at + 5] = low >>> 16;
  bytes[at + 6] = low >>> 24;
  bytes[at + 7] = high;
  bytes[at + 8] = high >>> 8;
  bytes[at + 9] = high >>> 16;
  bytes[at + 10] = high >>> 24;
  bytes[at + 11] = TIME_TAG;
  return putVarint64(bytes, at + 12, time.low, time.high);
}

export interface Words {
  low: number;
  high: number;
}

/** Sets `words` to the bits of a number. */
export function setBits(words: Words, value: number): void {
  one[0] = value;
  words.low = oneWords[0]!;
  words.high = oneWords[1]!;
}

/** The value of the sample that ends at `end` with a time of `timeSize` bytes. */
export function valueBefore(bytes: Uint8Array, end: number, timeSize: number): number {
  const at = end - timeSize - 9;
  for (let i = 0; i < 8; i++) oneBytes[i] = bytes[at + i]!;
  return one[0]!;
}

/** Puts another value into the sample that ends at `end`. */
export function setValueBefore(bytes: Uint8Array, end: number, timeSize: number, value: Words): void {
  const at = end - timeSize - 9;
  for (let i = 0; i < 4; i++) {
    bytes[at + i] = value.low >>> (i * 8);
    bytes[at + 4 + i] = value.high >>> (i * 8);
  }
}
