import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareUtf8, isStaleNaN } from '../../../src/wire/index.ts';

test('strings compare as their UTF-8 bytes do', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', '_', 'é', '\uffff', '\ue000', '\u{10000}', '\u{1f6b0}'),
    maxLength: 4,
  });
  fc.assert(
    fc.property(text, text, (left, right) => {
      assert.equal(Math.sign(compareUtf8(left, right)), Buffer.compare(Buffer.from(left), Buffer.from(right)));
    }),
  );
});

test('only the exact bits are the stale marker', () => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, 0x7ff0000000000002n);
  assert.equal(isStaleNaN(view.getFloat64(0)), true);
  view.setBigUint64(0, 0x7ff8000000000002n);
  assert.equal(isStaleNaN(view.getFloat64(0)), false);
  assert.equal(isStaleNaN(Number.NaN), false);
  assert.equal(isStaleNaN(2), false);
});
