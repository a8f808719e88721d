import { bug } from '../base/errors.ts';
import type { Batch, Column } from './batch.ts';
import { writeVarint } from './builder.ts';
import { parseColumnType, plainTypeText, type ColumnType } from './column-type.ts';

/*
 * ClickHouse Native block:
 *
 *   varint number of columns | varint number of rows | per column: name, type text, body
 *   name and type text: varint length + bytes
 *   body (n rows):  fixed width w   n * w bytes, little-endian
 *                   String          n * (varint length + bytes)
 *                   Nullable(T)     n bytes (1 = NULL), then the body of T with filler
 *                   Array(T)        n * UInt64 cumulative ends, then the body of T with ends[n-1] rows
 *                   Map(K, V)       as Array(Tuple(K, V));  Tuple: the bodies of its elements in order
 *                   LowCardinality  never written by us (declared as plain T), refused when read: cast it in the SELECT
 *
 * Blocks follow each other with nothing between them.
 */

const encoder = new TextEncoder();
// A leading U+FEFF is part of the text.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** One block as pieces ready for writev: headers are fresh, column bodies are views of the Batches' own memory. */
export interface EncodedBlock {
  readonly chunks: readonly Uint8Array[];
  /** Sum of the chunks' lengths. */
  readonly bytes: number;
  readonly rows: number;
}

const headerCache = new WeakMap<object, readonly Uint8Array[]>();

/** Encodes Batches of one table as one Native block, their rows one after the other. */
export function encodeNative(batches: readonly Batch[]): EncodedBlock {
  const first = batches[0] ?? bug('a block needs a Batch');
  let rows = 0;
  for (const batch of batches) rows += batch.rows;
  const head = new Uint8Array(10);
  const chunks: Uint8Array[] = [head.subarray(0, writeVarint(head, writeVarint(head, 0, first.columns.length), rows))];
  const headers = columnHeaders(first);
  for (let index = 0; index < first.columns.length; index++) {
    chunks.push(headers[index]!);
    if (batches.length === 1) pushBody([first.columns[index]!], chunks);
    else
      pushBody(
        batches.map((batch) => batch.columns[index] ?? bug('Batches of one block have the same columns')),
        chunks,
      );
  }
  let bytes = 0;
  for (const chunk of chunks) bytes += chunk.length;
  return { chunks, bytes, rows };
}

function columnHeaders(batch: Batch): readonly Uint8Array[] {
  let headers = headerCache.get(batch.source);
  if (headers === undefined) {
    headers = batch.source.columns.map((column) => {
      const name = encoder.encode(column.name);
      const type = encoder.encode(plainTypeText(column.type));
      const header = new Uint8Array(10 + name.length + type.length);
      let at = writeVarint(header, 0, name.length);
      header.set(name, at);
      at = writeVarint(header, at + name.length, type.length);
      header.set(type, at);
      return header.subarray(0, at + type.length);
    });
    headerCache.set(batch.source, headers);
  }
  return headers;
}

function pushBody(parts: readonly Column[], chunks: Uint8Array[]): void {
  const first = parts[0]!;
  switch (first.kind) {
    case 'fixed':
    case 'string':
      for (const part of parts) if (part.kind === first.kind && part.bytes.length > 0) chunks.push(part.bytes);
      return;
    case 'nullable': {
      const inner: Column[] = [];
      for (const part of parts) {
        if (part.kind !== 'nullable') bug('columns of one name have one shape');
        chunks.push(part.nulls);
        inner.push(part.inner);
      }
      return pushBody(inner, chunks);
    }
    case 'array': {
      const elements: Column[] = [];
      let before = 0;
      for (const part of parts) {
        if (part.kind !== 'array') bug('columns of one name have one shape');
        const ends = new Uint32Array(part.ends.length * 2);
        for (let row = 0; row < part.ends.length; row++) ends[row * 2] = before + part.ends[row]!;
        before += part.ends.at(-1) ?? 0;
        chunks.push(new Uint8Array(ends.buffer));
        elements.push(part.element);
      }
      return pushBody(elements, chunks);
    }
    case 'tuple':
      for (let index = 0; index < first.elements.length; index++) {
        pushBody(
          parts.map((part) =>
            part.kind === 'tuple' ? part.elements[index]! : bug('columns of one name have one shape'),
          ),
          chunks,
        );
      }
  }
}

/** A decoded block. Column bodies are views of the input. */
export interface NativeBlock {
  readonly rows: number;
  readonly columns: readonly NativeColumn[];
  /** Position behind the block. */
  readonly end: number;
}

export interface NativeColumn {
  readonly name: string;
  readonly type: string;
  readonly data: Column;
}

/** Thrown inside when the input ends in the middle of a block. */
class Incomplete extends Error {}

/**
 * Decodes the block that starts at `start`; undefined when the input ends before the block does (read more and try again).
 * Throws when the bytes cannot be a block, or hold a type with no layout here.
 */
export function decodeNative(input: Uint8Array, start = 0): NativeBlock | undefined {
  const reader = new Reader(input, start);
  try {
    const columnCount = reader.varint();
    const rows = reader.varint();
    if (columnCount > 4096)
      throw new Error(`cannot decode a Native block: it claims ${columnCount} columns; expected at most 4096`);
    const columns: NativeColumn[] = [];
    for (let index = 0; index < columnCount; index++) {
      const name = reader.text();
      const type = reader.text();
      if (type.includes('LowCardinality(')) {
        throw new Error(`cannot decode column ${name}: expected a plain type; got ${type} (cast it in the SELECT)`);
      }
      columns.push({ name, type, data: reader.body(parseColumnType(type), rows) });
    }
    return { rows, columns, end: reader.at };
  } catch (error) {
    if (error instanceof Incomplete) return undefined;
    throw error;
  }
}

class Reader {
  readonly #input: Uint8Array;
  at: number;

  constructor(input: Uint8Array, start: number) {
    this.#input = input;
    this.at = start;
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 8; i++) {
      if (this.at >= this.#input.length) throw new Incomplete();
      const byte = this.#input[this.at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      factor *= 128;
    }
    throw new Error('cannot decode a Native block: a length is longer than 2^53');
  }

  take(size: number): Uint8Array {
    if (size > this.#input.length - this.at) throw new Incomplete();
    const view = this.#input.subarray(this.at, this.at + size);
    this.at += size;
    return view;
  }

  text(): string {
    return decoder.decode(this.take(this.varint()));
  }

  body(type: ColumnType, rows: number): Column {
    switch (type.kind) {
      case 'fixed':
        return { kind: 'fixed', width: type.width, bytes: this.take(rows * type.width) };
      case 'string': {
        const start = this.at;
        // A value takes a byte at least: checked before memory is taken for a claimed number of rows.
        if (rows > this.#input.length - start) throw new Incomplete();
        const ends = new Uint32Array(rows);
        for (let row = 0; row < rows; row++) {
          this.take(this.varint());
          ends[row] = this.at - start;
        }
        return { kind: 'string', bytes: this.#input.subarray(start, this.at), ends };
      }
      case 'nullable':
        return { kind: 'nullable', nulls: this.take(rows), inner: this.body(type.inner, rows) };
      case 'array': {
        const raw = this.take(rows * 8);
        const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
        const ends = new Uint32Array(rows);
        let before = 0;
        for (let row = 0; row < rows; row++) {
          const end = view.getUint32(row * 8, true);
          if (view.getUint32(row * 8 + 4, true) !== 0 || end < before) {
            throw new Error(`cannot decode a Native block: array end ${row} is out of order or above 2^32`);
          }
          ends[row] = end;
          before = end;
        }
        return { kind: 'array', ends, element: this.body(type.element, before) };
      }
      case 'tuple':
        return { kind: 'tuple', elements: type.elements.map((element) => this.body(element, rows)) };
    }
  }
}
