import { bug } from '../base/errors.ts';
import type { Column } from '../batch/batch.ts';
import { valuesOf } from '../batch/read.ts';
import type { Cells } from './cells.ts';

/** The stored values of a column as they are: views of its memory. `type` is ClickHouse's. */
export function columnCells(column: Column, type: string): Cells {
  switch (column.kind) {
    case 'nullable':
      if (column.inner.kind !== 'fixed') return bug(`exporters have no form for a column of type ${type}`);
      return { ...numberCells(column.inner, plainType(inside(type))), nulls: column.nulls };
    case 'string':
      return { kind: 'text', bytes: column.bytes, ends: column.ends };
    case 'array':
      return listCells(column.ends, column.element);
    case 'fixed':
      return numberCells(column, plainType(inside(type)));
    case 'tuple':
      return bug(`exporters have no form for a column of type ${type}`);
  }
}

type NumberCells = Exclude<Cells, { kind: 'text' | 'named' | 'mac' | 'texts' | 'floats' }>;

function numberCells(column: Column, type: string): NumberCells {
  switch (type) {
    case 'UInt8':
    case 'Bool':
      return { kind: 'unsigned', values: valuesOf(column, Uint8Array) };
    case 'UInt16':
      return { kind: 'unsigned', values: valuesOf(column, Uint16Array) };
    case 'UInt32':
    case 'DateTime':
      return { kind: 'unsigned', values: valuesOf(column, Uint32Array) };
    case 'Int8':
      return { kind: 'signed', values: valuesOf(column, Int8Array) };
    case 'Int32':
      return { kind: 'signed', values: valuesOf(column, Int32Array) };
    case 'UInt64':
      return { kind: 'unsigned64', words: valuesOf(column, Uint32Array) };
    case 'Int64':
    case 'DateTime64':
      return { kind: 'signed64', words: valuesOf(column, Uint32Array) };
    case 'Float64':
      return { kind: 'float', values: valuesOf(column, Float64Array) };
    case 'IPv4':
      return { kind: 'ipv4', values: valuesOf(column, Uint32Array) };
    case 'IPv6':
      return { kind: 'ipv6', bytes: valuesOf(column, Uint8Array) };
    default:
      return bug(`exporters have no form for a column of type ${type}`);
  }
}

function listCells(ends: Uint32Array, element: Column): Cells {
  if (element.kind === 'string') return { kind: 'texts', ends, bytes: element.bytes, elementEnds: element.ends };
  return { kind: 'floats', ends, values: valuesOf(element, Float64Array) };
}

/** `UInt8` of `Nullable(UInt8)`. */
function inside(type: string): string {
  return /^(?:Nullable|LowCardinality)\(/.test(type) ? type.slice(type.indexOf('(') + 1, -1) : type;
}

/** `DateTime64` of `DateTime64(6, 'UTC')`. */
function plainType(type: string): string {
  const open = type.indexOf('(');
  return open < 0 ? type : type.slice(0, open);
}
