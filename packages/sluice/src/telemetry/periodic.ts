import { errorText } from '../base/errors.ts';
import { rateLimited, type Log } from './log.ts';

export interface PeriodicOptions {
  /** One round. What it throws or rejects with is logged, and the next round comes all the same. */
  readonly work: () => Promise<void> | void;
  /** From the end of a round to the next one, milliseconds; a function is asked after every round. */
  readonly pauseMs: number | (() => number);
  readonly log: Log;
  /** The log line of a round that failed (at most one a minute): what was attempted, and what stands beside the cause. */
  readonly failure: string;
  readonly fields?: Readonly<Record<string, string | number>>;
}

const LOG_MS = 60_000;

/** Work that is done again and again, never twice at once. A round that fails ends neither the process nor the rounds after it. Holds no process open. */
export class Periodic {
  readonly #options: PeriodicOptions;
  readonly #mayLog = rateLimited(LOG_MS);
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #state: 'idle' | 'going' | 'stopped' = 'idle';

  constructor(options: PeriodicOptions) {
    this.#options = options;
  }

  /** Rounds come from now on: the first one at once, or after the first pause. */
  start(first: 'at once' | 'later' = 'later'): void {
    if (this.#state !== 'idle') return;
    this.#state = 'going';
    if (first === 'at once') void this.run();
    else this.#arm();
  }

  /** A round now, without waiting for its time; the one that is under way when there is one. Never rejects; does nothing after `stop`. */
  async run(): Promise<void> {
    if (this.#state === 'stopped') return;
    clearTimeout(this.#timer);
    if (this.#running === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      // Before the work begins, as it may ask for a round itself.
      this.#running = promise;
      void this.#round().finally(resolve);
    }
    await this.#running;
  }

  /** No more rounds; resolves when the one that is under way has ended. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #round(): Promise<void> {
    const { work, log, failure, fields } = this.#options;
    try {
      await work();
    } catch (error) {
      this.#mayLog((suppressed) => log.error({ ...fields, cause: errorText(error), suppressed }, failure));
    }
    this.#running = undefined;
    if (this.#state === 'going') this.#arm();
  }

  #arm(): void {
    const { pauseMs } = this.#options;
    this.#timer = setTimeout(() => void this.run(), typeof pauseMs === 'number' ? pauseMs : pauseMs()).unref();
  }
}
