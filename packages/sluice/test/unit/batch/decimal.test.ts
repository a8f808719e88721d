import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { MAX_DECIMAL, writeDecimal } from '../../../src/batch/decimal.ts';

it('writes whole numbers of 64 bits in decimal', () => {
  const edges = [0n, 9n, 10n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 10n ** 18n, 10n ** 19n, 2n ** 63n, 2n ** 64n - 1n];
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...edges), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })), (value) => {
      const bytes = new Uint8Array(MAX_DECIMAL + 2).fill(0x78);
      const end = writeDecimal(bytes, 1, Number(value & 0xffff_ffffn), Number(value >> 32n));
      assert.equal(Buffer.from(bytes.subarray(0, end + 1)).toString(), `x${value}x`);
    }),
    { numRuns: 2000 },
  );
});
