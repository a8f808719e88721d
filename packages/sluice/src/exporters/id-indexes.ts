import { randomInt } from 'node:crypto';

const FIRST_SLOTS = 256;
const EMPTY = 0xffff_ffff;

/** Numbers by pairs of 32-bit ids, for lookups in loops over columns: open addressing in typed arrays, at most three quarters full. */
export class IdIndexes {
  /** 2 words a slot: the pair. */
  #keys = new Uint32Array(FIRST_SLOTS * 2);
  #values = new Uint32Array(FIRST_SLOTS).fill(EMPTY);
  #mask = FIRST_SLOTS - 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The number of a pair, or -1. */
  find(high: number, low: number): number {
    let slot = hash(high, low) & this.#mask;
    for (;;) {
      const value = this.#values[slot]!;
      if (value === EMPTY) return -1;
      if (this.#keys[slot * 2] === low && this.#keys[slot * 2 + 1] === high) return value;
      slot = (slot + 1) & this.#mask;
    }
  }

  /** Sets the number of a pair that `find` did not find; any but 2^32 - 1. */
  add(high: number, low: number, value: number): void {
    if ((this.#size + 1) * 4 > this.#values.length * 3) this.#grow();
    this.#put(high, low, value);
    this.#size++;
  }

  #put(high: number, low: number, value: number): void {
    let slot = hash(high, low) & this.#mask;
    while (this.#values[slot] !== EMPTY) slot = (slot + 1) & this.#mask;
    this.#keys[slot * 2] = low;
    this.#keys[slot * 2 + 1] = high;
    this.#values[slot] = value;
  }

  #grow(): void {
    const [keys, values] = [this.#keys, this.#values];
    const slots = values.length * 2;
    this.#keys = new Uint32Array(slots * 2);
    this.#values = new Uint32Array(slots).fill(EMPTY);
    this.#mask = slots - 1;
    for (let slot = 0; slot < values.length; slot++) {
      const value = values[slot]!;
      if (value !== EMPTY) this.#put(keys[slot * 2 + 1]!, keys[slot * 2]!, value);
    }
  }
}

/** Nobody can aim ids at one another's slots without knowing it. */
const SEED = randomInt(0x1_0000_0000);

function hash(high: number, low: number): number {
  let mixed = low ^ SEED ^ Math.imul(high, 0x9e37_79b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
