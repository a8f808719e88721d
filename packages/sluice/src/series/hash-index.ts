import type { WordTable } from '../base/word-table.ts';

/**
 * Open-addressed hash table of numbers (1, 2, ...) whose 32-bit hashes stand in word `offset` of their records. The caller
 * compares what the numbers stand for.
 *
 * 256 segments that grow one by one, so that growing never takes long; linear probing; a run longer than MAX_PROBES makes the segment grow, so a
 * look-up is bounded even if hashes are unlucky. The hashes must be keyed with a secret of the process.
 */
const MAX_PROBES = 64;
/** Beyond this factor of its entries a segment is not grown for long runs: equal hashes cannot be told apart by growing. */
const MAX_SPARSENESS = 32;

export class HashIndex {
  readonly #table: WordTable;
  readonly #offset: number;
  readonly #segments: Uint32Array[] = Array.from({ length: 256 }, () => new Uint32Array(8));
  readonly #counts = new Uint32Array(256);

  constructor(table: WordTable, offset: number) {
    this.#table = table;
    this.#offset = offset;
  }

  get bytes(): number {
    let sum = 0;
    for (const segment of this.#segments) sum += segment.byteLength;
    return sum;
  }

  /** Makes room for this many numbers at once, which is cheaper than growing there. */
  expect(count: number): void {
    let size = 8;
    while (size * 0.6 < count / 256) size *= 2;
    for (let index = 0; index < 256; index++) if (this.#segments[index]!.length < size) this.#grow(index, size);
  }

  /** The `step`-th number in the run that begins at the hash's own place; 0 = the run ends. Skip numbers with other hashes. */
  probe(hash: number, step: number): number {
    const segment = this.#segments[hash >>> 24]!;
    return segment[(hash + step) & (segment.length - 1)]!;
  }

  insert(number: number): void {
    const hash = this.#hashOf(number);
    const index = hash >>> 24;
    for (;;) {
      const segment = this.#segments[index]!;
      const count = this.#counts[index]!;
      const mask = segment.length - 1;
      if ((count + 1) * 10 > segment.length * 7) {
        this.#grow(index);
        continue;
      }
      let step = 0;
      while (segment[(hash + step) & mask] !== 0) step++;
      if (step > MAX_PROBES && segment.length < (count + 1) * MAX_SPARSENESS) {
        this.#grow(index);
        continue;
      }
      segment[(hash + step) & mask] = number;
      this.#counts[index] = count + 1;
      return;
    }
  }

  /** Takes the number out; its hash must still stand in its record. */
  remove(number: number): void {
    const hash = this.#hashOf(number);
    const index = hash >>> 24;
    const segment = this.#segments[index]!;
    const mask = segment.length - 1;
    let hole = hash & mask;
    while (segment[hole] !== number) {
      if (segment[hole] === 0) return;
      hole = (hole + 1) & mask;
    }
    // Later entries of the run move up, so that no run has a gap.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const other = segment[at]!;
      if (other === 0) break;
      const home = this.#hashOf(other) & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        segment[hole] = other;
        hole = at;
      }
    }
    segment[hole] = 0;
    this.#counts[index]!--;
  }

  #hashOf(number: number): number {
    return this.#table.words[number * this.#table.stride + this.#offset]!;
  }

  #grow(index: number, size = this.#segments[index]!.length * 2): void {
    const old = this.#segments[index]!;
    const grown = new Uint32Array(size);
    const mask = grown.length - 1;
    for (const number of old) {
      if (number === 0) continue;
      let at = this.#hashOf(number) & mask;
      while (grown[at] !== 0) at = (at + 1) & mask;
      grown[at] = number;
    }
    this.#segments[index] = grown;
  }
}
