import type { LinearMemory } from '../../base/linear-memory.ts';
import { malformed, WireReader } from './wire-reader.ts';

/**
 * One native histogram as it stands in a message (1.0 and 2.0 share the layout), in arrays that are used again for the next one. 64-bit values are
 * pairs of words: low, high.
 */
export class Histogram {
  isFloat = false;
  /** Whether the stale NaN stands in `sum`: nothing else counts then. */
  get isStale(): boolean {
    return this.sum[0] === 2 && this.sum[1] === 0x7ff00000;
  }
  readonly count: Pair = [0, 0];
  readonly countFloat: Pair = [0, 0];
  readonly sum: Pair = [0, 0];
  readonly zeroThreshold: Pair = [0, 0];
  readonly zeroCount: Pair = [0, 0];
  readonly zeroCountFloat: Pair = [0, 0];
  readonly timestamp: Pair = [0, 0];
  readonly startTimestamp: Pair = [0, 0];
  schema = 0;
  resetHint = 0;
  readonly negative = new BucketSide();
  readonly positive = new BucketSide();
  readonly customValues = new PairList();
  /** More buckets, spans or bounds than the limit allows; the lists are cut. */
  isTooLarge = false;

  clear(): void {
    this.isFloat = false;
    this.isTooLarge = false;
    this.schema = 0;
    this.resetHint = 0;
    for (const pair of [
      this.count,
      this.countFloat,
      this.sum,
      this.zeroThreshold,
      this.zeroCount,
      this.zeroCountFloat,
      this.timestamp,
      this.startTimestamp,
    ]) {
      pair[0] = 0;
      pair[1] = 0;
    }
    this.negative.clear();
    this.positive.clear();
    this.customValues.clear();
  }
}

export type Pair = [low: number, high: number];

/** 64-bit values as words low, high; `floats` and the words share their memory. */
export class PairList {
  count = 0;
  words: Uint32Array = new Uint32Array(64);
  floats: Float64Array = new Float64Array(this.words.buffer);

  push(low: number, high: number): void {
    if (this.count * 2 === this.words.length) {
      const grown = new Uint32Array(this.words.length * 2);
      grown.set(this.words);
      this.words = grown;
      this.floats = new Float64Array(grown.buffer);
    }
    this.words[this.count * 2] = low;
    this.words[this.count * 2 + 1] = high;
    this.count++;
  }

  clear(): void {
    this.count = 0;
  }
}

/** Spans and buckets of positive or negative values. */
export class BucketSide {
  spans = 0;
  offsets: Int32Array = new Int32Array(16);
  lengths: Uint32Array = new Uint32Array(16);
  /** Int64, each bucket's difference to the one before. */
  readonly deltas = new PairList();
  /** Float64. */
  readonly counts = new PairList();

  pushSpan(offset: number, length: number): void {
    if (this.spans === this.offsets.length) {
      const offsets = new Int32Array(this.spans * 2);
      offsets.set(this.offsets);
      this.offsets = offsets;
      const lengths = new Uint32Array(this.spans * 2);
      lengths.set(this.lengths);
      this.lengths = lengths;
    }
    this.offsets[this.spans] = offset;
    this.lengths[this.spans++] = length;
  }

  clear(): void {
    this.spans = 0;
    this.deltas.clear();
    this.counts.clear();
  }
}

const LAST_FIELD = 17;

/** Reads Histogram messages. */
export class HistogramReader {
  readonly histogram = new Histogram();
  readonly #reader: WireReader;
  readonly #limit: number;

  /** `limit`: greatest number of buckets, spans and custom bounds. */
  constructor(memory: LinearMemory, limit: number) {
    this.#reader = new WireReader(memory);
    this.#limit = limit;
  }

  /** Reads the message [start, end) into `histogram`. Throws `bad_request` when it is malformed. */
  read(start: number, end: number): Histogram {
    const reader = this.#reader;
    const histogram = this.histogram;
    reader.refresh();
    reader.at = start;
    histogram.clear();
    while (reader.at < end) {
      const tag = reader.tag(end);
      switch (tag) {
        case 0x08:
          this.#varint(histogram.count, end);
          histogram.isFloat = false;
          break;
        case 0x11:
          this.#fixed(histogram.countFloat, end);
          histogram.isFloat = true;
          break;
        case 0x19:
          this.#fixed(histogram.sum, end);
          break;
        case 0x20:
          reader.varint(end);
          histogram.schema = unzigzag(reader.low);
          break;
        case 0x29:
          this.#fixed(histogram.zeroThreshold, end);
          break;
        case 0x30:
          this.#varint(histogram.zeroCount, end);
          break;
        case 0x39:
          this.#fixed(histogram.zeroCountFloat, end);
          break;
        case 0x42:
          this.#span(histogram.negative, end);
          break;
        case 0x48:
        case 0x4a:
          this.#deltas(histogram.negative.deltas, tag, end);
          break;
        case 0x51:
        case 0x52:
          this.#doubles(histogram.negative.counts, tag, end);
          break;
        case 0x5a:
          this.#span(histogram.positive, end);
          break;
        case 0x60:
        case 0x62:
          this.#deltas(histogram.positive.deltas, tag, end);
          break;
        case 0x69:
        case 0x6a:
          this.#doubles(histogram.positive.counts, tag, end);
          break;
        case 0x70:
          reader.varint(end);
          histogram.resetHint = reader.low;
          break;
        case 0x78:
          this.#varint(histogram.timestamp, end);
          break;
        case 0x81:
        case 0x82:
          this.#doubles(histogram.customValues, tag, end);
          break;
        case 0x88:
          this.#varint(histogram.startTimestamp, end);
          break;
        default:
          reader.skipUnknown(tag, end, tag >>> 3 <= LAST_FIELD);
      }
    }
    return histogram;
  }

  #varint(into: Pair, end: number): void {
    this.#reader.varint(end);
    into[0] = this.#reader.low;
    into[1] = this.#reader.high;
  }

  #fixed(into: Pair, end: number): void {
    this.#reader.fixed64(end);
    into[0] = this.#reader.low;
    into[1] = this.#reader.high;
  }

  #span(side: BucketSide, end: number): void {
    const reader = this.#reader;
    const stop = reader.limit(end);
    let offset = 0;
    let length = 0;
    while (reader.at < stop) {
      const tag = reader.tag(stop);
      if (tag === 0x08) {
        reader.varint(stop);
        offset = unzigzag(reader.low);
      } else if (tag === 0x10) {
        reader.varint(stop);
        length = reader.low;
      } else reader.skipUnknown(tag, stop, tag >>> 3 <= 2);
    }
    if (side.spans < this.#limit) side.pushSpan(offset, length);
    else this.histogram.isTooLarge = true;
  }

  /** Packed or single sint64. */
  #deltas(into: PairList, tag: number, end: number): void {
    if ((tag & 7) !== 2) {
      this.#delta(into, end);
      return;
    }
    const stop = this.#reader.limit(end);
    while (this.#reader.at < stop) this.#delta(into, stop);
  }

  #delta(into: PairList, end: number): void {
    const reader = this.#reader;
    reader.varint(end);
    const sign = -(reader.low & 1);
    const low = (((reader.low >>> 1) | (reader.high << 31)) ^ sign) >>> 0;
    this.#push(into, low, ((reader.high >>> 1) ^ sign) >>> 0);
  }

  /** Packed or single double. */
  #doubles(into: PairList, tag: number, end: number): void {
    const reader = this.#reader;
    const packed = (tag & 7) === 2;
    const stop = packed ? reader.limit(end) : reader.at + 8;
    if (stop > end || (stop - reader.at) % 8 !== 0) throw malformed('packed doubles of another size');
    while (reader.at < stop) {
      reader.fixed64(stop);
      this.#push(into, reader.low, reader.high);
    }
  }

  #push(into: PairList, low: number, high: number): void {
    if (into.count < this.#limit) into.push(low, high);
    else this.histogram.isTooLarge = true;
  }
}

function unzigzag(value: number): number {
  return (value >>> 1) ^ -(value & 1);
}
