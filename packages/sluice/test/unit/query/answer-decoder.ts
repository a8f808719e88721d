import {
  decodeHistogramChunk,
  decodeXorChunk,
  type Buckets,
  type HistogramPoint,
  type Sample,
} from './chunk-decoder.ts';

/** Decoders of remote-read answers for tests, independent of the code under test. */

export interface AnswerSeries {
  readonly labels: readonly (readonly [string, string])[];
  readonly samples: readonly Sample[];
  readonly histograms: readonly HistogramPoint[];
}

export interface ChunkInfo {
  readonly min: number;
  readonly max: number;
  readonly type: number;
  readonly data: Uint8Array;
}

export interface Frame {
  readonly queryIndex: number;
  readonly labels: readonly (readonly [string, string])[];
  readonly chunks: readonly ChunkInfo[];
  /** The frame as sent. */
  readonly bytes: Uint8Array;
}

interface Field {
  readonly number: number;
  readonly value: bigint;
  readonly bytes: Uint8Array;
}

export function* fields(bytes: Uint8Array): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(at++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    const empty = new Uint8Array(0);
    if ((tag & 7) === 0) yield { number, value: varint(), bytes: empty };
    else if ((tag & 7) === 1) {
      yield { number, value: view.getBigUint64(at, true), bytes: bytes.subarray(at, at + 8) };
      at += 8;
    } else {
      const size = Number(varint());
      if (size > bytes.length - at) throw new Error('a field is longer than its message');
      yield { number, value: 0n, bytes: bytes.subarray(at, at + size) };
      at += size;
    }
  }
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const int64 = (value: bigint) => Number(BigInt.asIntN(64, value));
const zigzag = (value: bigint) => (value & 1n ? -(value >> 1n) - 1n : value >> 1n);

function label(bytes: Uint8Array): readonly [string, string] {
  let name = '';
  let value = '';
  for (const field of fields(bytes)) {
    if (field.number === 1) name = text(field.bytes);
    if (field.number === 2) value = text(field.bytes);
  }
  return [name, value];
}

export function crc32cBitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

export function decodeFrames(stream: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < stream.length;) {
    const start = at;
    let size = 0;
    let shift = 0;
    for (; ; shift += 7) {
      const byte = stream[at++]!;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    const crc = Buffer.from(stream.subarray(at, at + 4)).readUInt32BE();
    const message = stream.subarray(at + 4, at + 4 + size);
    if (message.length !== size) throw new Error('the stream ends within a frame');
    if (crc !== crc32cBitwise(message)) throw new Error('the checksum of a frame is wrong');
    at += 4 + size;
    frames.push({ ...decodeMessage(message), bytes: stream.subarray(start, at) });
  }
  return frames;
}

function decodeMessage(message: Uint8Array): Omit<Frame, 'bytes'> {
  let queryIndex = 0;
  const labels: (readonly [string, string])[] = [];
  const chunks: ChunkInfo[] = [];
  let series = 0;
  for (const field of fields(message)) {
    if (field.number === 2) queryIndex = int64(field.value);
    if (field.number !== 1) continue;
    if (++series > 1) throw new Error('a frame has two series');
    for (const inner of fields(field.bytes)) {
      if (inner.number === 1) labels.push(label(inner.bytes));
      if (inner.number === 2) chunks.push(chunk(inner.bytes));
    }
  }
  return { queryIndex, labels, chunks };
}

function chunk(bytes: Uint8Array): ChunkInfo {
  const info = { min: 0, max: 0, type: 0, data: new Uint8Array(0) };
  for (const field of fields(bytes)) {
    if (field.number === 1) info.min = int64(field.value);
    if (field.number === 2) info.max = int64(field.value);
    if (field.number === 3) info.type = int64(field.value);
    if (field.number === 4) info.data = new Uint8Array(field.bytes);
  }
  return info;
}

/** The series of a streamed answer by query, chunks decoded; checks what a client relies on. */
export function decodeStreamed(stream: Uint8Array, queries: number): AnswerSeries[][] {
  const results: AnswerSeries[][] = Array.from({ length: queries }, () => []);
  let before = -1;
  for (const frame of decodeFrames(stream)) {
    if (frame.queryIndex < before) throw new Error('queries are out of order');
    before = frame.queryIndex;
    const samples: Sample[] = [];
    const histograms: HistogramPoint[] = [];
    let last = -Infinity;
    for (const info of frame.chunks) {
      const points = info.type === 1 ? decodeXorChunk(info.data) : decodeHistogramChunk(info.data, info.type === 3);
      if (points.length === 0 || points.length > 120) throw new Error(`a chunk has ${points.length} points`);
      if (points[0]!.time !== info.min || points.at(-1)!.time !== info.max)
        throw new Error('a chunk says other times than it has');
      for (const { time } of points) {
        if (time <= last) throw new Error('points are out of order');
        last = time;
      }
      for (const point of points) {
        if ('bits' in point) samples.push(point);
        else histograms.push(point);
      }
    }
    const known = results[frame.queryIndex]!.at(-1);
    const isSame = known !== undefined && JSON.stringify(known.labels) === JSON.stringify(frame.labels);
    if (isSame) {
      results[frame.queryIndex]![results[frame.queryIndex]!.length - 1] = {
        labels: known.labels,
        samples: [...known.samples, ...samples],
        histograms: [...known.histograms, ...histograms],
      };
    } else results[frame.queryIndex]!.push({ labels: frame.labels, samples, histograms });
  }
  return results;
}

/** The series of a decompressed ReadResponse by query. */
export function decodeSamples(response: Uint8Array): AnswerSeries[][] {
  const results: AnswerSeries[][] = [];
  for (const field of fields(response)) {
    const series: AnswerSeries[] = [];
    for (const inner of fields(field.bytes)) series.push(timeSeries(inner.bytes));
    results.push(series);
  }
  return results;
}

function timeSeries(bytes: Uint8Array): AnswerSeries {
  const labels: (readonly [string, string])[] = [];
  const samples: Sample[] = [];
  const histograms: HistogramPoint[] = [];
  for (const field of fields(bytes)) {
    if (field.number === 1) labels.push(label(field.bytes));
    if (field.number === 4) histograms.push(histogram(field.bytes));
    if (field.number !== 2) continue;
    let bits = 0n;
    let time = 0;
    for (const inner of fields(field.bytes)) {
      if (inner.number === 1) bits = inner.value;
      if (inner.number === 2) time = int64(inner.value);
    }
    samples.push({ time, bits });
  }
  return { labels, samples, histograms };
}

function histogram(bytes: Uint8Array): HistogramPoint {
  let time = 0;
  let isFloat = false;
  let schema = 0;
  let resetHint = 0;
  let [count, zeroCount, sum, zeroThreshold] = [0n, 0n, 0n, 0n];
  let customValues: bigint[] = [];
  const sides = { positive: { spans: [], values: [] } as Mutable, negative: { spans: [], values: [] } as Mutable };
  for (const { number, value, bytes: inner } of fields(bytes)) {
    const side = number < 11 ? sides.negative : sides.positive;
    if (number === 1) count = value;
    else if (number === 2) [count, isFloat] = [value, true];
    else if (number === 3) sum = value;
    else if (number === 4) schema = Number(zigzag(value));
    else if (number === 5) zeroThreshold = value;
    else if (number === 6 || number === 7) zeroCount = value;
    else if (number === 8 || number === 11) side.spans.push(span(inner));
    else if (number === 9 || number === 12) side.values.push(...varints(inner).map(zigzag));
    else if (number === 10 || number === 13) side.values.push(...doubles(inner));
    else if (number === 14) resetHint = Number(value);
    else if (number === 15) time = int64(value);
    else if (number === 16) customValues = doubles(inner);
  }
  return { time, isFloat, schema, resetHint, count, zeroCount, sum, zeroThreshold, ...sides, customValues };
}

type Mutable = { spans: (readonly [number, number])[]; values: bigint[] } & Buckets;

function span(bytes: Uint8Array): readonly [number, number] {
  let offset = 0;
  let length = 0;
  for (const field of fields(bytes)) {
    if (field.number === 1) offset = Number(zigzag(field.value));
    if (field.number === 2) length = Number(field.value);
  }
  return [offset, length];
}

function varints(bytes: Uint8Array): bigint[] {
  const values: bigint[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte > 127) continue;
    values.push(value);
    value = 0n;
    shift = 0n;
  }
  return values;
}

function doubles(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 8 }, (_, index) => view.getBigUint64(index * 8, true));
}
