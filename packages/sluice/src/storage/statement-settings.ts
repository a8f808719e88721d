import { bug } from '../base/errors.ts';
import { joinSql, sql, trustedSql, type Sql } from './sql.ts';
import type { QueryOptions } from './store.ts';

export const DEFAULT_QUERY_TIMEOUT_MS = 60_000;

/** The SETTINGS clause of a SELECT: its limits always, the caller's own settings after them. */
export function selectSettings(options: QueryOptions): Sql {
  return sql`SETTINGS ${settingList({ ...limitSettings(options), ...options.settings })}`;
}

/** Time and memory limits of a statement as settings. */
export function limitSettings(options: QueryOptions): Readonly<Record<string, string | number>> {
  const seconds = (options.timeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS) / 1000;
  const settings: Record<string, string | number> = { max_execution_time: seconds };
  if (options.maxMemory !== undefined) settings['max_memory_usage'] = Math.round(options.maxMemory);
  return settings;
}

/** `a = 1, b = 'x'`. Names are the program's own and are checked all the same. */
export function settingList(settings: Readonly<Record<string, string | number>>): Sql {
  const parts = Object.entries(settings).map(([name, value]) =>
    /^[a-z_][a-z0-9_]*$/.test(name)
      ? sql`${trustedSql(name)} = ${value}`
      : bug(`${JSON.stringify(name)} is no setting`),
  );
  return joinSql(parts, ', ');
}

/**
 * Settings under which one INSERT of up to 8 M rows makes exactly one part of one partition, read and written by one thread: the loader's exactly-once
 * marker stands on that (design 2.1, invariant 4). The defaults would cut the rows into several parts, which are not committed together.
 */
export const ONE_PART: Readonly<Record<string, string | number>> = {
  max_insert_threads: 1,
  max_threads: 1,
  min_insert_block_size_rows: 8_000_000,
  min_insert_block_size_bytes: 0,
  max_insert_block_size: 8_000_000,
  max_block_size: 8_000_000,
};
