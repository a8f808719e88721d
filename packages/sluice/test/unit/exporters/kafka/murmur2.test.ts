import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { murmur2, partitionNumber } from '../../../../src/exporters/kafka/murmur2.ts';

describe('murmur2', () => {
  it("is that of Kafka's Java client", () => {
    const known: readonly [string, number][] = [
      ['21', -973_932_308],
      ['foobar', -790_332_482],
      ['a-little-bit-long-string', -985_981_536],
      ['a-little-bit-longer-string', -1_486_304_829],
      ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
      ['abc', 479_470_107],
    ];
    for (const [key, hash] of known) {
      assert.equal(murmur2(Buffer.from(key)), hash, key);
      assert.equal(partitionNumber(Buffer.from(key)), hash & 0x7fff_ffff);
      // Of a longer memory, only the key counts.
      assert.equal(murmur2(Buffer.from(`${key}more`), key.length), hash);
    }
  });
});
