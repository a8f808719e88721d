/**
 * While the configuration is wrong, one lane tries now and then and the others wait behind this gate. It opens when the lane that probes was answered
 * in any other way.
 */
export class ProbeGate {
  #prober: number | undefined;
  readonly #waiting = new Set<() => void>();

  get isClosed(): boolean {
    return this.#prober !== undefined;
  }

  /** This lane was told of a wrong configuration: the first one to be told probes. */
  close(lane: number): void {
    this.#prober ??= lane;
  }

  /** Whether the lane may send now. */
  lets(lane: number): boolean {
    return this.#prober === undefined || this.#prober === lane;
  }

  /** This lane was answered otherwise, or gives up. */
  open(lane: number): void {
    if (this.#prober !== lane) return;
    this.#prober = undefined;
    this.wakeAll();
  }

  /** Resolves at the next opening, or when woken. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
    });
  }

  wakeAll(): void {
    for (const done of this.#waiting) done();
  }
}
