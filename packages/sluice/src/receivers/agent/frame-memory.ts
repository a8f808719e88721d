/** Somebody who holds a part of a frame. */
export interface FrameHolder {
  /** There is room for what was refused: ask again. */
  proceed(): void;
  /** Should end if it is its peer's fault that it does not get on: others wait for its memory. */
  cut(): void;
}

/** Time without a byte after which an incomplete frame is given up while others wait for its memory. */
const STALLED_MS = 10_000;

/**
 * Memory for incomplete frames of all connections, within one limit.
 *
 * A part of it, enough for one frame of the greatest size, is kept for one holder at a time: when the rest is used up, holders who want more wait
 * their turn, and each in turn can complete its frame. So a sum of halves never holds up everybody. Who does not get on while others wait is cut.
 */
export class FrameMemory {
  readonly #limit: number;
  readonly #reserve: number;
  readonly #onChange: (used: number) => void;
  readonly #held = new Map<FrameHolder, { bytes: number; seen: number }>();
  readonly #waiting = new Set<FrameHolder>();
  readonly #now: () => number;
  #favoured: FrameHolder | undefined;
  #used = 0;
  #isServing = false;
  #sweep: NodeJS.Timeout | undefined;

  /** `limit`: bytes in all; less than twice `frameBytes`, the size of the greatest frame, counts as that. */
  constructor(options: { limit: number; frameBytes: number; onChange?: (used: number) => void; now?: () => number }) {
    this.#reserve = options.frameBytes;
    this.#limit = Math.max(options.limit, 2 * options.frameBytes);
    this.#onChange = options.onChange ?? (() => undefined);
    this.#now = options.now ?? (() => performance.now());
  }

  get used(): number {
    return this.#used;
  }

  /** `bytes` more for the frame that the holder has begun. When refused, it must wait for `proceed`. */
  take(holder: FrameHolder, bytes: number): boolean {
    const held = this.#held.get(holder);
    const isFavoured = holder === this.#favoured;
    const fits = this.#used + bytes <= this.#limit - this.#reserve;
    if (!fits && !isFavoured) {
      if (this.#favoured !== undefined) {
        this.#waiting.add(holder);
        this.#sweep ??= setInterval(() => this.sweep(), STALLED_MS / 2).unref();
        return false;
      }
      this.#favoured = holder;
    }
    if (held === undefined) this.#held.set(holder, { bytes, seen: this.#now() });
    else {
      held.bytes += bytes;
      held.seen = this.#now();
    }
    this.#change(bytes);
    return true;
  }

  /** The frame is complete and decoded, or given up. */
  release(holder: FrameHolder): void {
    this.#waiting.delete(holder);
    const held = this.#held.get(holder);
    if (held !== undefined) {
      this.#held.delete(holder);
      this.#change(-held.bytes);
    }
    if (holder === this.#favoured) this.#favoured = undefined;
    if (this.#waiting.size === 0 || this.#isServing) return;
    this.#isServing = true;
    // Not from within the holder's own work, which would become the next one's as well.
    setImmediate(() => {
      this.#isServing = false;
      this.#serve();
    });
  }

  /** Bytes came for the frame of this holder. */
  gotOn(holder: FrameHolder): void {
    const held = this.#held.get(holder);
    if (held !== undefined) held.seen = this.#now();
  }

  /** Cuts those who hold up others. */
  sweep(): void {
    if (this.#waiting.size === 0) {
      clearInterval(this.#sweep);
      this.#sweep = undefined;
      return;
    }
    const before = this.#now() - STALLED_MS;
    for (const [holder, { seen }] of this.#held) if (seen < before && !this.#waiting.has(holder)) holder.cut();
  }

  close(): void {
    clearInterval(this.#sweep);
  }

  #serve(): void {
    // One after the other: each may use up what there is, and then waits again.
    for (let turns = this.#waiting.size; turns > 0; turns--) {
      if (this.#favoured !== undefined && this.#used >= this.#limit - this.#reserve) return;
      const [holder] = this.#waiting;
      if (holder === undefined) return;
      this.#waiting.delete(holder);
      holder.proceed();
    }
  }

  #change(bytes: number): void {
    this.#used += bytes;
    this.#onChange(this.#used);
  }
}
