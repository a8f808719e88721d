import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRetryAfter, retry } from '../../../src/exporters/retry-after.ts';

const now = Date.parse('2026-01-01T00:00:00Z');

test('Retry-After is seconds or a date in the future, at most five minutes', () => {
  const cases: readonly (readonly [string | undefined, number | undefined])[] = [
    [undefined, undefined],
    ['', undefined],
    ['0', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['120', 120_000],
    [' 3 ', 3000],
    ['99999', 300_000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Thursday, 01-Jan-26 00:00:20 GMT', 20_000],
    ['Thu Jan  1 00:00:10 2026', 10_000],
    ['Wed, 31 Dec 2025 23:59:59 GMT', undefined],
    ['Fri, 01 Jan 2027 00:00:00 GMT', 300_000],
    ['Friday', undefined],
  ];
  for (const [header, expected] of cases) assert.equal(parseRetryAfter(header, now), expected, header);
});

test('a wish for the past or for nothing is none, one of hours is five minutes', () => {
  const cases: readonly (readonly [number | undefined, number | undefined])[] = [
    [undefined, undefined],
    [Number.NaN, undefined],
    [-5, undefined],
    [0, undefined],
    [250, 250],
    [3_600_000, 300_000],
  ];
  for (const [asked, expected] of cases) {
    const outcome = retry('busy', asked);
    assert.deepEqual(outcome, { kind: 'retry', why: 'busy', ...(expected !== undefined && { afterMs: expected }) });
  }
});
