import type { DataSource, PartitionBy } from '../catalog/types.ts';
import { identifier, sql, type Sql } from './sql.ts';

/**
 * How time cuts a table into partitions, thrice the same: as ClickHouse's expression, as arithmetic on epoch milliseconds, and as the partition's id in
 * system.parts. All in UTC, whatever the server's zone. test/integration/storage/partitions.test.ts holds the three against each other.
 */

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY_MS = 4 * DAY_MS;
/** The range of DateTime: within it partition ids follow from the calendar. */
const ORDINARY_MS = { from: 0, to: 2 ** 32 * 1000 - 31 * DAY_MS } as const;

type Cut = Exclude<PartitionBy, 'none'>;

const HOURS = { hour: 1, '2 hours': 2, '4 hours': 4, '12 hours': 12 } as const;

/** The partition key; undefined = one partition. */
export function partitionExpression(source: DataSource): Sql | undefined {
  const { partitionBy } = source;
  const time = identifier(source.time.column);
  switch (partitionBy) {
    case 'none':
      return undefined;
    case 'hour':
      return sql`toStartOfHour(${time}, 'UTC')`;
    case '2 hours':
    case '4 hours':
    case '12 hours':
      return sql`toStartOfInterval(${time}, toIntervalHour(${HOURS[partitionBy]}), 'UTC')`;
    case 'day':
      return sql`toYYYYMMDD(${time}, 'UTC')`;
    case 'week':
      return sql`toMonday(${time}, 'UTC')`;
    case 'month':
      return sql`toYYYYMM(${time}, 'UTC')`;
  }
}

/** Begin of the partition that a time falls into; both in epoch milliseconds. */
export function partitionStart(cut: Cut, ms: number): number {
  switch (cut) {
    case 'hour':
    case '2 hours':
    case '4 hours':
    case '12 hours': {
      const width = HOURS[cut] * HOUR_MS;
      return Math.floor(ms / width) * width;
    }
    case 'day':
      return Math.floor(ms / DAY_MS) * DAY_MS;
    case 'week':
      return Math.floor((ms - FIRST_MONDAY_MS) / (7 * DAY_MS)) * 7 * DAY_MS + FIRST_MONDAY_MS;
    case 'month': {
      const date = new Date(ms);
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
    }
  }
}

/** Begin of the partition after the one that begins at `start`. */
export function nextPartitionStart(cut: Cut, start: number): number {
  switch (cut) {
    case 'hour':
    case '2 hours':
    case '4 hours':
    case '12 hours':
      return start + HOURS[cut] * HOUR_MS;
    case 'day':
      return start + DAY_MS;
    case 'week':
      return start + 7 * DAY_MS;
    case 'month': {
      const date = new Date(start);
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
    }
  }
}

/** `20241120` for a day or a week's Monday, `202411` for a month, seconds since 1970 for hours; undefined where odd times have rules of their own. */
export function partitionIdAt(cut: Cut, start: number): string | undefined {
  if (start < ORDINARY_MS.from || start >= ORDINARY_MS.to) return undefined;
  const date = () => new Date(start).toISOString().replaceAll('-', '');
  switch (cut) {
    case 'hour':
    case '2 hours':
    case '4 hours':
    case '12 hours':
      return String(start / 1000);
    case 'day':
    case 'week':
      return date().slice(0, 8);
    case 'month':
      return date().slice(0, 6);
  }
}
