/** Milliseconds. */
export interface Timing {
  /** Between two looks while something is waited for, or others may ask. */
  readonly busyMs: number;
  /** Between two looks otherwise, and after a failure. */
  readonly idleMs: number;
  readonly retryMs: number;
  /** How long nothing is said of failures. */
  readonly patienceMs: number;
  /** Between two readings of the whole tables. They find rows that came in late: with times long before those that had been read by then. */
  readonly wholeMs: number;
  /** The readings in between begin so long before the greatest time that was read. */
  readonly overlapMs: number;
  /** How often the hub that gives ids says so, and how often others say that they are there. */
  readonly givesMs: number;
  readonly followsMs: number;
  /** As in role.ts. */
  readonly silenceMs: number;
  readonly settleMs: number;
  /** How long a hub that has begun to give ids is left to publish what it knows before others ask for it. */
  readonly graceMs: number;
}

export const TIMING: Timing = {
  busyMs: 2000,
  idleMs: 10_000,
  retryMs: 2000,
  patienceMs: 60_000,
  wholeMs: 600_000,
  overlapMs: 120_000,
  givesMs: 30_000,
  followsMs: 120_000,
  silenceMs: 300_000,
  settleMs: 5000,
  graceMs: 60_000,
};
