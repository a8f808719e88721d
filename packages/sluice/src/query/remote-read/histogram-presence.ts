import { databaseOf } from '../../catalog/catalog.ts';
import { histograms } from '../../catalog/prometheus.ts';
import { identifier, sql } from '../../storage/sql.ts';
import type { Store } from '../../storage/store.ts';
import type { TableVersions } from '../../storage/table-versions.ts';
import { rowsIn } from '../series-lookup.ts';

/**
 * Knows of organisations that nobody sends native histograms to, so that no query asks the database for them. Without TableVersions everybody may have
 * some.
 */
export class HistogramPresence {
  readonly #store: Store;
  readonly #versions: TableVersions | undefined;
  /** By organisation: the table's version at which it was empty; `some` once it was not. */
  readonly #known = new Map<number, number | 'some' | 'asking'>();

  constructor(store: Store, versions: TableVersions | undefined) {
    this.#store = store;
    this.#versions = versions;
  }

  /** False when the organisation has no histograms at all. When that is not known, it is found out for the next time. */
  maybe(org: number): boolean {
    if (this.#versions === undefined) return true;
    const version = this.#versions.of(org, histograms.id);
    const known = this.#known.get(org);
    if (known === version) return false;
    if (known !== 'some' && known !== 'asking') void this.#findOut(org, version);
    return true;
  }

  async #findOut(org: number, version: number): Promise<void> {
    this.#known.set(org, 'asking');
    try {
      const table = identifier(databaseOf(histograms, org), histograms.table);
      const rows = rowsIn(await this.#store.select(sql`SELECT 1 FROM ${table} LIMIT 1`));
      this.#known.set(org, rows > 0 ? 'some' : version);
    } catch {
      // The database says why to those who ask it for an answer.
      this.#known.delete(org);
    }
  }
}
