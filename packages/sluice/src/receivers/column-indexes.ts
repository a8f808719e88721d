import { bug } from '../base/errors.ts';
import type { DataSource } from '../catalog/types.ts';

/** Indexes of columns and key columns in the RowBlocks of a data source, by name: looked up once, when a decoder is made. */
export function columnIndexes<Name extends string>(
  source: DataSource,
  names: readonly Name[],
): Readonly<Record<Name, number>> {
  const all = [...source.columns, ...(source.keys ?? [])];
  const indexes = names.map((name) => {
    const index = all.findIndex((column) => column.name === name);
    return [name, index < 0 ? bug(`${source.id} has no column ${name}`) : index] as const;
  });
  // Every name has an index.
  return Object.fromEntries(indexes) as Record<Name, number>;
}
