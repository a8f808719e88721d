/** So many items in a row are each refused alone before any is taken for refused with its neighbours. */
const EXACT_ITEMS = 64;
/** From then on, a refused part that is at most this share of what was refused in a row before it is not divided. */
const SHARE = 8;
/** From so many on, what stands in rejected/ does not make room for more of the kind. */
const HOLD_ITEMS = 1024;

/** Counts what the receiver of an exporter took, over all lanes. */
export interface Takings {
  count: number;
}

/**
 * What a lane's receiver refused without taking anything in between. A few bad items in a batch are found by halving it. When everything is refused, that
 * would cost two requests an item: so the longer the run, the larger the parts that are refused as a whole. The first batch of 1,024 costs some 190
 * requests, the third one 7, later ones 1; where the run ends, at most an eighth of its length is set aside with it although it may be sound.
 */
export class RefusedRun {
  readonly #takings: Takings;
  #seen: number;
  #items = 0;
  #batches = 0;

  constructor(takings: Takings) {
    this.#takings = takings;
    this.#seen = takings.count;
  }

  /** The receiver took something of this lane. */
  taken(): void {
    this.#takings.count++;
    this.#seen = this.#takings.count;
    this.#items = 0;
    this.#batches = 0;
  }

  refused(items: number): void {
    this.#items += items;
  }

  /** A batch of which nothing was taken is over. */
  endBatch(): void {
    this.#look();
    this.#batches++;
  }

  /** Whether a refused part of so many items is not worth dividing. */
  staysWhole(items: number): boolean {
    return this.#items >= EXACT_ITEMS && items * SHARE <= this.#items;
  }

  /** Batches in a row of which the receiver took nothing, and nothing of other lanes meanwhile. */
  get batches(): number {
    this.#look();
    return this.#batches;
  }

  /** Whether it looks as if it is the receiver: one batch alone may just be that bad. */
  get isReceiver(): boolean {
    return this.batches > 1;
  }

  /** Whether that goes on for so long that nothing may be thrown away for it. */
  get isEverything(): boolean {
    return this.isReceiver && this.#items >= HOLD_ITEMS;
  }

  /** Where other lanes get something through, it is not the receiver. */
  #look(): void {
    if (this.#seen === this.#takings.count) return;
    this.#seen = this.#takings.count;
    this.#batches = 0;
  }
}
