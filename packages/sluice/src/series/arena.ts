import { BLOCK_BYTES, type LinearMemory } from '../base/linear-memory.ts';

/**
 * Byte strings of many lengths in blocks of a LinearMemory:
 *
 *   per entry: u32 owner | u32 length | bytes, filled up to a multiple of 4
 *
 * Entries are only appended. A block of which little is left alive is emptied by moving its entries to the end, then given back.
 */
const HEADER_BYTES = 8;

/** Longest entry. */
export const MAX_ENTRY_BYTES = 64 * 1024;

export class Arena {
  readonly #memory: LinearMemory;
  /** Live bytes and used bytes of each block, by its address. */
  readonly #blocks = new Map<number, { live: number; end: number }>();
  #open = 0;
  #top = 0;

  constructor(memory: LinearMemory) {
    this.#memory = memory;
  }

  get bytes(): number {
    return this.#blocks.size * BLOCK_BYTES;
  }

  /** Room for `length` bytes; returns their address, or 0 when memory is exhausted. */
  allocate(owner: number, length: number): number {
    const size = entrySize(length);
    if (this.#open === 0 || this.#top + size > this.#open + BLOCK_BYTES) {
      const block = this.#memory.allocate();
      if (block === 0) return 0;
      this.#close();
      this.#blocks.set(block, { live: 0, end: block });
      this.#open = block;
      this.#top = block;
    }
    const at = this.#top;
    this.#top += size;
    this.#memory.words[at / 4] = owner;
    this.#memory.words[at / 4 + 1] = length;
    this.#blocks.get(this.#open)!.live += size;
    return at + HEADER_BYTES;
  }

  /** The entry at `address` is garbage now. */
  free(address: number, length: number): void {
    const block = this.#blocks.get(address - (address % BLOCK_BYTES));
    if (block !== undefined) block.live -= entrySize(length);
  }

  /** A closed block of which at most half is alive, or 0. */
  sparse(): number {
    for (const [address, block] of this.#blocks) {
      if (address !== this.#open && block.live * 2 <= BLOCK_BYTES) return address;
    }
    return 0;
  }

  /**
   * Empties a block and gives it back: `move` says for each entry whether it is alive, and is told its new address. Returns false (and the block
   * stays, partly moved) when memory is exhausted.
   */
  evacuate(
    block: number,
    move: { alive(owner: number, address: number): boolean; moved(owner: number, to: number): void },
  ): boolean {
    const state = this.#blocks.get(block);
    if (state === undefined || block === this.#open) return true;
    for (let at = block; at < state.end;) {
      const owner = this.#memory.words[at / 4]!;
      const length = this.#memory.words[at / 4 + 1]!;
      const from = at + HEADER_BYTES;
      if (move.alive(owner, from)) {
        const to = this.allocate(owner, length);
        if (to === 0) return false;
        this.#memory.bytes.copyWithin(to, from, from + length);
        state.live -= entrySize(length);
        move.moved(owner, to);
      }
      at += entrySize(length);
    }
    this.#blocks.delete(block);
    this.#memory.release(block);
    return true;
  }

  #close(): void {
    const state = this.#blocks.get(this.#open);
    if (state !== undefined) state.end = this.#top;
  }
}

function entrySize(length: number): number {
  return HEADER_BYTES + ((length + 3) & ~3);
}
