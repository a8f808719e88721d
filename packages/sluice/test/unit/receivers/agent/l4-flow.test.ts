import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { l4FlowLog } from '../../../../src/catalog/l4-flow-log.ts';
import { openWindow } from '../../../../src/receivers/accept-window.ts';
import { createL4FlowDecoder } from '../../../../src/receivers/agent/l4-flow.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { BlockTarget, SENDER } from '../block-target.ts';
import { missingFrames, recordedFrames } from '../recorded-frames.ts';
import type { Row } from '../row-values.ts';
import { bytes as field, message, number, varint } from '../wire-message.ts';
import { anyMessage, decodeMessage, encodeMessage, type Message } from './flow-definitions.ts';
import { expectedL4Row } from './l4-flow-expected.ts';

const TABLE = l4FlowLog.id;
function setUp() {
  const target = new BlockTarget();
  return { target, decoder: createL4FlowDecoder({ target, rowIds: new RowIds({ hubId: 5 }) }) };
}

function decode(record: Message | Uint8Array, { target, decoder } = setUp()) {
  const bytes = record instanceof Uint8Array ? record : encodeMessage('TaggedFlow', record);
  const dropped = decoder.decode(bytes, 0, bytes.length, SENDER);
  return { dropped, rows: target.blocks.get(`1/${TABLE}`)?.block.rows ?? 0, target };
}

/** A row without its id, which must be the `count`-th of hub 5. */
function withoutId(row: Row, count: number): Row {
  assert.equal(BigInt(row['_id'] as string), (BigInt(row['time'] as number) << 32n) | (5n << 22n) | BigInt(count));
  return { ...row, _id: '0' };
}

/** The least that a report must have. */
function report(flow: Message = {}): Message {
  return {
    flow: { flow_key: {}, metrics_peer_src: {}, metrics_peer_dst: {}, end_time: '1700000001987654321', ...flow },
  };
}

const end = anyMessage('FlowMetricsPeer');
const flag = fc.constantFrom(0, 1, 2);
/** Random reports: complete, with an end that a DateTime can hold. */
const reports = fc
  .record({
    flow: anyMessage('Flow'),
    key: anyMessage('FlowKey'),
    ends: fc.tuple(end, flag, flag, end, flag, flag),
    tunnelType: fc.constantFrom(0, 0, 1, 5, 65_536),
    hasPerformance: fc.constantFrom(0, 1, 1, 2),
    ethType: fc.constantFrom(0x0800, 0x86dd, 0x86dd, 0),
    closeType: fc.nat({ max: 22 }),
    protocol: fc.constantFrom(6, 17, 1),
    endTime: fc.bigInt({ min: 0n, max: 0xffff_ffffn * 1_000_000_000n + 999_999_999n }).map(String),
  })
  .map(({ flow, key, ends: [source, l2, l3, destination, vip, l3Other], ...chosen }): Message => {
    const { Tunnel: tunnel } = flow;
    return {
      flow: {
        ...flow,
        flow_key: { ...key, proto: chosen.protocol },
        metrics_peer_src: { ...source, is_l2_end: l2, is_l3_end: l3 },
        metrics_peer_dst: { ...destination, is_vip_interface: vip, is_l3_end: l3Other },
        ...(tunnel === undefined ? {} : { Tunnel: { ...(tunnel as Message), tunnel_type: chosen.tunnelType } }),
        has_perf_stats: chosen.hasPerformance,
        eth_type: chosen.ethType,
        close_type: chosen.closeType,
        end_time: chosen.endTime,
      },
    };
  });

describe('reports of flows', () => {
  const missing = missingFrames();
  for (const folder of ['TAGGEDFLOW', 'TAGGEDFLOW_platform_data', 'TAGGEDFLOW_zstd']) {
    for (const frame of recordedFrames(folder)) {
      it(`decodes the recorded frame ${frame.name}`, () => {
        const { target, decoder } = setUp();
        const sender = { ...SENDER, org: frame.org, team: frame.team };
        for (const [index, record] of frame.records.entries()) {
          assert.equal(decoder.decode(record, 0, record.length, sender), undefined, `record ${index}`);
          const read = (frame.decoded.get(index) as Message | undefined) ?? decodeMessage('TaggedFlow', record);
          const rows = target.take(TABLE);
          assert.deepEqual(
            rows.map((row) => withoutId(row, index + 1)),
            [expectedL4Row(read, frame.team)],
          );
        }
      });
    }
  }
  it('decodes the frames of replayed captures', { skip: missing }, () => {
    assert.ok(recordedFrames('TAGGEDFLOW').length >= 8 && recordedFrames('TAGGEDFLOW_zstd').length >= 4);
  });

  it('writes random reports', () => {
    fc.assert(
      fc.property(reports, (record) => {
        const { target, dropped } = decode(record);
        assert.equal(dropped, undefined);
        assert.deepEqual(
          target.take(TABLE).map((row) => withoutId(row, 1)),
          [expectedL4Row(record, SENDER.team)],
        );
      }),
      { numRuns: 500 },
    );
  });

  it('leaves nothing of a report that is dropped', () => {
    fc.assert(
      fc.property(fc.array(reports, { minLength: 2, maxLength: 6 }), fc.nat(), (several, cut) => {
        const { target, decoder } = setUp();
        for (const [index, record] of several.entries()) {
          const bytes = encodeMessage('TaggedFlow', record);
          const broken = Buffer.concat([bytes, Buffer.from([0x0a, 0x7f])]);
          assert.equal(decoder.decode(broken, 0, broken.length, SENDER), 'malformed');
          assert.notEqual(decoder.decode(bytes, 0, cut % bytes.length, SENDER), undefined);
          assert.equal(decoder.decode(bytes, 0, bytes.length, SENDER), undefined);
          const made = target.take(TABLE).map((row) => withoutId(row, index + 1));
          assert.deepEqual(made, [expectedL4Row(record, SENDER.team)]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('never throws for bytes that are not reports', () => {
    const whole = encodeMessage(
      'TaggedFlow',
      report({ acl_gids: [1, 70_000], aggregated_flow_ids: ['18446744073709551615'] }),
    );
    const changed = fc
      .array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const bytes = Uint8Array.from(whole);
        for (const [at, byte] of changes) bytes[at] = byte;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), changed), (bytes) => {
        const { dropped, rows } = decode(bytes);
        assert.equal(rows, dropped === undefined ? 1 : 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('takes lists packed and unpacked, in parts', () => {
    const ids = [...bytesOfList(27, [1n, 2n ** 53n]), ...number(27, 2n ** 64n - 1n), ...bytesOfList(27, [])];
    const groups = [...number(24, 5), ...bytesOfList(24, [6n, 65_543n])];
    const whole = Buffer.from(encodeMessage('TaggedFlow', report()));
    const { target, dropped } = decode(Buffer.concat([whole, message(field(1, [...ids, ...groups]))]));
    assert.equal(dropped, undefined);
    const [row] = target.take(TABLE);
    assert.equal(row!['aggregated_flow_ids'], '1,9007199254740992,18446744073709551615');
    assert.deepEqual(row!['acl_gids'], [5, 6, 7]);
  });

  it('drops reports without the flow, its key or an end', () => {
    assert.equal(decode({}).dropped, 'incomplete');
    for (const name of ['flow_key', 'metrics_peer_src', 'metrics_peer_dst']) {
      const { [name]: _, ...flow } = report()['flow'] as Message;
      const { dropped, rows } = decode({ flow });
      assert.deepEqual([dropped, rows], ['incomplete', 0]);
    }
  });

  it('drops reports with IPv6 addresses of another length', () => {
    const key = (length: number) => ({ flow_key: { ip6_src: Buffer.alloc(length, 1).toString('base64') } });
    const six = (length: number) => decode(report({ ...key(length), eth_type: 0x86dd })).dropped;
    assert.deepEqual([six(0), six(4), six(16), six(17)], [undefined, 'bad_address', undefined, 'bad_address']);
    assert.equal(decode(report({ ...key(3), eth_type: 0x0800 })).dropped, undefined);
  });

  it('keeps reports within the window of the block, to the second of their end', () => {
    const inside = (behindMs: number, aheadMs: number) => {
      const parts = setUp();
      openWindow(parts.target.block(l4FlowLog, SENDER.org), { behindMs, aheadMs }, 1_000_000);
      return (seconds: number) => decode(report({ end_time: `${seconds}999999999` }), parts).dropped;
    };
    const seconds = [939, 940, 1010, 1011];
    assert.deepEqual(seconds.map(inside(60_000, 10_000)), ['too_old', undefined, undefined, 'too_new']);
    assert.deepEqual([0, 4_294_967_295, 4_294_967_296].map(inside(Infinity, Infinity)), [
      undefined,
      undefined,
      'too_new',
    ]);
  });

  it('writes what the tagger looks ends up by', () => {
    const { target } = decode(
      report({ tap_side: 41, metrics_peer_src: { is_vip_interface: 1 }, metrics_peer_dst: { is_vip_interface: 2 } }),
    );
    const { block } = target.blocks.get(`1/${TABLE}`)!;
    const key = (name: string) => block.fixed[block.column(name)]!.u8[0];
    assert.deepEqual([key('vip_0'), key('vip_1'), key('observation_point_number')], [1, 0, 41]);
  });
});

function bytesOfList(number_: number, values: readonly bigint[]): number[] {
  return field(number_, values.flatMap(varint));
}
