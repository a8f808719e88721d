import type { Batch } from '../../../../src/batch/batch.ts';
import { RowBlock } from '../../../../src/batch/row-block.ts';
import { l7FlowLog } from '../../../../src/catalog/l7-flow-log.ts';

/** A text as it came over the wire, UTF-8 or not. */
type Text = string | Uint8Array;

/** Columns of a row that a test makes; what is not named is 0, empty or absent. Bytes of a column of addresses are the address. */
export type MadeRow = Readonly<Record<string, number | bigint | Text | readonly Text[] | readonly number[]>>;

/** A Batch of flow_log.l7_flow_log of organisation 1. */
export function batchOf(rows: readonly MadeRow[]): Batch {
  const block = new RowBlock(l7FlowLog, Math.max(1, rows.length));
  for (const row of rows) {
    setRow(block, row);
    block.commit(1_700_000_000_000);
  }
  return block.finish(1);
}

function setRow(block: RowBlock, row: MadeRow): void {
  const texts: Buffer[] = [];
  let length = 0;
  /** Where the text stands in the record that the row is made of. */
  const place = (text: Text): readonly [number, number] => {
    const bytes = Buffer.from(text as string);
    texts.push(bytes);
    length += bytes.length;
    return [length - bytes.length, length];
  };
  const later: (() => void)[] = [];
  for (const [name, value] of Object.entries(row)) {
    const column = block.column(name);
    if (typeof value === 'bigint') {
      const bits = BigInt.asUintN(64, value);
      block.setHalves(column, Number(bits & 0xffff_ffffn), Number(bits >> 32n));
    } else if (typeof value === 'number') {
      if (block.fixed[column]!.width === 8) block.setInteger(column, value);
      else block.setNumber(column, value);
    } else if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
      for (const element of value) {
        if (typeof element === 'number') block.pushNumber(column, element);
        else {
          const [start, end] = place(element);
          later.push(() => block.pushTextBytes(column, block.wire, start, end));
        }
      }
    } else if (block.textOf[column]! < 0) block.setBytes(column, value as Uint8Array, 0);
    else {
      const [start, end] = place(value);
      later.push(() => block.setTextBytes(column, block.wire, start, end));
    }
  }
  block.wire = Buffer.concat(texts);
  for (const set of later) set();
}
