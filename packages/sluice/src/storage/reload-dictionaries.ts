import { errorText } from '../base/errors.ts';
import { derivedTables } from '../catalog/derived-tables.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import { sql } from './sql.ts';
import type { Store } from './store.ts';

export interface ReloadOptions {
  readonly store: Store;
  readonly log: Log;
  /** Changes that come within this time are taken in together. Default 2 s. */
  readonly gatherMs?: number;
}

const GATHER_MS = 2000;

const TABLES: ReadonlySet<string> = new Set(
  derivedTables.flatMap(({ key, from }) => (key === undefined ? [] : from.map(({ id }) => id))),
);

/**
 * Keeps loaded dictionaries of the embedded engine current: it does not look for newer rows by itself, as a server does. Those that were never asked are
 * not loaded by this.
 */
export class DictionaryReload {
  readonly #options: ReloadOptions;
  readonly #mayLog = rateLimited(60_000);
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: ReloadOptions) {
    this.#options = options;
  }

  /** Rows of a table may have come into the database; `table` is a data source's id. */
  changed({ table }: { readonly table: string }): void {
    const { store, gatherMs = GATHER_MS } = this.#options;
    if (store.engine !== 'chdb' || !TABLES.has(table)) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#reload();
    }, gatherMs).unref();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #reload(): Promise<void> {
    const { store, log } = this.#options;
    try {
      await this.#running;
      await store.command(sql`SYSTEM RELOAD DICTIONARIES`);
    } catch (error) {
      this.#mayLog((suppressed) =>
        log.warn(
          { cause: errorText(error), suppressed },
          'cannot load dictionaries of tags again; they show older names',
        ),
      );
    }
  }
}
