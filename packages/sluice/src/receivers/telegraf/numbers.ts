/**
 * Numbers of the line protocol, read from bytes without making a text of them. NaN stands for "not a number of this kind": the protocol has neither
 * NaN nor infinities.
 */

const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const CAPITAL_E = 0x45;
const SMALL_E = 0x65;

/** Digits that a double holds exactly, and the greatest power of ten that it is exactly. */
const EXACT_DIGITS = 15;
const EXACT_POWER = 22;
const powers = Float64Array.from({ length: EXACT_POWER + 1 }, (_, exponent) => Number(`1e${exponent}`));

const MAX_INT64 = Buffer.from('9223372036854775807');
const LEAST_INT64 = Buffer.from('9223372036854775808');
const MAX_UINT64 = Buffer.from('18446744073709551615');

/** `-12.5e-3`: digits with a point anywhere between or beside them, and an exponent. */
export function readFloat(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const isNegative = bytes[at] === MINUS;
  if (isNegative) at++;
  let mantissa = 0;
  let digits = 0;
  let seen = 0;
  let scale = 0;
  let hasPoint = false;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === POINT && !hasPoint) {
      hasPoint = true;
      continue;
    }
    if (byte < ZERO || byte > NINE) break;
    seen++;
    // Zeros before the first other digit count for nothing.
    if (digits > 0 || byte !== ZERO) digits++;
    mantissa = mantissa * 10 + (byte - ZERO);
    if (hasPoint) scale--;
  }
  if (seen === 0) return NaN;
  if (at < end) {
    const exponent = readExponent(bytes, at, end);
    if (Number.isNaN(exponent)) return NaN;
    scale += exponent;
  }
  // Two exact doubles make the nearest one of their product or quotient; anything else is left to the long way.
  if (digits <= EXACT_DIGITS && scale >= -EXACT_POWER && scale <= EXACT_POWER) {
    const value = scale < 0 ? mantissa / powers[-scale]! : mantissa * powers[scale]!;
    return isNegative ? -value : value;
  }
  const value = Number(textOf(bytes, start, end));
  return Number.isFinite(value) ? value : NaN;
}

/** `-12` of a signed, `12` of an unsigned integer of 64 bits; as the nearest double. */
export function readInteger(bytes: Uint8Array, start: number, end: number, isUnsigned: boolean): number {
  const isNegative = bytes[start] === MINUS;
  const first = isNegative ? start + 1 : start;
  if (isNegative && isUnsigned) return NaN;
  if (!isWhole(bytes, first, end, isUnsigned ? MAX_UINT64 : isNegative ? LEAST_INT64 : MAX_INT64)) return NaN;
  let value = 0;
  if (end - first > EXACT_DIGITS) value = Number(textOf(bytes, first, end));
  else for (let at = first; at < end; at++) value = value * 10 + (bytes[at]! - ZERO);
  return isNegative ? -value : value;
}

/** Whether these are digits, and at least one, of a number up to `most`. */
function isWhole(bytes: Uint8Array, start: number, end: number, most: Uint8Array): boolean {
  if (start >= end) return false;
  for (let at = start; at < end; at++) if (bytes[at]! < ZERO || bytes[at]! > NINE) return false;
  let first = start;
  while (first < end && bytes[first] === ZERO) first++;
  if (end - first !== most.length) return end - first < most.length;
  for (let i = 0; i < most.length; i++) if (bytes[first + i] !== most[i]) return bytes[first + i]! < most[i]!;
  return true;
}

/**
 * Epoch seconds of a timestamp of 64 bits whose last `dropped` digits are fractions of a second; rounded down. NaN when it is none. Exact below 2^53,
 * as nothing is divided.
 */
export function readSeconds(bytes: Uint8Array, start: number, end: number, dropped: number): number {
  const isNegative = bytes[start] === MINUS;
  const first = isNegative ? start + 1 : start;
  if (!isWhole(bytes, first, end, isNegative ? LEAST_INT64 : MAX_INT64)) return NaN;
  const cut = Math.max(end - dropped, first);
  let seconds = 0;
  for (let at = first; at < cut; at++) seconds = seconds * 10 + (bytes[at]! - ZERO);
  if (!isNegative) return seconds;
  let hasFraction = false;
  for (let at = cut; at < end; at++) if (bytes[at] !== ZERO) hasFraction = true;
  return hasFraction ? -seconds - 1 : -seconds;
}

function readExponent(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] !== SMALL_E && bytes[start] !== CAPITAL_E) return NaN;
  let at = start + 1;
  const isNegative = bytes[at] === MINUS;
  if (isNegative || bytes[at] === PLUS) at++;
  if (at >= end) return NaN;
  let exponent = 0;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < ZERO || byte > NINE) return NaN;
    exponent = Math.min(exponent * 10 + (byte - ZERO), 1_000_000);
  }
  return isNegative ? -exponent : exponent;
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', start, end);
}
