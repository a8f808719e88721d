import type { DataSource } from '../catalog/types.ts';

/** Values of one column; `rows` of them. Shapes follow ColumnType. All views may lie in memory shared with other columns. */
export type Column =
  | {
      readonly kind: 'fixed';
      readonly width: number;
      /** rows * width bytes, little-endian. */
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: 'string';
      /** One value after the other: length as unsigned LEB128, then the text. Exactly what Native and protobuf carry. */
      readonly bytes: Uint8Array;
      /** ends[i]: where value i ends in `bytes`; it begins at ends[i - 1] (0 for the first). */
      readonly ends: Uint32Array;
    }
  | {
      readonly kind: 'nullable';
      /** 1 = NULL; the inner value there is filler. */
      readonly nulls: Uint8Array;
      readonly inner: Column;
    }
  | {
      readonly kind: 'array';
      /** ends[i]: number of elements up to and including row i. */
      readonly ends: Uint32Array;
      readonly element: Column;
    }
  | { readonly kind: 'tuple'; readonly elements: readonly Column[] };

/** Rows of one table of one organisation, as columns in the order of the data source's description. */
export interface Batch {
  readonly source: DataSource;
  readonly org: number;
  readonly rows: number;
  readonly columns: readonly Column[];
  /** Least and greatest time of the rows, in epoch milliseconds. */
  readonly minTime: number;
  readonly maxTime: number;
}

/** Bytes of column memory in a Batch: what a limit on queued data counts. */
export function batchBytes(batch: Batch): number {
  let sum = 0;
  for (const column of batch.columns) sum += columnBytes(column);
  return sum;
}

function columnBytes(column: Column): number {
  switch (column.kind) {
    case 'fixed':
      return column.bytes.length;
    case 'string':
      return column.bytes.length + column.ends.byteLength;
    case 'nullable':
      return column.nulls.length + columnBytes(column.inner);
    case 'array':
      return column.ends.byteLength + columnBytes(column.element);
    case 'tuple':
      return column.elements.reduce((sum, element) => sum + columnBytes(element), 0);
  }
}
