const TWO_32 = 4_294_967_296;
const PIECE = 1_000_000_000;

/** Bytes of the longest number below 2^64. */
export const MAX_DECIMAL = 20;

/** Writes a whole number of 64 bits in decimal digits at `at`; answers where they end. */
export function writeDecimal(bytes: Uint8Array, at: number, low: number, high: number): number {
  if (high < 0x20_0000) return writeBelow2To53(bytes, at, high * TWO_32 + low);
  // Long division by 10^9 in steps of 16 bits, whose dividends stay below 2^46.
  const a = high % PIECE;
  const b = a * 65_536 + (low >>> 16);
  const c = (b % PIECE) * 65_536 + (low & 0xffff);
  const quotient = Math.floor(high / PIECE) * TWO_32 + Math.floor(b / PIECE) * 65_536 + Math.floor(c / PIECE);
  const end = writeBelow2To53(bytes, at, quotient);
  let rest = c % PIECE;
  for (let i = 8; i >= 0; i--) {
    bytes[end + i] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return end + 9;
}

function writeBelow2To53(bytes: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let bound = 10; bound <= value; bound *= 10) digits++;
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    bytes[i] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return at + digits;
}
