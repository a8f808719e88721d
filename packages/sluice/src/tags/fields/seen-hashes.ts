/**
 * A set of pairs of signed 32-bit hashes that only grows, up to `most` (a power of two), until it is cleared. 20 bytes a member, taken at once; no object
 * a member.
 */
export class SeenHashes {
  /** Of the member that `note` found or added: it stays what it is until `clear`. */
  place = 0;
  size = 0;
  /** By place: a number kept with the member. */
  readonly counts: Uint16Array;
  readonly #most: number;
  readonly #hashes: Int32Array;

  constructor(most: number) {
    this.#most = most;
    this.#hashes = new Int32Array(4 * most);
    this.counts = new Uint16Array(2 * most);
  }

  get bytes(): number {
    return this.#hashes.byteLength + this.counts.byteLength;
  }

  /** Adds a member that is not there yet. */
  note(low: number, high: number): Noted {
    const hashes = this.#hashes;
    const mask = hashes.length / 2 - 1;
    // 0, 0 is a free place.
    const first = (low | high) === 0 ? 1 : low;
    let place = (first ^ high) & mask;
    for (;;) {
      const foundLow = hashes[place * 2]!;
      const foundHigh = hashes[place * 2 + 1]!;
      if (foundLow === first && foundHigh === high) {
        this.place = place;
        return 'known';
      }
      if ((foundLow | foundHigh) === 0) break;
      place = (place + 1) & mask;
    }
    if (this.size >= this.#most) return 'full';
    hashes[place * 2] = first;
    hashes[place * 2 + 1] = high;
    this.size++;
    this.place = place;
    return 'new';
  }

  clear(): void {
    this.#hashes.fill(0);
    this.counts.fill(0);
    this.size = 0;
  }
}

/** full: it is not there, and there is no room for it. */
export type Noted = 'known' | 'new' | 'full';
