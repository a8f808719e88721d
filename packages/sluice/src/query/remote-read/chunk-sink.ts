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

  float(time: number, low: number, high: number): void {
    if (this.#floats === SAMPLES_PER_CHUNK) this.#endFloats();
    else if (this.#histogram.count > 0) this.#endHistograms();
    const at = this.#floats++;
    this.#times[at] = time;
    this.#values[at * 2] = low;
    this.#values[at * 2 + 1] = high;
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
    const count = this.#floats;
    this.points += count;
    this.#floats = 0;
    writeXorChunk(this.#bits, this.#times, this.#values, count);
    writeChunk(this.#frames.chunks, this.#times[0]!, this.#times[count - 1]!, XOR, this.#bits.written());
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
