import { errorText } from './base/errors.ts';
import type { Log } from './telemetry/log.ts';

const STOP_DEADLINE_MS = 30_000;
/** What each part has at least, when those before it took all the time. */
const LEAST_MS = 500;

/** Parts that have been started, to be stopped in the opposite order within one deadline for all. */
export class StopOrder {
  readonly #log: Log;
  readonly #stops: (() => Promise<unknown> | void)[] = [];
  readonly #stopping = new AbortController();
  #stopBy = Infinity;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Aborts when stopping begins. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** How long the part that is stopped now may take. */
  get remainingMs(): number {
    return Math.max(LEAST_MS, this.#stopBy - performance.now());
  }

  /** Is called before the stops of everything that was started earlier. */
  add(stop: () => Promise<unknown> | void): void {
    this.#stops.push(stop);
  }

  /** What fails is logged, and the next part stopped. */
  async stopAll(): Promise<void> {
    this.#stopping.abort();
    this.#stopBy = performance.now() + STOP_DEADLINE_MS;
    for (const stop of this.#stops.splice(0).toReversed()) {
      await Promise.resolve(stop()).catch((error: unknown) =>
        this.#log.error({ cause: errorText(error) }, 'a part did not stop cleanly'),
      );
    }
  }
}
