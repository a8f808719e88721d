import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { framed, MessageBudget, MessageReader, uncompress } from '../../../src/control/grpc-messages.ts';

const pieces = (body: Buffer, cuts: readonly number[]): Buffer[] => {
  const at = [...new Set([0, ...cuts.map((cut) => cut % (body.length + 1)), body.length])].toSorted((a, b) => a - b);
  return at.slice(1).map((end, index) => body.subarray(at[index], end));
};

test('messages are found however their body is cut, and nothing stays held', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 }),
      fc.array(fc.nat(2000), { maxLength: 40 }),
      (messages, cuts) => {
        const budget = new MessageBudget(1 << 20);
        const reader = new MessageReader(300, budget);
        const found: string[] = [];
        for (const piece of pieces(Buffer.concat(messages.map(framed)), cuts)) {
          const read = reader.read(piece);
          assert.ok(typeof read !== 'string', String(read));
          for (const { bytes, isCompressed } of read) {
            assert.equal(isCompressed, false);
            found.push(bytes.toString('hex'));
          }
        }
        assert.deepEqual(
          found,
          messages.map((message) => Buffer.from(message).toString('hex')),
        );
        assert.ok(reader.isBetweenMessages);
        assert.equal(budget.held, 0);
      },
    ),
    { numRuns: 300 },
  );
});

test('a message beyond the limit is refused by its head alone', () => {
  const budget = new MessageBudget(1 << 20);
  const head = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
  assert.equal(new MessageReader(1000, budget).read(head), 'too_large');
  const reader = new MessageReader(1000, budget);
  for (const byte of head.subarray(0, 4)) assert.deepEqual(reader.read(Buffer.from([byte])), []);
  assert.equal(reader.read(head.subarray(4)), 'too_large');
  assert.ok(budget.held < 100);
  reader.release();
  assert.equal(budget.held, 0);
});

test('a flag that there is not is malformed', () => {
  assert.equal(new MessageReader(1000, new MessageBudget(1000)).read(Buffer.from([2, 0, 0, 0, 0])), 'malformed');
});

test('messages that do not come whole hold no more than the budget, which they give back', () => {
  const budget = new MessageBudget(10_000);
  const part = framed(Buffer.alloc(5000)).subarray(0, 4000);
  const readers = Array.from({ length: 5 }, () => new MessageReader(5000, budget));
  const read = readers.map((reader) => reader.read(part));
  assert.deepEqual(read, [[], [], 'memory', 'memory', 'memory']);
  for (const reader of readers) reader.release();
  assert.equal(budget.held, 0);
  assert.deepEqual(readers[4]?.read(part), []);
});

test('bytes that come one by one are kept as bytes', () => {
  const budget = new MessageBudget(1 << 20);
  const reader = new MessageReader(60_000, budget);
  const body = framed(Buffer.alloc(50_000, 7));
  for (const byte of body.subarray(0, -1)) assert.deepEqual(reader.read(Buffer.from([byte])), []);
  assert.ok(budget.held < 2 * body.length, `${budget.held}`);
  const read = reader.read(body.subarray(-1));
  assert.ok(typeof read !== 'string');
  assert.equal(read[0]?.bytes.length, 50_000);
  assert.equal(budget.held, 0);
});

test('compressed messages are uncompressed within the limit', async () => {
  const bytes = Buffer.alloc(5000, 1);
  assert.deepEqual(await uncompress(gzipSync(bytes), 'gzip', 5000), bytes);
  assert.deepEqual(await uncompress(deflateSync(bytes), 'deflate', 5000), bytes);
  await assert.rejects(uncompress(gzipSync(bytes), 'gzip', 4999), { code: 'ERR_BUFFER_TOO_LARGE' });
});
