import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { decodeIndex, encodeIndex, encodeIndexHead, ENTRY_BYTES } from '../../../src/journal/segment-index.ts';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const time = fc.maxSafeInteger();
const plain = { noNullPrototype: true } as const;
const block = fc.record(
  { offset: u32, length: u32, row: u32, rows: u32, minTime: time, maxTime: time, crc: u32 },
  plain,
);
const columns = fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.string()));
const head = fc.record({ catalogVersion: u32, columns }, plain);

test('an index is read as it was written', () => {
  fc.assert(
    fc.property(head, fc.array(block), (written, blocks) => {
      const bytes = encodeIndex(written, blocks);
      const headBytes = bytes.length - blocks.length * ENTRY_BYTES;
      assert.deepEqual(decodeIndex(bytes), { kind: 'read', head: written, entries: blocks, headBytes, torn: 0 });
    }),
  );
});

test('whatever single bit is flipped, nothing wrong is read: the index is damaged, or that entry is', () => {
  fc.assert(
    fc.property(
      head,
      fc.array(block, { minLength: 1, maxLength: 4 }),
      fc.nat(),
      fc.nat({ max: 7 }),
      (written, blocks, place, bit) => {
        const bytes = encodeIndex(written, blocks);
        const at = place % bytes.length;
        bytes[at] = bytes[at]! ^ (1 << bit);
        const headBytes = bytes.length - blocks.length * ENTRY_BYTES;
        const read = decodeIndex(bytes);
        if (at < headBytes) {
          assert.equal(read.kind, 'damaged');
          return;
        }
        const flipped = Math.floor((at - headBytes) / ENTRY_BYTES);
        const entries = blocks.map((entry, index) => (index === flipped ? undefined : entry));
        assert.deepEqual(read, { kind: 'read', head: written, entries, headBytes, torn: 0 });
      },
    ),
  );
});

test('an index that ends anywhere gives the entries before, never a wrong one', () => {
  fc.assert(
    fc.property(head, fc.array(block, { minLength: 1, maxLength: 4 }), fc.nat(), (written, blocks, place) => {
      const bytes = encodeIndex(written, blocks);
      const headBytes = bytes.length - blocks.length * ENTRY_BYTES;
      const end = place % bytes.length;
      const read = decodeIndex(bytes.subarray(0, end));
      if (end < headBytes) assert.equal(read.kind, 'damaged');
      else {
        assert.ok(read.kind === 'read');
        assert.deepEqual(read.entries, blocks.slice(0, Math.floor((end - headBytes) / ENTRY_BYTES)));
        assert.equal(read.torn, (end - headBytes) % ENTRY_BYTES);
      }
    }),
  );
});

test('random bytes are no index', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(decodeIndex(Buffer.from(bytes)).kind, 'damaged');
    }),
  );
});

test('the layout of format 1 is the documented one, byte for byte', () => {
  const bytes = encodeIndex({ catalogVersion: 5, columns: [['a', 'UInt8']] }, [
    { offset: 1, length: 2, row: 3, rows: 4, minTime: -1.5, maxTime: 6, crc: 7 },
  ]);
  assert.equal(bytes.toString('latin1', 0, 8), 'SLUICEIX');
  assert.deepEqual([bytes.readUInt32LE(8), bytes.readUInt32LE(12)], [1, crc32(bytes.subarray(0, 12))]);
  assert.deepEqual([bytes.readUInt32LE(16), bytes.readUInt32LE(20)], [5, 15]);
  assert.equal(bytes.toString('utf8', 24, 39), '[["a","UInt8"]]');
  assert.equal(bytes.readUInt32LE(39), crc32(bytes.subarray(16, 39)));
  const entry = bytes.subarray(43);
  assert.equal(entry.length, 40);
  assert.deepEqual(
    [0, 4, 8, 12, 32].map((at) => entry.readUInt32LE(at)),
    [1, 2, 3, 4, 7],
  );
  assert.deepEqual([entry.readDoubleLE(16), entry.readDoubleLE(24)], [-1.5, 6]);
  assert.equal(entry.readUInt32LE(36), crc32(entry.subarray(0, 36)));
});

test('a later format is told by its version, whatever follows', () => {
  const bytes = encodeIndexHead({ catalogVersion: 1, columns: [] });
  bytes.writeUInt32LE(9, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
  assert.deepEqual(decodeIndex(Buffer.concat([bytes.subarray(0, 16), Buffer.from('other')])), {
    kind: 'newer',
    version: 9,
  });
});
