import { hash } from 'node:crypto';

/*
 * Ids of traces and spans as rows have them (any text) made into those of OTLP (16 and 8 bytes, not all 0).
 *
 * Hexadecimal digits are the id itself; short ones are filled with zeros on the left, as W3C and B3 have it for ids of 64 bits, and of long ones the
 * first digits count. A UUID is the id without its dashes. SkyWalking's `<32 digits>.<thread>.<number>` is mixed as SkyWalking's own exporters do it:
 * bytes 4 to 7 of the digits XOR the thread, bytes 8 to 15 XOR the number, both little-endian. Anything else becomes the first bytes of its SHA-256,
 * so that equal texts stay equal ids, here and in every other hub.
 */

const TRACE_DIGITS = 32;
const SPAN_DIGITS = 16;
const UUID_LENGTH = 36;
const DASH = 0x2d;
const DOT = 0x2e;

/** Value of a hexadecimal digit by its character, -1 for others. */
const digits = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value++) {
  digits[value.toString(16).charCodeAt(0)] = value;
  digits[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

/** What became of a text: no id (empty, or all zeros), the id it spells, or one made of it. */
export const ID_ABSENT = 0;
export const ID_SPELLED = 1;
export const ID_HASHED = 2;

/** Writes the trace id of the text in [start, end) to out[0, 16); tells what it is. */
export function writeTraceId(text: Uint8Array, start: number, end: number, out: Uint8Array): number {
  const length = end - start;
  if (length === 0) return ID_ABSENT;
  if (length === TRACE_DIGITS && writePairs(text, start, out, 16)) return isZero(out, 16) ? ID_ABSENT : ID_SPELLED;
  if (isHex(text, start, end)) return writeHex(text, start, Math.min(end, start + TRACE_DIGITS), out, 16);
  if (length === UUID_LENGTH && writeUuid(text, start, out)) return isZero(out, 16) ? ID_ABSENT : ID_SPELLED;
  if (length > UUID_LENGTH && writeSkywalking(text, start, end, out)) return ID_SPELLED;
  return writeHash(text, start, end, out, 16);
}

/** Writes the span id of the text in [start, end) to out[0, 8); tells what it is. */
export function writeSpanId(text: Uint8Array, start: number, end: number, out: Uint8Array): number {
  if (start === end) return ID_ABSENT;
  if (end - start === SPAN_DIGITS && writePairs(text, start, out, 8)) return isZero(out, 8) ? ID_ABSENT : ID_SPELLED;
  if (isHex(text, start, end)) return writeHex(text, start, Math.min(end, start + SPAN_DIGITS), out, 8);
  return writeHash(text, start, end, out, 8);
}

/** Writes 64 bits, given as halves, in network order to out[0, 8). */
export function writeRowId(low: number, high: number, out: Uint8Array): void {
  for (let i = 0; i < 4; i++) {
    out[i] = high >>> (24 - i * 8);
    out[i + 4] = low >>> (24 - i * 8);
  }
}

export function isZero(bytes: Uint8Array, length: number): boolean {
  let seen = 0;
  for (let i = 0; i < length; i++) seen |= bytes[i]!;
  return seen === 0;
}

/** The usual form, two digits a byte; false when one is none. */
function writePairs(text: Uint8Array, start: number, out: Uint8Array, size: number): boolean {
  let signs = 0;
  for (let i = 0; i < size; i++) {
    const value = (digits[text[start + i * 2]!]! << 4) | digits[text[start + i * 2 + 1]!]!;
    out[i] = value;
    signs |= value;
  }
  return signs >= 0;
}

function isHex(text: Uint8Array, start: number, end: number): boolean {
  let signs = 0;
  for (let i = start; i < end; i++) signs |= digits[text[i]!]!;
  return signs >= 0;
}

function writeHex(text: Uint8Array, start: number, end: number, out: Uint8Array, size: number): number {
  out.fill(0, 0, size);
  let seen = 0;
  // From the last digit on, so that short ones fill up on the left.
  for (let i = end - 1, half = size * 2 - 1; i >= start; i--, half--) {
    const value = digits[text[i]!]!;
    seen |= value;
    out[half >> 1]! |= (half & 1) === 0 ? value << 4 : value;
  }
  return seen === 0 ? ID_ABSENT : ID_SPELLED;
}

function writeUuid(text: Uint8Array, start: number, out: Uint8Array): boolean {
  let half = 0;
  out.fill(0, 0, 16);
  for (let i = 0; i < UUID_LENGTH; i++) {
    const character = text[start + i]!;
    if (i === 8 || i === 13 || i === 18 || i === 23) {
      if (character !== DASH) return false;
      continue;
    }
    const value = digits[character]!;
    if (value < 0) return false;
    out[half >> 1]! |= (half & 1) === 0 ? value << 4 : value;
    half++;
  }
  return true;
}

function writeSkywalking(text: Uint8Array, start: number, end: number, out: Uint8Array): boolean {
  const first = start + TRACE_DIGITS;
  if (text[first] !== DOT || !isHex(text, start, first)) return false;
  const second = text.subarray(0, end).lastIndexOf(DOT);
  if (second <= first) return false;
  writeHex(text, start, first, out, 16);
  if (!readDecimal(text, first + 1, second)) return false;
  xor(out, 4, decimal[0]!);
  if (!readDecimal(text, second + 1, end)) return false;
  xor(out, 8, decimal[0]!);
  xor(out, 12, decimal[1]!);
  return !isZero(out, 16);
}

/** Little-endian. */
function xor(out: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) out[at + i]! ^= (value >>> (i * 8)) & 255;
}

/** The number read last, low and high half. */
const decimal = new Uint32Array(2);
const MOST_DIGITS = 18;

function readDecimal(text: Uint8Array, start: number, end: number): boolean {
  if (end === start || end - start > MOST_DIGITS) return false;
  let low = 0;
  let high = 0;
  for (let i = start; i < end; i++) {
    const digit = text[i]! - 0x30;
    if (digit < 0 || digit > 9) return false;
    const sum = low * 10 + digit;
    low = sum % 0x1_0000_0000;
    high = high * 10 + Math.floor(sum / 0x1_0000_0000);
  }
  decimal[0] = low;
  decimal[1] = high;
  return true;
}

function writeHash(text: Uint8Array, start: number, end: number, out: Uint8Array, size: number): number {
  const digest = hash('sha256', text.subarray(start, end), 'buffer');
  for (let i = 0; i < size; i++) out[i] = digest[i]!;
  return ID_HASHED;
}
