import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import { inflateSync } from 'node:zlib';
import { newestTime, rewriteRecord } from '../../../src/replay/rewrite-record.ts';
import { encodeFrame, readFrames, type RecordedFrame } from '../../../src/replay/frames.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/agent/', import.meta.url));
const frames = readFrames([fixtures]);
const HOUR_MS = 3_600_000;

function* recordsOf(type?: number): Generator<{ frame: RecordedFrame; record: Uint8Array }> {
  for (const frame of frames) {
    if (type === undefined || frame.type === type) for (const record of frame.records) yield { frame, record };
  }
}

test('frames are written as they were read', () => {
  assert.ok(frames.length >= 10);
  for (const frame of frames) {
    const again = encodeFrame(frame);
    // What compressed it first may have done so differently.
    if (frame.encoder === 0) assert.deepEqual(again, Buffer.from(frame.bytes), `type ${frame.type}`);
    else assert.ok(again.length > 19 && again[7] === frame.encoder);
  }
});

describe('recorded records', () => {
  test('times move by the shift, and back again to the same bytes', () => {
    const seen = new Set<number>();
    for (const { frame, record } of recordsOf()) {
      const newest = newestTime(frame.type, record);
      if (newest === -Infinity) continue;
      assert.ok(newest > 1.7e12 && newest < 1.9e12, `type ${frame.type}: ${newest}`);
      const shifted = rewriteRecord(frame.type, record, { shiftMs: HOUR_MS, agent: undefined });
      assert.equal(newestTime(frame.type, shifted), newest + HOUR_MS, `type ${frame.type}`);
      const back = rewriteRecord(frame.type, shifted, { shiftMs: -HOUR_MS, agent: undefined });
      const plain = (bytes: Uint8Array) => Buffer.from(frame.type === 11 ? inflateSync(bytes) : bytes);
      assert.deepEqual(plain(back), plain(record), `type ${frame.type}`);
      seen.add(frame.type);
    }
    for (const type of [3, 4, 5, 8, 10, 11, 13, 14, 17, 18])
      assert.ok(seen.has(type), `no time in any record of type ${type}`);
  });

  test('an agent is put where records say whose they are', () => {
    for (const type of [3, 4, 5]) {
      for (const { record } of recordsOf(type)) {
        const other = rewriteRecord(type, record, { shiftMs: 0, agent: 40_000 });
        const another = rewriteRecord(type, record, { shiftMs: 0, agent: 40_001 });
        assert.equal(other.length, another.length);
        const different = other.filter((byte, index) => byte !== another[index]);
        assert.equal(different.length, 1, `type ${type}`);
      }
    }
  });
});

describe('records written here', () => {
  const text = (type: number, content: string, shiftMs = HOUR_MS) =>
    Buffer.from(rewriteRecord(type, Buffer.from(content), { shiftMs, agent: undefined })).toString();

  test('line protocol: times at the ends of lines, in nanoseconds', () => {
    assert.equal(
      text(8, 'cpu,host=a v=1 1700000000123456789\nmem v=2\ndisk n="1700000000123456789" 1700000001000000000'),
      'cpu,host=a v=1 1700003600123456789\nmem v=2\ndisk n="1700000000123456789" 1700003601000000000',
    );
  });

  test('agent logs: the time at the beginning, fraction and zone as they are', () => {
    assert.equal(
      text(18, '2023-11-14T23:59:59.123456789+00:00 agent host[1]: [INFO] a.rs:1 at 2023-11-14T23:59:59\n'),
      '2023-11-15T00:59:59.123456789+00:00 agent host[1]: [INFO] a.rs:1 at 2023-11-14T23:59:59\n',
    );
  });

  test('application logs: every timestamp of the list; text of any language stays', () => {
    assert.equal(
      text(
        17,
        '[{"timestamp": "2023-12-31T23:30:00.5+02:00","message":"größer 日本"},{"timestamp":"2024-01-01 00:00:00Z"}]',
      ),
      '[{"timestamp": "2024-01-01T00:30:00.5+02:00","message":"größer 日本"},{"timestamp":"2024-01-01 01:00:00Z"}]',
    );
  });

  test('packet sequences: 56 bits of microseconds, the count above them stays', () => {
    const record = Buffer.alloc(20, 0xaa);
    record.writeBigUInt64LE((7n << 56n) | 1_700_000_000_000_000n, 8);
    const shifted = Buffer.from(rewriteRecord(9, record, { shiftMs: HOUR_MS, agent: undefined }));
    assert.equal(shifted.readBigUInt64LE(8), (7n << 56n) | 1_700_003_600_000_000n);
    assert.deepEqual(shifted.subarray(16), record.subarray(16));
  });

  test('a time of 0 stays: there is none', () => {
    // Document {timestamp: 0}, and a tagged flow without an end.
    assert.deepEqual(
      rewriteRecord(3, Buffer.from('0800', 'hex'), { shiftMs: HOUR_MS, agent: undefined }),
      Buffer.from('0800', 'hex'),
    );
    assert.equal(newestTime(3, Buffer.from('0800', 'hex')), -Infinity);
  });

  test('what is no message is refused', () => {
    for (const broken of ['08', '0aff01', '0b', '0affffffffff7f', '08ffffffffffffffffffffff01']) {
      assert.throws(() => newestTime(3, Buffer.from(broken, 'hex')), RangeError, broken);
    }
  });
});
