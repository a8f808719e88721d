import { SluiceError } from '../base/errors.ts';

/** What memory is asked for: a body that is being received, the answer to a reader, or work on data that came in whole. */
export type Share = 'body' | 'read' | 'write';

/**
 * The part of the limit that each may take at most. Clients that send or read slowly hold what they have for a long time; together these two leave a
 * quarter, so that a write that is here whole is never kept out by them.
 */
const PARTS: Readonly<Record<Share, number>> = { body: 1 / 4, read: 1 / 2, write: 1 };

export interface MemoryBudgetOptions {
  /** Bytes that may be granted at one time. */
  readonly limit: number;
  /** Requests that may wait for others to end. */
  readonly waiting?: number;
  /** How long one may wait, in milliseconds. */
  readonly waitMs?: number;
  /** Told the bytes granted after every change. */
  readonly onChange?: (granted: number) => void;
}

interface Waiter {
  readonly share: Share;
  readonly bytes: number;
  readonly grant: (granted: boolean) => void;
}

/**
 * Shares a fixed amount of memory among running requests, first come first served. What does not fit waits briefly in a bounded queue and is then
 * refused, so that a sender that is too fast hears it (503) and the hub's memory stays where it is.
 */
export class MemoryBudget {
  readonly #limit: number;
  readonly #maxWaiting: number;
  readonly #waitMs: number;
  readonly #onChange: (granted: number) => void;
  readonly #queue = new Set<Waiter>();
  readonly #shares: Record<Share, number> = { body: 0, read: 0, write: 0 };
  #granted = 0;

  constructor(options: MemoryBudgetOptions) {
    this.#limit = options.limit;
    this.#maxWaiting = options.waiting ?? 256;
    this.#waitMs = options.waitMs ?? 1000;
    this.#onChange = options.onChange ?? (() => undefined);
  }

  get granted(): number {
    return this.#granted;
  }

  /** Something waits for this: who holds of it without using it should give it back. */
  isAwaited(share: Share): boolean {
    for (const waiter of this.#queue) if (waiter.share === share) return true;
    return false;
  }

  /**
   * What a request of this size is charged: one larger than its whole share has it alone. A write leaves the share of bodies aside, of which it holds
   * its own: it would wait for itself.
   */
  charge(bytes: number, share: Share): number {
    return Math.min(bytes, this.#most(share) - (share === 'write' ? this.#most('body') : 0));
  }

  /** Grants at once, or not. `bytes`, with what the same request already has of the share, is a `charge`. */
  tryTake(bytes: number, share: Share): boolean {
    // Nobody overtakes those who wait for the same.
    if (bytes > 0 && (this.isAwaited(share) || !this.#fits(bytes, share))) return false;
    this.#change(bytes, share);
    return true;
  }

  /** Waits its turn; false when there was none in time, the queue is full or the signal aborts. */
  take(bytes: number, share: Share, signal: AbortSignal): Promise<boolean> {
    if (this.#queue.size >= this.#maxWaiting || signal.aborted) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const giveUp = () => waiter.grant(false);
    const timer = setTimeout(giveUp, this.#waitMs);
    signal.addEventListener('abort', giveUp);
    const waiter: Waiter = {
      share,
      bytes,
      grant: (granted) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
        this.#queue.delete(waiter);
        resolve(granted);
        // The next one may be small enough for what this one could not use.
        if (!granted) this.#serve();
      },
    };
    this.#queue.add(waiter);
    return promise;
  }

  /** Returns what was granted, or a part of it. */
  give(bytes: number, share: Share): void {
    this.#change(-bytes, share);
    this.#serve();
  }

  #most(share: Share): number {
    return Math.floor(this.#limit * PARTS[share]);
  }

  #fits(bytes: number, share: Share): boolean {
    return this.#granted + bytes <= this.#limit && this.#shares[share] + bytes <= this.#most(share);
  }

  #serve(): void {
    // A share that is used up holds up its own waiters only.
    const held = new Set<Share>();
    for (const waiter of this.#queue) {
      if (held.has(waiter.share)) continue;
      if (this.#fits(waiter.bytes, waiter.share)) {
        this.#change(waiter.bytes, waiter.share);
        waiter.grant(true);
      } else {
        held.add(waiter.share);
      }
    }
  }

  #change(by: number, share: Share): void {
    if (by === 0) return;
    this.#shares[share] += by;
    this.#granted += by;
    this.#onChange(this.#granted);
  }
}

/**
 * What a request that found no memory is told: 503 and not 429, as a stock Prometheus throws away what was answered with 429. The wait differs, so
 * that many senders do not come back at one time.
 */
export function memoryRefused(): SluiceError {
  const retryAfterMs = 1000 + Math.floor(Math.random() * 4) * 1000;
  return new SluiceError('overloaded', 'cannot take the request now: running requests use all of limits.memory', {
    retryAfterMs,
  });
}
