const TWO_32 = 4_294_967_296;

/**
 * Writes floor(value / 1000), exactly, of a 64-bit value into a 64-bit column: nanoseconds to microseconds.
 *
 * The remainder of the high half is below 1000, so what is divided in the second step is below 2^42, and its quotient below 2^32.
 */
export function writeThousandth(column: Uint32Array, row: number, low: number, high: number): void {
  const quotient = Math.floor(high / 1000);
  column[row * 2 + 1] = quotient;
  column[row * 2] = Math.floor(((high - quotient * 1000) * TWO_32 + low) / 1000);
}

/**
 * Whole seconds of 64-bit nanoseconds, exactly; below 2^34.6.
 *
 * 10^9 = 2^9 * 1,953,125: without its low 9 bits the value is below 2^55, so the division goes by halves as above, with remainders below 2^53.
 */
export function secondsOf(low: number, high: number): number {
  const upper = high >>> 9;
  const lower = ((high << 23) | (low >>> 9)) >>> 0;
  const quotient = Math.floor(upper / 1_953_125);
  return quotient * TWO_32 + Math.floor(((upper - quotient * 1_953_125) * TWO_32 + lower) / 1_953_125);
}

/** The same as a number: exact below 2^53. */
export function thousandthOf(low: number, high: number): number {
  const quotient = Math.floor(high / 1000);
  return quotient * TWO_32 + Math.floor(((high - quotient * 1000) * TWO_32 + low) / 1000);
}
