/**
 * One WebAssembly memory that decoders and tables share: messages are uncompressed into it, and the spellings they are compared with lie in it too,
 * so that functions assembled with `wasm-assembler.ts` can work on both without copying. Addresses are byte positions.
 *
 * Handed out in blocks of 256 KiB. A WebAssembly memory can grow but not shrink: blocks given back are used again, the process keeps their pages.
 */
export const BLOCK_BYTES = 256 * 1024;

const PAGE_BYTES = 64 * 1024;
const GROW_BLOCKS = 16;
/** Bytes behind every address that a function may read without meaning (whole vectors at the end of a range). */
const GUARD_BYTES = PAGE_BYTES;

export class LinearMemory {
  readonly memory: WebAssembly.Memory;
  /** Views of all of it; replaced when it grows, so read them anew after anything that may allocate. */
  bytes!: Buffer;
  words!: Uint32Array;
  view!: DataView;
  /** 1 = the block is taken. */
  #taken: Uint8Array;
  readonly #maxBlocks: number;
  readonly #listeners: (() => void)[] = [];

  /** `maxBytes`: at most 4 GiB; above it `allocate` refuses. */
  constructor(maxBytes = 4 * 1024 ** 3 - BLOCK_BYTES) {
    this.#maxBlocks = Math.floor(maxBytes / BLOCK_BYTES);
    this.memory = new WebAssembly.Memory({
      initial: (GROW_BLOCKS * BLOCK_BYTES + GUARD_BYTES) / PAGE_BYTES,
      maximum: 65536,
    });
    this.#taken = new Uint8Array(GROW_BLOCKS);
    // Address 0 stays unused: it means "nowhere".
    this.#taken[0] = 1;
    this.#refresh();
  }

  /** Bytes handed out. */
  get usedBytes(): number {
    let blocks = 0;
    for (const taken of this.#taken) blocks += taken;
    return blocks * BLOCK_BYTES;
  }

  /** Calls back whenever the views were replaced; earlier views of the memory are void then. */
  onGrown(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Address of `count` neighbouring free blocks, or 0 when the memory may not grow that far. Their content is arbitrary. */
  allocate(count = 1): number {
    let run = 0;
    for (let block = 0; block < this.#taken.length; block++) {
      run = this.#taken[block] === 0 ? run + 1 : 0;
      if (run === count) {
        this.#taken.fill(1, block - count + 1, block + 1);
        return (block - count + 1) * BLOCK_BYTES;
      }
    }
    // `run` free blocks stand at the end already.
    if (!this.#grow(count - run)) return 0;
    return this.allocate(count);
  }

  release(address: number, count = 1): void {
    this.#taken.fill(0, address / BLOCK_BYTES, address / BLOCK_BYTES + count);
  }

  #grow(missing: number): boolean {
    const room = this.#maxBlocks - this.#taken.length;
    if (missing > room) return false;
    const blocks = Math.min(Math.max(missing, GROW_BLOCKS, this.#taken.length >>> 4), room);
    try {
      this.memory.grow((blocks * BLOCK_BYTES) / PAGE_BYTES);
    } catch {
      return false;
    }
    const taken = new Uint8Array(this.#taken.length + blocks);
    taken.set(this.#taken);
    this.#taken = taken;
    this.#refresh();
    return true;
  }

  #refresh(): void {
    const { buffer } = this.memory;
    this.bytes = Buffer.from(buffer);
    this.words = new Uint32Array(buffer);
    this.view = new DataView(buffer);
    for (const listener of this.#listeners) listener();
  }
}
