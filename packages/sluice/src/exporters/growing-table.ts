import type { NameTable } from './cells.ts';

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);

/** A NameTable that takes new texts. Equal texts get one index. */
export class GrowingTable implements NameTable {
  readonly texts: Uint8Array[] = [EMPTY];
  readonly json: Uint8Array[] = [encoder.encode('""')];
  readonly #indexes = new Map<string, number>([['', 0]]);

  /** Index of a text, added if it is new. */
  index(text: string): number {
    let index = this.#indexes.get(text);
    if (index === undefined) {
      index = this.texts.length;
      // Well-formed first: a lone surrogate would be an escape in one form and U+FFFD in the other.
      const wellFormed = text.toWellFormed();
      this.texts.push(encoder.encode(wellFormed));
      this.json.push(encoder.encode(JSON.stringify(wellFormed)));
      this.#indexes.set(text, index);
    }
    return index;
  }
}
