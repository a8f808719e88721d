/** Cuts long work on the event loop into slices, between which everybody else works. */
export class Slices {
  readonly #sliceMs: number;
  #startedMs = performance.now();
  #worked = 0;

  constructor(sliceMs = SLICE_MS) {
    this.#sliceMs = sliceMs;
  }

  /** Milliseconds that were worked. */
  get workedMs(): number {
    return this.#worked + performance.now() - this.#startedMs;
  }

  /** Whether it is time to let others work. */
  get isDue(): boolean {
    return performance.now() - this.#startedMs >= this.#sliceMs;
  }

  /** Lets others work. */
  async pause(): Promise<void> {
    this.#worked += performance.now() - this.#startedMs;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#startedMs = performance.now();
  }
}

const SLICE_MS = 5;
