import { RowBlock } from '../../../src/batch/row-block.ts';
import type { DataSource } from '../../../src/catalog/types.ts';
import { type Row, rowsOf } from './row-values.ts';

/** A row of which nothing was set. */
export function emptyRow(source: DataSource): Row {
  const block = new RowBlock(source);
  block.commit(0);
  return rowsOf(block.finish(1))[0]!;
}

/** A row id as text: the second, and what is below it. */
export function rowId(seconds: number, low: number): string {
  return String((BigInt(seconds) << 32n) | BigInt(low >>> 0));
}
