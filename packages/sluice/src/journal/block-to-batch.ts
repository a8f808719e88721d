import type { Batch, Column } from '../batch/batch.ts';
import { parseColumnType, plainTypeText, type ColumnType } from '../batch/column-type.ts';
import type { NativeBlock } from '../batch/native.ts';
import type { Source } from './types.ts';

export interface BlockPlace {
  readonly source: Source;
  readonly org: number;
  readonly minTime: number;
  readonly maxTime: number;
}

/**
 * A block of any catalog version as a Batch of today's: columns are taken by name, those it lacks get their default, those nobody knows any more are
 * left out. A column of another layout than today's counts as lacking: the catalog never gives a name to another type.
 */
export function blockToBatch(block: NativeBlock, { source, org, minTime, maxTime }: BlockPlace): Batch {
  const columns = source.columns.map((column, index) => {
    const same = block.columns[index];
    const found = same?.name === column.name ? same : block.columns.find((candidate) => candidate.name === column.name);
    const type = parseColumnType(column.type);
    if (
      found !== undefined &&
      (found.type === plainTypeText(column.type) || sameLayout(parseColumnType(found.type), type))
    ) {
      return found.data;
    }
    return defaultColumn(type, block.rows);
  });
  return { source, org, rows: block.rows, columns, minTime, maxTime };
}

function sameLayout(a: ColumnType, b: ColumnType): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Zeros, empty texts, NULLs, empty arrays: what ClickHouse puts into a column that an INSERT does not name. */
function defaultColumn(type: ColumnType, rows: number): Column {
  switch (type.kind) {
    case 'fixed':
      return { kind: 'fixed', width: type.width, bytes: new Uint8Array(rows * type.width) };
    case 'string':
      return {
        kind: 'string',
        bytes: new Uint8Array(rows),
        ends: Uint32Array.from({ length: rows }, (_, row) => row + 1),
      };
    case 'nullable':
      return { kind: 'nullable', nulls: new Uint8Array(rows).fill(1), inner: defaultColumn(type.inner, rows) };
    case 'array':
      return { kind: 'array', ends: new Uint32Array(rows), element: defaultColumn(type.element, 0) };
    case 'tuple':
      return { kind: 'tuple', elements: type.elements.map((element) => defaultColumn(element, rows)) };
  }
}
