import { batchBytes, type Batch } from '../batch/batch.ts';
import { copyBatch } from './batch-rows.ts';
import type { PartitionLog } from './partition-log.ts';

/** A Batch of the tail with its place. */
export interface TailBatch {
  readonly firstRow: number;
  batch: Batch;
  readonly bytes: number;
  /** No longer counted, and its memory let go. */
  gone: boolean;
}

/**
 * The newest Batches in memory of their own, for readers that keep up: at most `maxBytes` over all partitions, the oldest leave first. Only tables
 * with an open reader are kept at all.
 */
export class MemoryTail {
  readonly #maxBytes: number;
  #bytes = 0;
  #queue: { readonly log: PartitionLog; readonly item: TailBatch }[] = [];
  #head = 0;
  #gone = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(log: PartitionLog, firstRow: number, batch: Batch): void {
    const bytes = batchBytes(batch);
    if (bytes > this.#maxBytes) return;
    const item = { firstRow, batch: copyBatch(batch), bytes, gone: false };
    log.tail.push(item);
    this.#queue.push({ log, item });
    this.#bytes += bytes;
    while (this.#bytes > this.#maxBytes) {
      const oldest = this.#queue[this.#head++];
      if (oldest === undefined) break;
      if (!oldest.item.gone) this.#dropFirst(oldest.log);
    }
    this.#compact();
  }

  /** The Batch that holds `row`, if it is still here. */
  find(log: PartitionLog, row: number): TailBatch | undefined {
    let low = 0;
    let high = log.tail.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const item = log.tail[middle]!;
      if (item.firstRow + item.batch.rows <= row) low = middle + 1;
      else high = middle;
    }
    const item = log.tail[low];
    return item !== undefined && item.firstRow <= row ? item : undefined;
  }

  /** Every reader has read what is below `row`. */
  trim(log: PartitionLog, row: number): void {
    for (
      let first = log.tail[0];
      first !== undefined && first.firstRow + first.batch.rows <= row;
      first = log.tail[0]
    ) {
      this.#dropFirst(log);
    }
    this.#compact();
  }

  #dropFirst(log: PartitionLog): void {
    const item = log.tail.shift();
    if (item === undefined) return;
    item.gone = true;
    // The queue may still hold the item behind one that a slow reader needs.
    item.batch = { ...item.batch, columns: [] };
    this.#bytes -= item.bytes;
    this.#gone++;
  }

  #compact(): void {
    if (this.#gone < 256 || this.#gone * 2 < this.#queue.length) return;
    this.#queue = this.#queue.filter(({ item }) => !item.gone);
    this.#head = 0;
    this.#gone = 0;
  }
}
