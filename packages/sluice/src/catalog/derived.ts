import type { DataSource } from './types.ts';

/**
 * What queries written for DeepFlow find in flow_tag, by its names: dictionaries (`dictGet('flow_tag.pod_map', 'name', toUInt64(pod_id))`, and SELECT
 * as of a table) and views, all made of tables that hold the rows.
 */
export interface DerivedTable {
  readonly database: string;
  readonly name: string;
  readonly description: string;
  readonly columns: readonly DerivedColumn[];
  /** Columns that a dictionary is asked by; absent: a view. */
  readonly key?: readonly string[];
  /** None: it is made of nothing but what stands in `query`. */
  readonly from: readonly DataSource[];
  /** A SELECT with the columns by name; `tableIn` stands for a table's name. */
  readonly query: string;
}

export interface DerivedColumn {
  readonly name: string;
  /** ClickHouse type, in ClickHouse's own spelling. */
  readonly type: string;
  /** How it is made of the columns of the query's rows. */
  readonly expression: string;
}

/** What stands for a table in queries. */
export function tableIn({ id }: DataSource): string {
  return `{${id}}`;
}

export const column = (type: string) => (name: string, expression: string) => ({ name, type, expression });
export const text = column('String');
export const number = column('UInt64');
export const signed = column('Int64');

/** A SELECT with these columns. */
export function selected(columns: readonly DerivedColumn[], from: string): string {
  return `SELECT ${columns.map((one) => `${one.expression} AS \`${one.name}\``).join(', ')} FROM ${from}`;
}
