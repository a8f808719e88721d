import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exceptionWords } from '../../../src/control/exceptions.ts';

test('bits in words', () => {
  assert.deepEqual(exceptionWords(undefined), []);
  assert.deepEqual(exceptionWords('0'), []);
  assert.deepEqual(exceptionWords('256'), ['invalid configuration']);
  assert.deepEqual(exceptionWords(String(0x8000 + 0x10000)), ['control connection', 'data connection']);
  assert.deepEqual(exceptionWords(String(0x100000 + 4)), ['0x4', 'load circuit breaker']);
  assert.deepEqual(exceptionWords('9223372036854775808'), ['0x8000000000000000']);
  assert.equal(exceptionWords('18446744073709551615').length, 64);
  assert.deepEqual(exceptionWords('x'), []);
});
