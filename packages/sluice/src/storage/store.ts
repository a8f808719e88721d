import type { NativeBlock } from '../batch/native.ts';
import type { Sql } from './sql.ts';

export interface QueryOptions {
  /** Statement is stopped in the database after this long, in milliseconds. Default 60,000. */
  readonly timeoutMs?: number;
  /** Memory the statement may take in the database, in bytes. Default: the store's own limit. */
  readonly maxMemory?: number;
  /** Kills the statement in the database when it aborts. */
  readonly signal?: AbortSignal;
  readonly settings?: Readonly<Record<string, string | number>>;
}

/**
 * A ClickHouse, embedded or on a server. Statements are `Sql` values, made only by the `sql` template that escapes literals and identifiers.
 *
 * Every failure is a SluiceError: `storage_unavailable` (retry later), `storage_refused` (never can succeed), `storage_limit`, `cancelled`.
 */
export interface Store {
  readonly engine: 'chdb' | 'clickhouse';
  /** Runs a statement without a result. */
  command(statement: Sql, options?: QueryOptions): Promise<void>;
  /** Rows of a SELECT as blocks, all in memory: for answers of known size. No FORMAT in the statement. */
  select(statement: Sql, options?: QueryOptions): Promise<readonly NativeBlock[]>;
  /** Rows of a SELECT block by block as the database makes them; leaving the loop cancels the statement. */
  stream(statement: Sql, options?: QueryOptions): AsyncIterable<NativeBlock>;
  close(): Promise<void>;
}
