import { bug } from '../base/errors.ts';
import type { Batch, Column } from '../batch/batch.ts';
import { valuesOf } from '../batch/read.ts';
import type { DataSource } from '../catalog/types.ts';

/** Columns of a Batch by name, and their memory. */

const places = new WeakMap<DataSource, ReadonlyMap<string, number>>();

/** Place of a column in the Batches of a data source, or -1. */
export function columnIndex(source: DataSource, name: string): number {
  let indexes = places.get(source);
  if (indexes === undefined) {
    indexes = new Map(source.columns.map((column, index) => [column.name, index]));
    places.set(source, indexes);
  }
  return indexes.get(name) ?? -1;
}

export function columnNamed(batch: Batch, name: string): Column {
  return batch.columns[columnIndex(batch.source, name)] ?? bug(`${batch.source.id} has no column ${name}`);
}

export function uint8Values(column: Column): Uint8Array {
  return column.kind === 'fixed' ? column.bytes : bug(`expected a column of fixed width; got ${column.kind}`);
}

export function uint32Values(column: Column): Uint32Array {
  return valuesOf(column, Uint32Array);
}
