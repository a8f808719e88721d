import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  ID_ABSENT,
  ID_HASHED,
  ID_SPELLED,
  writeSpanId,
  writeTraceId,
} from '../../../../src/exporters/opentelemetry/native-ids.ts';

const kinds = ['absent', 'spelled', 'hashed'] as const;

function traceId(text: string): readonly [string, string] {
  // Bytes around the text are none of it.
  const bytes = Buffer.from(`f${text}f`);
  const out = new Uint8Array(16).fill(0xaa);
  const kind = writeTraceId(bytes, 1, bytes.length - 1, out);
  return [kinds[kind]!, Buffer.from(out).toString('hex')];
}

function spanId(text: string): readonly [string, string] {
  const bytes = Buffer.from(`f${text}f`);
  const out = new Uint8Array(8).fill(0xaa);
  const kind = writeSpanId(bytes, 1, bytes.length - 1, out);
  return [kinds[kind]!, Buffer.from(out).toString('hex')];
}

function hashed(text: string, size: number): string {
  return createHash('sha256')
    .update(text)
    .digest('hex')
    .slice(0, size * 2);
}

describe('trace ids', () => {
  test('32 digits are the id, in either case', () => {
    assert.deepEqual(traceId('4bf92f3577b34da6a3ce929d0e0e4736'), ['spelled', '4bf92f3577b34da6a3ce929d0e0e4736']);
    assert.deepEqual(traceId('4BF92F3577B34DA6A3CE929D0E0E4736'), ['spelled', '4bf92f3577b34da6a3ce929d0e0e4736']);
  });

  test('ids of 64 bits are filled with zeros on the left, an odd number of digits too', () => {
    assert.deepEqual(traceId('00f067aa0ba902b7'), ['spelled', '000000000000000000f067aa0ba902b7']);
    assert.deepEqual(traceId('0a1b2c3d16888888888881234'), ['spelled', '00000000a1b2c3d16888888888881234']);
    assert.deepEqual(traceId('f'), ['spelled', '0000000000000000000000000000000f']);
  });

  test('of long ones the first 32 digits count', () => {
    assert.deepEqual(traceId('4bf92f3577b34da6a3ce929d0e0e4736ffee'), ['spelled', '4bf92f3577b34da6a3ce929d0e0e4736']);
  });

  test('a UUID is the id without its dashes', () => {
    assert.deepEqual(traceId('123e4567-e89b-12d3-a456-426614174000'), ['spelled', '123e4567e89b12d3a456426614174000']);
    const misplaced = '123e4567e-89b-12d3-a456-426614174000';
    assert.deepEqual(traceId(misplaced), ['hashed', hashed(misplaced, 16)]);
  });

  test('the form of SkyWalking is mixed as SkyWalking does it', () => {
    const text = '56a5e1c519ae4c76a2b8b11d92cead7f.12.16563474296430001';
    assert.deepEqual(traceId(text), ['spelled', '56a5e1c515ae4c7613e51e7cf616977f']);
    for (const malformed of [
      '56a5e1c519ae4c76a2b8b11d92cead7f.12.',
      '56a5e1c519ae4c76a2b8b11d92cead7f..165634742964',
      '56a5e1c519ae4c76a2b8b11d92cead7f.12x.16563474296430001',
      '56a5e1c519ae4c76a2b8b11d92cead7f.1656347429643000112345',
      'g6a5e1c519ae4c76a2b8b11d92cead7f.12.16563474296430001',
      '56a5e1c519ae4c76a2b8b11d92cead7f.12.9999999999999999999',
    ]) {
      assert.deepEqual(traceId(malformed), ['hashed', hashed(malformed, 16)], malformed);
    }
  });

  test('nothing and zeros are no id', () => {
    assert.equal(traceId('')[0], 'absent');
    assert.equal(traceId('0'.repeat(32))[0], 'absent');
    assert.equal(traceId('0000')[0], 'absent');
    assert.equal(traceId('00000000-0000-0000-0000-000000000000')[0], 'absent');
  });
});

describe('span ids', () => {
  test('16 digits are the id, shorter ones are filled on the left, of longer ones the first count', () => {
    assert.deepEqual(spanId('00f067aa0ba902b7'), ['spelled', '00f067aa0ba902b7']);
    assert.deepEqual(spanId('1'), ['spelled', '0000000000000001']);
    assert.deepEqual(spanId('abcdef'), ['spelled', '0000000000abcdef']);
    assert.deepEqual(spanId('00f067aa0ba902b7aa'), ['spelled', '00f067aa0ba902b7']);
  });

  test('other texts go by their hash, the same everywhere', () => {
    const text = '56a5e1c519ae4c76a2b8b11d92cead7f.12.16563474296430000-0';
    assert.deepEqual(spanId(text), ['hashed', hashed(text, 8)]);
  });

  test('nothing and zeros are no id', () => {
    assert.equal(spanId('')[0], 'absent');
    assert.equal(spanId('0000000000000000')[0], 'absent');
  });
});

test('whatever the text, what is not absent is a valid id, and equal texts have equal ones', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[0-9a-fA-F]{1,40}$/),
    fc.stringMatching(/^[0-9a-f]{32}\.[0-9]{1,20}\.[0-9]{1,20}$/),
    fc.stringMatching(/^[0-9a-f-]{36}$/),
  );
  fc.assert(
    fc.property(text, (one) => {
      const bytes = Buffer.from(one);
      for (const [write, size] of [
        [writeTraceId, 16],
        [writeSpanId, 8],
      ] as const) {
        const out = new Uint8Array(size);
        const kind = write(bytes, 0, bytes.length, out);
        assert.ok([ID_ABSENT, ID_SPELLED, ID_HASHED].includes(kind));
        if (kind !== ID_ABSENT) assert.ok(out.some((byte) => byte !== 0));
        else assert.match(one, /^[0-]*$/);
        const again = new Uint8Array(size).fill(7);
        assert.equal(write(bytes, 0, bytes.length, again), kind);
        if (kind !== ID_ABSENT) assert.deepEqual(again, out);
      }
    }),
    { numRuns: 500 },
  );
});
