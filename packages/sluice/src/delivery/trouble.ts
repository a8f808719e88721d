import type { Log } from '../telemetry/log.ts';
import type { ExporterMeter, RunState } from './exporter-meter.ts';

export interface TroubleOptions {
  readonly exporter: string;
  readonly meter: ExporterMeter;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly log: Pick<Log, 'warn' | 'info'>;
}

/** Failures that pass sooner are not told in the log. */
const TELL_AFTER_MS = 5000;
/** A state is told at most this often. */
const TELL_EVERY_MS = 60_000;

const UNSENT = 'an exporter cannot send; it keeps what it has, and tries again';
const REFUSED =
  'a receiver refuses all that an exporter sends; it goes on slowly, and waits before rejected items would be lost for want of room';

/** The state of a running exporter: what its lanes are in trouble with. */
export class Trouble {
  readonly #options: TroubleOptions;
  readonly #failing = new Set<string>();
  #isMisconfigured = false;
  #isRefusing = false;
  #isStopped = false;
  #state: RunState = 'running';
  #sinceMs: number;
  #told: RunState = 'running';
  readonly #toldMs = new Map<RunState, number>();
  #lastError: { readonly text: string; readonly atMs: number } | undefined;

  constructor(options: TroubleOptions) {
    this.#options = options;
    this.#sinceMs = options.now();
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

  /** The receiver takes nothing of what it is sent, or something again. */
  refusing(is: boolean, text?: string): void {
    if (text !== undefined) this.note(text);
    if (!is && !this.#isRefusing) return;
    this.#isRefusing = is;
    this.#settle();
  }

  /** Something went wrong that does not change the state. */
  note(text: string): void {
    this.#lastError = { text, atMs: this.#options.now() };
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
        : this.#isRefusing
          ? 'refused'
          : this.#failing.size > 0
            ? 'retrying'
            : 'running';
    if (state !== this.#state) {
      this.#state = state;
      this.#sinceMs = this.#options.now();
      this.#options.meter.state(state);
    }
    this.#tell(state);
  }

  /** Asked with every failure, so that what is held back at first is told when it lasts. */
  #tell(state: RunState): void {
    if (state === this.#told || state === 'stopped') return;
    const { exporter, log, now } = this.#options;
    const nowMs = now();
    if (state !== 'running') {
      if (state === 'retrying' && nowMs - this.#sinceMs < TELL_AFTER_MS) return;
      if (nowMs - (this.#toldMs.get(state) ?? -Infinity) < TELL_EVERY_MS) return;
    }
    this.#told = state;
    this.#toldMs.set(state, nowMs);
    if (state === 'running') log.info({ exporter }, 'an exporter sends again');
    else {
      const cause = this.#lastError?.text;
      log.warn({ exporter, state, cause }, state === 'refused' ? REFUSED : UNSENT);
    }
  }
}
