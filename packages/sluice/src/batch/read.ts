import { bug } from '../base/errors.ts';
import type { Column } from './batch.ts';

/** Reading single values of a column: for answers and tests, not for hot paths. */

// A leading U+FEFF is part of the text.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Text of row `row` of a String column. */
export function textAt(column: Column, row: number): string {
  if (column.kind !== 'string') return bug(`expected a text column; got ${column.kind}`);
  let at = row === 0 ? 0 : column.ends[row - 1]!;
  while (column.bytes[at]! > 127) at++;
  return decoder.decode(column.bytes.subarray(at + 1, column.ends[row]));
}

/** A typed array over a fixed-width column's values; copied only when the bytes are not aligned for it. */
export function valuesOf<T extends TypedArray>(column: Column, type: TypedArrayType<T>): T {
  if (column.kind !== 'fixed' || type.BYTES_PER_ELEMENT > column.width) {
    return bug(`expected a column of fixed width; got ${column.kind}`);
  }
  let { bytes } = column;
  // Not slice(): a Buffer's gives a view.
  if (bytes.byteOffset % type.BYTES_PER_ELEMENT !== 0) bytes = new Uint8Array(bytes);
  return new type(bytes.buffer, bytes.byteOffset, bytes.byteLength / type.BYTES_PER_ELEMENT);
}

type TypedArray =
  | Uint8Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Int8Array;

interface TypedArrayType<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}
