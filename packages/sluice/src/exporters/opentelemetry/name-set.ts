const encoder = new TextEncoder();
const MOST_LENGTH = 64;

/** A few known names of up to 63 bytes, compared as bytes: no text is made of what is looked up. */
export class NameSet {
  readonly #byLength: (Uint8Array[] | undefined)[] = Array.from({ length: MOST_LENGTH });
  /** By length: a bit for each last byte (its lower 5 bits) that names of this length have. */
  readonly #lastBytes = new Uint32Array(MOST_LENGTH);

  add(name: string): void {
    const bytes = encoder.encode(name);
    (this.#byLength[bytes.length] ??= []).push(bytes);
    this.#lastBytes[bytes.length]! |= 1 << (bytes.at(-1)! & 31);
  }

  has(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (length === 0 || length >= MOST_LENGTH) return false;
    if ((this.#lastBytes[length]! & (1 << (bytes[end - 1]! & 31))) === 0) return false;
    return this.#byLength[length]!.some((name) => {
      let at = 0;
      while (at < length && bytes[start + at] === name[at]) at++;
      return at === length;
    });
  }
}
