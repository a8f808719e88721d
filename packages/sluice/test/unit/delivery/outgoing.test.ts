import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { backOffMs } from '../../../src/delivery/back-off.ts';
import { Endpoints, endpointLabel } from '../../../src/delivery/endpoints.ts';
import { ItemBatch } from '../../../src/delivery/item-batch.ts';
import { ItemWriter } from '../../../src/delivery/item-writer.ts';
import { copyItems, countRows, cutBatches, tightCopy } from '../../../src/delivery/outgoing.ts';
import { StepSize } from '../../../src/delivery/step-size.ts';
import { memoryOf, WriterPool } from '../../../src/delivery/writer-pool.ts';

const partition = { org: 1, table: 'a.b', writer: 'main' };

function written(sizes: readonly number[]): ItemWriter {
  const writer = new ItemWriter();
  for (const [item, size] of sizes.entries()) {
    writer.reserve(size);
    writer.bytes.fill(item, writer.at, writer.at + size);
    writer.at += size;
    writer.end(100 + (item >> 1), 1000 + item, Buffer.alloc(item % 3, item));
  }
  return writer;
}

const sizesOf = (items: ItemBatch): number[] => Array.from({ length: items.count }, (_, i) => items.body(i).length);

test('batches cut from a writer have all its items in order, and keep their limits', () => {
  const sizes = fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(
      sizes,
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: 50, max: 2000 }),
      (all, batchItems, batchBytes) => {
        const writer = written(all);
        const cuts = cutBatches(writer, { batchItems, batchBytes });
        let from = 0;
        let bytes = 0;
        for (const cut of cuts) {
          assert.equal(cut.from, from);
          from = cut.to;
          bytes += cut.bytes;
          const items = new ItemBatch(partition, writer, cut.from, cut.to);
          assert.deepEqual(sizesOf(items), all.slice(cut.from, cut.to));
          assert.ok(items.count === 1 || items.bodies.length <= batchBytes);
          assert.ok(items.count < Math.max(2, batchItems * 1.5 + 1), `${items.count} items of ${batchItems}`);
          assert.equal(cut.leastRow, items.row(0));
        }
        assert.equal(from, all.length);
        assert.equal(bytes, writer.at + writer.headEnds[all.length - 1]!);
      },
    ),
  );
});

test('a copy of some items has their bodies, heads, rows and times', () => {
  const writer = written([5, 0, 7, 300, 1]);
  const kept = copyItems(new ItemBatch(partition, writer, 1), (item) => item !== 1);
  assert.deepEqual(sizesOf(kept), [0, 300, 1]);
  assert.deepEqual([kept.row(0), kept.row(1), kept.time(2)], [100, 101, 1004]);
  assert.deepEqual([...kept.head(2)], [4]);
  assert.deepEqual([...kept.body(2)], [4]);
});

test('rows are counted by their changes', () => {
  const writer = written([1, 1, 1, 1, 1]);
  assert.deepEqual([countRows(writer, 0, 5), countRows(writer, 1, 5), countRows(writer, 2, 2)], [3, 2, 0]);
});

test('a batch that waits in a large writer moves into memory of its size', () => {
  const writer = written([100_000]);
  writer.clear();
  writer.reserve(10);
  writer.at = 10;
  writer.end(7, 8, Buffer.from('head'));
  const copy = tightCopy({ writer, users: 1, isClean: true }, partition);
  assert.ok(copy !== undefined && memoryOf(copy.memory.writer) < 100);
  assert.deepEqual([copy.items.count, copy.items.row(0), Buffer.from(copy.items.head(0)).toString()], [1, 7, 'head']);
  assert.equal(tightCopy({ writer: written([5000]), users: 1, isClean: true }, partition), undefined);
  assert.equal(tightCopy({ writer, users: 2, isClean: true }, partition), undefined);
});

test('writers are used again, but not those that grew large, nor too many', () => {
  const pool = new WriterPool(1 << 20);
  const writer = written([3, 4]);
  writer.state = 'kept';
  pool.give(writer);
  const again = pool.take();
  assert.equal(again, writer);
  assert.deepEqual([again.count, again.at, again.state, again.leastRow], [0, 0, undefined, Infinity]);
  pool.give(written([10 << 20]));
  assert.equal(pool.bytes, 0);
  for (let i = 0; i < 100; i++) pool.give(written([1 << 20]));
  assert.ok(pool.bytes <= 8 << 20);
});

test('a writer that is cut back forgets items and what was begun', () => {
  const writer = written([3, 4, 5]);
  writer.at += 9;
  writer.truncate(1);
  assert.deepEqual([writer.count, writer.at], [1, 3]);
  writer.end(200, 0);
  assert.deepEqual([...new ItemBatch(partition, writer).head(1)], []);
});

test('the back-off doubles to its limit, with jitter a part of it', () => {
  const retry = { initialMs: 100, maxMs: 30_000, jitter: false };
  const waits = [1, 2, 3, 9, 10, 500].map((failures) => backOffMs({ retry, failures, random: () => 0.5 }));
  assert.deepEqual(waits, [100, 200, 400, 25_600, 30_000, 30_000]);
  const jittered = { retry: { ...retry, jitter: true }, failures: 3, random: () => 0.25 };
  assert.equal(backOffMs(jittered), 100);
  assert.equal(backOffMs({ ...jittered, afterMs: 5000 }), 5000);
  assert.equal(backOffMs({ ...jittered, afterMs: 1e9 }), 300_000);
  assert.equal(backOffMs({ ...jittered, afterMs: 0 }), 100);
});

test('endpoints are shuffled, and a failure that another lane has seen already moves nothing', () => {
  const firsts = new Set([0, 0.3, 0.6, 0.9].map((random) => new Endpoints(['a', 'b', 'c'], () => random).current));
  assert.ok(firsts.size > 1);
  const endpoints = new Endpoints(['a', 'b', 'c'], () => 0.99);
  const first = endpoints.current;
  endpoints.failed(first, 'down', 1);
  const second = endpoints.current;
  assert.notEqual(second, first);
  endpoints.failed(first, 'down', 2);
  assert.equal(endpoints.current, second);
  assert.deepEqual(endpoints.states[first], {
    endpoint: 'abc'[first],
    up: false,
    lastError: { text: 'down', atMs: 2 },
  });
});

test('labels of endpoints have no login, path or query', () => {
  for (const [endpoint, label] of [
    ['https://user:secret@prom.example:9090/api/v1/write?token=x', 'prom.example:9090'],
    ['http://[::1]:9090/', '[::1]:9090'],
    ['kafka-1:9092', 'kafka-1:9092'],
    ['a:1, b:2', 'a:1,b:2'],
    ['user:secret@host:1', 'host:1'],
    ['host:1/path?x=1', 'host:1'],
  ] as const) {
    assert.equal(endpointLabel(endpoint), label);
  }
});

test('steps find the size that takes 2 ms or 256 KiB', () => {
  const step = new StepSize();
  for (let i = 0; i < 20; i++) step.took(step.rows, step.rows * 1024, step.rows * 0.001);
  assert.equal(step.rows, 256);
  for (let i = 0; i < 20; i++) step.took(step.rows, step.rows, step.rows * 0.01);
  assert.ok(Math.abs(step.rows - 200) <= 1, `${step.rows}`);
  step.took(1, 10_000_000, 5);
  assert.equal(step.rows, 1);
  for (let i = 0; i < 30; i++) step.took(step.rows, 0, 0);
  assert.equal(step.rows, 65_536);
});
