/** Numbers as decimal text in bytes. Each function writes from `at` on, where there must be room, and tells where the text ends. */

/** Longest text of a 64-bit number. */
export const MOST_DIGITS = 20;

const TWO_32 = 4_294_967_296;
const MINUS = 0x2d;

/** Two digits for each of 0 to 99. */
const PAIRS = Uint8Array.from({ length: 200 }, (_, i) => 48 + (i % 2 === 0 ? Math.floor(i / 20) : (i >> 1) % 10));

/** 0 to 2^32 - 1. */
export function putUnsigned(bytes: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    bytes[at] = 48 + value;
    return at + 1;
  }
  const end = at + digitsOf(value);
  let rest = value >>> 0;
  let place = end;
  while (rest >= 100) {
    const quotient = (rest / 100) >>> 0;
    const pair = (rest - quotient * 100) * 2;
    bytes[--place] = PAIRS[pair + 1]!;
    bytes[--place] = PAIRS[pair]!;
    rest = quotient;
  }
  if (rest >= 10) {
    bytes[place - 1] = PAIRS[rest * 2 + 1]!;
    bytes[place - 2] = PAIRS[rest * 2]!;
  } else bytes[place - 1] = 48 + rest;
  return end;
}

/** -2^31 to 2^31 - 1. */
export function putSigned(bytes: Uint8Array, at: number, value: number): number {
  if (value >= 0) return putUnsigned(bytes, at, value);
  bytes[at] = MINUS;
  return putUnsigned(bytes, at + 1, -value);
}

/** A whole number from 0 to 2^53 - 1. */
export function putWhole(bytes: Uint8Array, at: number, value: number): number {
  if (value < TWO_32) return putUnsigned(bytes, at, value);
  let high = Math.floor(value / 1e8);
  let low = value - high * 1e8;
  // The quotient may have been rounded up to the next whole number.
  if (low < 0) {
    high--;
    low += 1e8;
  }
  return putFixed(bytes, putUnsigned(bytes, at, high), low, 8);
}

/** 0 to 2^64 - 1, as two halves. */
export function putUnsigned64(bytes: Uint8Array, at: number, low: number, high: number): number {
  if (high < 0x20_0000) return putWhole(bytes, at, high * TWO_32 + low);
  // Divided by a million in two steps, each of which stays below 2^53.
  const upper = Math.floor(high / 1e6);
  const middle = (high - upper * 1e6) * TWO_32 + low;
  const lower = Math.floor(middle / 1e6);
  const end = putWhole(bytes, at, upper * TWO_32 + lower);
  return putFixed(bytes, end, middle - lower * 1e6, 6);
}

/** -2^63 to 2^63 - 1, as the two halves of its two's complement. */
export function putSigned64(bytes: Uint8Array, at: number, low: number, high: number): number {
  if (high < 0x8000_0000) return putUnsigned64(bytes, at, low, high);
  bytes[at] = MINUS;
  const negatedLow = (~low + 1) >>> 0;
  const negatedHigh = (negatedLow === 0 ? ~high + 1 : ~high) >>> 0;
  return putUnsigned64(bytes, at + 1, negatedLow, negatedHigh);
}

/** With zeros in front, up to `width` digits. */
export function putFixed(bytes: Uint8Array, at: number, value: number, width: number): number {
  let rest = value >>> 0;
  for (let place = at + width - 1; place >= at; place--) {
    const quotient = (rest / 10) >>> 0;
    bytes[place] = 48 + (rest - quotient * 10);
    rest = quotient;
  }
  return at + width;
}

/** The text of a finite number as Go's `strconv.FormatFloat(value, 'f', -1, 64)` has it: the shortest exact one, without an exponent. */
export function putFloat(bytes: Uint8Array, at: number, value: number): number {
  if (Number.isSafeInteger(value)) {
    if (value >= 0 && !Object.is(value, -0)) return putWhole(bytes, at, value);
    bytes[at] = MINUS;
    return putWhole(bytes, at + 1, -value);
  }
  const text = plainText(value);
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** Longest text of `putFloat`: the least number, 0.000...5, and the greatest, both with a sign. */
export const MOST_FLOAT = 344;

function plainText(value: number): string {
  const text = String(value);
  const exponentAt = text.indexOf('e');
  if (exponentAt < 0) return text;
  const sign = value < 0 ? '-' : '';
  const digits = text.slice(sign.length, exponentAt).replace('.', '');
  // Digits before the point; JavaScript writes an exponent below 1e-6 and from 1e21 on, where it lies outside of them.
  const point = Number(text.slice(exponentAt + 1)) + 1;
  return point <= 0 ? `${sign}0.${'0'.repeat(-point)}${digits}` : `${sign}${digits.padEnd(point, '0')}`;
}

function digitsOf(value: number): number {
  if (value < 100_000) {
    if (value < 1000) return value < 10 ? 1 : value < 100 ? 2 : 3;
    return value < 10_000 ? 4 : 5;
  }
  if (value < 10_000_000) return value < 1_000_000 ? 6 : 7;
  return value < 100_000_000 ? 8 : value < 1_000_000_000 ? 9 : 10;
}
