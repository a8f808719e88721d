/**
 * Places of ids in a list, found by their two halves without a bigint: open addressing, at most half full. Ids are parts of SHA-256, so their low bits
 * are a hash already.
 */
export class IdTable {
  readonly #mask: number;
  readonly #ids: Uint32Array;
  /** Place + 1; 0 = empty. */
  readonly #places: Uint32Array;

  constructor(ids: readonly bigint[]) {
    let size = 16;
    while (size < ids.length * 2) size *= 2;
    this.#mask = size - 1;
    this.#places = new Uint32Array(size);
    this.#ids = new Uint32Array(BigUint64Array.from(ids).buffer);
    for (let place = 0; place < ids.length; place++) {
      let at = this.#ids[place * 2]! & this.#mask;
      while (this.#places[at] !== 0) at = (at + 1) & this.#mask;
      this.#places[at] = place + 1;
    }
  }

  /** Place of an id in the list; -1 when it is not there. */
  indexOf(low: number, high: number): number {
    const ids = this.#ids;
    for (let at = low & this.#mask; ; at = (at + 1) & this.#mask) {
      const place = this.#places[at]! - 1;
      if (place < 0 || (ids[place * 2] === low && ids[place * 2 + 1] === high)) return place;
    }
  }
}
