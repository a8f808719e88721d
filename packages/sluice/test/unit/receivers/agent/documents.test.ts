import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { RowBlock } from '../../../../src/batch/row-block.ts';
import { networkMap1s } from '../../../../src/catalog/network.ts';
import { openWindow } from '../../../../src/receivers/accept-window.ts';
import { createDocumentDecoder } from '../../../../src/receivers/agent/documents.ts';
import type { RecordDecoder } from '../../../../src/receivers/record-decoder.ts';
import { BlockTarget, SENDER } from '../block-target.ts';
import { missingFrames, recordedFrames } from '../recorded-frames.ts';
import { codes, expectedDocument } from './documents-expected.ts';
import { anyMessage, decodeMessage, encodeMessage, type Message } from './flow-definitions.ts';

function setUp(): { readonly target: BlockTarget; readonly decoder: RecordDecoder } {
  const target = new BlockTarget();
  return { target, decoder: createDocumentDecoder({ target }) };
}

function decode(document: Message | Uint8Array, { target, decoder } = setUp()) {
  const bytes = document instanceof Uint8Array ? document : encodeMessage('Document', document);
  const dropped = decoder.decode(bytes, 0, bytes.length, SENDER);
  const rows = [...target.blocks.values()].reduce((sum, { block }) => sum + block.rows, 0);
  return { dropped, rows, target };
}

/** A value of a key column, which no Batch shows. */
function keyOf(target: BlockTarget, table: string, name: string): bigint {
  const { block } = target.blocks.get(`1/${table}`)! as { readonly block: RowBlock };
  const { u8, width } = block.fixed[block.column(name)]!;
  return BigInt(`0x${Buffer.from(u8.slice(0, width).toReversed()).toString('hex')}`);
}

const address = Buffer.from([10, 1, 2, 3]).toString('base64');

function networkMap(field: Message = {}, meter: Message = { meter_id: 1 }): Message {
  const ends = { ip: address, ip1: address, ...field };
  return { timestamp: 1_700_000_000, flags: 1, tag: { field: ends, code: String(codes['network_map']) }, meter };
}

/** Random documents of all tables. */
const documents = fc
  .record({
    document: anyMessage('Document'),
    tag: anyMessage('MiniTag'),
    field: anyMessage('MiniField'),
    meter: anyMessage('Meter'),
    table: fc.constantFrom(...Object.keys(codes)),
    hasMac: fc.boolean(),
    isSecond: fc.boolean(),
    isIpv6: fc.boolean(),
    ends: fc.tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.uint8Array({ minLength: 16, maxLength: 16 })),
  })
  .map(({ document, tag, field, meter, table, hasMac, isSecond, isIpv6, ends }): Message => {
    const [ip, ip1] = ends.map((end) => Buffer.from(isIpv6 ? end : end.subarray(0, 4)).toString('base64'));
    const mac = hasMac && table !== 'traffic_policy' ? (table.endsWith('_map') ? 1n << 31n : 1n << 11n) : 0n;
    const code = codes[table]! | mac;
    return {
      ...document,
      flags: isSecond && table !== 'traffic_policy' ? 1 : 0,
      tag: { ...tag, code: String(code), field: { ...field, ip: ip!, ip1: ip1!, is_ipv6: isIpv6 ? 1 : 0 } },
      meter: { ...meter, meter_id: table === 'traffic_policy' ? 4 : table.startsWith('app') ? 5 : 1 },
    };
  });

describe('documents', () => {
  const missing = missingFrames();
  for (const folder of ['METRICS', 'METRICS_ebpf', 'METRICS_platform_data']) {
    for (const frame of recordedFrames(folder)) {
      it(`decodes the recorded frame ${frame.name}`, () => {
        const { target, decoder } = setUp();
        const sender = { ...SENDER, org: frame.org, team: frame.team };
        for (const [index, record] of frame.records.entries()) {
          assert.equal(decoder.decode(record, 0, record.length, sender), undefined, `record ${index}`);
          // Of some records the frame comes with what another library read; the others are read here.
          const read = (frame.decoded.get(index) as Message | undefined) ?? decodeMessage('Document', record);
          const { table, row } = expectedDocument(read, frame.team);
          assert.deepEqual(target.take(table), [row], `record ${index}`);
          assert.deepEqual(target.batches(), []);
        }
      });
    }
  }
  it('decodes the frames of replayed captures', { skip: missing }, () => {
    assert.ok(recordedFrames('METRICS').length >= 7);
  });

  it('writes random documents of every table', () => {
    fc.assert(
      fc.property(documents, (document) => {
        const { target, dropped } = decode(document);
        assert.equal(dropped, undefined);
        const { table, row } = expectedDocument(document, SENDER.team);
        assert.deepEqual(target.take(table), [row]);
      }),
      { numRuns: 400 },
    );
  });

  it('leaves nothing of a document that is dropped', () => {
    fc.assert(
      fc.property(fc.array(documents, { minLength: 2, maxLength: 8 }), fc.nat(), (several, cut) => {
        const { target, decoder } = setUp();
        const rows: unknown[] = [];
        for (const document of several) {
          const bytes = encodeMessage('Document', document);
          const broken = Buffer.concat([bytes, Buffer.from([0x0a, 0xff])]);
          assert.equal(decoder.decode(broken, 0, broken.length, SENDER), 'malformed');
          const half = cut % bytes.length;
          const dropped = decoder.decode(bytes, 0, half, SENDER);
          assert.equal(decoder.decode(bytes, 0, bytes.length, SENDER), undefined);
          // Half a document may be a whole one of another table: the flags, which come last, say whether it is of a second.
          const count = [...target.blocks.values()].reduce((sum, { block }) => sum + block.rows, 0);
          assert.equal(count, dropped === undefined ? 2 : 1);
          const { table, row } = expectedDocument(document, SENDER.team);
          const made = target.take(table);
          assert.deepEqual(made.at(-1), row);
          rows.push(...made);
          for (const { block } of target.blocks.values()) block.reset();
        }
        assert.ok(rows.length >= several.length);
      }),
      { numRuns: 60, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: true },
    );
  });

  it('never throws for bytes that are not documents', () => {
    const whole = encodeMessage(
      'Document',
      networkMap({ l3_epc_id: -2, endpoint: 'x' }, { meter_id: 1, flow: { traffic: { packet_tx: '7' } } }),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc
            .array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
            .map((changes) => {
              const changed = Uint8Array.from(whole);
              for (const [at, byte] of changes) changed[at] = byte;
              return changed;
            }),
        ),
        (bytes) => {
          const { dropped, rows } = decode(bytes);
          assert.equal(rows, dropped === undefined ? 1 : 0);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('takes sub-messages that come in parts, in any order', () => {
    const parts = [
      { meter: { flow: { traffic: { packet_tx: '5' } } } },
      { tag: { field: { ip: address, server_port: 80 } } },
      { meter: { flow: { traffic: { packet_rx: '6' } }, meter_id: 1 } },
      { tag: { code: String(codes['network_map']), field: { ip1: address } } },
      { timestamp: 9, flags: 0 },
    ].map((part) => encodeMessage('Document', part));
    const { target, dropped } = decode(Buffer.concat(parts));
    assert.equal(dropped, undefined);
    const [row] = target.take('flow_metrics.network_map.1m');
    assert.deepEqual([row!['packet'], row!['server_port'], row!['ip4_1'], row!['time']], ['11', 80, '10.1.2.3', 9]);
  });

  it('drops documents whose code names no table', () => {
    for (const code of [
      0n,
      1n,
      codes['network_map']! | 1n,
      codes['application']! | (1n << 41n),
      codes['traffic_policy']! | 1n,
    ]) {
      const tag = { field: { ip: address, ip1: address }, code: String(code) };
      assert.equal(decode({ ...networkMap(), tag }).dropped, 'unknown_code', code.toString(16));
    }
    const policy = { flags: 1, tag: { code: String(codes['traffic_policy']) }, meter: { meter_id: 4 } };
    assert.equal(decode(policy).dropped, 'unknown_code');
    assert.equal(decode(new Uint8Array(0)).dropped, 'unknown_code');
  });

  it('drops documents with the meter of another table', () => {
    for (const meter of [{}, { meter_id: 5 }, { meter_id: 2 }, { meter_id: 4 }]) {
      const { dropped, rows } = decode(networkMap({}, { ...meter, flow: { traffic: { packet_tx: '1' } } }));
      assert.deepEqual([dropped, rows], ['meter_mismatch', 0]);
    }
    assert.equal(decode(networkMap({}, { meter_id: 257 })).dropped, undefined);
  });

  it('drops documents without an address of the kind they say', () => {
    const sixteen = Buffer.alloc(16, 1).toString('base64');
    for (const [field, expected] of [
      [{ ip: '' }, 'bad_address'],
      [{ ip1: '' }, 'bad_address'],
      [{ ip1: Buffer.alloc(5).toString('base64') }, 'bad_address'],
      [{ is_ipv6: 1 }, 'bad_address'],
      [{ is_ipv6: 1, ip: sixteen }, 'bad_address'],
      [{ is_ipv6: 1, ip: sixteen, ip1: sixteen }, undefined],
      [{ ip: sixteen, ip1: sixteen }, undefined],
    ] as const) {
      assert.equal(decode(networkMap(field)).dropped, expected, JSON.stringify(field));
    }
  });

  it('keeps documents within the window of the block, to the second', () => {
    const parts = setUp();
    openWindow(parts.target.block(networkMap1s, SENDER.org), { behindMs: 60_000, aheadMs: 10_000 }, 1_000_000);
    const at = (timestamp: number) => decode({ ...networkMap(), timestamp }, parts).dropped;
    assert.deepEqual([at(939), at(940), at(1010), at(1011)], ['too_old', undefined, undefined, 'too_new']);
    assert.deepEqual(
      parts.target.take(networkMap1s.id).map(({ time }) => time),
      [940, 1010],
    );
  });

  it('writes what the tagger looks ends up by', () => {
    const field = { mac: '1', mac1: String(2n ** 48n - 1n), pod_id: 7, tap_side: 42 };
    for (const [direction, pods] of [
      [1, [7n, 0n]],
      [2, [0n, 7n]],
      [18, [0n, 7n]],
      [0, [7n, 0n]],
    ] as const) {
      const { target } = decode(networkMap({ ...field, direction }));
      const key = (name: string) => keyOf(target, 'flow_metrics.network_map.1s', name);
      assert.deepEqual([key('pod_key_0'), key('pod_key_1')], pods);
      assert.deepEqual([key('mac_0'), key('mac_1'), key('observation_point_number')], [1n, 2n ** 48n - 1n, 42n]);
    }
    const single: Message = { ...networkMap({ ...field, direction: 2 }), flags: 0 };
    const tag = { ...(single['tag'] as Message), code: String(codes['network']) };
    const { target } = decode({ ...single, tag });
    const key = (name: string) => keyOf(target, 'flow_metrics.network.1m', name);
    assert.deepEqual([key('pod_key'), key('mac'), key('observation_point_number')], [7n, 1n, 42n]);
  });
});
