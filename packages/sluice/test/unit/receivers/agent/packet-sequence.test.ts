import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPacketSequenceDecoder } from '../../../../src/receivers/agent/packet-sequence.ts';
import { BlockTarget, OPEN, SENDER } from '../block-target.ts';

function fixture(window = OPEN) {
  const target = new BlockTarget(2, window, 1_700_000_000_000);
  const decoder = createPacketSequenceDecoder({ target });
  const decode = (record: Uint8Array) => {
    const frame = Buffer.concat([Buffer.alloc(5, 0xff), record, Buffer.alloc(9, 0xff)]);
    const outcome = decoder.decode(frame, 5, 5 + record.length, SENDER);
    assert.ok(outcome === undefined || typeof outcome === 'string');
    return outcome;
  };
  return { target, decode };
}

function recordOf(flow: bigint, endMicroseconds: bigint, count: number, batch: Uint8Array): Buffer {
  const head = Buffer.alloc(16);
  head.writeBigUInt64LE(flow, 0);
  head.writeBigUInt64LE((BigInt(count) << 56n) | endMicroseconds, 8);
  return Buffer.concat([head, batch]);
}

test('any batch of packets becomes its row', () => {
  const { target, decode } = fixture();
  const end = fc.bigInt({ min: 0n, max: 4_294_967_295_999_999n });
  const flow = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const batch = fc.string({ minLength: 1, maxLength: 300 }).map((text) => Buffer.from(text));
  fc.assert(
    fc.property(flow, end, fc.nat({ max: 255 }), batch, (id, time, count, packets) => {
      assert.equal(decode(recordOf(id, time, count, packets)), undefined);
      assert.deepEqual(target.take('flow_log.l4_packet'), [
        {
          time: Number(time / 1_000_000n),
          start_time: String(time - 5_000_000n),
          end_time: String(time),
          flow_id: String(id),
          agent_id: 12,
          packet_count: count,
          packet_batch: packets.toString(),
          team_id: 3,
        },
      ]);
    }),
  );
});

test('a record without packets is malformed', () => {
  const { target, decode } = fixture();
  for (const length of [0, 8, 15, 16]) assert.equal(decode(Buffer.alloc(length)), 'malformed');
  assert.deepEqual(target.take('flow_log.l4_packet'), []);
  assert.equal(decode(Buffer.alloc(17)), undefined);
});

test('records outside of the accept window are dropped', () => {
  const { target, decode } = fixture({ behindMs: 60_000, aheadMs: 10_000 });
  const at = (seconds: number) =>
    decode(recordOf(1n, BigInt(1_700_000_000 + seconds) * 1_000_000n, 1, Buffer.from('x')));
  assert.deepEqual([-61, -60, 10, 11].map(at), ['too_old', undefined, undefined, 'too_new']);
  assert.equal(decode(recordOf(1n, 2n ** 56n - 1n, 1, Buffer.from('x'))), 'too_new');
  assert.equal(target.take('flow_log.l4_packet').length, 2);
});
