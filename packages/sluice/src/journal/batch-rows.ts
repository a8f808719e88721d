import type { Batch, Column } from '../batch/batch.ts';
import { timeColumnOf, timeRange } from './time-range.ts';

/** Rows [from, to) of a Batch. Bytes are views of the Batch's memory; row offsets are made anew. */
export function sliceBatch(batch: Batch, from: number, to: number): Batch {
  if (from === 0 && to === batch.rows) return batch;
  const columns = batch.columns.map((column) => sliceColumn(column, from, to));
  return {
    source: batch.source,
    org: batch.org,
    rows: to - from,
    columns,
    ...timeRange(batch.source.time.unit, columns[timeColumnOf(batch.source)]),
  };
}

/** The same rows in memory of their own: the Batch may be kept when its builder is used again. */
export function copyBatch(batch: Batch): Batch {
  return { ...batch, columns: batch.columns.map(copyColumn) };
}

function sliceColumn(column: Column, from: number, to: number): Column {
  switch (column.kind) {
    case 'fixed':
      return { ...column, bytes: column.bytes.subarray(from * column.width, to * column.width) };
    case 'string': {
      const start = from === 0 ? 0 : column.ends[from - 1]!;
      const end = to === 0 ? 0 : column.ends[to - 1]!;
      return { kind: 'string', bytes: column.bytes.subarray(start, end), ends: rebased(column.ends, from, to, start) };
    }
    case 'nullable':
      return { kind: 'nullable', nulls: column.nulls.subarray(from, to), inner: sliceColumn(column.inner, from, to) };
    case 'array': {
      const start = from === 0 ? 0 : column.ends[from - 1]!;
      const end = to === 0 ? 0 : column.ends[to - 1]!;
      return {
        kind: 'array',
        ends: rebased(column.ends, from, to, start),
        element: sliceColumn(column.element, start, end),
      };
    }
    case 'tuple':
      return { kind: 'tuple', elements: column.elements.map((element) => sliceColumn(element, from, to)) };
  }
}

function rebased(ends: Uint32Array, from: number, to: number, start: number): Uint32Array {
  const out = ends.slice(from, to);
  for (let i = 0; i < out.length; i++) out[i] = out[i]! - start;
  return out;
}

function copyColumn(column: Column): Column {
  switch (column.kind) {
    case 'fixed':
      return { ...column, bytes: copied(column.bytes) };
    case 'string':
      return { kind: 'string', bytes: copied(column.bytes), ends: column.ends.slice() };
    case 'nullable':
      return { kind: 'nullable', nulls: copied(column.nulls), inner: copyColumn(column.inner) };
    case 'array':
      return { kind: 'array', ends: column.ends.slice(), element: copyColumn(column.element) };
    case 'tuple':
      return { kind: 'tuple', elements: column.elements.map(copyColumn) };
  }
}

/** Not `slice`: that of a Buffer shares the memory. */
function copied(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
