import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readFloat, readInteger, readSeconds } from '../../../../src/receivers/telegraf/numbers.ts';

/** Reads a text that lies between other digits. */
function within<T>(text: string, read: (bytes: Uint8Array, start: number, end: number) => T): T {
  const bytes = Buffer.from(`12${text}34`);
  return read(bytes, 2, bytes.length - 2);
}

const float = (text: string) => within(text, readFloat);
const integer = (text: string) => within(text, (bytes, start, end) => readInteger(bytes, start, end, false));
const unsigned = (text: string) => within(text, (bytes, start, end) => readInteger(bytes, start, end, true));
const seconds = (text: string, digits: number) =>
  within(text, (bytes, start, end) => readSeconds(bytes, start, end, digits));

test('floats are the nearest double, like everywhere', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (double) => {
      // Texts have no -0 here.
      const value = double + 0;
      assert.ok(Object.is(float(String(value)), value), String(value));
      assert.ok(Object.is(float(value.toExponential()), value), value.toExponential());
    }),
    { numRuns: 2000 },
  );
  const digits = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 25 }).map((list) => list.join(''));
  fc.assert(
    fc.property(digits, digits, fc.integer({ min: -30, max: 30 }), (before, after, exponent) => {
      fc.pre(before !== '' || after !== '');
      const text = `-${before}.${after}E${exponent}`;
      assert.ok(Object.is(float(text), Number(text)), text);
    }),
    { numRuns: 2000 },
  );
});

test('what is no float is none', () => {
  for (const text of [
    '',
    '-',
    '.',
    '-.',
    '+1',
    '1e',
    '1e+',
    '1e-',
    'e5',
    '1.2.3',
    '--1',
    '1x',
    '1e5.',
    'NaN',
    'Inf',
    '0x10',
    ' 1',
    '1e999',
  ]) {
    assert.ok(Number.isNaN(float(text)), text);
  }
  assert.deepEqual(
    ['1.', '.5', '-0', '007', '1e5', '1E+5', '0.000001', '1e-400'].map(float),
    [1, 0.5, -0, 7, 1e5, 1e5, 1e-6, 0],
  );
});

test('integers of 64 bits are the nearest double', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
      assert.equal(integer(String(value)), value < 2n ** 63n ? Number(value) : NaN);
      assert.equal(unsigned(String(value)), value >= 0n ? Number(value) : NaN);
    }),
    { numRuns: 1000 },
  );
  assert.equal(integer('-9223372036854775808'), -9_223_372_036_854_775_808);
  for (const text of ['', '-', '+1', '1.0', '1e3', '9223372036854775808', '-9223372036854775809', '1'.repeat(65)]) {
    assert.ok(Number.isNaN(integer(text)), text);
  }
  assert.equal(unsigned('18446744073709551615'), 2 ** 64);
  for (const text of ['-1', '18446744073709551616']) assert.ok(Number.isNaN(unsigned(text)), text);
  assert.equal(integer(`${'0'.repeat(40)}7`), 7);
});

test('seconds of a timestamp are rounded down, exactly', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n }),
      fc.constantFrom(9, 6, 3),
      (value, digits) => {
        const unit = 10n ** BigInt(digits);
        const floor = value / unit - (value % unit < 0n ? 1n : 0n);
        const read = seconds(String(value), digits);
        if (floor > -(2n ** 53n) && floor < 2n ** 53n) assert.equal(read, Number(floor) + 0);
        else assert.ok(Math.abs(read / Number(floor) - 1) < 1e-9);
      },
    ),
    { numRuns: 1000 },
  );
  assert.equal(seconds('1699999999999999999', 9), 1_699_999_999);
  assert.equal(seconds('5', 9), 0);
  assert.equal(seconds('-1', 3), -1);
  assert.equal(seconds('1700000000', 0), 1_700_000_000);
  for (const text of ['', 'x', '1.5', '9223372036854775808']) assert.ok(Number.isNaN(seconds(text, 9)), text);
});
