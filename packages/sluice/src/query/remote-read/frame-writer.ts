import { ProtobufWriter } from 'promwrite/wire';
import type { FoundSeries } from '../series-lookup.ts';
import { crc32c } from './crc32c.ts';

/*
 * Frame: uvarint size of the message | CRC-32C of the message, 4 bytes big-endian | message.
 *
 * ChunkedReadResponse   1 chunked_series: here always one | 2 query_index int64
 * ChunkedSeries         1 labels: repeated Label, sorted | 2 chunks: repeated Chunk
 */

const SERIES = (1 << 3) | 2;
const QUERY_INDEX = 2 << 3;

/** Frames of a group of series, one after the other as their points come. Prometheus takes one series a frame, and each frame for a series of its own. */
export class FrameWriter {
  /** Chunks of the series in progress, to be written here; `chunkAdded` after each. */
  readonly chunks = new ProtobufWriter();
  readonly #frames = new ProtobufWriter(256 * 1024);
  readonly #series: readonly FoundSeries[];
  readonly #queryIndex: number;
  readonly #frameBytes: number;
  /** Where the frames of each series begin and end in #frames; 0, 0 when it has none. */
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  #current = 0;

  constructor(series: readonly FoundSeries[], queryIndex: number, frameBytes: number) {
    this.#series = series;
    this.#queryIndex = queryIndex;
    this.#frameBytes = frameBytes;
    this.#starts = new Float64Array(series.length);
    this.#ends = new Float64Array(series.length);
  }

  /** Bytes held. */
  get length(): number {
    return this.#frames.position + this.chunks.position;
  }

  begin(index: number): void {
    this.#current = index;
    this.#starts[index] = this.#frames.position;
  }

  /** Ends the frame when it is full. */
  chunkAdded(): void {
    if (this.chunks.position >= this.#frameBytes) this.#endFrame();
  }

  end(): void {
    if (this.chunks.position > 0) this.#endFrame();
    this.#ends[this.#current] = this.#frames.position;
  }

  /** Whole frames written so far, for a group of one series: a copy, and forgets them. */
  takeFrames(): Uint8Array {
    const taken = this.#frames.toBytes();
    this.#frames.reset();
    this.#starts[this.#current] = 0;
    return taken;
  }

  /** The frames of all series in the order of the list, in pieces of about `pieceBytes`. */
  *inOrder(pieceBytes: number): Generator<Uint8Array> {
    const all = this.#frames.bytes;
    let parts: Uint8Array[] = [];
    let bytes = 0;
    for (let index = 0; index < this.#series.length; index++) {
      const start = this.#starts[index]!;
      const end = this.#ends[index]!;
      if (end === start) continue;
      parts.push(all.subarray(start, end));
      bytes += end - start;
      if (bytes < pieceBytes) continue;
      yield joined(parts, bytes);
      parts = [];
      bytes = 0;
    }
    if (bytes > 0) yield joined(parts, bytes);
  }

  #endFrame(): void {
    const { labels } = this.#series[this.#current]!;
    const { chunks } = this;
    const frames = this.#frames;
    const seriesSize = labels.length + chunks.position;
    const indexSize = this.#queryIndex === 0 ? 0 : 1 + varintSize(this.#queryIndex);
    frames.varint32(1 + varintSize(seriesSize) + seriesSize + indexSize);
    frames.reserve(4 + 10 + seriesSize + indexSize);
    const check = frames.position;
    frames.position += 4;
    frames.varint32(SERIES);
    frames.varint32(seriesSize);
    frames.raw(labels);
    frames.raw(chunks.written());
    if (this.#queryIndex !== 0) {
      frames.varint32(QUERY_INDEX);
      frames.varint32(this.#queryIndex);
    }
    frames.view.setUint32(check, crc32c(frames.bytes, check + 4, frames.position));
    chunks.reset();
  }
}

function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size++;
  return size;
}
