import type { RollUp, RollUpColumn } from '../catalog/roll-ups.ts';
import { rollUps } from '../catalog/roll-ups.ts';
import { identifier, joinSql, sql, type Sql } from './sql.ts';

/**
 * Roll-ups are filled from sealed segments of the journal, each by a reader of its own: a segment's rows are grouped by the statement that inserts
 * them, so the marker that makes a segment land once makes its sums land once.
 */

/** Readers of the journal that fill roll-ups, by name: the roll-up that each makes of a table. */
export const rollUpReaders: ReadonlyMap<string, ReadonlyMap<string, RollUp>> = new Map(
  (['hour', 'day'] as const).map((interval) => [
    `roll-up-${interval}`,
    new Map(rollUps.filter((rollUp) => rollUp.interval === interval).map((rollUp) => [rollUp.from.id, rollUp])),
  ]),
);

/** What is inserted and how it is made of a segment with these columns. A column that the segment lacks (of an older version) keeps its default. */
export interface RollUpQuery {
  readonly columns: readonly string[];
  readonly select: Sql;
  readonly groupBy: Sql;
}

export function rollUpQuery(rollUp: RollUp, segmentColumns: readonly string[]): RollUpQuery {
  const present = new Set(segmentColumns);
  const columns = rollUp.columns.filter((column) => !('from' in column) || present.has(column.from));
  const groups = columns.filter((column) => column.kind === 'group').map(({ from }) => identifier(from));
  const times = columns.filter((column) => column.kind === 'time').map(({ from }) => beginOf(rollUp, from));
  return {
    columns: columns.map(({ to }) => to),
    select: joinSql(
      columns.map((column) => expression(rollUp, column, groups)),
      ', ',
    ),
    groupBy: joinSql([...times, ...groups], ', '),
  };
}

function expression(rollUp: RollUp, column: RollUpColumn, groups: readonly Sql[]): Sql {
  switch (column.kind) {
    case 'time':
      return beginOf(rollUp, column.from);
    case 'group':
      return identifier(column.from);
    case 'sum':
      return sql`sum(${identifier(column.from)})`;
    case 'count':
      return sql`count()`;
    case 'hash':
      return sql`cityHash64(${joinSql(groups, ', ')})`;
  }
}

function beginOf({ interval }: RollUp, column: string): Sql {
  return interval === 'hour'
    ? sql`toStartOfHour(${identifier(column)}, 'UTC')`
    : sql`toStartOfDay(${identifier(column)}, 'UTC')`;
}
