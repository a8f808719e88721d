import { isIPv4 } from 'node:net';
import type { Batch, Column } from '../../../src/batch/batch.ts';
import { textAt, valuesOf } from '../../../src/batch/read.ts';

/** A value of a row as golden cases write it: 64-bit numbers and times below the second as text, addresses as text, NULL as null. */
export type RowValue = number | string | null | readonly RowValue[];
export type Row = Readonly<Record<string, RowValue>>;

/** Every row of a batch. */
export function rowsOf(batch: Batch): Row[] {
  return Array.from({ length: batch.rows }, (_, row) =>
    Object.fromEntries(
      batch.source.columns.map(({ name, type }, index) => [name, valueAt(batch.columns[index]!, plainType(type), row)]),
    ),
  );
}

function plainType(type: string): string {
  return type.replaceAll(/LowCardinality\((\w+)\)/g, '$1');
}

function valueAt(column: Column, type: string, row: number): RowValue {
  switch (column.kind) {
    case 'string':
      return textAt(column, row);
    case 'nullable':
      return column.nulls[row] === 1 ? null : valueAt(column.inner, /^Nullable\((.*)\)$/.exec(type)![1]!, row);
    case 'array': {
      const element = /^Array\((.*)\)$/.exec(type)![1]!;
      const from = row === 0 ? 0 : column.ends[row - 1]!;
      return Array.from({ length: column.ends[row]! - from }, (_, i) => valueAt(column.element, element, from + i));
    }
    case 'fixed':
      return fixedAt(column, type, row);
    case 'tuple':
      throw new Error('no table of agents has tuples');
  }
}

function fixedAt(column: Column, type: string, row: number): RowValue {
  switch (type.replace(/\(.*/, '')) {
    case 'UInt8':
      return valuesOf(column, Uint8Array)[row]!;
    case 'UInt16':
      return valuesOf(column, Uint16Array)[row]!;
    case 'UInt32':
    case 'DateTime':
      return valuesOf(column, Uint32Array)[row]!;
    case 'Int32':
      return valuesOf(column, Int32Array)[row]!;
    case 'UInt64':
      return String(valuesOf(column, BigUint64Array)[row]!);
    case 'Int64':
    case 'DateTime64':
      return String(valuesOf(column, BigInt64Array)[row]!);
    case 'Float64': {
      const value = valuesOf(column, Float64Array)[row]!;
      return Number.isNaN(value) ? 'NaN' : Number.isFinite(value) ? value : value > 0 ? '+Inf' : '-Inf';
    }
    case 'IPv4':
      return ipv4Text(valuesOf(column, Uint32Array)[row]!);
    case 'IPv6':
      return ipv6Text(valuesOf(column, Uint8Array).subarray(row * 16, row * 16 + 16));
    default:
      throw new Error(`no value of type ${type}`);
  }
}

export function ipv4Text(address: number): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
}

/** Canonical text, with the help of URL's own rules. */
export function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[i * 2]! << 8) | bytes[i * 2 + 1]!).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** The number of an IPv4 text, as columns have it. */
export function ipv4Number(text: string): number {
  if (!isIPv4(text)) throw new Error(`${text} is no IPv4 address`);
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Rows without their ids, which a counter makes. */
export function withoutIds(rows: readonly Row[]): Row[] {
  return rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => name !== '_id')));
}
