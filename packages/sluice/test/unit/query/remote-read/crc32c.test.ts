import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../../../../src/query/remote-read/crc32c.ts';
import { crc32cBitwise } from '../answer-decoder.ts';

describe('CRC-32C', () => {
  it('has the known values', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
    assert.equal(crc32c(Buffer.from('test1')), 0x53fe1f55);
    assert.equal(crc32c(new Uint8Array(0)), 0);
  });

  it('is the polynomial remainder of any range', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), (bytes, start) => {
        const from = Math.min(start, bytes.length);
        assert.equal(crc32c(bytes, from), crc32cBitwise(bytes.subarray(from)));
      }),
    );
  });
});
