import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { compressBlock, uncompressBlock } from 'promwrite/wire';
import { LinearMemory } from '../../../../src/base/linear-memory.ts';
import { MessageMemory } from '../../../../src/receivers/prometheus/message-memory.ts';
import { varint } from './wire.ts';

const LIMIT = 32 * 2 ** 20;
const message = new MessageMemory(new LinearMemory());
const place = (body: Uint8Array): Buffer => {
  message.placeSnappy(body, LIMIT);
  return Buffer.from(message.memory.bytes.subarray(message.start, message.end));
};

suite('uncompressing Snappy', () => {
  test('gives back what was compressed, of all sizes and kinds', () => {
    const repetitive = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(3000)).map(([unit, count]) => {
      const out = new Uint8Array(unit.length + count);
      for (let i = 0; i < out.length; i++) out[i] = unit[i % unit.length]!;
      return out;
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(repetitive, fc.uint8Array({ maxLength: 300 })), { maxLength: 8 }), (parts) => {
        const plain = Buffer.concat(parts);
        assert.deepEqual(place(compressBlock(plain)), plain);
      }),
      { numRuns: 300 },
    );
    for (const size of [0, 1, 15, 16, 17, 60, 61, 64, 65, 255, 256, 257, 65_535, 65_536, 65_537, 400_000]) {
      const plain = Buffer.from(Array.from({ length: size }, (_, i) => (i * i) >>> 5));
      assert.deepEqual(place(compressBlock(plain)), plain, String(size));
    }
  });

  test('every length and offset of copies, those that overlap included', () => {
    const pattern = Buffer.from(Array.from({ length: 70 }, (_, i) => i + 1));
    for (let offset = 1; offset <= 70; offset++) {
      for (const length of [1, 2, 3, 4, 7, 8, 11, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64]) {
        const expected = [...pattern];
        for (let i = 0; i < length; i++) expected.push(expected.at(-offset)!);
        for (const copy of [
          Buffer.from([((length - 1) << 2) | 2, offset, 0]),
          Buffer.from([((length - 1) << 2) | 3, offset, 0, 0, 0]),
          ...(length >= 4 && length <= 11 ? [Buffer.from([((length - 4) << 2) | 1, offset])] : []),
        ]) {
          const body = Buffer.concat([varint(70 + length), Buffer.from([60 << 2, 69]), pattern, copy]);
          assert.deepEqual([...place(body)], expected, `${offset} ${length}`);
        }
      }
    }
  });

  test('literals with 1 to 4 bytes of length', () => {
    const plain = Buffer.from(Array.from({ length: 100 }, (_, i) => i));
    for (let count = 1; count <= 4; count++) {
      const length = Buffer.alloc(count);
      length.writeUIntLE(99, 0, count);
      assert.deepEqual(place(Buffer.concat([varint(100), Buffer.from([(59 + count) << 2]), length, plain])), plain);
    }
  });

  test('refuses what is not a whole block', () => {
    for (const [what, hex] of [
      ['nothing', ''],
      ['a length without end', 'ffffffffff01'],
      ['a length above 2^32', 'ffffffff7f'],
      ['a length that is cut off', '80'],
      ['no elements', '05'],
      ['too few bytes', '0508616263'],
      ['too many bytes', '0208616263'],
      ['a literal that is cut off', '0310616263'],
      ['a literal of 2^32 bytes', '03fcffffffff616263'],
      ['a long literal that is cut off', '03f4ff'],
      ['a copy before the start', '0400610905'],
      ['an offset of 0', '0500610100'],
      ['an offset beyond the start', '0500610102'],
      ['an offset of 2^32 - 1', '0500610fffffffff'],
      ['a copy that is cut off', '0500610e01'],
      ['a copy beyond the end', '0400610501'],
      ['the framed format', 'ff060000734e61507059'],
    ] as const) {
      assert.throws(() => place(Buffer.from(hex, 'hex')), { code: 'bad_request' }, what);
    }
  });

  test('judges mutated bodies as the independent decoder does', () => {
    const plain = Buffer.from(
      'http_requests_total{job="a",instance="b"} http_requests_total{job="b",instance="c"} '.repeat(40),
    );
    const good = compressBlock(plain);
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (changes) => {
          const body = Buffer.from(good);
          for (const [at, value] of changes) body[at] = value;
          let expected: Uint8Array | undefined;
          try {
            expected = uncompressBlock(body, LIMIT).slice();
          } catch {
            expected = undefined;
          }
          if (expected === undefined || expected.length > 22 * body.length + 64)
            assert.throws(() => place(body), { code: 'bad_request' });
          else {
            assert.deepEqual(place(body), Buffer.from(expected));
            accepted++;
          }
        },
      ),
      { numRuns: 3000 },
    );
    assert.ok(accepted > 50);
  });
});
