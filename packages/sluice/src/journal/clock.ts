/** Time as the journal sees it; tests hand in one that they move themselves. */
export interface Clock {
  /** Milliseconds that never jump; for ages and intervals. */
  monotonicMs(): number;
  /** Milliseconds since 1970. */
  epochMs(): number;
  /** Runs `task` once after `ms` milliseconds; the result cancels it. */
  after(ms: number, task: () => void): () => void;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  epochMs: () => Date.now(),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};
