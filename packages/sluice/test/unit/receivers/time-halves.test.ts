import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { secondsOf, thousandthOf, writeThousandth } from '../../../src/receivers/time-halves.ts';

it('nanoseconds become microseconds and seconds without an error, up to the last of 64 bits', () => {
  const edges = [
    0n,
    999n,
    1000n,
    1_000_000_000n - 1n,
    1_700_000_000_123_456_789n,
    2n ** 32n,
    2n ** 63n,
    2n ** 64n - 1n,
  ];
  const value = fc.oneof(fc.constantFrom(...edges), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
  fc.assert(
    fc.property(value, (nanoseconds) => {
      const low = Number(nanoseconds & 0xffff_ffffn);
      const high = Number(nanoseconds >> 32n);
      const column = new Uint32Array(4);
      writeThousandth(column, 1, low, high);
      assert.equal((BigInt(column[3]!) << 32n) | BigInt(column[2]!), nanoseconds / 1000n);
      assert.equal(BigInt(secondsOf(low, high)), nanoseconds / 1_000_000_000n);
      const thousandth = nanoseconds / 1000n;
      if (thousandth <= BigInt(Number.MAX_SAFE_INTEGER)) assert.equal(BigInt(thousandthOf(low, high)), thousandth);
    }),
    { numRuns: 2000 },
  );
});
