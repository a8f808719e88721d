import { bug } from '../../base/errors.ts';
import type { Column } from '../../batch/batch.ts';
import type { NativeBlock } from '../../batch/native.ts';
import { valuesOf } from '../../batch/read.ts';

/** Histograms of one block, as views: 64-bit numbers and doubles are two Uint32 each (low, high). */
export interface HistogramRows {
  readonly rows: number;
  readonly isFloat: Uint8Array;
  readonly schema: Int32Array;
  /** 0 unknown, 1 counter reset, 2 none, 3 gauge. */
  readonly resetHint: Uint8Array;
  readonly count: Uint32Array;
  readonly countFloat: Uint32Array;
  readonly sum: Uint32Array;
  readonly zeroThreshold: Uint32Array;
  readonly zeroCount: Uint32Array;
  readonly zeroCountFloat: Uint32Array;
  readonly positive: BucketRows;
  readonly negative: BucketRows;
  readonly customValues: Lists<Uint32Array>;
}

export interface BucketRows {
  readonly offsets: Lists<Int32Array>;
  readonly lengths: Lists<Uint32Array>;
  /** Integer histograms: difference to the bucket before. */
  readonly deltas: Lists<Uint32Array>;
  /** Float histograms: count of the bucket. */
  readonly counts: Lists<Uint32Array>;
}

/** A list a row: its elements are those from ends[row - 1] (0 for the first) to ends[row]. */
export interface Lists<T> {
  readonly ends: Uint32Array;
  readonly values: T;
}

/** Columns that `histogramRows` reads, to be selected in any order. */
export const HISTOGRAM_COLUMNS = [
  'is_float',
  'schema',
  'reset_hint',
  'count',
  'count_float',
  'sum',
  'zero_threshold',
  'zero_count',
  'zero_count_float',
  'positive_span_offsets',
  'positive_span_lengths',
  'positive_deltas',
  'positive_counts',
  'negative_span_offsets',
  'negative_span_lengths',
  'negative_deltas',
  'negative_counts',
  'custom_values',
] as const;

export function histogramRows(block: NativeBlock): HistogramRows {
  const column = (name: string): Column =>
    block.columns.find((candidate) => candidate.name === name)?.data ?? bug(`the block has no column ${name}`);
  const buckets = (side: 'positive' | 'negative'): BucketRows => ({
    offsets: signedLists(column(`${side}_span_offsets`)),
    lengths: lists(column(`${side}_span_lengths`)),
    deltas: lists(column(`${side}_deltas`)),
    counts: lists(column(`${side}_counts`)),
  });
  return {
    rows: block.rows,
    isFloat: valuesOf(column('is_float'), Uint8Array),
    schema: valuesOf(column('schema'), Int32Array),
    resetHint: valuesOf(column('reset_hint'), Uint8Array),
    count: valuesOf(column('count'), Uint32Array),
    countFloat: valuesOf(column('count_float'), Uint32Array),
    sum: valuesOf(column('sum'), Uint32Array),
    zeroThreshold: valuesOf(column('zero_threshold'), Uint32Array),
    zeroCount: valuesOf(column('zero_count'), Uint32Array),
    zeroCountFloat: valuesOf(column('zero_count_float'), Uint32Array),
    positive: buckets('positive'),
    negative: buckets('negative'),
    customValues: lists(column('custom_values')),
  };
}

/** Where the list of `row` begins. */
export function listStart(list: Lists<unknown>, row: number): number {
  return row === 0 ? 0 : list.ends[row - 1]!;
}

function lists(column: Column): Lists<Uint32Array> {
  if (column.kind !== 'array') return bug(`expected a column of lists; got ${column.kind}`);
  return { ends: column.ends, values: valuesOf(column.element, Uint32Array) };
}

function signedLists(column: Column): Lists<Int32Array> {
  if (column.kind !== 'array') return bug(`expected a column of lists; got ${column.kind}`);
  return { ends: column.ends, values: valuesOf(column.element, Int32Array) };
}
