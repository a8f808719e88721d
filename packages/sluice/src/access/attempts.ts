import { SluiceError } from '../base/errors.ts';
import { BoundedCache } from './bounded-cache.ts';

export interface AttemptLimits {
  /** What all peers together may use. */
  readonly all: AttemptLimit;
  /** What one peer may use: a part of the whole, so that one that guesses does not keep the others out. */
  readonly peer: AttemptLimit;
  /** Peers whose wrong passwords are remembered; beyond, the one that was longest without an attempt is forgotten. */
  readonly peers: number;
}

export interface AttemptLimit {
  /** Comparisons that may run or wait. */
  readonly waiting: number;
  /** Computing time that wrong passwords may use up before further attempts are refused, in milliseconds. */
  readonly burstMs: number;
  /** How much of it comes back, in milliseconds per second. */
  readonly refillMsPerSecond: number;
}

const DEFAULTS: AttemptLimits = {
  all: { waiting: 33, burstMs: 3000, refillMsPerSecond: 100 },
  peer: { waiting: 16, burstMs: 1000, refillMsPerSecond: 30 },
  peers: 1024,
};

/**
 * Keeps the guessing of passwords from taking the machine: comparisons run one at a time, few may wait, and wrong ones together may
 * take a tenth of one core, those of one peer a third of that. Right ones cost nothing here, as they are remembered and so are at most one per user
 * and reload.
 */
export class Attempts {
  readonly #limits: AttemptLimits;
  readonly #now: () => number;
  readonly #all: Allowance;
  readonly #peers: BoundedCache<Allowance>;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(now: () => number, limits: AttemptLimits = DEFAULTS) {
    this.#limits = limits;
    this.#now = now;
    this.#all = new Allowance(now, limits.all);
    // By then the debt of the last attempt is paid back, however long it took.
    this.#peers = new BoundedCache(limits.peers, 600_000, now);
  }

  /**
   * Runs a comparison for a peer (its address) when its turn comes. Rejects with SluiceError `too_many_requests` when too many of the peer's or of
   * all have failed or wait.
   */
  async run(peer: string | undefined, compare: () => Promise<boolean>): Promise<boolean> {
    const key = peerNetwork(peer ?? '');
    const own = this.#peers.get(key) ?? new Allowance(this.#now, this.#limits.peer);
    this.#peers.set(key, own);
    const both = [own, this.#all];
    for (const allowance of both) allowance.assertRoom();
    for (const allowance of both) allowance.waiting++;
    const turn = this.#tail.then(() => this.#runNow(both, compare));
    this.#tail = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      for (const allowance of both) allowance.waiting--;
    }
  }

  async #runNow(both: readonly Allowance[], compare: () => Promise<boolean>): Promise<boolean> {
    // Those before it may have used up the rest while this one waited.
    for (const allowance of both) allowance.assertAffordable();
    const start = this.#now();
    const equal = await compare();
    const took = this.#now() - start;
    if (!equal) for (const allowance of both) allowance.use(took);
    return equal;
  }
}

/** Computing time that is used up and comes back. */
class Allowance {
  waiting = 0;
  readonly #limit: AttemptLimit;
  readonly #now: () => number;
  #debtMs = 0;
  #asOf: number;

  constructor(now: () => number, limit: AttemptLimit) {
    this.#limit = limit;
    this.#now = now;
    this.#asOf = now();
  }

  assertRoom(): void {
    if (this.waiting >= this.#limit.waiting) throw refused(1000);
    this.assertAffordable();
  }

  assertAffordable(): void {
    const over = this.#debt() - this.#limit.burstMs;
    if (over >= 0) throw refused((over / this.#limit.refillMsPerSecond) * 1000 + 1000);
  }

  use(milliseconds: number): void {
    this.#debtMs = this.#debt() + milliseconds;
  }

  #debt(): number {
    const now = this.#now();
    this.#debtMs = Math.max(0, this.#debtMs - ((now - this.#asOf) / 1000) * this.#limit.refillMsPerSecond);
    this.#asOf = now;
    return this.#debtMs;
  }
}

function refused(retryAfterMs: number): SluiceError {
  return new SluiceError('too_many_requests', 'too many wrong passwords were tried; try again later', { retryAfterMs });
}

/** Who counts as one peer: an IPv4 address, or the 64 bits of an IPv6 address that its owner cannot choose. */
export function peerNetwork(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const halves = address.split('::', 2).map((half) => half.split(':').filter((group) => group !== ''));
  const [head = [], tail = []] = halves;
  const zeros = halves.length === 1 ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
