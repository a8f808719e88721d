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
  /** Type of the skip index that the column may have (`minmax`, `bloom_filter`); made only where the configuration asks for indexes. */
  readonly index?: string;
  readonly unit?: string;
  readonly description: string;
  /** End of the conversation that the column describes: 0 client, 1 server. */
  readonly side?: 0 | 1;
  /** List that gives the column's values names. */
  readonly enum?: string;
  /** Kind of resource whose name an id column stands for. */
  readonly universalTag?: string;
  /** Written as text by exporters, other than IP addresses, which always are. */
  readonly text?: 'mac';
  /** Category below `$tag` or `$metrics` by which DeepFlow's export-fields choose the column; absent = in every one. */
  readonly sub?: string;
  /** Name in export-fields, filters and exported rows where it is not the column's. */
  readonly exportName?: string;
  /** Exporters never send the column. */
  readonly exported?: false;
  /** How the column goes into longer intervals where it is not the role's way (tags group, metrics are summed); false = not at all. */
  readonly rollUp?: 'average' | false;
}

/** What a row is looked up by in the tag inventory and that is not stored. */
export interface KeySpec {
  readonly name: string;
  readonly type: string;
  readonly description: string;
}

export type TableEngine =
  | { readonly kind: 'MergeTree' }
  /** Of rows with equal sorting keys, the one with the greatest `version` remains. */
  | { readonly kind: 'ReplacingMergeTree'; readonly version: string }
  /** Rows with equal sorting keys become one, with these columns summed and any of the values of the others. */
  | { readonly kind: 'SummingMergeTree'; readonly sums: readonly string[] };

/** Length of a partition, in UTC: from a whole multiple since 1970, or a calendar day, week (from Monday) or month. */
export type PartitionBy = 'none' | 'hour' | '2 hours' | '4 hours' | '12 hours' | 'day' | 'week' | 'month';

export interface DataSource {
  /** `<database>.<table>`, DeepFlow's names where DeepFlow has the table. */
  readonly id: string;
  readonly database: string;
  readonly table: string;
  readonly description: string;
  readonly columns: readonly ColumnSpec[];
  /** What rows are looked up by and that is not stored: key columns of a RowBlock, behind the others. */
  readonly keys?: readonly KeySpec[];
  /**
   * What exporters can send of a row, in the order of DeepFlow's messages: columns, and fields that are known of a row without being stored in it
   * (`org_id`). Absent = the table is not for exporters.
   */
  readonly exportFields?: readonly ColumnSpec[];
  /** Column that says when a row happened, and what one tick of it is. */
  readonly time: { readonly column: string; readonly unit: 's' | 'ms' | 'us' | 'ns' };
  readonly engine: TableEngine;
  readonly orderBy: readonly string[];
  /** How `time.column` cuts the table into partitions; none = one partition. */
  readonly partitionBy: PartitionBy;
  /** Default retention in days and how much longer than configured rows are kept, in hours (a dictionary outlives what it describes). */
  readonly retention: { readonly days: number; readonly extraHours: number };
  /** Rows further ahead than this are dropped at the door, in milliseconds. */
  readonly acceptAheadMs: number;
  /** Age of the first row at which a segment is sealed, in milliseconds (design 2.1, invariant 6). */
  readonly sealAfterMs: number;
  /** Longer age that applies while the segment has fewer rows than `below`. */
  readonly sealSparse?: { readonly below: number; readonly afterMs: number };
}
