/** A decoder of remote-read chunks written from the format's description alone, slow and with BigInt: what the encoders are judged by. */

export interface Sample {
  readonly time: number;
  readonly bits: bigint;
}

export interface Buckets {
  readonly spans: readonly (readonly [offset: number, length: number])[];
  /** Integer histograms: differences to the bucket before; float histograms: bits of the counts. */
  readonly values: readonly bigint[];
}

export interface HistogramPoint {
  readonly time: number;
  readonly isFloat: boolean;
  readonly schema: number;
  readonly resetHint: number;
  /** Integer: the number; float: its bits. So is zeroCount. */
  readonly count: bigint;
  readonly zeroCount: bigint;
  /** Bits. */
  readonly sum: bigint;
  readonly zeroThreshold: bigint;
  readonly positive: Buckets;
  readonly negative: Buckets;
  /** Bits. */
  readonly customValues: readonly bigint[];
}

export const STALE_BITS = 0x7ff0000000000002n;
const scratch = new DataView(new ArrayBuffer(8));

export function bitsOf(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#at = start * 8;
  }

  bit(): number {
    const byte = this.#bytes[this.#at >> 3];
    if (byte === undefined) throw new Error('the chunk is too short');
    return (byte >> (7 - (this.#at++ & 7))) & 1;
  }

  bits(count: number): bigint {
    let value = 0n;
    for (let index = 0; index < count; index++) value = (value << 1n) | BigInt(this.bit());
    return value;
  }

  ones(most: number): number {
    let count = 0;
    while (count < most && this.bit() === 1) count++;
    return count;
  }

  uvarint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bits(8);
      value |= (byte & 127n) << shift;
      if (byte < 128n) return value;
    }
  }

  varint(): bigint {
    const value = this.uvarint();
    return value & 1n ? -(value >> 1n) - 1n : value >> 1n;
  }

  /** Above 2^(n-1) a number of n bits is negative. */
  shifted(count: number): bigint {
    const raw = this.bits(count);
    return raw > 1n << BigInt(count - 1) ? raw - (1n << BigInt(count)) : raw;
  }

  varbit(): bigint {
    const size = [0, 3, 6, 9, 12, 18, 25, 56, 64][this.ones(8)]!;
    // 64 bits are the whole number: nothing is shifted there.
    return size === 0 ? 0n : size === 64 ? BigInt.asIntN(64, this.bits(64)) : this.shifted(size);
  }

  unsignedVarbit(): bigint {
    return this.bits([0, 3, 6, 9, 12, 18, 25, 56, 64][this.ones(8)]!);
  }

  /** Checks that only padding is left. */
  end(): void {
    while (this.#at % 8 !== 0) if (this.bit() !== 0) throw new Error('the padding is not zero');
    if (this.#at !== this.#bytes.length * 8) throw new Error('the chunk is too long');
  }
}

class XorValue {
  #bits = 0n;
  #leading: number | undefined;
  #trailing = 0;

  first(reader: BitReader): bigint {
    return (this.#bits = reader.bits(64));
  }

  next(reader: BitReader): bigint {
    if (reader.bit() === 0) return this.#bits;
    if (reader.bit() === 1) {
      this.#leading = Number(reader.bits(5));
      const length = Number(reader.bits(6)) || 64;
      this.#trailing = 64 - this.#leading - length;
    }
    if (this.#leading === undefined) throw new Error('there is no window yet');
    const x = reader.bits(64 - this.#leading - this.#trailing) << BigInt(this.#trailing);
    return (this.#bits ^= x);
  }
}

export function decodeXorChunk(bytes: Uint8Array): Sample[] {
  const reader = new BitReader(bytes, 2);
  const samples: Sample[] = [];
  const count = (bytes[0]! << 8) | bytes[1]!;
  const value = new XorValue();
  let time = 0n;
  let distance = 0n;
  for (let index = 0; index < count; index++) {
    if (index === 0) time = reader.varint();
    else {
      if (index === 1) distance = reader.uvarint();
      else {
        const size = [0, 14, 17, 20, 64][reader.ones(4)]!;
        distance += size === 0 ? 0n : size === 64 ? BigInt.asIntN(64, reader.bits(64)) : reader.shifted(size);
      }
      time += distance;
    }
    samples.push({ time: Number(time), bits: index === 0 ? value.first(reader) : value.next(reader) });
  }
  reader.end();
  return samples;
}

export function decodeHistogramChunk(bytes: Uint8Array, isFloat: boolean): HistogramPoint[] {
  const reader = new BitReader(bytes, 3);
  const count = (bytes[0]! << 8) | bytes[1]!;
  const head = bytes[2]! >> 6;
  const code = Number(reader.bits(8));
  const zeroThreshold = code === 0 ? 0n : code === 255 ? reader.bits(64) : bitsOf(0.5 * 2 ** (code - 243));
  const schema = Number(reader.varbit());
  const positiveSpans = readSpans(reader);
  const negativeSpans = readSpans(reader);
  const customValues = schema === -53 ? readBounds(reader) : [];
  const positiveCount = positiveSpans.reduce((sum, [, length]) => sum + length, 0);
  const bucketCount = negativeSpans.reduce((sum, [, length]) => sum + length, positiveCount);

  const points: HistogramPoint[] = [];
  const numbers = Array.from({ length: 3 + bucketCount }, () => new Difference());
  const doubles = Array.from({ length: 3 + bucketCount }, () => new XorValue());
  for (let index = 0; index < count; index++) {
    const first = index === 0;
    const double = (slot: number) => (first ? doubles[slot]!.first(reader) : doubles[slot]!.next(reader));
    const whole = (slot: number, unsigned = false) => numbers[slot]!.next(reader, first, unsigned);
    const time = Number(whole(bucketCount + 2));
    const total = isFloat ? double(bucketCount) : whole(bucketCount, true);
    const zeroCount = isFloat ? double(bucketCount + 1) : whole(bucketCount + 1, true);
    const sum = double(bucketCount + 2);
    const resetHint = head === 3 ? 3 : first ? 0 : 2;
    if (sum === STALE_BITS) {
      points.push({ ...staleHistogram(time, isFloat), resetHint });
      continue;
    }
    const values = Array.from({ length: bucketCount }, (_, slot) => (isFloat ? double(slot) : whole(slot)));
    points.push({
      time,
      isFloat,
      schema,
      resetHint,
      count: total,
      zeroCount,
      sum,
      zeroThreshold,
      positive: { spans: positiveSpans, values: values.slice(0, positiveCount) },
      negative: { spans: negativeSpans, values: values.slice(positiveCount) },
      customValues,
    });
  }
  reader.end();
  return points;
}

/** A stale marker as a histogram: nothing but its time and kind counts. */
export function staleHistogram(time: number, isFloat: boolean): HistogramPoint {
  const none = { spans: [], values: [] };
  const zeros = { schema: 0, resetHint: 0, count: 0n, zeroCount: 0n, zeroThreshold: 0n };
  return { time, isFloat, ...zeros, sum: STALE_BITS, positive: none, negative: none, customValues: [] };
}

class Difference {
  #value = 0n;
  #difference = 0n;

  next(reader: BitReader, first: boolean, unsigned: boolean): bigint {
    if (first) return (this.#value = unsigned ? reader.unsignedVarbit() : reader.varbit());
    this.#difference = BigInt.asIntN(64, this.#difference + reader.varbit());
    const value = this.#value + this.#difference;
    return (this.#value = unsigned ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value));
  }
}

function readSpans(reader: BitReader): (readonly [number, number])[] {
  return Array.from({ length: Number(reader.unsignedVarbit()) }, () => {
    const length = Number(reader.unsignedVarbit());
    return [Number(reader.varbit()), length] as const;
  });
}

function readBounds(reader: BitReader): bigint[] {
  return Array.from({ length: Number(reader.unsignedVarbit()) }, () => {
    const thousandths = reader.unsignedVarbit();
    return thousandths === 0n ? reader.bits(64) : bitsOf(Number(thousandths - 1n) / 1000);
  });
}
