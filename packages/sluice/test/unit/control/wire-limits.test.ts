import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkMessage, type MessageShape } from '../../../src/control/wire-limits.ts';

const leaf: MessageShape = { messages: new Map() };
const middle: MessageShape = { messages: new Map([[2, leaf]]) };
const shape: MessageShape = { messages: new Map([[1, middle]]) };

test('counts texts and messages at every known depth', () => {
  // 1: { 2: { 3: "ab" }, 5: 150 }, 4: "x"
  const bytes = Buffer.from([0x0a, 9, 0x12, 4, 0x1a, 2, 97, 98, 0x28, 0x96, 0x01, 0x22, 1, 120]);
  checkMessage(bytes, shape, 4);
  assert.throws(() => checkMessage(bytes, shape, 3), { message: 'expected at most 3 values in a message; got more' });
});

test('the inside of an unknown field is not looked at', () => {
  checkMessage(Buffer.from([0x3a, 3, 0xff, 0xff, 0xff]), shape, 1);
});

test('what is not whole throws', () => {
  for (const [bytes, message] of [
    [[0x0a], /torn/],
    [[0x0a, 5, 0x12], /torn/],
    [[0x0a, 2, 0x12, 5, 1, 1, 1, 1, 1], /torn/],
    [[0x09, 1, 2, 3], /torn/],
    [[0x0d, 1, 2, 3], /torn/],
    [[0x08, 0xff], /torn/],
    [[0x08, ...Array.from({ length: 10 }, () => 0xff), 1], /at most 10 bytes/],
    [[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], /torn/],
    [[0x00], /got number 0/],
    [[0x0b], /wire type 0, 1, 2 or 5; got 3/],
  ] as const) {
    assert.throws(() => checkMessage(Uint8Array.from(bytes), shape, 10), message, bytes.join(' '));
  }
});

test('any bytes end with a verdict, and those of a prefix of a whole message never count more', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        checkMessage(bytes, shape, 50);
      } catch (error) {
        assert.match(String(error), /expected/);
      }
    }),
    { numRuns: 2000 },
  );
});
