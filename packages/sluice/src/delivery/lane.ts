import type { Outgoing } from './outgoing.ts';
import { tightCopy } from './outgoing.ts';
import type { WriterPool } from './writer-pool.ts';

export interface Held {
  readonly items: number;
  readonly bytes: number;
  readonly rows: number;
}

export interface LaneOptions {
  readonly number: number;
  readonly pool: WriterPool;
  /** Sends a batch until all of it is dealt with; false when it gave up because the exporter stops. */
  readonly send: (batch: Outgoing) => Promise<boolean>;
  /** A batch leaves the encoders for the receiver. */
  readonly onEnqueued: (batch: Outgoing) => void;
  /** Less is held than before. */
  readonly onLess: () => void;
  /** Nothing waits: called before the lane rests, so that it may be given more. */
  readonly onIdle: (lane: number) => void;
}

/** A queue of batches of which the first one is being sent. What is still open for more items counts as held. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #queue: Outgoing[] = [];
  readonly #ended = Promise.withResolvers<void>();
  #running: Promise<void> = Promise.resolve();
  #isSending = false;
  #gaveUp = false;
  #items = 0;
  #bytes = 0;
  #rows = 0;
  #waitingBytes = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Open, queued and in flight. */
  get items(): number {
    return this.#items;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get rows(): number {
    return this.#rows;
  }

  get batches(): number {
    return this.#queue.length;
  }

  /** Queued and in flight. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  /** It stopped sending because the exporter stops; what it holds stays unconfirmed. */
  get gaveUp(): boolean {
    return this.#gaveUp;
  }

  /** Resolves when it gave up. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  hold({ items, bytes, rows }: Held): void {
    this.#items += items;
    this.#bytes += bytes;
    this.#rows += rows;
  }

  release({ items, bytes, rows }: Held): void {
    this.#items -= items;
    this.#bytes -= bytes;
    this.#rows -= rows;
  }

  enqueue(batch: Outgoing): void {
    const waits = this.#queue.length > 0;
    this.hold({ items: batch.items.count, bytes: batch.bytes, rows: batch.rows });
    this.#waitingBytes += batch.bytes;
    this.#options.onEnqueued(batch);
    this.#queue.push(waits ? this.#tight(batch) : batch);
    if (this.#isSending || this.#gaveUp) return;
    this.#isSending = true;
    this.#running = this.#run();
  }

  /** Resolves when nothing is being sent. */
  async settled(): Promise<void> {
    while (this.#isSending) await this.#running;
  }

  async #run(): Promise<void> {
    // Not within the call that enqueues: a step of the encoder ends first.
    await Promise.resolve();
    while (!this.#gaveUp) {
      const batch = this.#queue[0];
      if (batch === undefined) break;
      const isDone = await this.#options.send(batch);
      if (!isDone) {
        this.#gaveUp = true;
        this.#ended.resolve();
        break;
      }
      this.#queue.shift();
      this.release({ items: batch.items.count, bytes: batch.bytes, rows: batch.rows });
      this.#waitingBytes -= batch.bytes;
      this.#recycle(batch);
      batch.follower.left();
      if (this.#queue.length === 0) this.#options.onIdle(this.#options.number);
      this.#options.onLess();
    }
    this.#isSending = false;
    this.#options.onLess();
  }

  #tight(batch: Outgoing): Outgoing {
    const copy = tightCopy(batch.memory, batch.items.partition);
    if (copy === undefined) return batch;
    this.#options.pool.give(batch.memory.writer);
    return { ...batch, ...copy };
  }

  #recycle({ memory }: Outgoing): void {
    memory.users--;
    if (memory.users === 0 && memory.isClean) this.#options.pool.give(memory.writer);
  }
}
