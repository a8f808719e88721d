import type { PartitionKey } from '../journal/types.ts';
import { ItemBatch } from './item-batch.ts';
import type { ItemWriter } from './item-writer.ts';
import type { Lane } from './lane.ts';
import { bytesBefore, countRows, cutBatches, type BatchLimits, type Cut, type SharedWriter } from './outgoing.ts';
import type { Piece, Progress } from './progress.ts';
import type { ItemSink } from './types.ts';
import type { WriterPool } from './writer-pool.ts';

export interface OutletOptions {
  readonly partition: PartitionKey;
  readonly lanes: readonly Lane[];
  readonly limits: BatchLimits;
  readonly progress: Progress;
  readonly pool: WriterPool;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Told when rows were dealt with. */
  readonly onConfirmed: () => void;
}

/** A row that cannot be encoded. */
export interface UnfitRow {
  readonly row: number;
  readonly why: string;
  readonly text: string;
}

/** A writer that is being filled, and how far its items were counted. */
interface OpenWriter {
  readonly lane: number;
  readonly writer: ItemWriter;
  openedMs: number;
  piece: Piece | undefined;
  counted: number;
  rows: number;
  bytes: number;
}

/**
 * Where the items of one partition are written: one open writer a lane. Encoding goes in steps: between them everything that was written is counted
 * and what is full goes on its way; within one, nothing leaves.
 */
export class Outlet implements ItemSink {
  readonly lanes: number;
  readonly #options: OutletOptions;
  readonly #open: (OpenWriter | undefined)[];
  /** Became full within the step, in order. */
  #full: OpenWriter[] = [];
  #unfit: UnfitRow[] = [];
  #spread = 0;

  constructor(options: OutletOptions) {
    this.#options = options;
    this.lanes = options.lanes.length;
    this.#open = Array.from({ length: this.lanes });
  }

  lane(lane: number): ItemWriter {
    const open = this.#open[lane];
    return open !== undefined && !this.#isFull(open.writer) ? open.writer : this.#next(lane);
  }

  spread(): ItemWriter {
    const open = this.#open[this.#spread];
    if (open !== undefined && open.writer.count > 0 && !this.#isFull(open.writer)) return open.writer;
    this.#spread = this.#leastLoaded();
    return this.lane(this.#spread);
  }

  reject(row: number, why: string, text: string): void {
    this.#unfit.push({ row, why, text });
  }

  /** Counts what the step wrote and sends what is full on its way. */
  endStep(): { readonly items: number; readonly bytes: number } {
    const before = { items: 0, bytes: 0 };
    const full = this.#full;
    this.#full = [];
    for (const open of full) {
      this.#count(open, before);
      this.#leave(open);
    }
    for (let lane = 0; lane < this.lanes; lane++) {
      const open = this.#open[lane];
      if (open === undefined) continue;
      this.#count(open, before);
      if (this.#isFull(open.writer)) this.seal(lane);
    }
    return before;
  }

  /** Forgets the step: it failed in the middle. What encoders remember of their writers may be wrong now, so those leave. */
  undoStep(): void {
    const touched = [...this.#full, ...this.#open];
    this.#full = [];
    this.#unfit = [];
    this.#open.fill(undefined);
    for (const open of touched) {
      if (open === undefined) continue;
      open.writer.truncate(open.counted);
      if (open.counted > 0) this.#leave(open);
      else this.#options.pool.give(open.writer);
    }
  }

  /** Rows of the step that cannot be encoded; given once. */
  takeUnfit(): UnfitRow[] {
    const unfit = this.#unfit;
    this.#unfit = [];
    return unfit;
  }

  /** When the lane's open writer got its first item; undefined when it has none. */
  openedMs(lane: number): number | undefined {
    const open = this.#open[lane];
    return open !== undefined && open.counted > 0 ? open.openedMs : undefined;
  }

  /** Sends what the lane's open writer has on its way. Not within a step. */
  seal(lane: number): void {
    const open = this.#open[lane];
    if (open === undefined || open.counted === 0) return;
    this.#open[lane] = undefined;
    this.#leave(open);
  }

  /** Tells how far the partition is. */
  confirm(): void {
    this.#options.onConfirmed();
  }

  #isFull(writer: ItemWriter): boolean {
    const { batchItems, batchBytes } = this.#options.limits;
    const { count, at } = writer;
    // One and a bit of an average item more would be too large.
    return count >= batchItems || at * (count + 1.25) > batchBytes * count;
  }

  #next(lane: number): ItemWriter {
    const full = this.#open[lane];
    if (full !== undefined) this.#full.push(full);
    const writer = this.#options.pool.take();
    this.#open[lane] = { lane, writer, openedMs: 0, piece: undefined, counted: 0, rows: 0, bytes: 0 };
    return writer;
  }

  #leastLoaded(): number {
    let best = -1;
    let least = Infinity;
    for (let i = 1; i <= this.lanes; i++) {
      const lane = (this.#spread + i) % this.lanes;
      const { waitingBytes } = this.#options.lanes[lane]!;
      if (waitingBytes < least) [best, least] = [lane, waitingBytes];
    }
    return best;
  }

  #count(open: OpenWriter, sum: { items: number; bytes: number }): void {
    const { writer, lane, counted } = open;
    const { progress, lanes, now } = this.#options;
    // What was begun and not ended is nobody's.
    writer.abandon();
    const items = writer.count - counted;
    if (items === 0) return;
    if (counted === 0) open.openedMs = now();
    if (open.piece === undefined) open.piece = progress.add(lane, writer.leastRow);
    else progress.include(lane, open.piece, writer.leastRow);
    const bytes = bytesBefore(writer, writer.count) - open.bytes;
    const rows = countRows(writer, counted, writer.count);
    open.counted = writer.count;
    open.bytes += bytes;
    open.rows += rows;
    lanes[lane]!.hold({ items, bytes, rows });
    sum.items += items;
    sum.bytes += bytes;
  }

  #leave(open: OpenWriter): void {
    const { writer, lane, piece } = open;
    const { progress, limits, lanes } = this.#options;
    if (piece === undefined) return;
    const cuts = cutBatches(writer, limits);
    const memory: SharedWriter = { writer, users: cuts.length, isClean: true };
    if (cuts.length > 1) progress.remove(lane, piece);
    lanes[lane]!.release({ items: writer.count, bytes: open.bytes, rows: open.rows });
    for (const cut of cuts) {
      this.#enqueue(lane, cuts.length > 1 ? progress.add(lane, cut.leastRow) : piece, cut, memory);
    }
  }

  #enqueue(lane: number, piece: Piece, cut: Cut, memory: SharedWriter): void {
    const { partition, progress, lanes, onConfirmed } = this.#options;
    lanes[lane]!.enqueue({
      items: new ItemBatch(partition, memory.writer, cut.from, cut.to),
      bytes: cut.bytes,
      rows: cut.rows,
      leastRow: cut.leastRow,
      memory,
      follower: {
        again: undefined,
        done: (_, leastRow) => {
          progress.shrink(lane, piece, leastRow);
          onConfirmed();
        },
        left: () => {
          progress.remove(lane, piece);
          onConfirmed();
        },
      },
    });
  }
}
