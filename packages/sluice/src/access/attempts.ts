import { SluiceError } from '../base/errors.ts';

export interface AttemptLimits {
  /** Comparisons that may wait for the one that runs. */
  readonly waiting: number;
  /** Computing time that wrong passwords may use up before further attempts are refused, in milliseconds. */
  readonly burstMs: number;
  /** How much of it comes back, in milliseconds per second. */
  readonly refillMsPerSecond: number;
}

const DEFAULTS: AttemptLimits = { waiting: 32, burstMs: 3000, refillMsPerSecond: 100 };

/**
 * Keeps the guessing of passwords from taking the machine: comparisons run one at a time, few may wait, and wrong ones together may
 * take a tenth of one core. Right ones cost nothing here, as they are remembered and so are at most one per user and reload.
 */
export class Attempts {
  readonly #limits: AttemptLimits;
  readonly #now: () => number;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #debtMs = 0;
  #asOf: number;

  constructor(now: () => number, limits: AttemptLimits = DEFAULTS) {
    this.#limits = limits;
    this.#now = now;
    this.#asOf = now();
  }

  /** Runs a comparison when its turn comes. Rejects with SluiceError `too_many_requests` when too many have failed or wait. */
  async run(compare: () => Promise<boolean>): Promise<boolean> {
    if (this.#waiting > this.#limits.waiting) throw refused(1000);
    this.#assertAffordable();
    this.#waiting++;
    const turn = this.#tail.then(() => this.#runNow(compare));
    this.#tail = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  async #runNow(compare: () => Promise<boolean>): Promise<boolean> {
    // Those before it may have used up the rest while this one waited.
    this.#assertAffordable();
    const start = this.#now();
    const equal = await compare();
    if (!equal) this.#debtMs = this.#debt() + (this.#now() - start);
    return equal;
  }

  #assertAffordable(): void {
    const over = this.#debt() - this.#limits.burstMs;
    if (over >= 0) throw refused((over / this.#limits.refillMsPerSecond) * 1000 + 1000);
  }

  #debt(): number {
    const now = this.#now();
    this.#debtMs = Math.max(0, this.#debtMs - ((now - this.#asOf) / 1000) * this.#limits.refillMsPerSecond);
    this.#asOf = now;
    return this.#debtMs;
  }
}

function refused(retryAfterMs: number): SluiceError {
  return new SluiceError('too_many_requests', 'too many wrong passwords were tried; try again later', { retryAfterMs });
}
