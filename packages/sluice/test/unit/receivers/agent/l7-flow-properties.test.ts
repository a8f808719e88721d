import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { L7FlowDecoder } from '../../../../src/receivers/agent/l7-flow.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { BlockTarget, SENDER } from '../block-target.ts';
import { recordedFrames } from '../recorded-frames.ts';
import { withoutIds } from '../row-values.ts';
import { comparable, expectedL7Row } from './l7-flow-expected.ts';

/** Random records, encoded by a protobuf library that knows nothing of the decoder. */

const proto = `
syntax = "proto3";
message Data {
  Base base = 1; int32 req_len = 9; int32 resp_len = 10; Request req = 11; Response resp = 12; string version = 13; Trace trace_info = 14;
  Ext ext_info = 15; uint32 row_effect = 16; uint32 direction_score = 17; uint32 flags = 18; uint32 captured_request_byte = 19;
  uint32 captured_response_byte = 20; string biz_code = 21; string biz_scenario = 22; string biz_response_code = 23; bytes later = 900;
}
message Base {
  uint64 start_time = 1; uint64 end_time = 2; uint64 flow_id = 3; uint64 tap_port = 4; uint32 vtap_id = 5; uint32 tap_type = 6; uint32 is_ipv6 = 7;
  uint32 tap_side = 8; Head head = 9; uint64 mac_src = 10; uint64 mac_dst = 11; uint32 ip_src = 12; uint32 ip_dst = 13; bytes ip6_src = 14;
  bytes ip6_dst = 15; int32 l3_epc_id_src = 16; int32 l3_epc_id_dst = 17; uint32 port_src = 18; uint32 port_dst = 19; uint32 protocol = 20;
  uint32 is_vip_interface_src = 21; uint32 is_vip_interface_dst = 22; uint32 req_tcp_seq = 23; uint32 resp_tcp_seq = 24; uint32 process_id_0 = 25;
  uint32 process_id_1 = 26; string process_kname_0 = 27; string process_kname_1 = 28; uint64 syscall_trace_id_request = 29;
  uint64 syscall_trace_id_response = 30; uint32 syscall_trace_id_thread_0 = 31; uint32 syscall_trace_id_thread_1 = 32; uint32 syscall_cap_seq_0 = 33;
  uint32 syscall_cap_seq_1 = 34; uint32 gpid_0 = 35; uint32 gpid_1 = 36; uint64 syscall_coroutine_0 = 39; uint64 syscall_coroutine_1 = 40;
  uint32 pod_id_0 = 41; uint32 pod_id_1 = 42; uint32 biz_type = 43; string later = 70;
}
message Head { uint32 proto = 1; uint32 msg_type = 2; uint64 rrt = 5; }
message Request { string req_type = 1; string domain = 2; string resource = 3; string endpoint = 4; }
message Response { uint32 status = 1; int32 code = 2; string exception = 3; string result = 4; }
message Trace { string trace_id = 1; string span_id = 2; string parent_span_id = 3; repeated string trace_ids = 4; }
message Ext {
  string service_name = 1; string client_ip = 2; uint32 request_id = 3; string x_request_id_0 = 4; string http_user_agent = 6; string http_referer = 7;
  string rpc_service = 8; string protocol_str = 9; string x_request_id_1 = 10; repeated string attribute_names = 16; repeated string attribute_values = 17;
  repeated string metrics_names = 18; repeated double metrics_values = 19;
}`;
const Data = protobuf.parse(proto, { keepCase: true }).root.lookupType('Data');

const u8 = fc.oneof(fc.constantFrom(0, 1, 255), fc.integer({ min: 0, max: 255 }));
const u16 = fc.oneof(fc.constantFrom(0, 1, 65_535), fc.integer({ min: 0, max: 65_535 }));
const u32 = fc.oneof(fc.constantFrom(0, 1, 127, 128, 0xffff_ffff), fc.integer({ min: 0, max: 0xffff_ffff }));
const i32 = fc.oneof(fc.constantFrom(0, -1, -2, -32_768), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
const u64 = fc
  .oneof(
    fc.constantFrom(0n, 1n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 64n - 1n),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  )
  .map(String);
/** Ends below the last second of a DateTime. */
const time = fc.bigInt({ min: 0n, max: 0xffff_ffffn * 1_000_000_000n + 999_999_999n }).map(String);
const text = fc.oneof(
  fc.constant(''),
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', minLength: 100, maxLength: 300 }),
);
const texts = fc.array(text, { maxLength: 4 });
const ip6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64'));

/** Any of the fields may be missing. */
const message = <T>(fields: { [Name in keyof T]: fc.Arbitrary<T[Name]> }) => fc.record(fields, { requiredKeys: [] });

const head = message({
  proto: fc.oneof(fc.constantFrom(20, 21, 40, 43, 100, 101, 120, 121, 127), u8),
  msg_type: fc.integer({ min: 0, max: 3 }),
  rrt: u64,
});
const base = fc
  .tuple(
    message({
      start_time: u64,
      end_time: time,
      flow_id: u64,
      tap_port: u64,
      vtap_id: u16,
      tap_type: u8,
      is_ipv6: fc.constantFrom(0, 1),
      tap_side: fc.integer({ min: 0, max: 50 }),
      mac_src: u64,
      mac_dst: u64,
      ip_src: u32,
      ip_dst: u32,
      ip6_src: ip6,
      ip6_dst: ip6,
      l3_epc_id_src: i32,
      l3_epc_id_dst: i32,
      port_src: u16,
      port_dst: u16,
      protocol: u8,
      is_vip_interface_src: fc.constantFrom(0, 1),
      is_vip_interface_dst: fc.constantFrom(0, 1),
      req_tcp_seq: u32,
      resp_tcp_seq: u32,
      process_id_0: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      process_id_1: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      process_kname_0: text,
      process_kname_1: text,
      syscall_trace_id_request: u64,
      syscall_trace_id_response: u64,
      syscall_trace_id_thread_0: u32,
      syscall_trace_id_thread_1: u32,
      syscall_cap_seq_0: u32,
      syscall_cap_seq_1: u32,
      gpid_0: u32,
      gpid_1: u32,
      syscall_coroutine_0: u64,
      syscall_coroutine_1: u64,
      pod_id_0: u32,
      pod_id_1: u32,
      biz_type: u8,
      later: text,
    }),
    head,
  )
  .map(([fields, inner]) => ({ ...fields, head: inner }));
const record = fc
  .tuple(
    message({
      req_len: i32,
      resp_len: i32,
      req: message({
        req_type: fc.oneof(fc.constantFrom('Fetch', 'Produce', 'SyncGroup', 'ApiVersions', '5'), text),
        domain: text,
        resource: text,
        endpoint: text,
      }),
      resp: message({
        status: fc.integer({ min: 0, max: 6 }),
        code: fc.oneof(fc.integer({ min: -1, max: 600 }), i32),
        exception: text,
        result: text,
      }),
      version: fc.oneof(fc.constantFrom('5', '3'), text),
      trace_info: message({ trace_id: text, span_id: text, parent_span_id: text, trace_ids: texts }),
      ext_info: message({
        service_name: text,
        client_ip: text,
        request_id: u32,
        x_request_id_0: text,
        http_user_agent: text,
        http_referer: text,
        rpc_service: text,
        protocol_str: text,
        x_request_id_1: text,
        attribute_names: texts,
        attribute_values: texts,
        metrics_names: texts,
        metrics_values: fc.array(fc.double(), { maxLength: 4 }),
      }),
      row_effect: u32,
      direction_score: u8,
      flags: fc.integer({ min: 0, max: 7 }),
      captured_request_byte: u32,
      captured_response_byte: u32,
      biz_code: text,
      biz_scenario: text,
      biz_response_code: text,
      later: ip6,
    }),
    base,
  )
  .map(([fields, inner]) => ({ ...fields, base: inner }));

function encode(value: object): Uint8Array {
  return Data.encode(Data.fromObject(value)).finish();
}

function createDecoder() {
  const target = new BlockTarget();
  const decoder = new L7FlowDecoder({ target, rowIds: new RowIds({ hubId: 0 }) });
  const rows = () => target.take('flow_log.l7_flow_log');
  return { decode: (bytes: Uint8Array) => decoder.decode(bytes, 0, bytes.length, SENDER), rows };
}

describe('records of PROTOCOLLOG', () => {
  it('become the rows that their fields say, many in one block', () => {
    const { decode, rows } = createDecoder();
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 8 }), (records) => {
        for (const one of records) assert.equal(decode(encode(one)), undefined);
        const found = rows();
        assert.equal(found.length, records.length);
        for (const [index, one] of records.entries()) {
          const expected = expectedL7Row(one, SENDER.team);
          assert.deepEqual(comparable(found[index]!, expected), expected);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('are found with their fields in any order, a field that came twice with its last value', () => {
    const { decode, rows } = createDecoder();
    const parts = { base: { end_time: '1700000000000000000', head: { proto: 20, msg_type: 2 } } };
    const extension = { http_user_agent: 'curl', attribute_names: ['k'], attribute_values: ['v'] };
    const late = encode({ ext_info: { rpc_service: 'svc' }, version: '2' });
    const bytes = Buffer.concat([
      encode({ ext_info: extension, version: '1.1' }),
      encode({ ...parts, resp: { code: 500, status: 3 } }),
      late,
    ]);
    assert.equal(decode(bytes), undefined);
    const [row] = rows();
    assert.deepEqual(row!['attribute_names'], ['http_user_agent', 'rpc_service', 'k']);
    assert.deepEqual(row!['attribute_values'], ['curl', 'svc', 'v']);
    assert.equal(row!['version'], '2');
    assert.equal(row!['response_exception'], 'Internal Server Error');
    assert.equal(row!['time'], 1_700_000_000);
  });

  it('say what their ends are looked up by', () => {
    const target = new BlockTarget();
    const decoder = new L7FlowDecoder({ target, rowIds: new RowIds({ hubId: 0 }) });
    const ends = {
      mac_src: String(0x0a58_ac10_0105n),
      mac_dst: '2',
      is_vip_interface_dst: 1,
      pod_id_0: 7,
      pod_id_1: 8,
      tap_side: 41,
    };
    const bytes = encode({ base: { end_time: '1000000000', head: {}, ...ends } });
    assert.equal(decoder.decode(bytes, 0, bytes.length, SENDER), undefined);
    const { block } = [...target.blocks.values()][0]!;
    const key = (name: string) => block.fixed[block.column(name)]!;
    assert.deepEqual([...key('mac_0').u32.subarray(0, 2)], [0xac10_0105, 0x0a58]);
    assert.deepEqual([...key('mac_1').u32.subarray(0, 2)], [2, 0]);
    assert.deepEqual([key('vip_0').u8[0], key('vip_1').u8[0]], [0, 1]);
    assert.deepEqual([key('pod_key_0').u32[0], key('pod_key_1').u32[0]], [7, 8]);
    assert.equal(key('observation_point_number').u8[0], 41);
    assert.equal(key('is_imported').u8[0], 0);
  });

  it('are dropped with a reason when they are incomplete or broken, and leave nothing behind', () => {
    const { decode, rows } = createDecoder();
    const good = encode({ base: { end_time: '1700000000000000000', flow_id: '7', head: {} }, version: 'good' });
    assert.equal(decode(new Uint8Array(0)), 'incomplete');
    assert.equal(
      decode(encode({ version: 'lost', req: { domain: 'lost' }, ext_info: { metrics_names: ['lost'] } })),
      'incomplete',
    );
    assert.equal(decode(encode({ base: { flow_id: '9' } })), 'incomplete');
    assert.equal(decode(good.subarray(0, -1)), 'malformed');
    assert.equal(decode(encode({ base: { end_time: String(2n ** 32n * 1_000_000_000n), head: {} } })), 'too_new');
    assert.equal(decode(good), undefined);
    const found = rows();
    assert.equal(found.length, 1);
    const expected = expectedL7Row(
      { base: { end_time: '1700000000000000000', flow_id: '7', head: {} }, version: 'good' },
      3,
    );
    assert.deepEqual(comparable(found[0]!, expected), expected);
  });

  it('are dropped outside of the accept window of their block', () => {
    const target = new BlockTarget();
    const decoder = new L7FlowDecoder({ target, rowIds: new RowIds({ hubId: 0 }) });
    const outcome = (seconds: number) => {
      const bytes = encode({ base: { end_time: String(BigInt(seconds) * 1_000_000_000n), head: {} } });
      const { block } = [...target.blocks.values()][0] ?? { block: undefined };
      if (block !== undefined) {
        block.acceptFrom = 1_000_000;
        block.acceptUntil = 2_000_000;
      }
      return decoder.decode(bytes, 0, bytes.length, SENDER);
    };
    outcome(1500);
    assert.equal(outcome(999), 'too_old');
    assert.equal(outcome(1000), undefined);
    assert.equal(outcome(2000), undefined);
    assert.equal(outcome(2001), 'too_new');
    assert.equal(target.take('flow_log.l7_flow_log').length, 3);
  });

  it('never throw when they are mutated, and spoil no other', () => {
    const { decode, rows } = createDecoder();
    const seeds = ['PROTOCOLLOG_zstd', 'PROTOCOLLOG_ebpf_zstd']
      .flatMap(recordedFrames)
      .flatMap((frame) => frame.records);
    const good = seeds[0]!;
    assert.equal(decode(good), undefined);
    const wanted = withoutIds(rows());
    const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.constantFrom('set', 'cut', 'insert'));
    fc.assert(
      fc.property(fc.nat(), fc.array(change, { minLength: 1, maxLength: 6 }), (seed, changes) => {
        let bytes = Buffer.from(seeds[seed % seeds.length]!);
        for (const [position, value, kind] of changes) {
          const at = position % Math.max(1, bytes.length);
          if (kind === 'set' && bytes.length > 0) bytes[at] = value;
          else if (kind === 'cut') bytes = bytes.subarray(0, at);
          else bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([value]), bytes.subarray(at)]);
        }
        const taken = decode(bytes) === undefined ? 1 : 0;
        assert.equal(decode(good), undefined);
        const found = rows();
        assert.equal(found.length, taken + 1);
        assert.deepEqual(withoutIds(found.slice(taken)), wanted);
      }),
      { numRuns: 1500 },
    );
  });
});
