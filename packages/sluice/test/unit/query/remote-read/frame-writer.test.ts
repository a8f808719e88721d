import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChunkSink } from '../../../../src/query/remote-read/chunk-sink.ts';
import { FrameWriter } from '../../../../src/query/remote-read/frame-writer.ts';
import type { FoundSeries } from '../../../../src/query/series-lookup.ts';
import { decodeFrames, decodeStreamed } from '../answer-decoder.ts';
import { decodeXorChunk } from '../chunk-decoder.ts';

const series = (name: string): FoundSeries => {
  const value = Buffer.from(name);
  const label = [0x0a, 1, 0x61, 0x12, value.length, ...value];
  return { metricId: 0n, seriesId: 0n, key: name, labels: Uint8Array.of(0x0a, label.length, ...label) };
};

function put(sink: ChunkSink, index: number, count: number, from = 0): void {
  sink.begin(index);
  putFloats(sink, count, from);
  sink.end();
}

/** In parts of several sizes, as the blocks of the database end anywhere. */
function putFloats(sink: ChunkSink, count: number, from: number): void {
  const times = new Float64Array(300);
  const values = new Uint32Array(600);
  for (let at = 0, part = 1; at < count; at += part, part = (part * 7) % 300) {
    const size = Math.min(part, count - at);
    for (let index = 0; index < size; index++) {
      times[index] = from + (at + index) * 1000;
      values[index * 2] = at + index;
      values[index * 2 + 1] = 0x40000000 + at + index;
    }
    sink.floats(times, values, size);
  }
}

describe('frames', () => {
  it('hold one series each, in the order of the list, whatever order the points came in', () => {
    const frames = new FrameWriter(['x', 'y', 'z'].map(series), 3, 1 << 20);
    const sink = new ChunkSink(frames);
    put(sink, 2, 1);
    put(sink, 0, 250);
    const stream = Buffer.concat([...frames.inOrder(1 << 20)]);
    const decoded = decodeFrames(stream);
    assert.deepEqual(
      decoded.map(({ labels, queryIndex }) => [labels, queryIndex]),
      [
        [[['a', 'x']], 3],
        [[['a', 'z']], 3],
      ],
    );
    // 120 samples a chunk, and the times of each said exactly.
    assert.deepEqual(
      decoded[0]!.chunks.map(({ min, max, type }) => [min, max, type]),
      [
        [0, 119_000, 1],
        [120_000, 239_000, 1],
        [240_000, 249_000, 1],
      ],
    );
    assert.deepEqual(decodeXorChunk(decoded[1]!.chunks[0]!.data), [{ time: 0, bits: 0x4000000000000000n }]);
    assert.equal(sink.points, 251);
  });

  it('are closed when they are full, and the series goes on in the next', () => {
    const frames = new FrameWriter([series('x')], 0, 1000);
    const sink = new ChunkSink(frames);
    sink.begin(0);
    putFloats(sink, 5000, 0);
    const taken = frames.takeFrames();
    sink.end();
    const stream = Buffer.concat([taken, ...frames.inOrder(100)]);
    const decoded = decodeFrames(stream);
    assert.ok(decoded.length > 10);
    for (const { bytes } of decoded) assert.ok(bytes.length < 3000, `a frame has ${bytes.length} bytes`);
    const [all] = decodeStreamed(stream, 1);
    assert.equal(all!.length, 1);
    assert.equal(all![0]!.samples.length, 5000);
  });

  it('are sent in pieces of about the wanted size that end between frames', () => {
    const names = Array.from({ length: 100 }, (_, index) => series(String(index).padStart(3, '0')));
    const frames = new FrameWriter(names, 0, 1 << 20);
    const sink = new ChunkSink(frames);
    for (let index = 0; index < 100; index++) put(sink, index, 50);
    const pieces = [...frames.inOrder(2000)];
    assert.ok(pieces.length > 5);
    assert.equal(pieces.flatMap((piece) => decodeFrames(piece)).length, 100);
  });
});
