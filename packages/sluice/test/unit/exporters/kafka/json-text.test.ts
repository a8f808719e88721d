import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { JsonOut, viewOf } from '../../../../src/exporters/kafka/json-out.ts';
import { MOST_BYTES, putQuoted } from '../../../../src/exporters/kafka/json-text.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** What becomes of a text that stands somewhere among other bytes. */
function quoted(text: Uint8Array, before = 3): string {
  const around = Buffer.concat([Buffer.alloc(before, '"'), text, Buffer.from('"\\\u0000')]);
  const room = 1 + text.length * MOST_BYTES + 2;
  const out = new JsonOut(new Uint8Array(room + 2).fill(0x23));
  const end = putQuoted(out, 1, around, viewOf(around), before, before + text.length);
  assert.ok(end <= room);
  assert.ok(
    out.bytes.subarray(end).every((byte) => byte === 0x23),
    'writes behind the end',
  );
  return Buffer.from(out.bytes.subarray(1, end)).toString();
}

describe('text in JSON', () => {
  it('is what JSON.stringify makes of it', () => {
    const unit = fc.constantFrom(
      'a',
      '"',
      '\\',
      '\n',
      '\b',
      '\f',
      '\u0000',
      '\u001f',
      '\u007f',
      'é',
      '日',
      '😀',
      '\ufeff',
      '/',
    );
    const text = fc.oneof(fc.string({ unit, maxLength: 40 }), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(text, fc.nat(8), (value, before) => {
        const bytes = Buffer.from(value);
        assert.equal(quoted(bytes, before), JSON.stringify(decoder.decode(bytes)));
      }),
      { numRuns: 1000 },
    );
  });

  it('has U+FFFD where a TextDecoder has it', () => {
    const byte = fc.constantFrom(
      0x61,
      0x22,
      0x80,
      0xbf,
      0xc0,
      0xc2,
      0xe0,
      0xa0,
      0x9f,
      0xed,
      0xef,
      0xf0,
      0x90,
      0x8f,
      0xf4,
      0xf5,
      0xff,
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), fc.array(byte, { maxLength: 24 }), (any, nasty) => {
        for (const bytes of [any, Uint8Array.from(nasty)]) {
          assert.equal(quoted(bytes), JSON.stringify(decoder.decode(bytes)));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
