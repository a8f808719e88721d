import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { formatBytes, formatDuration, parseBytes, parseDuration } from '../../../src/base/units.ts';

describe('parseDuration', () => {
  const good: readonly [string, number][] = [
    ['0', 0],
    ['0s', 0],
    ['1s', 1000],
    ['500ms', 500],
    ['1h30m', 5_400_000],
    ['15d', 1_296_000_000],
    ['1w', 604_800_000],
    ['1y', 31_536_000_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['90m', 5_400_000],
  ];
  for (const [text, ms] of good) test(text, () => assert.equal(parseDuration(text), ms));

  const bad: readonly [string, string][] = [
    ['15', 'expected a duration such as 500ms, 30s, 1h30m or 15d; got "15" without a unit'],
    ['', 'expected a duration such as 500ms, 30s, 1h30m or 15d; got ""'],
    ['-1s', 'expected a duration such as 500ms, 30s, 1h30m or 15d; got "-1s"'],
    ['1.5h', 'expected a duration such as 500ms, 30s, 1h30m or 15d; got "1.5h"'],
    ['1 h', 'expected a duration such as 500ms, 30s, 1h30m or 15d; got "1 h"'],
    ['30m1h', 'expected a duration such as 500ms, 30s, 1h30m or 15d, greatest unit first, each unit once; got "30m1h"'],
    ['1s1s', 'expected a duration such as 500ms, 30s, 1h30m or 15d, greatest unit first, each unit once; got "1s1s"'],
    ['999999999y', 'expected a duration such as 500ms, 30s, 1h30m or 15d; got "999999999y", which is too long'],
  ];
  for (const [text, message] of bad)
    test(`not ${JSON.stringify(text)}`, () => assert.throws(() => parseDuration(text), { message }));

  test('a long text is cut in the message', () => {
    assert.throws(() => parseDuration('x'.repeat(1000)), { message: /got "x{40}\.\.\."$/ });
  });
});

describe('parseBytes', () => {
  const good: readonly [string, number][] = [
    ['512', 512],
    ['0', 0],
    ['64MiB', 67_108_864],
    ['4GiB', 4_294_967_296],
    ['1.5GiB', 1_610_612_736],
    ['1GB', 1_000_000_000],
    ['3kB', 3000],
    ['3KB', 3000],
    ['7 KiB', 7168],
    ['10B', 10],
    ['2TiB', 2_199_023_255_552],
  ];
  for (const [text, bytes] of good) test(text, () => assert.equal(parseBytes(text), bytes));

  for (const text of ['', '4Gi', '4gib', '-1', 'MiB', '1e3', '1.MiB', '9007199254740992', '99999999TiB', '1 000']) {
    test(`not ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseBytes(text), { message: /^expected a size such as 512, 64MiB, 1\.5GiB or 1GB/ });
    });
  }
});

test('what is formatted is read back as the same number', () => {
  const number = fc.oneof(fc.nat(), fc.maxSafeNat());
  fc.assert(fc.property(number, (ms) => parseDuration(formatDuration(ms)) === ms));
  fc.assert(fc.property(number, (bytes) => parseBytes(formatBytes(bytes)) === bytes));
});

test('formatting keeps to what people write', () => {
  assert.deepEqual([0, 1000, 90_000, 5_400_000, 1_296_000_000, 604_800_000, 31_536_000_000, 1].map(formatDuration), [
    '0',
    '1s',
    '1m30s',
    '1h30m',
    '15d',
    '1w',
    '365d',
    '1ms',
  ]);
  assert.deepEqual([0, 512, 67_108_864, 1_000_000_000, 1536, 2 ** 40].map(formatBytes), [
    '0',
    '512',
    '64MiB',
    '1GB',
    '1536',
    '1TiB',
  ]);
  assert.throws(() => formatDuration(1.5), { message: 'expected whole milliseconds; got 1.5' });
  assert.throws(() => formatBytes(-1), { message: 'expected whole bytes; got -1' });
});
