/** Bounds of repeated messages or texts within one piece of bytes, in the order they came. */
export class BoundsList {
  count = 0;
  #bounds = new Uint32Array(32);

  add(start: number, end: number): void {
    const at = this.count++ * 2;
    if (at === this.#bounds.length) {
      const larger = new Uint32Array(at * 2);
      larger.set(this.#bounds);
      this.#bounds = larger;
    }
    this.#bounds[at] = start;
    this.#bounds[at + 1] = end;
  }

  start(index: number): number {
    return this.#bounds[index * 2]!;
  }

  end(index: number): number {
    return this.#bounds[index * 2 + 1]!;
  }

  clear(): void {
    this.count = 0;
  }
}
