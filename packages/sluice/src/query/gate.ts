import { SluiceError } from '../base/errors.ts';

/** Lets a number of users through at a time; others wait, first come first served. */
export class Gate {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Waits for a place; resolves to the function that gives it back (harmless when called again). Rejects with `cancelled` when the signal aborts first. */
  enter(signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) return Promise.reject(cancelled());
    if (this.#inside < this.#limit) {
      this.#inside++;
      return Promise.resolve(this.#ticket());
    }
    return new Promise((resolve, reject) => {
      const grant = () => {
        signal.removeEventListener('abort', leave);
        resolve(this.#ticket());
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(grant), 1);
        reject(cancelled());
      };
      this.#waiting.push(grant);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #ticket(): () => void {
    let used = false;
    return () => {
      if (used) return;
      used = true;
      const next = this.#waiting.shift();
      if (next === undefined) this.#inside--;
      else next();
    };
  }
}

function cancelled(): SluiceError {
  return new SluiceError('cancelled', 'cannot answer the query: it was cancelled while it waited for its turn');
}
