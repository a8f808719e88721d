import { RowBlock } from '../../../src/batch/row-block.ts';
import { findDataSource } from '../../../src/catalog/catalog.ts';
import type { Inventory } from '../../../src/tags/inventory.ts';
import { createTagger } from '../../../src/tags/tagger.ts';
import { goldenRow, type GoldenValue } from '../golden-row.ts';
import { addressBytes } from './address-bytes.ts';

/** What a decoder writes into a row, by column; addresses as text. */
export type Written = Readonly<Record<string, number | string>>;

/** Writes a row into the block as a decoder does. */
export function writeRow(block: RowBlock, values: Written): void {
  for (const [name, value] of Object.entries(values)) {
    const column = block.column(name);
    if (typeof value === 'string' && block.textOf[column]! >= 0) block.setText(column, value);
    else if (typeof value === 'string') {
      const bytes = addressBytes(value);
      if (bytes.length === 16) block.setBytes(column, bytes, 0);
      else block.setNumber(column, new DataView(bytes.buffer).getUint32(0));
    } else if (block.fixed[column]!.width === 8) block.setInteger(column, value);
    else block.setNumber(column, value);
  }
  block.commit((values['time'] as number) * 1000);
}

/** Rows of a table as the tagger leaves them. */
export function tagged(inventory: Inventory, source: string, rows: readonly Written[]): Record<string, GoldenValue>[] {
  const block = new RowBlock(findDataSource(source)!, 1);
  for (const row of rows) writeRow(block, { time: 1_700_000_000, ...row });
  createTagger({ inventory: () => inventory })(block, 1);
  const batch = block.finish(1);
  return rows.map((_, row) => goldenRow(batch, row));
}

/** The columns of a row that are named, in one object to compare. */
export function pick(row: Readonly<Record<string, GoldenValue>>, expected: Readonly<Record<string, unknown>>): unknown {
  return Object.fromEntries(Object.keys(expected).map((name) => [name, row[name]]));
}
