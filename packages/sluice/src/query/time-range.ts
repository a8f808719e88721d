import { identifier, sql, type Sql } from '../storage/sql.ts';

/** What DateTime64 can hold: the years 1900 to 2299. Times beyond mean "no limit". */
const EARLIEST = -2_208_988_800_000;
const LATEST = 10_413_791_999_999;

/** `column >= time` for a DateTime64(3) column and a time in epoch milliseconds. */
export function atLeast(column: string, time: number): Sql {
  return sql`${identifier(column)} >= ${instant(time)}`;
}

/** `column <= time` for a DateTime64(3) column and a time in epoch milliseconds. */
export function atMost(column: string, time: number): Sql {
  return sql`${identifier(column)} <= ${instant(time)}`;
}

function instant(time: number): Sql {
  return sql`fromUnixTimestamp64Milli(${Math.min(Math.max(Math.trunc(time), EARLIEST), LATEST)}, 'UTC')`;
}
