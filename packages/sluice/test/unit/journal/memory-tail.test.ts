import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryTail } from '../../../src/journal/memory-tail.ts';
import { PartitionLog } from '../../../src/journal/partition-log.ts';
import { metadataKey, sampleBatch, samplesKey } from './fixture.ts';

const log = (key = samplesKey) => new PartitionLog(key, '/nowhere', undefined, 0);

test('the oldest Batches of all partitions leave first, and the sum stays within the limit', () => {
  const tail = new MemoryTail(1000);
  const [a, b] = [log(), log(metadataKey)];
  for (let row = 0; row < 100; row++) {
    tail.add(row % 2 === 0 ? a : b, row, sampleBatch([row]));
    assert.ok(tail.bytes <= 1000);
  }
  assert.equal(a.tail.length + b.tail.length, Math.floor(1000 / 32));
  assert.equal(tail.find(a, 0), undefined);
  assert.equal(tail.find(a, 98)?.firstRow, 98);
  assert.equal(tail.find(a, 97), undefined, 'that row is in the other partition');
});

test('trimmed Batches let go of their memory behind one that is still needed', () => {
  const tail = new MemoryTail(1 << 20);
  const [slow, busy] = [log(), log(metadataKey)];
  tail.add(slow, 0, sampleBatch([1]));
  for (let row = 0; row < 2000; row++) {
    tail.add(busy, row, sampleBatch([row]));
    const item = tail.find(busy, row)!;
    tail.trim(busy, row + 1);
    assert.equal(item.batch.columns.length, 0);
  }
  assert.equal(tail.bytes, 32);
  assert.equal(tail.find(slow, 0)?.batch.rows, 1);
});

test('a Batch larger than the whole tail is not kept', () => {
  const tail = new MemoryTail(100);
  const one = log();
  tail.add(one, 0, sampleBatch([1, 2, 3, 4, 5]));
  assert.equal(tail.find(one, 0), undefined);
  assert.equal(tail.bytes, 0);
});
