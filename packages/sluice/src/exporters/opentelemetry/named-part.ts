import { ADDRESS, type NamedCells } from '../cells.ts';
import type { BlockPart } from './attribute-blocks.ts';
import type { AttributeKey } from './attribute-bytes.ts';
import { namePart } from './attribute-parts.ts';

/** A name as part of a block. */
export function namedPart(key: AttributeKey, cells: NamedCells): BlockPart {
  const put = namePart(key, cells);
  const by = { names: [cells] };
  if (cells.address === undefined) return { put, by };
  const { index } = cells;
  return {
    put: (writer, row) => {
      if (index[row] !== ADDRESS) put(writer, row);
    },
    by,
    putAddress: (writer, row) => {
      if (index[row] === ADDRESS) put(writer, row);
    },
  };
}
