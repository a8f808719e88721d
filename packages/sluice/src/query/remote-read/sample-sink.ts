import { SluiceError } from '../../base/errors.ts';
import { ProtobufWriter } from 'promwrite/wire';
import type { FoundSeries } from '../series-lookup.ts';
import { isStale } from './histogram-chunk.ts';
import { listStart, type BucketRows, type HistogramRows, type Lists } from './histogram-rows.ts';
import type { PointSink } from './points.ts';

/*
 * TimeSeries   1 labels: repeated Label, sorted | 2 samples: repeated Sample | 4 histograms: repeated Histogram
 * Sample       1 value double | 2 timestamp int64
 * Histogram    1 count uint64 or 2 count double | 3 sum double | 4 schema sint32 | 5 zero_threshold double | 6 zero_count uint64 or 7 double |
 *              8 negative_spans | 9 negative_deltas sint64 | 10 negative_counts double | 11, 12, 13 the same, positive | 14 reset_hint |
 *              15 timestamp int64 | 16 custom_values double.   BucketSpan: 1 offset sint32 | 2 length uint32.   Lists of numbers are packed.
 * Zeros are left out (all bits zero: the bits of -0 are written), as are empty lists.
 */

const SAMPLE = (2 << 3) | 2;
const HISTOGRAM = (4 << 3) | 2;
const RESULT_SERIES = (1 << 3) | 2;
const NO_RESET = 2;
const TWO_28 = 2 ** 28;
const TWO_32 = 2 ** 32;
const TWO_35 = 2 ** 35;
const TWO_42 = 2 ** 42;

export interface SampleLimits {
  /** Points of all series of the query. */
  readonly samples: number;
  /** Bytes of the answer. */
  readonly bytes: number;
}

/** Counts what an answer holds over all its groups of series. */
export interface SampleTotals {
  points: number;
  /** Bytes of finished groups. */
  bytes: number;
}

/** Writes points as TimeSeries messages, each with the tag and length it has in a QueryResult. */
export class SampleSink implements PointSink {
  readonly #out: ProtobufWriter;
  readonly #series: readonly FoundSeries[];
  readonly #limits: SampleLimits;
  readonly #totals: SampleTotals;
  readonly #bytesBefore: number;
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  #current = 0;
  #content = 0;
  #hasHistogram = false;

  /** With `into` the messages go there, and `appendTo` must not be used: for series that come in the order of the list. */
  constructor(series: readonly FoundSeries[], limits: SampleLimits, totals: SampleTotals, into?: ProtobufWriter) {
    this.#out = into ?? new ProtobufWriter(256 * 1024);
    this.#bytesBefore = into === undefined ? totals.bytes : 0;
    this.#series = series;
    this.#limits = limits;
    this.#totals = totals;
    this.#starts = new Float64Array(series.length);
    this.#ends = new Float64Array(series.length);
  }

  begin(index: number): void {
    this.#current = index;
    this.#starts[index] = this.#out.position;
    this.#out.varint32(RESULT_SERIES);
    this.#content = this.#out.open(2);
    this.#out.raw(this.#series[index]!.labels);
    this.#hasHistogram = false;
  }

  floats(times: Float64Array, values: Uint32Array, count: number): void {
    this.#count(count);
    const out = this.#out;
    // Tag, length, and a sample of at most 9 + 11 bytes.
    out.reserve(count * 22);
    const { view } = out;
    let at = out.position;
    for (let index = 0; index < count; index++) {
      const low = values[index * 2]!;
      const high = values[index * 2 + 1]!;
      const time = times[index]!;
      // Nearly all: a value, and a time of six bytes (1971 to 2109).
      if (time >= TWO_35 && time < TWO_42 && (low | high) !== 0) {
        const above = Math.floor(time / TWO_28) | 0;
        const below = (time - above * TWO_28) | 0;
        view.setInt32(at, SAMPLE | (16 << 8) | (((1 << 3) | 1) << 16) | ((low & 255) << 24), true);
        view.setInt32(at + 4, (low >>> 8) | (high << 24), true);
        view.setInt32(at + 8, (high >>> 8) | ((2 << 3) << 24), true);
        const first = (below & 127) | ((below & 0x3f80) << 1) | ((below & 0x1fc000) << 2) | ((below & 0xfe00000) << 3);
        view.setInt32(at + 12, first | 0x80808080, true);
        view.setInt16(at + 16, (above & 127) | 128 | ((above >>> 7) << 8), true);
        at += 18;
        continue;
      }
      at = writeSample(out, at, time, low, high);
    }
    out.position = at;
  }

  histogram(time: number, rows: HistogramRows, row: number): void {
    this.#count(1);
    const out = this.#out;
    out.varint32(HISTOGRAM);
    const content = out.open(2);
    writeHistogram(out, rows, row, this.#hasHistogram);
    writeTime(out, 15 << 3, time);
    writeDoubles(out, 16, rows.customValues, row, isStale(rows, row));
    out.close(content, 2);
    this.#hasHistogram = true;
  }

  end(): void {
    this.#out.close(this.#content, 2);
    this.#ends[this.#current] = this.#out.position;
  }

  /** Appends the messages of all series in the order of the list. */
  appendTo(result: ProtobufWriter): void {
    const all = this.#out.bytes;
    result.reserve(this.#out.position);
    for (let index = 0; index < this.#series.length; index++) {
      result.raw(all.subarray(this.#starts[index], this.#ends[index]));
    }
    this.#totals.bytes += this.#out.position;
  }

  #count(points: number): void {
    const { samples, bytes } = this.#limits;
    this.#totals.points += points;
    if (this.#totals.points > samples) throw new SluiceError('bad_request', `exceeded sample limit (${samples})`);
    if (this.#bytesBefore + this.#out.position > bytes) {
      const advice = 'ask for less, or accept STREAMED_XOR_CHUNKS';
      throw new SluiceError('bad_request', `exceeded limit of the answer's size (${bytes} bytes); ${advice}`);
    }
  }
}

/** Any sample; returns where it ends. */
function writeSample(out: ProtobufWriter, start: number, time: number, low: number, high: number): number {
  const { bytes, view } = out;
  let at = start + 2;
  bytes[start] = SAMPLE;
  if (low !== 0 || high !== 0) {
    bytes[at] = (1 << 3) | 1;
    view.setUint32(at + 1, low, true);
    view.setUint32(at + 5, high, true);
    at += 9;
  }
  if (time !== 0) {
    bytes[at++] = 2 << 3;
    let timeHigh = Math.floor(time / TWO_32);
    let timeLow = (time - timeHigh * TWO_32) >>> 0;
    timeHigh >>>= 0;
    while (timeHigh > 0 || timeLow > 127) {
      bytes[at++] = (timeLow & 127) | 128;
      timeLow = ((timeLow >>> 7) | (timeHigh << 25)) >>> 0;
      timeHigh >>>= 7;
    }
    bytes[at++] = timeLow;
  }
  bytes[start + 1] = at - start - 2;
  return at;
}

/** All but the last two fields. `follows`: there is a histogram before it in the answer, to which its hint can refer. */
function writeHistogram(out: ProtobufWriter, rows: HistogramRows, row: number, follows: boolean): void {
  const stale = isStale(rows, row);
  const isFloat = rows.isFloat[row] === 1;
  // The count's presence says which kind it is; a count of 0 is therefore written for floats.
  if (isFloat) writeDouble(out, 2, stale ? zero : rows.countFloat, stale ? 0 : row, true);
  else if (!stale) writeUnsigned(out, 1, rows.count, row);
  else writeUnsigned(out, 1, zero, 0);
  writeDouble(out, 3, rows.sum, row, false);
  if (!stale) {
    if (rows.schema[row] !== 0) {
      out.varint32(4 << 3);
      out.sint32(rows.schema[row]!);
    }
    writeDouble(out, 5, rows.zeroThreshold, row, false);
  }
  if (isFloat) writeDouble(out, 7, stale ? zero : rows.zeroCountFloat, stale ? 0 : row, true);
  else writeUnsigned(out, 6, stale ? zero : rows.zeroCount, stale ? 0 : row);
  if (!stale) {
    writeBuckets(out, 8, rows.negative, row, isFloat);
    writeBuckets(out, 11, rows.positive, row, isFloat);
  }
  const hint = rows.resetHint[row]!;
  const said = hint === NO_RESET && !follows ? 0 : hint;
  if (said !== 0) {
    out.varint32(14 << 3);
    out.varint32(said);
  }
}

const zero = new Uint32Array(2);

function writeBuckets(out: ProtobufWriter, field: number, side: BucketRows, row: number, isFloat: boolean): void {
  const { offsets, lengths, deltas, counts } = side;
  for (let at = listStart(lengths, row); at < lengths.ends[row]!; at++) {
    out.varint32((field << 3) | 2);
    const content = out.open(1);
    if (offsets.values[at] !== 0) {
      out.varint32(1 << 3);
      out.sint32(offsets.values[at]!);
    }
    if (lengths.values[at] !== 0) {
      out.varint32(2 << 3);
      out.varint32(lengths.values[at]!);
    }
    out.close(content, 1);
  }
  if (isFloat) writeDoubles(out, field + 2, counts, row, false);
  else writeDeltas(out, field + 1, deltas, row);
}

function writeDeltas(out: ProtobufWriter, field: number, list: Lists<Uint32Array>, row: number): void {
  const start = listStart(list, row);
  const end = list.ends[row]!;
  if (start === end) return;
  out.varint32((field << 3) | 2);
  const content = out.open(1);
  for (let at = start; at < end; at++) {
    const low = list.values[at * 2]!;
    const high = list.values[at * 2 + 1]!;
    const sign = high & 0x80000000 ? -1 : 0;
    out.varint64((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
  }
  out.close(content, 1);
}

function writeDoubles(out: ProtobufWriter, field: number, list: Lists<Uint32Array>, row: number, skip: boolean): void {
  const start = listStart(list, row);
  const end = list.ends[row]!;
  if (start === end || skip) return;
  out.varint32((field << 3) | 2);
  out.varint32((end - start) * 8);
  out.reserve((end - start) * 8);
  for (let at = start * 2; at < end * 2; at++) {
    out.view.setUint32(out.position, list.values[at]!, true);
    out.position += 4;
  }
}

function writeUnsigned(out: ProtobufWriter, field: number, values: Uint32Array, at: number): void {
  out.varint32(field << 3);
  out.varint64(values[at * 2]!, values[at * 2 + 1]!);
}

function writeDouble(out: ProtobufWriter, field: number, values: Uint32Array, at: number, always: boolean): void {
  const low = values[at * 2]!;
  const high = values[at * 2 + 1]!;
  if (low === 0 && high === 0 && !always) return;
  out.varint32((field << 3) | 1);
  out.reserve(8);
  out.view.setUint32(out.position, low, true);
  out.view.setUint32(out.position + 4, high, true);
  out.position += 8;
}

function writeTime(out: ProtobufWriter, tag: number, time: number): void {
  if (time === 0) return;
  out.varint32(tag);
  out.int64(time);
}
