import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChainedHash } from '../../../src/tags/chained-hash.ts';

test('a text has the same hash with a view and without one, wherever it stands', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 5 }), (text, before) => {
      const all = Uint8Array.of(...before, ...text, 7);
      const view = new DataView(all.buffer);
      const one = new ChainedHash()
        .begin()
        .number(3)
        .text(view, before.length, before.length + text.length);
      const other = new ChainedHash().begin().number(3).bytes(text);
      assert.deepEqual([one.low, one.high], [other.low, other.high]);
    }),
  );
});

test('texts that differ in zeros at their end, or begin alike, are told apart', () => {
  const hash = new ChainedHash();
  const seen = new Set<string>();
  for (let length = 0; length < 20; length++) {
    for (const text of [new Uint8Array(length), Uint8Array.from({ length: length + 1 }, (_, at) => at + 1)]) {
      const { low, high } = hash.begin().bytes(text);
      seen.add(`${low} ${high}`);
    }
  }
  assert.equal(seen.size, 40);
});
