const STEP_BYTES = 256 * 1024;
const STEP_MS = 2;
const FIRST_ROWS = 64;
const MOST_ROWS = 65_536;

/** How many rows to encode at once, so that the event loop turns and bounds hold: found out from the step before, one for each data source. */
export class StepSize {
  #rows = FIRST_ROWS;

  get rows(): number {
    return this.#rows;
  }

  /** The step took `rows` rows, `ms` milliseconds, and made `bytes` bytes. */
  took(rows: number, bytes: number, ms: number): void {
    const fits = rows * Math.min(STEP_BYTES / Math.max(bytes, 1), STEP_MS / Math.max(ms, 0.001));
    // A last step of a few rows says little about more of them.
    this.#rows = Math.max(1, Math.min(MOST_ROWS, Math.floor(fits), 2 * Math.max(rows, this.#rows)));
  }

  /** Whether so much was done that others should have their turn. */
  static isDue(bytes: number, ms: number): boolean {
    return bytes >= STEP_BYTES / 2 || ms >= STEP_MS / 2;
  }
}
