import { BitWriter } from './bit-writer.ts';
import { listStart, type BucketRows, type HistogramRows, type Lists } from './histogram-rows.ts';
import { NO_WINDOW, writeXor } from './xor-code.ts';

/*
 * HISTOGRAM and FLOAT_HISTOGRAM chunk: uint16 big-endian number of samples | a byte whose top two bits are the head (below) | bits.
 *
 *   layout, once   zero threshold: 0 as byte 0; 2^(b - 244) as byte b in 1..254; any other as byte 255 and 64 bits
 *                  schema: varbit | positive spans | negative spans: unsigned varbit number, then unsigned varbit length, varbit offset each
 *                  schema -53: unsigned varbit number of bounds; a bound that is a whole number of thousandths in 0..33554430 as unsigned varbit of that
 *                  + 1, any other as one 0 bit and 64 bits
 *   sample         time | count | zero count | sum | positive buckets | negative buckets
 *     integer 0    varbit | unsigned varbit | unsigned varbit | 64 bits | varbit a bucket (its difference to the bucket before)
 *     later        each the varbit difference of differences to the sample before (the first difference counts as one to 0), sum as xor code
 *     float 0      varbit | 64 bits each
 *     later        time as above, everything else as xor code with a window of its own
 *   A stale sample (sum = stale NaN) has no buckets, and only stale ones follow it.
 */

/** What the head of a chunk says of the sample before it. */
const CHUNK_HEADS = { unknown: 0b00, noReset: 0b01, reset: 0b10, gauge: 0b11 } as const;
export type ChunkHead = keyof typeof CHUNK_HEADS;

/** Whether a histogram can go on a chunk: the same kind and layout, and no counter reset. */
export type Fit = 'yes' | 'reset' | 'no';

const CUSTOM_BUCKETS = -53;
const GAUGE = 3;
const COUNT = 0;
const ZERO_COUNT = 1;
const SUM = 2;
/** Slots before the buckets in the arrays of a chunk's last sample. */
const FIRST_BUCKET = 3;
const TWO_32 = 4_294_967_296;

/** One chunk in the making. `start` with the first histogram, `append` while `fit` says yes, `finish`. */
export class HistogramChunk {
  /** Samples so far; 0 = not started. */
  count = 0;
  isFloat = false;
  readonly #out = new BitWriter();
  #gauge = false;
  #stale = false;
  #layout: Layout = emptyLayout;
  /** Time of the last sample and its distance to the one before. */
  #time = 0;
  #distance = 0;
  /** The last sample, two Uint32 a slot: count, zero count, sum, buckets. */
  #last = new Uint32Array(64);
  /** Integer: differences of #last to the sample before it. */
  #differences = new Uint32Array(64);
  /** Float: windows of the xor codes, two bytes a slot; integer: of the sum alone. */
  #windows = new Uint8Array(64);

  /** Bytes written so far. */
  get length(): number {
    return this.#out.length;
  }

  fit(rows: HistogramRows, row: number): Fit {
    if ((rows.isFloat[row] === 1) !== this.isFloat) return 'no';
    if (isStale(rows, row)) return 'yes';
    if (this.#stale || (rows.resetHint[row] === GAUGE) !== this.#gauge) return 'no';
    if (rows.resetHint[row] === 1) return 'reset';
    if (!sameLayout(this.#layout, rows, row)) return 'no';
    return !this.#gauge && this.#isReset(rows, row) ? 'reset' : 'yes';
  }

  /** Begins with this histogram. `head` says how it follows the one before it; gauges and explicit resets are seen here. */
  start(rows: HistogramRows, row: number, time: number, head: ChunkHead): void {
    const out = this.#out;
    out.reset();
    this.count = 0;
    this.isFloat = rows.isFloat[row] === 1;
    this.#stale = isStale(rows, row);
    this.#gauge = !this.#stale && rows.resetHint[row] === GAUGE;
    this.#layout = this.#stale ? emptyLayout : readLayout(rows, row);
    const slots = FIRST_BUCKET + this.#layout.buckets;
    if (this.#last.length < slots * 2) {
      this.#last = new Uint32Array(slots * 4);
      this.#differences = new Uint32Array(slots * 4);
      this.#windows = new Uint8Array(slots * 4);
    }
    this.#last.fill(0);
    this.#differences.fill(0);
    this.#windows.fill(NO_WINDOW);
    const said: ChunkHead = this.#gauge ? 'gauge' : !this.#stale && rows.resetHint[row] === 1 ? 'reset' : head;
    out.reserve(64 + this.#layout.positiveLengths.length * 20 + this.#layout.negativeLengths.length * 20);
    out.bits(0, 16);
    out.bits(CHUNK_HEADS[said] << 6, 8);
    writeLayout(out, this.#layout);
    this.#time = 0;
    this.#distance = 0;
    this.append(rows, row, time);
  }

  append(rows: HistogramRows, row: number, time: number): void {
    const out = this.#out;
    const first = this.count === 0;
    const slots = FIRST_BUCKET + this.#layout.buckets;
    // Time: 72 bits; a slot: 77 bits at most.
    out.reserve(16 + slots * 10);
    const distance = first ? 0 : time - this.#time;
    const written = first ? time : distance - this.#distance;
    out.varbit(written | 0, Math.floor(written / TWO_32));
    this.#time = time;
    this.#distance = distance;
    this.count++;
    const stale = isStale(rows, row);
    this.#stale = stale;
    if (this.isFloat) this.#appendFloat(rows, row, first, stale);
    else this.#appendInteger(rows, row, first, stale);
  }

  /** The chunk's bytes: a view that is valid until the next `start`. Afterwards the chunk is empty. */
  finish(): Uint8Array {
    this.#out.finish();
    const bytes = this.#out.written();
    bytes[0] = this.count >>> 8;
    bytes[1] = this.count;
    this.count = 0;
    return bytes;
  }

  #appendInteger(rows: HistogramRows, row: number, first: boolean, stale: boolean): void {
    const out = this.#out;
    const { sum } = rows;
    if (first) {
      this.#unsigned(COUNT, stale ? 0 : rows.count[row * 2]!, stale ? 0 : rows.count[row * 2 + 1]!);
      this.#unsigned(ZERO_COUNT, stale ? 0 : rows.zeroCount[row * 2]!, stale ? 0 : rows.zeroCount[row * 2 + 1]!);
      out.bits64(sum[row * 2]!, sum[row * 2 + 1]!);
      this.#last[SUM * 2] = sum[row * 2]!;
      this.#last[SUM * 2 + 1] = sum[row * 2 + 1]!;
    } else if (stale) {
      // No counts: their fields are there, and say "as before".
      out.bits(0, 1);
      out.bits(0, 1);
      this.#xor(SUM, sum, row);
    } else {
      this.#differenceOfDifferences(COUNT, rows.count, row);
      this.#differenceOfDifferences(ZERO_COUNT, rows.zeroCount, row);
      this.#xor(SUM, sum, row);
    }
    if (stale) return;
    let slot = FIRST_BUCKET;
    for (const { deltas } of [rows.positive, rows.negative]) {
      for (let at = listStart(deltas, row); at < deltas.ends[row]!; at++, slot++) {
        if (first) {
          out.varbit(deltas.values[at * 2]!, deltas.values[at * 2 + 1]! | 0);
          this.#last[slot * 2] = deltas.values[at * 2]!;
          this.#last[slot * 2 + 1] = deltas.values[at * 2 + 1]!;
        } else {
          this.#differenceOfDifferences(slot, deltas.values, at);
        }
      }
    }
  }

  #appendFloat(rows: HistogramRows, row: number, first: boolean, stale: boolean): void {
    this.#double(COUNT, stale ? noCount : rows.countFloat, stale ? 0 : row, first);
    this.#double(ZERO_COUNT, stale ? noCount : rows.zeroCountFloat, stale ? 0 : row, first);
    this.#double(SUM, rows.sum, row, first);
    if (stale) return;
    let slot = FIRST_BUCKET;
    for (const { counts } of [rows.positive, rows.negative]) {
      for (let at = listStart(counts, row); at < counts.ends[row]!; at++, slot++)
        this.#double(slot, counts.values, at, first);
    }
  }

  #unsigned(slot: number, low: number, high: number): void {
    this.#out.unsignedVarbit(low, high);
    this.#last[slot * 2] = low;
    this.#last[slot * 2 + 1] = high;
  }

  #differenceOfDifferences(slot: number, values: Uint32Array, at: number): void {
    const last = this.#last;
    const differences = this.#differences;
    const low = values[at * 2]!;
    const high = values[at * 2 + 1]!;
    const differenceLow = (low - last[slot * 2]!) >>> 0;
    const differenceHigh = (high - last[slot * 2 + 1]! - (low < last[slot * 2]! ? 1 : 0)) | 0;
    const beforeLow = differences[slot * 2]!;
    const writtenLow = (differenceLow - beforeLow) | 0;
    const writtenHigh = (differenceHigh - differences[slot * 2 + 1]! - (differenceLow < beforeLow ? 1 : 0)) | 0;
    this.#out.varbit(writtenLow, writtenHigh);
    last[slot * 2] = low;
    last[slot * 2 + 1] = high;
    differences[slot * 2] = differenceLow;
    differences[slot * 2 + 1] = differenceHigh;
  }

  #double(slot: number, values: Uint32Array, at: number, first: boolean): void {
    if (!first) return this.#xor(slot, values, at);
    this.#out.bits64(values[at * 2]!, values[at * 2 + 1]!);
    this.#last[slot * 2] = values[at * 2]!;
    this.#last[slot * 2 + 1] = values[at * 2 + 1]!;
  }

  #xor(slot: number, values: Uint32Array, at: number): void {
    const last = this.#last;
    const low = values[at * 2]!;
    const high = values[at * 2 + 1]!;
    writeXor(this.#out, low ^ last[slot * 2]!, high ^ last[slot * 2 + 1]!, this.#windows, slot * 2);
    last[slot * 2] = low;
    last[slot * 2 + 1] = high;
  }

  /** True when any count is less than in the last sample. Above 2^53 counts are compared as doubles. */
  #isReset(rows: HistogramRows, row: number): boolean {
    if (this.isFloat) {
      if (less(rows.countFloat, row, this.#last, COUNT) || less(rows.zeroCountFloat, row, this.#last, ZERO_COUNT))
        return true;
      let slot = FIRST_BUCKET;
      for (const { counts } of [rows.positive, rows.negative]) {
        for (let at = listStart(counts, row); at < counts.ends[row]!; at++, slot++) {
          if (less(counts.values, at, this.#last, slot)) return true;
        }
      }
      return false;
    }
    if (whole(rows.count, row) < whole(this.#last, COUNT) || whole(rows.zeroCount, row) < whole(this.#last, ZERO_COUNT))
      return true;
    let slot = FIRST_BUCKET;
    for (const { deltas } of [rows.positive, rows.negative]) {
      let now = 0;
      let before = 0;
      for (let at = listStart(deltas, row); at < deltas.ends[row]!; at++, slot++) {
        now += signed(deltas.values, at);
        before += signed(this.#last, slot);
        if (now < before) return true;
      }
    }
    return false;
  }
}

const noCount = new Uint32Array(2);

/** True when the histogram is a stale marker: then nothing but its time counts. */
export function isStale(rows: HistogramRows, row: number): boolean {
  return rows.sum[row * 2] === 2 && rows.sum[row * 2 + 1] === 0x7ff00000;
}

/** Where the buckets lie. Lists of 64-bit values are two Uint32 each. */
interface Layout {
  readonly schema: number;
  readonly zeroThreshold: readonly [low: number, high: number];
  readonly positiveOffsets: Int32Array;
  readonly positiveLengths: Uint32Array;
  readonly negativeOffsets: Int32Array;
  readonly negativeLengths: Uint32Array;
  readonly customValues: Uint32Array;
  /** Buckets of both sides. */
  readonly buckets: number;
}

const emptyLayout: Layout = {
  schema: 0,
  zeroThreshold: [0, 0],
  positiveOffsets: new Int32Array(0),
  positiveLengths: new Uint32Array(0),
  negativeOffsets: new Int32Array(0),
  negativeLengths: new Uint32Array(0),
  customValues: new Uint32Array(0),
  buckets: 0,
};

function readLayout(rows: HistogramRows, row: number): Layout {
  const { positive, negative } = rows;
  const isFloat = rows.isFloat[row] === 1;
  const size = (side: BucketRows) => listSize(isFloat ? side.counts : side.deltas, row);
  return {
    schema: rows.schema[row]!,
    zeroThreshold: [rows.zeroThreshold[row * 2]!, rows.zeroThreshold[row * 2 + 1]!],
    positiveOffsets: positive.offsets.values.slice(listStart(positive.offsets, row), positive.offsets.ends[row]),
    positiveLengths: positive.lengths.values.slice(listStart(positive.lengths, row), positive.lengths.ends[row]),
    negativeOffsets: negative.offsets.values.slice(listStart(negative.offsets, row), negative.offsets.ends[row]),
    negativeLengths: negative.lengths.values.slice(listStart(negative.lengths, row), negative.lengths.ends[row]),
    customValues: rows.customValues.values.slice(
      listStart(rows.customValues, row) * 2,
      rows.customValues.ends[row]! * 2,
    ),
    buckets: size(positive) + size(negative),
  };
}

function sameLayout(layout: Layout, rows: HistogramRows, row: number): boolean {
  const { positive, negative } = rows;
  return (
    layout.schema === rows.schema[row] &&
    layout.zeroThreshold[0] === rows.zeroThreshold[row * 2] &&
    layout.zeroThreshold[1] === rows.zeroThreshold[row * 2 + 1] &&
    sameList(layout.positiveOffsets, positive.offsets, row, 1) &&
    sameList(layout.positiveLengths, positive.lengths, row, 1) &&
    sameList(layout.negativeOffsets, negative.offsets, row, 1) &&
    sameList(layout.negativeLengths, negative.lengths, row, 1) &&
    sameList(layout.customValues, rows.customValues, row, 2)
  );
}

function sameList(known: ArrayLike<number>, list: Lists<ArrayLike<number>>, row: number, width: number): boolean {
  const start = listStart(list, row) * width;
  if (known.length !== list.ends[row]! * width - start) return false;
  for (let index = 0; index < known.length; index++) if (known[index] !== list.values[start + index]) return false;
  return true;
}

function listSize(list: Lists<unknown>, row: number): number {
  return list.ends[row]! - listStart(list, row);
}

function writeLayout(out: BitWriter, layout: Layout): void {
  const threshold = toDouble(layout.zeroThreshold[0], layout.zeroThreshold[1]);
  const exponent = powerOfTwo(layout.zeroThreshold[0], layout.zeroThreshold[1]) + 244;
  if (threshold === 0) out.bits(0, 8);
  else if (exponent >= 1 && exponent <= 254) out.bits(exponent, 8);
  else {
    out.bits(255, 8);
    out.bits64(layout.zeroThreshold[0], layout.zeroThreshold[1]);
  }
  out.varbit(layout.schema, layout.schema >> 31);
  writeSpans(out, layout.positiveOffsets, layout.positiveLengths);
  writeSpans(out, layout.negativeOffsets, layout.negativeLengths);
  if (layout.schema !== CUSTOM_BUCKETS) return;
  const bounds = layout.customValues;
  out.reserve(bounds.length * 5 + 16);
  out.unsignedVarbit(bounds.length / 2, 0);
  for (let at = 0; at < bounds.length; at += 2) {
    const bound = toDouble(bounds[at]!, bounds[at + 1]!);
    const thousandths = Math.round(bound * 1000);
    if (bound * 1000 >= 0 && bound * 1000 <= 33_554_430 && thousandths / 1000 === bound)
      out.unsignedVarbit(thousandths + 1, 0);
    else {
      out.bits(0, 1);
      out.bits64(bounds[at]!, bounds[at + 1]!);
    }
  }
}

function writeSpans(out: BitWriter, offsets: Int32Array, lengths: Uint32Array): void {
  out.unsignedVarbit(lengths.length, 0);
  for (let index = 0; index < lengths.length; index++) {
    out.unsignedVarbit(lengths[index]!, 0);
    out.varbit(offsets[index]!, offsets[index]! >> 31);
  }
}

/** The exponent when a double is a normal power of two above 0, else NaN. */
function powerOfTwo(low: number, high: number): number {
  const exponent = high >>> 20;
  return low === 0 && (high & 0xfffff) === 0 && exponent >= 1 && exponent <= 2046 ? exponent - 1023 : NaN;
}

const scratch = new DataView(new ArrayBuffer(8));

function toDouble(low: number, high: number): number {
  scratch.setUint32(0, low, true);
  scratch.setUint32(4, high, true);
  return scratch.getFloat64(0, true);
}

function less(values: Uint32Array, at: number, than: Uint32Array, slot: number): boolean {
  return toDouble(values[at * 2]!, values[at * 2 + 1]!) < toDouble(than[slot * 2]!, than[slot * 2 + 1]!);
}

function whole(values: Uint32Array, at: number): number {
  return values[at * 2 + 1]! * TWO_32 + values[at * 2]!;
}

function signed(values: Uint32Array, at: number): number {
  return (values[at * 2 + 1]! | 0) * TWO_32 + values[at * 2]!;
}
