/**
 * The table of strings of one remote write 2.0 request (section 2.3): every label name, label value, help and unit
 * text once, referred to by its index. Index 0 is the empty string, which also means "not set".
 *
 * A table belongs to one request; {@link reset} it for the next.
 */
export class SymbolsTable {
  readonly #references = new Map<string, number>([['', 0]]);
  #symbols: string[] = [''];

  /** The reference of `text`, which is added if it is new. */
  symbolize(text: string): number {
    const known = this.#references.get(text);
    if (known !== undefined) return known;
    const reference = this.#symbols.length;
    this.#references.set(text, reference);
    this.#symbols.push(text);
    return reference;
  }

  /** All symbols in the order of their references. */
  get symbols(): readonly string[] {
    return this.#symbols;
  }

  /** Forgets all symbols but the empty string. */
  reset(): void {
    this.#references.clear();
    this.#references.set('', 0);
    this.#symbols = [''];
  }
}
