import type { RowBlock } from '../../batch/row-block.ts';

const TWO_32 = 4_294_967_296;

/** Columns that are sums of other columns of the row: all of 64 or all of 32 bits. */
export class DerivedSums {
  readonly #targets: readonly string[];
  readonly #terms: readonly string[];
  /** Where the terms of each target end. */
  readonly #ends: Int32Array;
  /** Where columns begin in the block's memory, counted in 32 bits. */
  readonly #targetStarts: Int32Array;
  readonly #termStarts: Int32Array;
  readonly #isWide: Uint8Array;
  #memory: Uint32Array = new Uint32Array(0);

  /** Columns by name, each after those that it is made of. */
  constructor(sums: Readonly<Record<string, readonly string[]>>) {
    this.#targets = Object.keys(sums);
    this.#terms = Object.values(sums).flat();
    let end = 0;
    this.#ends = Int32Array.from(Object.values(sums), (terms) => (end += terms.length));
    this.#targetStarts = new Int32Array(this.#targets.length);
    this.#termStarts = new Int32Array(this.#terms.length);
    this.#isWide = new Uint8Array(this.#targets.length);
  }

  /** To be called whenever the block or its generation has changed. */
  bind(block: RowBlock): void {
    this.#memory = block.memory.u32;
    const values = (name: string) => block.fixed[block.column(name)]!;
    for (const [index, name] of this.#targets.entries()) {
      this.#targetStarts[index] = values(name).start / 4;
      this.#isWide[index] = values(name).width === 8 ? 1 : 0;
    }
    for (const [index, name] of this.#terms.entries()) this.#termStarts[index] = values(name).start / 4;
  }

  /** Fills the sums of a row in. */
  fill(row: number): void {
    const memory = this.#memory;
    const ends = this.#ends;
    const termStarts = this.#termStarts;
    let term = 0;
    for (let index = 0; index < ends.length; index++) {
      const end = ends[index]!;
      const target = this.#targetStarts[index]!;
      // The low halves' sum is exact as a double, and storing it keeps its low 32 bits.
      let low = 0;
      if (this.#isWide[index] === 1) {
        let high = 0;
        for (; term < end; term++) {
          const at = termStarts[term]! + row * 2;
          low += memory[at]!;
          high += memory[at + 1]!;
        }
        memory[target + row * 2] = low;
        memory[target + row * 2 + 1] = high + Math.floor(low / TWO_32);
      } else {
        for (; term < end; term++) low += memory[termStarts[term]! + row]!;
        memory[target + row] = low;
      }
    }
  }
}
