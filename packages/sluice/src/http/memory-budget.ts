import { SluiceError } from '../base/errors.ts';

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
  readonly bytes: number;
  readonly grant: (granted: boolean) => void;
}

/**
 * Shares a fixed amount of memory among running requests, first come first served. What does not fit waits briefly in a bounded queue and is then
 * refused, so that a sender that is too fast hears it (429) and the hub's memory stays where it is.
 */
export class MemoryBudget {
  readonly #limit: number;
  readonly #maxWaiting: number;
  readonly #waitMs: number;
  readonly #onChange: (granted: number) => void;
  readonly #queue = new Set<Waiter>();
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

  /** What a request of this size is charged: one larger than the whole limit runs alone. */
  charge(bytes: number): number {
    return Math.min(bytes, this.#limit);
  }

  /** Grants at once, or not. `bytes` is a `charge`. */
  tryTake(bytes: number): boolean {
    if (bytes > 0 && (this.#queue.size > 0 || this.#granted + bytes > this.#limit)) return false;
    this.#change(bytes);
    return true;
  }

  /** Waits its turn; false when there was none in time, the queue is full or the signal aborts. */
  take(bytes: number, signal: AbortSignal): Promise<boolean> {
    if (this.#queue.size >= this.#maxWaiting || signal.aborted) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const giveUp = () => waiter.grant(false);
    const timer = setTimeout(giveUp, this.#waitMs);
    signal.addEventListener('abort', giveUp);
    const waiter: Waiter = {
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
  give(bytes: number): void {
    this.#change(-bytes);
    this.#serve();
  }

  #serve(): void {
    for (const waiter of this.#queue) {
      if (this.#granted + waiter.bytes > this.#limit) return;
      this.#change(waiter.bytes);
      waiter.grant(true);
    }
  }

  #change(by: number): void {
    if (by === 0) return;
    this.#granted += by;
    this.#onChange(this.#granted);
  }
}

/** What a request that found no memory is told. The wait differs, so that many senders do not come back at one time. */
export function memoryRefused(): SluiceError {
  const retryAfterMs = 1000 + Math.floor(Math.random() * 4) * 1000;
  return new SluiceError(
    'too_many_requests',
    'cannot take the request now: running requests use all of limits.memory',
    {
      retryAfterMs,
    },
  );
}
