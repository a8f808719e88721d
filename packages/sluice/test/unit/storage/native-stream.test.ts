import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { BatchBuilder } from '../../../src/batch/builder.ts';
import { encodeNative } from '../../../src/batch/native.ts';
import { valuesOf } from '../../../src/batch/read.ts';
import { exemplars } from '../../../src/catalog/prometheus.ts';
import { NativeStream } from '../../../src/storage/native-stream.ts';

function block(rows: number, first: number): Buffer {
  const builder = new BatchBuilder(exemplars);
  for (let row = 0; row < rows; row++) {
    for (const name of ['metric_id', 'series_id', 'time', 'value']) builder.fixed(name).appendHalves(first + row, 0);
    builder.array('labels').close();
  }
  return Buffer.concat(encodeNative([builder.finish(1, 0, 0)]).chunks);
}

function ids(stream: NativeStream, pieces: readonly Uint8Array[]): number[] {
  const blocks = pieces.flatMap((piece) => [...stream.push(piece)]);
  blocks.push(...stream.finish('query'));
  return blocks.flatMap((found) => [...valuesOf(found.columns[0]!.data, BigUint64Array)].map(Number));
}

describe('NativeStream', () => {
  it('finds the same rows however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (sizes, cuts) => {
          let next = 0;
          const bytes = Buffer.concat(sizes.map((rows) => block(rows, (next += rows) - rows)));
          const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
          const pieces = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
          assert.deepEqual(
            ids(new NativeStream(), pieces),
            Array.from({ length: next }, (_, row) => row),
          );
        },
      ),
    );
  });

  it('says when an answer ends within a block', () => {
    const bytes = block(10, 0);
    assert.throws(() => ids(new NativeStream(), [bytes.subarray(0, -1)]), {
      code: 'storage_unavailable',
      message: /ends within a block/,
    });
  });

  it('finds what the server said in the middle of its answer', () => {
    const words = Buffer.from('__exception__\r\ntag\r\nCode: 159. DB::Exception: Timeout exceeded. (TIMEOUT)\r\n');
    assert.throws(() => ids(new NativeStream(), [block(10, 0), words]), /Code: 159\. DB::Exception: Timeout exceeded/);
    assert.throws(() => ids(new NativeStream(), [block(100_000, 0).subarray(0, 300_000), words]), /Code: 159/);
  });
});
