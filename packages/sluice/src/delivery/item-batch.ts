import type { PartitionKey } from '../journal/types.ts';
import type { ItemWriter } from './item-writer.ts';

/** Items of one lane and partition in order, as they are sent together. Made of a writer that is not used for others any more, or of a part of it. */
export class ItemBatch {
  readonly partition: PartitionKey;
  readonly #writer: ItemWriter;
  readonly #from: number;
  readonly #to: number;

  constructor(partition: PartitionKey, writer: ItemWriter, from = 0, to: number = writer.count) {
    this.partition = partition;
    this.#writer = writer;
    this.#from = from;
    this.#to = to;
  }

  get count(): number {
    return this.#to - this.#from;
  }

  /** The bodies one after the other. */
  get bodies(): Uint8Array<ArrayBuffer> {
    return this.#writer.bytes.subarray(this.#bodyStart(this.#from), this.#bodyStart(this.#to));
  }

  body(item: number): Uint8Array<ArrayBuffer> {
    const at = this.#from + item;
    return this.#writer.bytes.subarray(this.#bodyStart(at), this.#writer.ends[at]);
  }

  head(item: number): Uint8Array<ArrayBuffer> {
    const at = this.#from + item;
    return this.#writer.heads.subarray(at === 0 ? 0 : this.#writer.headEnds[at - 1], this.#writer.headEnds[at]);
  }

  /** Place of the item's row in the partition. */
  row(item: number): number {
    return this.#writer.rows[this.#from + item]!;
  }

  /** Epoch milliseconds. */
  time(item: number): number {
    return this.#writer.times[this.#from + item]!;
  }

  /** Items [from, to) as a batch of their own, over the same memory. */
  slice(from: number, to: number): ItemBatch {
    return new ItemBatch(this.partition, this.#writer, this.#from + from, this.#from + to);
  }

  #bodyStart(item: number): number {
    return item === 0 ? 0 : this.#writer.ends[item - 1]!;
  }
}

/** Indexes of so many items: 0, 1, 2 and so on. */
export function allItems(count: number): number[] {
  return Array.from({ length: count }, (_, item) => item);
}
