import { BLOCK_BYTES, type LinearMemory } from './linear-memory.ts';

/** Records of `stride` words, numbered from 0, in one piece of a LinearMemory; it moves when it grows. New records are zero. */
export class WordTable {
  readonly stride: number;
  /** Where record 0 is. */
  address = 0;
  /** All records; replaced when the table or the memory grows. */
  words: Uint32Array = new Uint32Array(0);
  readonly #memory: LinearMemory;
  #blocks = 0;

  constructor(memory: LinearMemory, stride: number) {
    this.#memory = memory;
    this.stride = stride;
    memory.onGrown(() => this.#refresh());
  }

  get bytes(): number {
    return this.#blocks * BLOCK_BYTES;
  }

  /** Makes room for record `number`; false when memory is exhausted. */
  reserve(number: number): boolean {
    const needed = (number + 1) * this.stride * 4;
    if (needed <= this.bytes) return true;
    const blocks = Math.ceil(Math.max(needed, this.bytes * 1.25) / BLOCK_BYTES);
    const address = this.#memory.allocate(blocks);
    if (address === 0) return false;
    const { bytes } = this.#memory;
    bytes.copyWithin(address, this.address, this.address + this.bytes);
    bytes.fill(0, address + this.bytes, address + blocks * BLOCK_BYTES);
    if (this.#blocks > 0) this.#memory.release(this.address, this.#blocks);
    this.address = address;
    this.#blocks = blocks;
    this.#refresh();
    return true;
  }

  #refresh(): void {
    this.words = this.#memory.words.subarray(this.address / 4, (this.address + this.bytes) / 4);
  }
}
