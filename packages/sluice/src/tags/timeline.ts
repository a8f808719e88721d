/**
 * When answers changed, within the time that is remembered. Between two changes lies a span of equal answers; each has a number that no other one ever
 * has. A change that is learnt of late (a pod that began 20 s ago) gives every span that it touches a new number.
 */
export class Timeline {
  /** Beginnings of spans, epoch seconds, ascending; the first span also stands for all time before it. */
  #starts: number[] = [0];
  #numbers: number[] = [1];
  readonly #secondOf = new Map<number, number>([[1, 0]]);
  #last = 1;
  // The question that is asked again and again.
  #askedNumber = 1;
  #askedSecond = 0;

  /** The second from which on everything is remembered. */
  get start(): number {
    return this.#starts[0]!;
  }

  /** Where the last span begins: nobody asks for a second after it. */
  get last(): number {
    return this.#starts.at(-1)!;
  }

  /** Number of the span that a time lies in. */
  versionAt(seconds: number): number {
    const starts = this.#starts;
    let high = starts.length - 1;
    if (seconds >= starts[high]!) return this.#numbers[high]!;
    let low = 0;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (starts[middle]! <= seconds) low = middle;
      else high = middle - 1;
    }
    return this.#numbers[low]!;
  }

  /** A second within the span of this number; that of a number which no span has any more is that of the last one. */
  secondOf(version: number): number {
    if (version === this.#askedNumber) return this.#askedSecond;
    const second = this.#secondOf.get(version) ?? this.#starts.at(-1)!;
    this.#askedNumber = version;
    this.#askedSecond = second;
    return second;
  }

  /** Answers have changed at these seconds, and may have changed at any time from the first of them on. */
  change(seconds: Iterable<number>): void {
    const all = [...seconds];
    if (all.length === 0) return;
    const first = Math.min(...all);
    const starts = [...new Set([...this.#starts, ...all])].toSorted((left, right) => left - right);
    const numbers = starts.map((start) => (start < first ? this.versionAt(start) : ++this.#last));
    this.#replace(starts, numbers);
  }

  /** Forgets spans that ended before; returns the second from which on everything is remembered. */
  forget(before: number): number {
    let gone = 0;
    while (gone + 1 < this.#starts.length && this.#starts[gone + 1]! <= before) gone++;
    if (gone > 0) this.#replace(this.#starts.slice(gone), this.#numbers.slice(gone));
    return this.#starts[0]!;
  }

  #replace(starts: number[], numbers: number[]): void {
    this.#starts = starts;
    this.#numbers = numbers;
    this.#secondOf.clear();
    for (const [index, number] of numbers.entries()) this.#secondOf.set(number, starts[index]!);
    this.#askedNumber = 0;
  }
}
