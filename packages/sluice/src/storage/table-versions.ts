/**
 * Numbers that change whenever rows of a table may have come into the database, for who wants to keep an answer for as long as it holds. Only a hub whose
 * database nobody else writes to can tell.
 *
 * Read the number before asking the database, and keep it with the answer.
 */
export class TableVersions {
  readonly #versions = new Map<string, number>();

  /** `table` is a data source's id. */
  of(org: number, table: string): number {
    return this.#versions.get(`${org}/${table}`) ?? 0;
  }

  changed({ org, table }: { readonly org: number; readonly table: string }): void {
    this.#versions.set(`${org}/${table}`, this.of(org, table) + 1);
  }
}
