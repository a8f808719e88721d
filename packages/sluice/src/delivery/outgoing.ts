import type { PartitionKey } from '../journal/types.ts';
import { ItemBatch } from './item-batch.ts';
import { ItemWriter } from './item-writer.ts';
import { memoryOf } from './writer-pool.ts';

/** A batch on its way through a lane. */
export interface Outgoing {
  readonly items: ItemBatch;
  /** Bytes of its items, heads included. */
  readonly bytes: number;
  /** Rows that it has items of. */
  readonly rows: number;
  readonly leastRow: number;
  readonly memory: SharedWriter;
  /** Told as it gets on; absent = nobody is. */
  readonly follower: Follower;
}

/** Who wants to know what becomes of a batch. */
export interface Follower {
  /** Ids in rejected/ of items that are sent once more: they stand there already. Index = item. */
  readonly again: readonly number[] | undefined;
  /** Items before the one at `item` are done; `leastRow` is the least row of the rest, Infinity when there is none. */
  readonly done: (item: number, leastRow: number) => void;
  /** An item of a batch that is sent once more was taken, or not. */
  readonly settled?: (item: number, wasSent: boolean) => void;
  /** The batch left the lane, all of it done. */
  readonly left: () => void;
}

/** A writer under one or several batches. */
export interface SharedWriter {
  readonly writer: ItemWriter;
  users: number;
  /** No send of it was cut off: nobody still looks at the memory. */
  isClean: boolean;
}

export interface BatchLimits {
  readonly batchItems: number;
  readonly batchBytes: number;
}

/** Items [from, to) of a writer. */
export interface Cut {
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
  readonly rows: number;
  readonly leastRow: number;
}

/**
 * Cuts what was written into batches. A writer that is somewhat over `batchItems`, by the items of one row, stays whole; one with items for
 * several batches is cut evenly. None has more than `batchBytes` of bodies unless it is a single item.
 */
export function cutBatches(writer: ItemWriter, { batchItems, batchBytes }: BatchLimits): Cut[] {
  const { count, ends } = writer;
  const most = Math.ceil(count / Math.max(1, Math.round(count / batchItems)));
  const cuts: Cut[] = [];
  for (let from = 0; from < count;) {
    const start = from === 0 ? 0 : ends[from - 1]!;
    let to = from + 1;
    while (to < count && to - from < most && ends[to]! - start <= batchBytes) to++;
    cuts.push(describe(writer, from, to));
    from = to;
  }
  return cuts;
}

/** Rows that items [from, to) come from: changes of the row number. */
export function countRows(writer: ItemWriter, from: number, to: number): number {
  const { rows } = writer;
  let found = 0;
  let last = from === 0 ? -1 : rows[from - 1]!;
  for (let i = from; i < to; i++) {
    const row = rows[i]!;
    if (row !== last) found++;
    last = row;
  }
  return found;
}

/** Bytes of bodies and heads of the items before `item`. */
export function bytesBefore(writer: ItemWriter, item: number): number {
  return item === 0 ? 0 : writer.ends[item - 1]! + writer.headEnds[item - 1]!;
}

/** Least row of the items of a batch from `item` on; Infinity when there is none. */
export function leastRowFrom(items: ItemBatch, item: number): number {
  let least = Infinity;
  for (let i = item; i < items.count; i++) least = Math.min(least, items.row(i));
  return least;
}

/** The items for which `keep` holds, copied. */
export function copyItems(items: ItemBatch, keep: (item: number) => boolean): ItemBatch {
  const writer = new ItemWriter();
  for (let item = 0; item < items.count; item++) if (keep(item)) copyItem(items, item, writer);
  return new ItemBatch(items.partition, writer);
}

/** A batch that waits a while needs no more memory than its items have: what it does not use of a large writer is better used by others. */
export function tightCopy(
  memory: SharedWriter,
  partition: PartitionKey,
): { items: ItemBatch; memory: SharedWriter } | undefined {
  const { writer } = memory;
  const used = bytesBefore(writer, writer.count) + writer.count * 24;
  if (memory.users > 1 || memoryOf(writer) < 1.25 * used + 16 * 1024) return undefined;
  const copy = new ItemWriter();
  copy.bytes = writer.bytes.slice(0, writer.at);
  copy.at = writer.at;
  copy.count = writer.count;
  copy.ends = writer.ends.slice(0, writer.count);
  copy.heads = writer.heads.slice(0, writer.headEnds[writer.count - 1] ?? 0);
  copy.headEnds = writer.headEnds.slice(0, writer.count);
  copy.rows = writer.rows.slice(0, writer.count);
  copy.times = writer.times.slice(0, writer.count);
  copy.leastRow = writer.leastRow;
  return { items: new ItemBatch(partition, copy), memory: { writer: copy, users: 1, isClean: true } };
}

function copyItem(items: ItemBatch, item: number, writer: ItemWriter): void {
  const body = items.body(item);
  writer.reserve(body.length);
  writer.bytes.set(body, writer.at);
  writer.at += body.length;
  writer.end(items.row(item), items.time(item), items.head(item));
}

function describe(writer: ItemWriter, from: number, to: number): Cut {
  if (from === 0 && to === writer.count) {
    // What was merged into an item may come from a lower row than the item's own.
    return { from, to, bytes: bytesBefore(writer, to), rows: countRows(writer, 0, to), leastRow: writer.leastRow };
  }
  let leastRow = Infinity;
  for (let i = from; i < to; i++) leastRow = Math.min(leastRow, writer.rows[i]!);
  const bytes = bytesBefore(writer, to) - bytesBefore(writer, from);
  return { from, to, bytes, rows: Math.max(1, countRows(writer, from, to)), leastRow };
}
