import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  MOST_FLOAT,
  putFixed,
  putFloat,
  putSigned,
  putSigned64,
  putUnsigned,
  putUnsigned64,
  putWhole,
} from '../../../../src/exporters/kafka/digits.ts';

/** Text that a function writes, between bytes that it leaves alone. */
function written(put: (bytes: Uint8Array, at: number) => number): string {
  const bytes = new Uint8Array(MOST_FLOAT + 20).fill(0x23);
  const end = put(bytes, 3);
  assert.ok(bytes.subarray(0, 3).every((byte) => byte === 0x23) && bytes[end] === 0x23);
  return Buffer.from(bytes.subarray(3, end)).toString('latin1');
}

const edges = [
  0,
  9,
  10,
  99,
  100,
  999,
  1000,
  9999,
  10_000,
  99_999,
  100_000,
  1e6 - 1,
  1e6,
  1e7,
  1e8 - 1,
  1e8,
  1e9,
  1e9 - 1,
];

describe('numbers as text', () => {
  it('writes numbers of 32 bits', () => {
    for (const value of [...edges, 2 ** 31, 2 ** 32 - 1]) {
      assert.equal(
        written((bytes, at) => putUnsigned(bytes, at, value)),
        String(value),
      );
    }
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), (value) => {
        assert.equal(
          written((bytes, at) => putUnsigned(bytes, at, value)),
          String(value),
        );
      }),
    );
    fc.assert(
      fc.property(fc.integer(), (value) => {
        assert.equal(
          written((bytes, at) => putSigned(bytes, at, value)),
          String(value),
        );
      }),
    );
    assert.equal(
      written((bytes, at) => putSigned(bytes, at, -(2 ** 31))),
      '-2147483648',
    );
  });

  it('writes whole numbers below 2^53', () => {
    for (const power of [32, 40, 50, 53]) {
      for (const value of [2 ** power - 1, 2 ** power - 2]) {
        assert.equal(
          written((bytes, at) => putWhole(bytes, at, value)),
          String(value),
        );
      }
    }
    // Right below a multiple of 10^8, where a quotient of doubles may be one too many.
    for (let i = 1; i < 90_000_000; i += 999_983) {
      const value = i * 1e8 - 1;
      assert.equal(
        written((bytes, at) => putWhole(bytes, at, value)),
        String(value),
      );
    }
  });

  it('writes numbers of 64 bits exactly', () => {
    const halves = (value: bigint): [number, number] => [
      Number(BigInt.asUintN(32, value)),
      Number(BigInt.asUintN(32, value >> 32n)),
    ];
    const unsigned = (value: bigint) => written((bytes, at) => putUnsigned64(bytes, at, ...halves(value)));
    const signed = (value: bigint) => written((bytes, at) => putSigned64(bytes, at, ...halves(value)));
    for (const value of [
      0n,
      2n ** 32n,
      2n ** 53n - 1n,
      2n ** 53n,
      2n ** 53n + 1n,
      2n ** 64n - 1n,
      10n ** 19n,
      10n ** 18n - 1n,
    ]) {
      assert.equal(unsigned(value), String(value));
    }
    for (const value of [-1n, -(2n ** 63n), 2n ** 63n - 1n, -(2n ** 32n), -(2n ** 53n) - 1n]) {
      assert.equal(signed(value), String(value));
    }
    fc.assert(fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (value) => assert.equal(unsigned(value), String(value))));
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (value) => assert.equal(signed(value), String(value))),
    );
  });

  it('writes doubles without an exponent, and so that they read back the same', () => {
    const text = (value: number) => written((bytes, at) => putFloat(bytes, at, value));
    const known: readonly [number, string][] = [
      [1e21, '1000000000000000000000'],
      [1e-9, '0.000000001'],
      [-1.5e-7, '-0.00000015'],
      [1.234e22, '12340000000000000000000'],
      [-0, '-0'],
      [0.1, '0.1'],
      [-3, '-3'],
      [2 ** 53, '9007199254740992'],
    ];
    for (const [value, expected] of known) assert.equal(text(value), expected);
    for (const value of [Number.MIN_VALUE, -Number.MIN_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE, 5e-324]) {
      assert.equal(Number(text(value)), value);
      assert.ok(text(value).length <= MOST_FLOAT);
    }
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        assert.ok(Object.is(Number(text(value)), value));
        assert.match(text(value), /^-?\d+(?:\.\d+)?$/);
      }),
    );
  });

  it('writes zeros in front', () => {
    assert.equal(
      written((bytes, at) => putFixed(bytes, at, 42, 6)),
      '000042',
    );
  });
});
