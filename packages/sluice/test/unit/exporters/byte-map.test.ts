import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { StringBuilder } from '../../../src/batch/builder.ts';
import { ByteMap, resolveText } from '../../../src/exporters/byte-map.ts';

function columnOf(texts: readonly string[]): { readonly bytes: Uint8Array; readonly ends: Uint32Array } {
  const builder = new StringBuilder(16);
  for (const text of texts) builder.appendText(text);
  const column = builder.finish();
  return column.kind === 'string' ? column : assert.fail();
}

function numbersOf(map: ByteMap, texts: readonly string[]): number[] {
  const { bytes, ends } = columnOf(texts);
  const values = new Uint32Array(texts.length);
  map.fill(bytes, ends, values);
  return [...values];
}

const text = fc.oneof(
  fc.constantFrom('', 'c', 's', 'c-p', 'ä', '\u{feff}x'),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
);

describe('numbers of texts', () => {
  test('are what their texts resolve to, however often they come', () => {
    fc.assert(
      fc.property(fc.array(fc.array(text, { maxLength: 100 }), { maxLength: 5 }), (columns) => {
        const map = new ByteMap(resolveText((value) => value.toWellFormed().length * 3));
        for (const texts of columns) {
          assert.deepEqual(
            numbersOf(map, texts),
            texts.map((value) => value.toWellFormed().length * 3),
          );
        }
      }),
    );
  });

  test('are worked out once for each text', () => {
    const asked: string[] = [];
    const map = new ByteMap(resolveText((value) => asked.push(value)));
    const texts = Array.from({ length: 3000 }, (_, i) => `value ${i % 40}`);
    const first = numbersOf(map, texts);
    assert.deepEqual(numbersOf(map, texts), first);
    assert.equal(asked.length, 40);
  });

  test('are not kept while texts hardly repeat, and stay right', () => {
    let asked = 0;
    const map = new ByteMap(
      resolveText((value) => {
        asked++;
        return Number(value);
      }),
    );
    const ever = Array.from({ length: 20_000 }, (_, i) => String(i));
    const expected = ever.map(Number);
    assert.deepEqual(numbersOf(map, ever), expected);
    const before = asked;
    assert.deepEqual(numbersOf(map, ever), expected);
    assert.equal(asked - before, ever.length);
  });

  test('are forgotten when there are too many, and stay right', () => {
    const map = new ByteMap(resolveText(Number));
    // Each comes twice in a row of columns, so that the map is worth its while.
    for (let start = 0; start < 40_000; start += 500) {
      const texts = Array.from({ length: 500 }, (_, i) => String(start + i));
      assert.deepEqual(numbersOf(map, texts), texts.map(Number));
      assert.deepEqual(numbersOf(map, texts), texts.map(Number));
      assert.deepEqual(numbersOf(map, texts), texts.map(Number));
    }
  });
});
