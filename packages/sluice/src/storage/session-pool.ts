import { SluiceError } from '../base/errors.ts';

/**
 * Hands out things of which only one user at a time may be, at most `limit` of them, made when first needed. Who waits, waits in a JavaScript queue,
 * first come first served: a waiting statement must not hold a libuv thread.
 */
export class SessionPool<S> {
  readonly #make: () => S;
  readonly #limit: number;
  readonly #idle: S[] = [];
  readonly #waiting: { readonly grant: (session: S) => void; readonly refuse: (error: Error) => void }[] = [];
  readonly #all = new Set<S>();
  #closed: Error | undefined;

  constructor(limit: number, make: () => S) {
    this.#limit = limit;
    this.#make = make;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get inUse(): number {
    return this.#all.size - this.#idle.length;
  }

  /** Rejects with `cancelled` when the signal aborts first, with `storage_unavailable` once the pool is closed. */
  acquire(signal?: AbortSignal): Promise<S> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (signal?.aborted === true) return Promise.reject(cancelled());
    const idle = this.#idle.pop();
    if (idle !== undefined) return Promise.resolve(idle);
    if (this.#all.size < this.#limit) {
      try {
        const session = this.#make();
        this.#all.add(session);
        return Promise.resolve(session);
      } catch (error) {
        return Promise.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        const index = this.#waiting.indexOf(entry);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(cancelled());
      };
      const entry = {
        grant: (session: S) => {
          signal?.removeEventListener('abort', leave);
          resolve(session);
        },
        refuse: (error: Error) => {
          signal?.removeEventListener('abort', leave);
          reject(error);
        },
      };
      this.#waiting.push(entry);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  release(session: S): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(session);
    else next.grant(session);
  }

  /** Refuses whoever waits or comes; returns everything made, in use or not. */
  close(error: Error): readonly S[] {
    this.#closed ??= error;
    for (const entry of this.#waiting.splice(0)) entry.refuse(error);
    return [...this.#all];
  }
}

function cancelled(): SluiceError {
  return new SluiceError('cancelled', 'cannot query the database: it was cancelled');
}
