const LISTED = 10;
const MAX_LINE = 512;

/** What was wrong with parts of one request: the first ten in words, the rest as a number, and what was dropped by reason. */
export class Problems {
  #lines: string[] = [];
  #count = 0;
  readonly #dropped = new Map<string, number>();

  get count(): number {
    return this.#count;
  }

  /** Whether the next problem will be listed: spares making its text. */
  get listsMore(): boolean {
    return this.#count < LISTED;
  }

  add(text: string): void {
    this.#count++;
    if (this.#lines.length < LISTED) this.#lines.push(printable(text));
  }

  /** Counts a problem that is beyond those listed. */
  addUnlisted(): void {
    this.#count++;
  }

  /** Rows that were not taken, for the metrics. */
  drop(reason: string, rows: number): void {
    if (rows > 0) this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + rows);
  }

  get dropped(): ReadonlyMap<string, number> {
    return this.#dropped;
  }

  /** The text of an answer: one line a problem. */
  text(): string {
    const more = this.#count - this.#lines.length;
    return [...this.#lines, ...(more > 0 ? [`and ${more} more`] : [])].join('\n') + '\n';
  }

  clear(): void {
    this.#lines = [];
    this.#count = 0;
    this.#dropped.clear();
  }
}

/** Without control characters, not longer than a line of an answer may be. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  const clean = text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
  return clean.length > MAX_LINE ? `${clean.slice(0, MAX_LINE)}...` : clean;
}
