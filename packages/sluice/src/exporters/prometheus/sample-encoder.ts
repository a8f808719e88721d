import type { SeriesLabels } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import type { EncodePass, ItemSink } from '../../delivery/types.ts';
import type { Selector } from '../selection.ts';
import type { ExportCounters } from './counters.ts';
import { LABEL_TAG } from './label-bytes.ts';
import type { SeriesOptions } from './options.ts';
import { putSample, sampleSize, setValueBefore, type Words } from './sample-bytes.ts';
import { sampleIndexOf } from './sample-index.ts';
import { SeriesForm } from './series-form.ts';
import { lookUpSeries, wordsOf, type BatchSeries } from './series-lookup.ts';
import { putVarint } from '../varint.ts';

const TWO_32 = 4_294_967_296;
/** Tag and length of an item. */
const HEAD = 6;

export interface SampleEncoderOptions {
  readonly selector: Selector;
  readonly series: SeriesLabels;
  readonly options: SeriesOptions;
  readonly counters: ExportCounters;
}

/**
 * Samples that Prometheus senders delivered, sent on as they came: labels, time in milliseconds and the value bit for bit, stale markers included. Of several
 * values of one series and time in a batch the last one is sent, unless `on-duplicate` keeps them all: they are repetitions, not parts of a sum.
 */
export class SampleEncoder {
  readonly #selector: Selector;
  readonly #series: SeriesLabels;
  readonly #form: SeriesForm;
  readonly #counters: ExportCounters;
  readonly #keepsAll: boolean;
  // Of the row that is encoded now.
  readonly #id: Words = { low: 0, high: 0 };
  readonly #time: Words = { low: 0, high: 0 };
  readonly #value: Words = { low: 0, high: 0 };
  readonly #found = new WeakMap<Batch, BatchSeries>();

  constructor({ selector, series, options, counters }: SampleEncoderOptions) {
    this.#selector = selector;
    this.#series = series;
    this.#form = new SeriesForm(options);
    this.#counters = counters;
    this.#keepsAll = options.onDuplicate === 'keep';
  }

  /** Fetches the labels of the Batch's series. */
  async prepare(batch: Batch): Promise<void> {
    const lookup = { series: this.#series, form: this.#form, counters: this.#counters };
    this.#found.set(batch, await lookUpSeries(batch, lookup));
  }

  begin(batch: Batch, firstRow: number, nowMs: number): EncodePass {
    const { rows, left } = this.#selector.select(batch, nowMs);
    const found = this.#found.get(batch);
    if (found === undefined) throw new Error('BUG: samples are encoded before their series were looked up');
    const columns: SampleColumns = {
      found,
      firstRow,
      ids: wordsOf(batch, 'series_id'),
      times: wordsOf(batch, 'time'),
      values: wordsOf(batch, 'value'),
    };
    return {
      rows,
      left,
      encode: (from, to, sink) => {
        for (let i = from; i < to; i++) this.#row(columns, rows[i]!, sink);
        this.#counters.flush();
      },
    };
  }

  #row({ found, firstRow, ids, times, values }: SampleColumns, row: number, sink: ItemSink): void {
    const number = found.numbers[row]!;
    const place = firstRow + row;
    const [id, time, value] = [this.#id, this.#time, this.#value];
    setWords(id, ids, row);
    if (number === 0) {
      sink.reject(
        place,
        'unknown_series',
        `nobody knows the labels of the series ${hex(id.high)}${hex(id.low)} any more`,
      );
      return;
    }
    setWords(time, times, row);
    setWords(value, values, row);
    const size = sampleSize(time.low, time.high);
    const writer = sink.lane(id.low % sink.lanes);
    const index = this.#keepsAll ? undefined : sampleIndexOf(writer);
    const repeated = index?.find(id, time) ?? -1;
    if (repeated >= 0) {
      setValueBefore(writer.bytes, writer.ends[repeated]!, size - 12, value);
      this.#counters.merged++;
      return;
    }
    const start = found.ends[number - 1]!;
    const end = found.ends[number]!;
    const total = end - start + size;
    writer.reserve(HEAD + total);
    const { bytes } = writer;
    bytes[writer.at] = LABEL_TAG;
    const at = putVarint(bytes, writer.at + 1, total);
    bytes.set(found.bytes.subarray(start, end), at);
    writer.at = putSample(bytes, at + end - start, value, time);
    index?.add(id, time);
    writer.end(place, (time.high | 0) * TWO_32 + time.low);
  }
}

/** Columns of a Batch, two words a value. */
interface SampleColumns {
  readonly found: BatchSeries;
  readonly firstRow: number;
  readonly ids: Uint32Array;
  readonly times: Uint32Array;
  readonly values: Uint32Array;
}

function setWords(words: Words, column: Uint32Array, row: number): void {
  words.low = column[row * 2]!;
  words.high = column[row * 2 + 1]!;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}
