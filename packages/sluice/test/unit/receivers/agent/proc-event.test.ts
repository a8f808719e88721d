import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { OPEN } from '../block-target.ts';
import { recordedFrames } from '../recorded-frames.ts';
import type { Row } from '../row-values.ts';
import { expectedEvent, type ProcEventJson } from './proc-event-expected.ts';
import { fixture, pick } from './proc-event-fixture.ts';

describe('golden records', () => {
  interface GoldenCase {
    readonly case: string;
    readonly org_id: number;
    readonly team_id: number;
    readonly header_agent_id: number;
    readonly row_counter: number;
    readonly input_base64: string;
    readonly row: Row;
  }
  const root = new URL('../../../fixtures/golden/', import.meta.url);
  const inventory =
    /^(?:region|az|host|l3_epc|l3_device|pod_node|pod_ns|pod_cluster|pod_group|subnet|service|gprocess|auto_instance|auto_service)_|^(?:is_ipv4|ip4|ip6)$/;
  let count = 0;
  for (const table of ['file_event', 'file_mgmt_event', 'proc_perm_event', 'proc_ops_event']) {
    const folder = new URL(`event.${table}/`, root);
    for (const name of readdirSync(folder)) {
      const golden = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as GoldenCase;
      count++;
      test(`${table} ${golden.case}`, () => {
        const { target, decode } = fixture(OPEN, golden.row_counter - 1);
        const sender = { org: golden.org_id, team: golden.team_id, agent: golden.header_agent_id, address: '::1' };
        assert.equal(decode(Buffer.from(golden.input_base64, 'base64'), sender), undefined);
        const [row] = target.take(`event.${table}`);
        // The pod is the message's where it says one.
        const names = Object.keys(golden.row).filter((column) => !inventory.test(column));
        assert.ok(names.length >= 20);
        // Deliberately other than the original: a name ends before its NUL.
        const expected = { ...golden.row, process_kname: String(golden.row['process_kname']).replace(/\0+$/, '') };
        assert.deepEqual(pick(row, names), pick(expected, names));
      });
    }
  }
  test('there are 15 of them', () => assert.equal(count, 15));
});

describe('records of a stock agent', () => {
  for (const frame of recordedFrames('PROC_EVENT')) {
    test(frame.name, () => {
      const { target, decode } = fixture();
      const sender = { org: frame.org, team: frame.team, agent: frame.agent, address: '127.0.0.1' };
      let compared = 0;
      for (const [index, record] of frame.records.entries()) {
        const decoded = frame.decoded.get(index);
        assert.equal(decode(record, sender), undefined, `record ${index}`);
        if (decoded === undefined) continue;
        const { table, row } = expectedEvent(decoded as ProcEventJson);
        const expected = { ...row, agent_id: frame.agent, team_id: frame.team };
        assert.deepEqual(pick(target.take(table).at(-1), Object.keys(expected)), expected, `record ${index}`);
        compared++;
      }
      assert.equal(compared, frame.decoded.size);
      assert.ok(compared >= 5);
    });
  }
});

const { ProcEvent } = protobuf.parse(
  `syntax = "proto3";
  enum EventType { OtherEvent = 0; IoEvent = 1; FileOpEvent = 2; PermOpEvent = 3; ProcLifecycleEvent = 4; }
  enum IoOperation { Write = 0; Read = 1; }
  enum FileType { Unknown = 0; Regular = 1; Virtual = 2; Network = 3; }
  enum FileOpType { FileOpUnknown = 0; FileOpCreate = 1; FileOpDelete = 2; FileOpChmod = 3; FileOpChown = 4; }
  enum PermOpType { PermOpUnknown = 0; PermOpSetuid = 1; PermOpSetgid = 2; PermOpSetreuid = 3; PermOpSetregid = 4; }
  enum LifecycleType { ProcLifecycleUnknown = 0; ProcLifecycleFork = 1; ProcLifecycleExec = 2; ProcLifecycleExit = 3; }
  message ProcEvent {
    uint32 pid = 1; uint32 thread_id = 2; uint32 coroutine_id = 3; bytes process_kname = 4; uint64 start_time = 5; uint64 end_time = 6;
    EventType event_type = 7; Io io_event_data = 8; uint32 pod_id = 10; FileOp file_op_event_data = 11; PermOp perm_op_event_data = 12;
    Lifecycle proc_lifecycle_event_data = 13; uint32 ai_agent_root_pid = 14;
  }
  message Io {
    uint32 bytes_count = 1; IoOperation operation = 2; uint64 latency = 3; bytes filename = 4; uint64 off_bytes = 5; bytes mount_source = 6;
    bytes mount_point = 7; bytes file_dir = 8; FileType file_type = 9; uint32 access_permission = 10;
  }
  message FileOp { FileOpType op_type = 1; uint32 pid = 2; uint32 uid = 3; uint32 gid = 4; uint32 mode = 5; uint64 timestamp = 6; bytes filename = 7; }
  message PermOp {
    PermOpType op_type = 1; uint32 pid = 2; uint32 old_uid = 3; uint32 old_gid = 4; uint32 new_uid = 5; uint32 new_gid = 6; uint64 timestamp = 7;
  }
  message Lifecycle {
    LifecycleType lifecycle_type = 1; uint32 pid = 2; uint32 parent_pid = 3; uint32 uid = 4; uint32 gid = 5; uint64 timestamp = 6; bytes comm = 7;
    bytes cmdline = 8; bytes exec_path = 9;
  }`,
  { keepCase: true },
).root.nested as { readonly ProcEvent: protobuf.Type };

describe('random records', () => {
  const u32 = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 0xffff_ffff }));
  const u64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }).map(String);
  const words = fc.string({ unit: 'grapheme', maxLength: 140 }).map((text) => Buffer.from(text).toString('base64'));
  const oneOf = (...names: string[]) => fc.constantFrom(...names);
  const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const io = fc.record(
    {
      bytes_count: u32,
      operation: oneOf('Write', 'Read'),
      latency: u64,
      filename: words,
      off_bytes: u64,
      mount_source: words,
      mount_point: words,
      file_dir: words,
      file_type: oneOf('Unknown', 'Regular', 'Virtual', 'Network'),
      access_permission: u32,
    },
    { requiredKeys: [] },
  );
  const path = fc
    .array(fc.constantFrom('/', 'a', 'b.txt', '日本', ' '), { maxLength: 6 })
    .map((parts) => Buffer.from(parts.join('')).toString('base64'));
  const file = fc.record(
    {
      op_type: oneOf('FileOpUnknown', 'FileOpCreate', 'FileOpDelete', 'FileOpChmod', 'FileOpChown'),
      pid: u32,
      uid: u32,
      gid: u32,
      mode: u32,
      timestamp: u64,
      filename: path,
    },
    { requiredKeys: [] },
  );
  const permission = fc.record(
    {
      op_type: oneOf('PermOpUnknown', 'PermOpSetuid', 'PermOpSetgid', 'PermOpSetreuid', 'PermOpSetregid'),
      old_uid: u32,
      old_gid: u32,
      new_uid: u32,
      new_gid: u32,
    },
    { requiredKeys: [] },
  );
  const life = fc.record(
    {
      lifecycle_type: oneOf('ProcLifecycleUnknown', 'ProcLifecycleFork', 'ProcLifecycleExec', 'ProcLifecycleExit'),
      pid: u32,
      parent_pid: u32,
      uid: u32,
      gid: u32,
      comm: words,
      cmdline: words,
      exec_path: words,
    },
    { requiredKeys: [] },
  );
  const common = {
    pid: u32,
    thread_id: u32,
    coroutine_id: u32,
    process_kname: words,
    start_time: fc.bigInt({ min: 0n, max: 4_294_967_295_999_999_999n }).map(String),
    end_time: u64,
    event_type: oneOf('OtherEvent', 'IoEvent', 'FileOpEvent', 'PermOpEvent', 'ProcLifecycleEvent'),
    pod_id: u32,
    ai_agent_root_pid: u32,
  };
  const payloads = fc.oneof(
    fc.record({ io_event_data: io }),
    fc.record({ file_op_event_data: file, io_event_data: some(io) }),
    fc.record({ perm_op_event_data: permission, proc_lifecycle_event_data: some(life) }),
    fc.record({ proc_lifecycle_event_data: life, io_event_data: some(io) }),
  );

  test('become the row that their JSON says', () => {
    const { target, decode } = fixture();
    fc.assert(
      fc.property(fc.record(common, { requiredKeys: [] }), payloads, (head, payload) => {
        const json = JSON.parse(JSON.stringify({ ...head, ...payload })) as ProcEventJson;
        const encoded = ProcEvent.encode(ProcEvent.fromObject(json)).finish();
        const outcome = decode(encoded);
        const { table, row } = expectedEvent(json);
        if (outcome === 'repeated_create') {
          assert.equal(row['event_type'], 'create');
          return;
        }
        assert.equal(outcome, undefined);
        assert.deepEqual(pick(target.take(table).at(-1), Object.keys(row)), row);
      }),
      { numRuns: 300 },
    );
  });

  test('any bytes are decoded or dropped, and leave nothing behind', () => {
    const { target, decode } = fixture();
    const sound = ProcEvent.encode(
      ProcEvent.fromObject({ pid: 7, start_time: '1', io_event_data: { bytes_count: 3 } }),
    ).finish();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat({ max: 20 }), (noise, at) => {
        decode(noise);
        const damaged = Uint8Array.from(sound);
        damaged[at % damaged.length] = noise[0] ?? 0;
        decode(damaged);
        target.take('event.file_event');
        assert.equal(decode(sound), undefined);
        const [row] = target.take('event.file_event');
        assert.deepEqual(pick(row, ['bytes', 'app_instance', 'file_name', 'offset', 'pod_id']), {
          bytes: 3,
          app_instance: '7',
          file_name: '',
          offset: '0',
          pod_id: 0,
        });
      }),
    );
  });
});
