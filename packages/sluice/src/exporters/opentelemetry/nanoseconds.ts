/** Microseconds of a row, two words, as nanoseconds: out[0] low, out[1] high half. */
export function putNanoseconds(words: Uint32Array, row: number, out: Uint32Array): void {
  const low = words[row * 2]! * 1000;
  out[0] = low;
  out[1] = words[row * 2 + 1]! * 1000 + Math.floor(low / 0x1_0000_0000);
}
