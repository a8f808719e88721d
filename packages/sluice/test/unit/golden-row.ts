import type { Batch, Column } from '../../src/batch/batch.ts';

/** Values as the golden files spell them: whole numbers beyond 32 bits as text, addresses as text, NULL as null. */
export type GoldenValue = null | number | string | readonly GoldenValue[];

/** One row of a Batch, by column name. */
export function goldenRow(batch: Batch, row: number): Record<string, GoldenValue> {
  return Object.fromEntries(
    batch.source.columns.map(({ name, type }, index) => [name, valueOf(batch.columns[index]!, type, row)]),
  );
}

function valueOf(column: Column, type: string, row: number): GoldenValue {
  switch (column.kind) {
    case 'nullable':
      return column.nulls[row] === 1 ? null : valueOf(column.inner, inside(type), row);
    case 'fixed':
      return fixedValue(column.bytes.slice(row * column.width, (row + 1) * column.width), type);
    case 'string': {
      let at = row === 0 ? 0 : column.ends[row - 1]!;
      while (column.bytes[at]! > 127) at++;
      return Buffer.from(column.bytes.subarray(at + 1, column.ends[row])).toString();
    }
    case 'array': {
      const from = row === 0 ? 0 : column.ends[row - 1]!;
      const count = column.ends[row]! - from;
      return Array.from({ length: count }, (_, i) => valueOf(column.element, inside(type), from + i));
    }
    case 'tuple':
      throw new Error(`no golden table has a column of type ${type}`);
  }
}

function inside(type: string): string {
  return type.slice(type.indexOf('(') + 1, -1);
}

function fixedValue(bytes: Uint8Array, type: string): GoldenValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (type === 'IPv4') return [...bytes].toReversed().join('.');
  if (type === 'IPv6') return ip6Text(bytes);
  if (type === 'Float64') return view.getFloat64(0, true);
  if (bytes.length === 1) return bytes[0]!;
  if (bytes.length === 2) return view.getUint16(0, true);
  if (bytes.length === 4) return type === 'Int32' ? view.getInt32(0, true) : view.getUint32(0, true);
  return String(type === 'Int64' ? view.getBigInt64(0, true) : view.getBigUint64(0, true));
}

/** The usual short form: the longest run of zero groups, of two or more, as `::`. */
function ip6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[i * 2]! << 8) | bytes[i * 2 + 1]!);
  const text = groups.map((group) => group.toString(16)).join(':');
  const runs = [...text.matchAll(/\b0(?::0)+\b/g)].toSorted((a, b) => b[0].length - a[0].length);
  const longest = runs[0];
  if (longest === undefined) return text;
  const before = text.slice(0, longest.index).replace(/:$/, '');
  const after = text.slice(longest.index + longest[0].length).replace(/^:/, '');
  return `${before}::${after}`;
}
