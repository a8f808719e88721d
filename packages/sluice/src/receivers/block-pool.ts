import { RowBlock } from '../batch/row-block.ts';
import type { DataSource } from '../catalog/types.ts';

/** Empty blocks kept per table: one is being filled while others are being appended. */
const KEPT = 16;

/** Blocks to be used again: their columns have grown to the size that the traffic needs. */
export class BlockPool {
  readonly #free = new Map<DataSource, RowBlock[]>();
  readonly #used = new Set<DataSource>();

  take(source: DataSource): RowBlock {
    this.#used.add(source);
    return this.#free.get(source)?.pop() ?? new RowBlock(source);
  }

  /** Takes a block back; its rows are void. */
  give(block: RowBlock): void {
    block.reset();
    const free = this.#free.get(block.source);
    if (free === undefined) this.#free.set(block.source, [block]);
    else if (free.length < KEPT) free.push(block);
  }

  /** Forgets the blocks of tables that nothing came for since the last call. */
  trim(): void {
    for (const source of this.#free.keys()) if (!this.#used.has(source)) this.#free.delete(source);
    this.#used.clear();
  }
}
