/** Closed while nothing more may be decoded: the rows decoded before have nowhere to go. Connections look at it before each frame. */
export class ReadGate {
  readonly #pressure: () => boolean;
  readonly #listeners: (() => void)[] = [];
  #waiting: (() => void)[] = [];
  #stopping = false;

  /** `pressure`: whether it is closed; call `open` whenever that has ended. */
  constructor(pressure: () => boolean) {
    this.#pressure = pressure;
  }

  get isClosed(): boolean {
    return !this.#stopping && this.#pressure();
  }

  /** Resolves when it is open. */
  async opened(): Promise<void> {
    while (this.isClosed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Calls back whenever it was opened. */
  onOpen(listener: () => void): void {
    this.#listeners.push(listener);
  }

  open(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
    for (const listener of this.#listeners) listener();
  }

  /** Open from now on: what is in memory as complete frames is decoded before the end. */
  stop(): void {
    this.#stopping = true;
    this.open();
  }
}
