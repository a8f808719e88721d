import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import snappy from 'snappy';
import {
  compressBlock,
  maxCompressedLength,
  uncompressBlock,
  uncompressedLength,
  WireError,
} from '../../../src/wire/index.ts';
import { fromHex, toHex } from '../../support/bits.ts';

/** Bytes with repeats at all distances, which random bytes do not have. */
const repetitive = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 30 }), fc.nat(60)), {
    maxLength: 25,
  })
  .map((parts) => {
    const bytes: number[] = [];
    for (const [piece, times, back] of parts) {
      for (let time = 0; time < times; time++) bytes.push(...piece);
      bytes.push(...bytes.slice(Math.max(0, bytes.length - back * 7), bytes.length - back));
    }
    return Uint8Array.from(bytes);
  });

test('what is compressed comes back, here and with the native library', () => {
  fc.assert(
    fc.property(fc.oneof(repetitive, fc.uint8Array({ maxLength: 3000 })), (input) => {
      const compressed = compressBlock(input);
      assert.ok(compressed.length <= maxCompressedLength(input.length));
      assert.equal(uncompressedLength(compressed), input.length);
      assert.deepEqual(uncompressBlock(compressed), input);
      assert.deepEqual(new Uint8Array(snappy.uncompressSync(Buffer.from(compressed)) as Buffer), input);
    }),
    { numRuns: 300 },
  );
});

test('what the native library compresses is decoded', () => {
  fc.assert(
    fc.property(repetitive, (input) => {
      assert.deepEqual(uncompressBlock(new Uint8Array(snappy.compressSync(Buffer.from(input)))), input);
    }),
    { numRuns: 300 },
  );
});

test('inputs beyond one fragment come back', () => {
  let state = 1;
  for (const size of [65535, 65536, 65537, 131072, 200_001]) {
    const input = new Uint8Array(size);
    for (let index = 0; index < size; index++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      input[index] = index % 3000 < 1500 ? state >>> 28 : index % 50;
    }
    const compressed = compressBlock(input);
    assert.ok(compressed.length < size);
    assert.deepEqual(uncompressBlock(compressed), input);
    assert.deepEqual(new Uint8Array(snappy.uncompressSync(Buffer.from(compressed)) as Buffer), input);
  }
});

test('mutated blocks get the verdict of the native library', () => {
  fc.assert(
    fc.property(
      repetitive,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      fc.nat(4),
      (input, changes, cut) => {
        const block = compressBlock(input).slice();
        for (const [at, value] of changes) block[at % block.length] = value;
        const mutated = cut === 0 ? block.subarray(0, block.length - 1) : block;
        let native: Uint8Array | undefined;
        try {
          native = new Uint8Array(snappy.uncompressSync(Buffer.from(mutated)) as Buffer);
        } catch {
          native = undefined;
        }
        let own: Uint8Array | undefined;
        try {
          own = uncompressBlock(mutated, 2 ** 32);
        } catch (error) {
          assert.ok(error instanceof WireError);
          own = undefined;
        }
        assert.deepEqual(own, native);
      },
    ),
    { numRuns: 1000 },
  );
});

test('arbitrary bytes are decoded or refused with a WireError, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (input) => {
      try {
        uncompressBlock(input, 10_000);
      } catch (error) {
        assert.ok(error instanceof WireError);
      }
    }),
    { numRuns: 1000 },
  );
});

test('an empty input is the single byte 00', () => {
  assert.equal(toHex(compressBlock(new Uint8Array(0))), '00');
  assert.equal(uncompressBlock(fromHex('00')).length, 0);
});

for (const [what, hex, kind] of [
  ['nothing', '', 'malformed'],
  ['a header bomb of 1 GiB in 7 bytes', '80808080040041', 'limit'],
  ['a header of more than 32 bits', 'ffffffff1f00', 'malformed'],
  ['a header that does not end', '808080808000', 'malformed'],
  ['a declared length that so few bytes cannot hold', 'ffff7f0041', 'malformed'],
  ['the framed format', 'ff060000734e61507059', 'malformed'],
  ['a copy with offset 0', '0504410100', 'malformed'],
  ['a copy from before the start', '0500410105', 'malformed'],
  ['a literal beyond the input', '050841', 'malformed'],
  ['an output shorter than declared', '050041', 'malformed'],
  ['an output longer than declared', '0108414141', 'malformed'],
] as const) {
  test(`${what} is refused as ${kind}`, () => {
    assert.throws(
      () => uncompressBlock(fromHex(hex)),
      (error) => error instanceof WireError && error.kind === kind,
    );
  });
}

test('a given output buffer is used and not touched behind the result', () => {
  const input = Uint8Array.from({ length: 333 }, (_, index) => index % 11);
  const output = new Uint8Array(400).fill(0xee);
  const result = uncompressBlock(compressBlock(input), 1000, output);
  assert.equal(result.buffer, output.buffer);
  assert.deepEqual(result, input);
  assert.ok(output.subarray(333).every((byte) => byte === 0xee));
});

test('the limit counts decoded bytes', () => {
  const block = compressBlock(new Uint8Array(1000));
  assert.equal(uncompressBlock(block, 1000).length, 1000);
  assert.throws(() => uncompressBlock(block, 999), /declares 1000 bytes; at most 999 are allowed/);
});
