import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRetryAfter, retryDelay, retryPolicy } from '../../src/retry.ts';

const now = Date.UTC(1994, 10, 6, 8, 49, 30);

for (const [header, expected] of [
  ['120', 120_000],
  [' 7 ', 7000],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 7000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 7000],
  ['Sun Nov  6 08:49:37 1994', 7000],
  ['Sun, 06 Nov 1994 08:49:30 GMT', undefined],
  ['Sun, 06 Nov 1993 08:49:37 GMT', undefined],
  ['0', undefined],
  ['-1', undefined],
  ['1e3', undefined],
  ['2099', 2_099_000],
  ['2099-01-01', undefined],
  ['Sun', undefined],
  ['', undefined],
  [null, undefined],
] as const) {
  test(`Retry-After ${JSON.stringify(header)} means ${expected} ms`, () => {
    assert.equal(parseRetryAfter(header, now), expected);
  });
}

test('delays stay what a timer can hold', () => {
  const policy = retryPolicy({ maxBackoff: Infinity, maxRetries: Infinity });
  assert.equal(retryDelay(policy, 5000, undefined), 0x7fffffff);
  assert.equal(retryDelay(policy, 0, 1e15), 0x7fffffff);
});

test('jitter varies a delay by a tenth, and gaps never shrink below four fifths', () => {
  const policy = retryPolicy({ minBackoff: 100, maxBackoff: 400 });
  for (let round = 0; round < 200; round++) {
    const delays = [0, 1, 2, 3, 4].map((retries) => retryDelay(policy, retries, undefined));
    for (const [index, delay] of delays.entries()) {
      assert.ok(index === 0 || delay >= 0.8 * delays[index - 1]!);
      assert.ok(delay >= 90 && delay <= 440);
    }
  }
});
