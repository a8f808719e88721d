import { setImmediate } from 'node:timers/promises';
import type { SeriesLabels } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import { valuesOf } from '../../batch/read.ts';
import type { ExportCounters } from './counters.ts';
import type { SeriesForm } from './series-form.ts';

/** Rows after which others have their turn. */
const ROWS_A_TURN = 4096;
const UNKNOWN = 0;

/** Ids of the samples of a Batch, two words each. */
interface Ids {
  readonly metric: Uint32Array;
  readonly series: Uint32Array;
}

/**
 * The label sets of a Batch of samples in the form in which they are sent, in memory of their own: what a series is known by is only good until others have
 * their turn, and samples that wait in the journal outlive the activity of their series.
 */
export class BatchSeries {
  /** Label fields, one set after the other. */
  bytes: Uint8Array = new Uint8Array(64 * 1024);
  /** Number of each row's set, from 1 on; 0 = nobody knows the series. */
  readonly numbers: Uint32Array;
  /** ends[n]: where set n ends in `bytes`; it begins at ends[n - 1]. */
  ends: Uint32Array = new Uint32Array(256);
  #count = 0;

  constructor(rows: number) {
    this.numbers = new Uint32Array(rows);
  }

  /** Takes a set and answers its number. */
  add(labels: Uint8Array, form: SeriesForm): number {
    const at = this.ends[this.#count]!;
    const needed = at + labels.length + form.growth;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = grown;
    }
    if (++this.#count === this.ends.length) {
      const grown = new Uint32Array(this.ends.length * 2);
      grown.set(this.ends);
      this.ends = grown;
    }
    this.ends[this.#count] = form.put(labels, this.bytes, at);
    return this.#count;
  }
}

export interface SeriesLookupOptions {
  readonly series: SeriesLabels;
  readonly form: SeriesForm;
  readonly counters: ExportCounters;
}

/** Finds the labels of all series of a Batch: in memory, else in the database. Rejects when that cannot be asked. */
export async function lookUpSeries(batch: Batch, options: SeriesLookupOptions): Promise<BatchSeries> {
  const found = new BatchSeries(batch.rows);
  const ids = { metric: wordsOf(batch, 'metric_id'), series: wordsOf(batch, 'series_id') };
  const known = new KnownRows(ids, batch.rows);
  const missing: number[] = [];
  for (let row = 0; row < batch.rows; row++) {
    if (row % ROWS_A_TURN === ROWS_A_TURN - 1) await setImmediate();
    const first = known.firstOf(row);
    if (first !== row) {
      // Whatever becomes of the first one.
      found.numbers[row] = found.numbers[first]!;
      continue;
    }
    const labels = options.series.find(batch.org, ...idsOf(ids, row));
    if (labels === undefined) missing.push(row);
    else found.numbers[row] = take(found, labels, options);
  }
  if (missing.length > 0) {
    const wanted = Uint32Array.from(missing.flatMap((row) => idsOf(ids, row)));
    const loaded = await options.series.load(batch.org, wanted);
    for (const [index, row] of missing.entries()) {
      const labels = loaded[index];
      found.numbers[row] = labels === undefined ? UNKNOWN : take(found, labels, options);
    }
    for (let row = 0; row < batch.rows; row++) found.numbers[row] = found.numbers[known.firstOf(row)]!;
  }
  options.counters.flush();
  return found;
}

function take(found: BatchSeries, labels: Uint8Array, { form, counters }: SeriesLookupOptions): number {
  const number = found.add(labels, form);
  counters.droppedLabels += form.dropped;
  return number;
}

function idsOf({ metric, series }: Ids, row: number): [number, number, number, number] {
  return [metric[row * 2]!, metric[row * 2 + 1]!, series[row * 2]!, series[row * 2 + 1]!];
}

/** Low and high word of each value of a column of 64 bits. */
export function wordsOf(batch: Batch, name: string): Uint32Array {
  return valuesOf(batch.columns[batch.source.columns.findIndex((column) => column.name === name)]!, Uint32Array);
}

/** The first row of each series. */
class KnownRows {
  readonly #ids: Ids;
  /** Row + 1 by hash, 0 = free; at most half full. */
  readonly #slots: Int32Array;
  readonly #firsts: Int32Array;

  constructor(ids: Ids, rows: number) {
    this.#ids = ids;
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(16, rows * 2))));
    this.#firsts = new Int32Array(rows).fill(-1);
  }

  firstOf(row: number): number {
    if (this.#firsts[row]! < 0) this.#firsts[row] = this.#find(row);
    return this.#firsts[row]!;
  }

  #find(row: number): number {
    const { metric, series } = this.#ids;
    const mask = this.#slots.length - 1;
    // The ids are parts of a hash already.
    for (let slot = (series[row * 2]! ^ series[row * 2 + 1]!) & mask; ; slot = (slot + 1) & mask) {
      const other = this.#slots[slot]! - 1;
      if (other < 0) {
        this.#slots[slot] = row + 1;
        return row;
      }
      if (
        series[other * 2] === series[row * 2] &&
        series[other * 2 + 1] === series[row * 2 + 1] &&
        metric[other * 2] === metric[row * 2] &&
        metric[other * 2 + 1] === metric[row * 2 + 1]
      )
        return other;
    }
  }
}
