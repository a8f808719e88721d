import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BitWriter } from '../../../../src/query/remote-read/bit-writer.ts';
import { writeXorChunk } from '../../../../src/query/remote-read/xor-chunk.ts';
import { STALE_BITS, bitsOf, decodeXorChunk, type Sample } from '../chunk-decoder.ts';

function encode(samples: readonly Sample[]): Buffer {
  const out = new BitWriter(16);
  const values = new Uint32Array(samples.flatMap(({ bits }) => [Number(bits & 0xffffffffn), Number(bits >> 32n)]));
  writeXorChunk(
    out,
    Float64Array.from([-1, ...samples.map(({ time }) => time)]),
    Uint32Array.of(7, 7, ...values),
    1,
    samples.length,
  );
  return Buffer.from(out.written());
}

const sample = (time: number, value: number): Sample => ({ time, bits: bitsOf(value) });

describe('XOR chunks', () => {
  const T = 1_700_000_000_000;
  const vectors: [string, Sample[], string][] = [
    ['one sample', [sample(T, 1)], '000180a0abfef9623ff0000000000000'],
    ['one sample of Prometheus', [sample(7_200_000, 12_000)], '000180f4ee0640c7700000000000'],
    [
      'a regular distance',
      [sample(T, 1), sample(T + 15_000, 1), sample(T + 30_000, 2)],
      '000380a0abfef9623ff000000000000098753097ffc0',
    ],
    [
      'jitter, infinity and the stale marker',
      [
        sample(T, 12),
        sample(T + 15_000, 12.5),
        sample(T + 30_001, -1),
        sample(T + 45_000, Infinity),
        { time: T + 60_000, bits: STALE_BITS },
      ],
      '000580a0abfef96240280000000000009875de0e0007021ffb37ffd60004000ff80000000040',
    ],
    [
      'the edges of the ranges of times',
      [0, 1000, 10_192, 11_193, 77_730].map((time) => sample(time, 0)),
      '0005000000000000000000e807500028005a0000',
    ],
    [
      'the 64-bit escape',
      [sample(T, 0.1), sample(T + 15_000, 0.2), sample(T + 3_600_000, 0.3)],
      '000380a0abfef9623fb999999999999a9875d21ff0000000000367950d7aeaaaaaaaaaaaa4',
    ],
  ];
  for (const [name, samples, hex] of vectors) {
    it(`${name}: the known bytes`, () => {
      assert.equal(encode(samples).toString('hex'), hex);
      assert.deepEqual(decodeXorChunk(Buffer.from(hex, 'hex')), samples);
    });
  }

  it('decode to the samples they were made of, bit for bit', () => {
    const bits = fc.oneof(
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      fc.double().map(bitsOf),
      fc.integer({ min: 0, max: 1000 }).map(bitsOf),
      fc.constantFrom(0n, 1n << 63n, 1n, STALE_BITS, 0x7ff8000000000001n, 0xffffffff00000000n, 0x00000000ffffffffn),
    );
    const distance = fc.oneof(
      fc.constantFrom(1, 15_000, 8191, 8192, 8193, 65_535, 65_536, 65_537, 524_288, 524_289, 2 ** 31, 2 ** 33),
      fc.integer({ min: 1, max: 20_000 }),
      fc.integer({ min: 1, max: 2 ** 40 }),
    );
    const start = fc.integer({ min: -(2 ** 41), max: 2 ** 43 });
    const steps = fc.array(fc.tuple(distance, bits), { minLength: 1, maxLength: 120 });
    fc.assert(
      fc.property(start, steps, (first, parts) => {
        let time = first;
        const samples = parts.map(([step, value]) => ({ time: (time += step), bits: value }));
        assert.deepEqual(decodeXorChunk(encode(samples)), samples);
      }),
      { numRuns: 300 },
    );
  });
});
