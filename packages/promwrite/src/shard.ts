import type { QueueEntry } from './queue-entry.ts';

/** An append that waits for room. */
export interface Waiter {
  readonly entry: QueueEntry;
  readonly admit: () => void;
  readonly reject: (error: Error) => void;
}

/** One lane of a queue: entries in order, those that wait to get in, and the batch being sent. */
export class Shard {
  /** Entries in the lane, oldest first, from index {@link #head} on. */
  #entries: QueueEntry[] = [];
  #head = 0;
  #waiting: Waiter[] = [];
  #points = 0;
  /** The batch being sent; empty if none is. At most one at a time. */
  sending: readonly QueueEntry[] = [];
  /** The timer of the batch deadline. */
  timer: ReturnType<typeof setTimeout> | undefined;

  /** Points waiting in the lane, without the batch being sent. */
  get points(): number {
    return this.#points;
  }

  get first(): QueueEntry | undefined {
    return this.#entries[this.#head];
  }

  get waiting(): readonly Waiter[] {
    return this.#waiting;
  }

  push(entry: QueueEntry): void {
    this.#entries.push(entry);
    this.#points += entry.points;
  }

  /** Takes out the oldest entry. */
  shift(): QueueEntry | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#head++;
    this.#points -= entry.points;
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** Takes out the oldest entries, up to `most` points (at least one entry). */
  takeBatch(most: number): QueueEntry[] {
    const batch: QueueEntry[] = [];
    let points = 0;
    for (
      let next = this.first;
      next !== undefined && (batch.length === 0 || points + next.points <= most);
      next = this.first
    ) {
      batch.push(next);
      points += next.points;
      this.shift();
    }
    return batch;
  }

  /** Takes out everything. */
  takeAll(): QueueEntry[] {
    const all = this.#entries.slice(this.#head);
    this.#entries = [];
    this.#head = 0;
    this.#points = 0;
    return all;
  }

  wait(waiter: Waiter): void {
    this.#waiting.push(waiter);
  }

  nextWaiter(): Waiter | undefined {
    return this.#waiting.shift();
  }

  removeWaiter(waiter: Waiter): boolean {
    const index = this.#waiting.indexOf(waiter);
    if (index === -1) return false;
    this.#waiting.splice(index, 1);
    return true;
  }

  takeWaiters(): Waiter[] {
    const all = this.#waiting;
    this.#waiting = [];
    return all;
  }

  /** The least sequence number that is not finished yet; Infinity if there is none. */
  get leastSequence(): number {
    const sending = this.sending[0]?.sequence ?? Number.POSITIVE_INFINITY;
    return Math.min(sending, this.first?.sequence ?? this.#waiting[0]?.entry.sequence ?? Number.POSITIVE_INFINITY);
  }
}
