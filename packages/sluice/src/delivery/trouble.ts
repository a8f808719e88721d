import type { ExporterMeter, RunState } from './exporter-meter.ts';

/** The state of a running exporter: what its lanes are in trouble with. */
export class Trouble {
  readonly #meter: ExporterMeter;
  readonly #now: () => number;
  readonly #failing = new Set<string>();
  #isMisconfigured = false;
  #isStopped = false;
  #state: RunState = 'running';
  #sinceMs: number;
  #lastError: { readonly text: string; readonly atMs: number } | undefined;

  /** `now`: epoch milliseconds. */
  constructor(meter: ExporterMeter, now: () => number) {
    this.#meter = meter;
    this.#now = now;
    this.#sinceMs = now();
  }

  get state(): RunState {
    return this.#state;
  }

  get sinceMs(): number {
    return this.#sinceMs;
  }

  get lastError(): { readonly text: string; readonly atMs: number } | undefined {
    return this.#lastError;
  }

  /** `who` (a lane, the reading) failed and tries again. */
  failed(who: string, text: string): void {
    this.#failing.add(who);
    this.note(text);
    this.#settle();
  }

  /** `who` got on. */
  recovered(who: string): void {
    if (this.#failing.delete(who)) this.#settle();
  }

  misconfigured(is: boolean, text?: string): void {
    if (text !== undefined) this.note(text);
    this.#isMisconfigured = is;
    this.#settle();
  }

  /** Something went wrong that does not change the state. */
  note(text: string): void {
    this.#lastError = { text, atMs: this.#now() };
  }

  stopped(): void {
    this.#isStopped = true;
    this.#settle();
  }

  #settle(): void {
    const state = this.#isStopped
      ? 'stopped'
      : this.#isMisconfigured
        ? 'misconfigured'
        : this.#failing.size > 0
          ? 'retrying'
          : 'running';
    if (state === this.#state) return;
    this.#state = state;
    this.#sinceMs = this.#now();
    this.#meter.state(state);
  }
}
