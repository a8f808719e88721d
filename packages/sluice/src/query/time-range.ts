import { storableTimes } from '../catalog/prometheus.ts';
import { identifier, sql, type Sql } from '../storage/sql.ts';

/** Times beyond what the column can hold mean "no limit". */
const { from: EARLIEST, until: LATEST } = storableTimes;

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
