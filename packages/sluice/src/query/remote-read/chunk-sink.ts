import type { ProtobufWriter } from 'promwrite/wire';
import { BitWriter } from './bit-writer.ts';
import type { FrameWriter } from './frame-writer.ts';
import { HistogramChunk, type ChunkHead } from './histogram-chunk.ts';
import type { HistogramRows } from './histogram-rows.ts';
import type { PointSink } from './points.ts';
import { SAMPLES_PER_CHUNK, writeXorChunk } from './xor-chunk.ts';

/** Chunk.Encoding of the messages. */
const XOR = 1;
const HISTOGRAM = 2;
const FLOAT_HISTOGRAM = 3;

/** A histogram chunk of more bytes is cut before it has its number of samples. */
const LONG_CHUNK = 64 * 1024;

/** Cuts points into chunks: a new one after 120 points and wherever floats, integer and float histograms or their layouts take turns. */
export class ChunkSink implements PointSink {
  /** Points taken so far. */
  points = 0;
  readonly #frames: FrameWriter;
  readonly #bits = new BitWriter();
  readonly #times = new Float64Array(SAMPLES_PER_CHUNK);
  readonly #values = new Uint32Array(SAMPLES_PER_CHUNK * 2);
  #floats = 0;
  readonly #histogram = new HistogramChunk();
  #histogramStart = 0;
  #histogramEnd = 0;

  constructor(frames: FrameWriter) {
    this.#frames = frames;
  }

  begin(index: number): void {
    this.#frames.begin(index);
  }

  floats(times: Float64Array, values: Uint32Array, count: number): void {
    if (this.#histogram.count > 0) this.#endHistograms();
    let from = 0;
    while (from < count) {
      if (this.#floats === 0 && count - from >= SAMPLES_PER_CHUNK) {
        this.#writeFloats(times, values, from, SAMPLES_PER_CHUNK);
        from += SAMPLES_PER_CHUNK;
        continue;
      }
      const moved = Math.min(SAMPLES_PER_CHUNK - this.#floats, count - from);
      this.#times.set(times.subarray(from, from + moved), this.#floats);
      this.#values.set(values.subarray(from * 2, (from + moved) * 2), this.#floats * 2);
      this.#floats += moved;
      from += moved;
      if (this.#floats === SAMPLES_PER_CHUNK) this.#endFloats();
    }
  }

  histogram(time: number, rows: HistogramRows, row: number): void {
    if (this.#floats > 0) this.#endFloats();
    const chunk = this.#histogram;
    this.points++;
    if (chunk.count > 0) {
      const fit = chunk.fit(rows, row);
      const full = chunk.count === SAMPLES_PER_CHUNK || chunk.length > LONG_CHUNK;
      if (fit === 'yes' && !full) {
        chunk.append(rows, row, time);
        this.#histogramEnd = time;
        return;
      }
      this.#endHistograms();
      this.#startHistogram(time, rows, row, fit === 'reset' ? 'reset' : fit === 'yes' ? 'noReset' : 'unknown');
      return;
    }
    this.#startHistogram(time, rows, row, 'unknown');
  }

  end(): void {
    if (this.#floats > 0) this.#endFloats();
    if (this.#histogram.count > 0) this.#endHistograms();
    this.#frames.end();
  }

  #startHistogram(time: number, rows: HistogramRows, row: number, head: ChunkHead): void {
    this.#histogram.start(rows, row, time, head);
    this.#histogramStart = time;
    this.#histogramEnd = time;
  }

  #endFloats(): void {
    this.#writeFloats(this.#times, this.#values, 0, this.#floats);
    this.#floats = 0;
  }

  #writeFloats(times: Float64Array, values: Uint32Array, from: number, count: number): void {
    this.points += count;
    writeXorChunk(this.#bits, times, values, from, count);
    writeChunk(this.#frames.chunks, times[from]!, times[from + count - 1]!, XOR, this.#bits.written());
    this.#frames.chunkAdded();
  }

  #endHistograms(): void {
    const type = this.#histogram.isFloat ? FLOAT_HISTOGRAM : HISTOGRAM;
    writeChunk(this.#frames.chunks, this.#histogramStart, this.#histogramEnd, type, this.#histogram.finish());
    this.#frames.chunkAdded();
  }
}

/** Field 2 of ChunkedSeries: Chunk 1 min_time_ms | 2 max_time_ms | 3 type | 4 data. */
function writeChunk(out: ProtobufWriter, start: number, end: number, type: number, data: Uint8Array): void {
  out.varint32((2 << 3) | 2);
  const content = out.open(2);
  if (start !== 0) {
    out.varint32(1 << 3);
    out.int64(start);
  }
  if (end !== 0) {
    out.varint32(2 << 3);
    out.int64(end);
  }
  out.varint32(3 << 3);
  out.varint32(type);
  out.varint32((4 << 3) | 2);
  out.varint32(data.length);
  out.raw(data);
  out.close(content, 2);
}
