/** Names that stood together in a row, and what is known of each. */
export interface NameList {
  /** The rest of the hash that the list is known by. */
  readonly high: number;
  /** By index: place in the set of names, -1 = there was no room for it; and the hash that those of its values go on from. */
  readonly places: Int32Array;
  readonly lows: Int32Array;
  readonly highs: Int32Array;
}

const MOST_LISTS = 4096;

/** Rows of one kind have the same names again and again: lists that were looked through once are known as a whole. */
export class NameLists {
  readonly #lists = new Map<number, NameList>();

  find(low: number, high: number): NameList | undefined {
    const found = this.#lists.get(low);
    return found?.high === high ? found : undefined;
  }

  /** A list of so many names, to be filled in. */
  add(low: number, high: number, count: number): NameList {
    if (this.#lists.size >= MOST_LISTS) this.#lists.clear();
    const list = {
      high,
      places: new Int32Array(count),
      lows: new Int32Array(count),
      highs: new Int32Array(count),
    };
    this.#lists.set(low, list);
    return list;
  }

  clear(): void {
    this.#lists.clear();
  }
}
