/**
 * What an agent says is wrong with it: bits of SyncRequest.exception. An agent takes its bits when it sends them, so each appears once for every
 * occurrence. Known by their number only are those that a running agent was seen to send.
 */
const WORDS: ReadonlyMap<number, string> = new Map([
  [0x100, 'invalid configuration'],
  [0x8000, 'control connection'],
  [0x1_0000, 'data connection'],
  [0x10_0000, 'load circuit breaker'],
]);

/** The words of the bits that are set, lowest first; a bit without a word as its number, `0x4`. `bits` is a decimal number. */
export function exceptionWords(bits: string | undefined): readonly string[] {
  if (bits === undefined || bits === '0' || !/^\d{1,20}$/.test(bits)) return [];
  const words: string[] = [];
  let rest = BigInt.asUintN(64, BigInt(bits));
  for (let bit = 1n; rest !== 0n; bit <<= 1n) {
    if ((rest & bit) === 0n) continue;
    words.push(WORDS.get(Number(bit)) ?? `0x${bit.toString(16)}`);
    rest &= ~bit;
  }
  return words;
}
