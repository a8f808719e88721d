import { errorText, isSluiceError } from '../base/errors.ts';
import { textAt } from '../batch/read.ts';
import { databaseOf } from '../catalog/catalog.ts';
import { derivedTables } from '../catalog/derived-tables.ts';
import type { Log } from '../telemetry/log.ts';
import { createDerived, type DerivedOptions, type DerivedStatement } from './derived-tables.ts';
import { sql } from './sql.ts';
import type { Store } from './store.ts';

export interface EnsureDerivedOptions extends DerivedOptions {
  readonly store: Store;
  readonly organisations: readonly number[];
  readonly log: Log;
  /** Ends it early, in the middle of a statement, too: on a cluster one may wait for minutes for a server that is away. */
  readonly signal?: AbortSignal;
}

/**
 * Makes views and dictionaries that are missing or have another form, be it on one server of a cluster; their tables are there. Dictionaries that log in
 * with a password, which may be another one now, are all made each time. The hub itself does without: what the database refuses is only told of. Never
 * rejects.
 */
export async function ensureDerived(options: EnsureDerivedOptions): Promise<void> {
  const { login, log, signal } = options;
  const before = performance.now();
  const refused: string[] = [];
  let cause: unknown;
  let made = 0;
  try {
    const comments = await readComments(options);
    for (const { database, name, statement, comment, isDictionary } of statementsOf(options)) {
      const mayHaveChanged = login !== undefined && isDictionary;
      if (!mayHaveChanged && comments.get(`${database}\0${name}`) === comment) continue;
      if (signal?.aborted === true) return;
      log.debug({ statement: statement.text }, 'making a view or dictionary');
      try {
        await options.store.command(statement, { timeoutMs: 300_000, ...(signal === undefined ? {} : { signal }) });
        made++;
      } catch (error) {
        refused.push(`${database}.${name}`);
        cause ??= error;
        if (isSluiceError(error) && error.code === 'storage_unavailable') break;
      }
    }
  } catch (error) {
    cause = error;
  }
  if (made > 0) log.info({ made, tookMs: Math.round(performance.now() - before) }, 'views and dictionaries made');
  if (cause === undefined || signal?.aborted === true) return;
  log.warn(
    { refused, cause: errorText(cause) },
    'cannot make views and dictionaries of tags in the database; the next start tries again',
  );
}

function* statementsOf(options: EnsureDerivedOptions): Iterable<DerivedStatement> {
  for (const org of options.organisations) {
    for (const table of derivedTables) yield createDerived(table, org, options);
  }
}

/** Comments by `database\0name`: of a cluster those that are the same on all servers. */
async function readComments(options: EnsureDerivedOptions): Promise<ReadonlyMap<string, string>> {
  const { store, organisations, cluster, log, signal } = options;
  const found = new Map<string, string>();
  const databases = new Set(organisations.flatMap((org) => derivedTables.map((table) => databaseOf(table, org))));
  if (databases.size === 0) return found;
  const from = cluster === undefined ? sql`system.tables` : sql`clusterAllReplicas(${cluster}, system.tables)`;
  const servers =
    cluster === undefined ? sql`1` : sql`(SELECT count() FROM system.clusters WHERE cluster = ${cluster})`;
  const tables = sql`SELECT database, name, comment FROM ${from} WHERE database IN (${[...databases]}) AND engine IN ('View', 'Dictionary')
    GROUP BY database, name, comment HAVING count() = ${servers}`;
  let blocks: Awaited<ReturnType<Store['select']>>;
  try {
    blocks = await store.select(tables, signal === undefined ? {} : { signal });
  } catch (error) {
    if (cluster === undefined || signal?.aborted === true) throw error;
    // A user need not be allowed to ask other servers: then all are made.
    log.debug({ cause: errorText(error) }, 'cannot ask all servers of a cluster for their views and dictionaries');
    return found;
  }
  for (const { rows, columns } of blocks) {
    const [database, name, comment] = columns.map(({ data }) => data);
    for (let row = 0; row < rows; row++) {
      found.set(`${textAt(database!, row)}\0${textAt(name!, row)}`, textAt(comment!, row));
    }
  }
  return found;
}
