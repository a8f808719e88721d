import type { Clock } from '../journal/clock.ts';

/** Waits of one exporter (back-off, probes) that can all be cut short: when it stops, or when somebody may have mended what they wait for. */
export class Pauses {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after `ms` milliseconds, or earlier when woken. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#waiting.delete(done);
        resolve();
      };
      const cancel = this.#clock.after(ms, done);
      this.#waiting.add(done);
    });
  }

  wakeAll(): void {
    for (const done of this.#waiting) done();
  }
}
