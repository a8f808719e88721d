/** What a data source looks like. Tables, decoders' column plans and documentation derive from these descriptions. */

/** Part a column plays: `time` exactly once a table, `id` names something, `tag` describes, `metric` is measured, `text` is free. */
export type Role = 'time' | 'id' | 'tag' | 'metric' | 'text';

export interface ColumnSpec {
  readonly name: string;
  /** ClickHouse type, in ClickHouse's own spelling. */
  readonly type: string;
  readonly role: Role;
  /** Inside of CODEC(...); absent = the server's default. */
  readonly codec?: string;
  readonly unit?: string;
  readonly description: string;
}

export interface DataSource {
  /** `<database>.<table>`, DeepFlow's names where DeepFlow has the table. */
  readonly id: string;
  readonly database: string;
  readonly table: string;
  readonly description: string;
  readonly columns: readonly ColumnSpec[];
  /** Column that says when a row happened, and what one tick of it is. */
  readonly time: { readonly column: string; readonly unit: 's' | 'ms' | 'us' | 'ns' };
  readonly engine: { readonly kind: 'MergeTree' } | { readonly kind: 'ReplacingMergeTree'; readonly version: string };
  readonly orderBy: readonly string[];
  /** How `time.column` cuts the table into partitions; none = one partition. */
  readonly partitionBy: 'none' | 'hour' | 'day';
  /** Default retention in days and how much longer than configured rows are kept, in hours (a dictionary outlives what it describes). */
  readonly retention: { readonly days: number; readonly extraHours: number };
  /** Rows further ahead than this are dropped at the door, in milliseconds. */
  readonly acceptAheadMs: number;
  /** Age of the first row at which a segment is sealed, in milliseconds (design 2.1, invariant 6). */
  readonly sealAfterMs: number;
  /** Longer age that applies while the segment has fewer rows than `below`. */
  readonly sealSparse?: { readonly below: number; readonly afterMs: number };
}
