/** The VPCs that VPCs are connected with: lists by number, as in the table `peers`. List 0 is empty. */
export class PeerLists {
  readonly #lists: Int32Array[] = [NONE];
  readonly #free: number[] = [];

  /** Lists, the empty one and those that are free included. */
  get count(): number {
    return this.#lists.length;
  }

  at(number: number): Int32Array {
    return this.#lists[number]!;
  }

  /** Adds a list; returns its number. */
  add(peers: readonly number[]): number {
    const number = this.#free.pop() ?? this.#lists.length;
    this.#lists[number] = Int32Array.from(peers);
    return number;
  }

  /** Gives a list back that nothing points to any more. */
  release(number: number): void {
    this.#lists[number] = NONE;
    this.#free.push(number);
  }
}

const NONE = new Int32Array(0);
