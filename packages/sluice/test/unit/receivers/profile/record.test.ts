import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { inProcessProfile } from '../../../../src/catalog/profile.ts';
import { createProfileDecoder } from '../../../../src/receivers/profile/record.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { BlockTarget, OPEN, SENDER } from '../block-target.ts';
import { emptyRow, rowId } from '../empty-row.ts';
import { missingFrames, recordedFrames } from '../recorded-frames.ts';
import type { Row } from '../row-values.ts';
import { bytes, message, number } from '../wire-message.ts';
import { pprofMessage } from './pprof-message.ts';

const TABLE = inProcessProfile.id;
const NANOS = 1_795_227_753_770_526_920n;
const SECONDS = 1_795_227_753;
const NOW = 1_795_227_800_000;

function fixture(window = OPEN) {
  const target = new BlockTarget(2, window, NOW);
  const metrics = createMetrics();
  const decoder = createProfileDecoder({
    target,
    rowIds: new RowIds({ hubId: 3 }),
    limits: { bodyBytes: 0, decodedBytes: 1 << 20, rowBytes: 1 << 20, samples: 10_000 },
    metrics,
    now: () => NOW,
  });
  const decode = (record: Uint8Array, sender = SENDER) => {
    const frame = Buffer.concat([Buffer.alloc(3, 0xff), record, Buffer.alloc(12, 0xff)]);
    const reason = decoder.decode(frame, 3, 3 + record.length, sender);
    assert.ok(!(reason instanceof Promise));
    return reason;
  };
  const key = (name: string, row: number) => {
    const { block } = target.blocks.get(`1/${TABLE}`)!;
    return block.fixed[block.column(name)]!.u32[row];
  };
  const dropped = async () =>
    Object.fromEntries(
      (await metrics.droppedRows.get()).values.map(({ labels, value }) => [`${labels.input} ${labels.reason}`, value]),
    );
  return { target, decode, key, dropped };
}

/** Rows without their ids. */
function taken(target: BlockTarget): Row[] {
  return target.take(TABLE).map((one) => ({ ...one, _id: '0' }));
}

/** Texts of rows are read as UTF-8, which what is compressed is not. */
function asText(data: Uint8Array): string {
  return Buffer.from(data).toString();
}

/** A record as an independent decoder wrote it. */
interface ProfileJson {
  readonly ip?: string;
  readonly name?: string;
  readonly units?: string;
  readonly from?: number;
  readonly spy_name?: string;
  readonly format?: string;
  readonly data: string;
  readonly data_compressed?: boolean;
  readonly timestamp?: string;
  readonly event_type?: string;
  readonly stime?: string;
  readonly pid?: number;
  readonly process_name?: string;
  readonly count?: number;
  readonly wide_count?: string;
}

describe('records of a stock agent', () => {
  test('are all there', { skip: missingFrames() }, () => {
    assert.deepEqual(
      [...recordedFrames('PROFILE'), ...recordedFrames('PROFILE_ebpf')].map(({ name, records }) => [
        name,
        records.length,
      ]),
      [
        ['PROFILE/001.bin', 2],
        ['PROFILE/002.bin', 2],
        ['PROFILE_ebpf/001.bin', 30],
      ],
    );
  });

  for (const frame of recordedFrames('PROFILE_ebpf')) {
    test(frame.name, () => {
      const { target, decode, key } = fixture();
      const { agent, team } = frame;
      for (const record of frame.records) assert.equal(decode(record, { ...SENDER, agent, team }), undefined);
      assert.equal(frame.decoded.size, 3);
      for (const [index, decoded] of frame.decoded as ReadonlyMap<number, ProfileJson>) {
        assert.equal(key('pid_key', index), decoded.pid);
        assert.equal(key('pod_key', index), 0);
      }
      const { block } = target.blocks.get(`1/${TABLE}`)!;
      for (const [index, { data }] of frame.decoded as ReadonlyMap<number, ProfileJson>) {
        const stored = block.textAt(block.column('profile_location_str'), index);
        assert.equal(Buffer.from(stored).toString('base64'), data, 'bit for bit');
      }
      const rows = target.take(TABLE);
      assert.equal(rows.length, frame.records.length);
      for (const [index, decoded] of frame.decoded as ReadonlyMap<number, ProfileJson>) {
        const micros = BigInt(decoded.timestamp!) / 1000n;
        const seconds = Number(micros / 1_000_000n);
        assert.equal(decoded.event_type, 'EbpfOnCpu');
        assert.deepEqual(rows[index], {
          ...emptyRow(inProcessProfile),
          time: seconds,
          _id: rowId(seconds, (agent << 18) | (index + 1)),
          app_service: decoded.process_name,
          app_instance: decoded.process_name,
          profile_language_type: 'eBPF',
          profile_event_type: 'on-cpu',
          profile_value_unit: 'microseconds',
          profile_value: decoded.wide_count,
          profile_location_str: asText(Buffer.from(decoded.data, 'base64')),
          compression_algo: 'zstd',
          profile_create_timestamp: String(micros),
          process_id: decoded.pid,
          process_start_time: decoded.stime,
          agent_id: agent,
          team_id: team,
        });
      }
    });
  }

  for (const frame of recordedFrames('PROFILE')) {
    test(frame.name, () => {
      const { target, decode } = fixture();
      const { agent, team } = frame;
      const sender = { ...SENDER, agent, team };
      const [fake, folded] = [frame.decoded.get(0), frame.decoded.get(1)] as readonly ProfileJson[];
      assert.equal(fake?.format, 'pprof');
      assert.equal(decode(frame.records[0]!, sender), 'malformed', 'its data begins as gzip does and is none');
      assert.equal(folded?.format, 'folded');
      assert.equal(decode(frame.records[1]!, sender), undefined);
      const common: Row = {
        ...emptyRow(inProcessProfile),
        time: folded.from!,
        app_service: 'app',
        app_instance: 'app',
        profile_language_type: 'python',
        profile_event_type: 'wall',
        profile_value_unit: 'samples',
        profile_create_timestamp: `${folded.from}000000`,
        is_ipv4: 1,
        ip4: '127.0.0.1',
        agent_id: agent,
        team_id: team,
      };
      assert.deepEqual(taken(target), [
        { ...common, profile_location_str: 'main;handler;render', profile_value: '12' },
        { ...common, profile_location_str: 'main;handler;db', profile_value: '30' },
      ]);
    });
  }
});

const stack = 'main;work';

function sampled(...more: readonly (readonly number[])[]): Uint8Array {
  return message(
    bytes(11, stack),
    number(20, NANOS),
    number(21, 1),
    number(22, 1_795_220_000_123n),
    number(23, 140),
    bytes(25, 'worker-1'),
    bytes(26, 'shop-server'),
    number(30, 101),
    number(33, 9),
    number(34, 10_101),
    ...more,
  );
}

const row: Row = {
  ...emptyRow(inProcessProfile),
  time: SECONDS,
  app_service: 'shop-server',
  app_instance: 'shop-server',
  profile_language_type: 'eBPF',
  profile_event_type: 'on-cpu',
  profile_value_unit: 'microseconds',
  profile_value: '10101',
  profile_location_str: stack,
  profile_create_timestamp: String(NANOS / 1000n),
  process_id: 140,
  process_start_time: '1795220000123',
  agent_id: 12,
  team_id: 3,
};

describe('a stack that an agent sampled', () => {
  const one = (...more: readonly (readonly number[])[]): Row => {
    const { target, decode } = fixture();
    assert.equal(decode(sampled(...more)), undefined);
    const rows = taken(target);
    assert.equal(rows.length, 1);
    return rows[0]!;
  };

  test('is a row', () => {
    const { target, decode, key } = fixture();
    assert.equal(decode(sampled()), undefined);
    assert.deepEqual([key('pod_key', 0), key('pid_key', 0)], [9, 140]);
    assert.deepEqual(target.take(TABLE), [{ ...row, _id: rowId(SECONDS, (12 << 18) | 1) }]);
    decode(sampled(), { org: 2, team: 1, agent: 64_000, address: '::1' });
    assert.deepEqual([...target.blocks.keys()], [`1/${TABLE}`, `2/${TABLE}`]);
    assert.equal(target.take(TABLE)[0]?.['_id'], rowId(SECONDS, ((64_000 & 0x3fff) << 18) | 2));
  });

  test('has the name of its process or its own, an address or none', () => {
    assert.deepEqual(one(bytes(2, 'named')), { ...row, app_service: 'named', app_instance: 'named' });
    assert.deepEqual(one(bytes(1, [10, 0, 0, 200])), { ...row, is_ipv4: 1, ip4: '10.0.0.200' });
    const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 168, 0, 1];
    assert.deepEqual(one(bytes(1, mapped)), { ...row, is_ipv4: 1, ip4: '192.168.0.1' });
    assert.deepEqual(one(bytes(1, [0x20, 1, ...Array<number>(13).fill(0), 7])), { ...row, ip6: '2001::7' });
    assert.deepEqual(one(bytes(1, [1, 2, 3])), row);
  });

  test('is compressed as it came', () => {
    const data = zstdCompressSync(stack);
    assert.deepEqual(one(bytes(11, data), number(12, 1)), {
      ...row,
      profile_location_str: asText(data),
      compression_algo: 'zstd',
    });
    const { decode } = fixture();
    assert.equal(decode(sampled(number(12, 1))), 'malformed', 'it says that it is and is not');
  });

  test('has a kind of event', () => {
    const kinds = ['third-party', 'on-cpu', 'off-cpu', 'mem-alloc', 'mem-inuse', 'hbm-alloc', 'hbm-inuse', '7'];
    for (const [kind, name] of kinds.entries()) assert.equal(one(number(21, kind))['profile_event_type'], name);
    assert.equal(one(number(21, -1))['profile_event_type'], '-1');
  });

  test('has a value of 64 bits, of old agents one of 32', () => {
    assert.equal(one(number(34, 0))['profile_value'], '101');
    assert.equal(one(number(34, 2n ** 53n + 1n))['profile_value'], '9007199254740993');
    assert.equal(one(number(34, 0), number(30, 0))['profile_value'], '0');
  });

  test('out of the window is dropped', () => {
    const { target, decode } = fixture({ behindMs: 60_000, aheadMs: 10_000 });
    assert.equal(decode(sampled(number(20, NANOS - 14_000_000_000n))), 'too_old');
    assert.equal(decode(sampled(number(20, NANOS + 58_000_000_000n))), 'too_new');
    assert.equal(decode(sampled(number(20, 0))), 'too_old');
    assert.equal(decode(sampled(number(20, 2n ** 64n - 1n))), 'too_new');
    assert.equal(decode(sampled()), undefined);
    assert.equal(target.take(TABLE).length, 1);
  });
});

describe('time off the CPU', () => {
  const pieces = (micros: number | bigint) => {
    const { target, decode } = fixture();
    assert.equal(decode(sampled(number(21, 2), number(34, micros))), undefined);
    const rows = taken(target);
    const start = Number(NANOS / 1000n);
    return rows.map((one, index) => {
      const at = Number(one['profile_create_timestamp']);
      assert.equal(start - at, index * 1_000_000);
      assert.deepEqual(one, {
        ...row,
        time: Math.floor(at / 1e6),
        profile_create_timestamp: String(at),
        profile_event_type: 'off-cpu',
        profile_value: one['profile_value'],
      });
      return Number(one['profile_value']);
    });
  };

  test('is cut into seconds, back from its end', () => {
    assert.deepEqual(pieces(999_999), [999_999]);
    assert.deepEqual(pieces(1_000_000), [1_000_000]);
    assert.deepEqual(pieces(1_000_001), [1_000_000, 1]);
    assert.deepEqual(pieces(3_000_000), [1_000_000, 1_000_000, 1_000_000]);
    assert.deepEqual(pieces(3_500_000), [1_000_000, 1_000_000, 1_000_000, 500_000]);
  });

  test('has 4000 pieces at most, and none of it gets lost', () => {
    assert.equal(pieces(4_000_000_000).length, 4000);
    const long = pieces(5_000_000_001);
    assert.equal(long.length, 4000);
    assert.equal(long.at(-2), 1_000_000);
    assert.equal(
      long.reduce((sum, value) => sum + value),
      5_000_000_001,
    );
    assert.equal(pieces(4_999_000_000_000).at(-1), 4_999_000_000_000 - 3_999_000_000, 'more than 32 bits');
  });

  test('before the window is dropped and counted', async () => {
    const { target, decode, dropped } = fixture({ behindMs: 50_000, aheadMs: 0 });
    assert.equal(decode(sampled(number(21, 2), number(34, 10_000_000))), undefined);
    assert.deepEqual(
      target.take(TABLE).map((one) => one['time']),
      [SECONDS, SECONDS - 1, SECONDS - 2, SECONDS - 3],
    );
    assert.deepEqual(await dropped(), { 'profile too_old': 6 });
  });

  test('of another kind stays whole', () => {
    const { target, decode } = fixture();
    decode(sampled(number(34, 5_000_000)));
    assert.deepEqual(taken(target), [{ ...row, profile_value: '5000000' }]);
  });
});

describe('a posted profile', () => {
  const from = 1_795_227_700;
  const types = [['samples', 'count']] as const;
  const profile = pprofMessage({ types, samples: [{ stack: ['main', 'work'], values: [7] }] });
  const expected: Row = {
    ...emptyRow(inProcessProfile),
    time: from,
    app_service: 'shop',
    app_instance: 'shop',
    profile_language_type: 'Java',
    profile_event_type: 'samples',
    profile_value_unit: 'count',
    profile_value: '7',
    profile_location_str: 'main;work',
    profile_create_timestamp: `${from}000000`,
    process_id: 5,
    tag_names: ['env'],
    tag_values: ['a b'],
    agent_id: 12,
    team_id: 3,
  };
  const posted = (...more: readonly (readonly number[])[]) =>
    message(
      bytes(2, 'shop.cpu%7Benv=a+b%7D'),
      number(6, from),
      bytes(8, 'javaspy'),
      bytes(9, 'pprof'),
      bytes(11, profile),
      number(23, 5),
      number(33, 8),
      ...more,
    );

  test('becomes rows', () => {
    const { target, decode, key } = fixture();
    assert.equal(decode(posted()), undefined);
    assert.deepEqual([key('pod_key', 0), key('pid_key', 0)], [8, 5]);
    assert.deepEqual(taken(target), [expected]);
  });

  test('may be compressed', () => {
    const { target, decode } = fixture();
    assert.equal(decode(posted(bytes(11, zstdCompressSync(profile)), number(12, 1))), undefined);
    assert.deepEqual(taken(target), [expected]);
    assert.equal(decode(posted(number(12, 1))), 'malformed');
    assert.equal(decode(posted(bytes(11, zstdCompressSync(Buffer.alloc(2 << 20))), number(12, 1))), 'too_large');
    assert.equal(decode(posted(bytes(11, Buffer.alloc(2 << 20)))), 'too_large');
  });

  test('may be a form, or text', () => {
    const { target, decode } = fixture();
    const data = Buffer.concat([
      Buffer.from('--b\r\ncontent-disposition: form-data; name="profile"\r\n\r\n'),
      profile,
      Buffer.from('\r\n--b--\r\n'),
    ]);
    assert.equal(
      decode(posted(bytes(9, ''), bytes(10, 'multipart/form-data; boundary=b'), bytes(11, data))),
      undefined,
    );
    assert.deepEqual(taken(target), [expected]);
    const text = { ...expected, profile_event_type: 'cpu', profile_value_unit: 'samples' };
    assert.equal(decode(posted(bytes(9, ''), bytes(11, 'main;work 7\n'))), undefined, 'no format: stacks with counts');
    assert.deepEqual(taken(target), [text]);
  });

  test('of another format is dropped', async () => {
    const { target, decode, dropped } = fixture();
    for (const format of ['jfr', 'tree', 'trie', 'speedscope']) {
      assert.equal(decode(posted(bytes(9, format))), 'unsupported_format');
    }
    assert.deepEqual(target.take(TABLE), []);
    assert.equal(decode(posted(bytes(9, 'folded'), bytes(11, 'a 1\nb\nc 1'))), undefined);
    assert.equal(target.take(TABLE).length, 2);
    assert.deepEqual(await dropped(), { 'profile malformed': 1 });
  });
});

test('any bytes are decoded or dropped, and leave nothing behind', () => {
  const { target, decode } = fixture();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(), (noise, at) => {
      decode(noise);
      const damaged = sampled();
      damaged[at % damaged.length] = noise[0] ?? 0;
      decode(damaged);
      decode(sampled(bytes(9, 'pprof'), bytes(11, noise)));
      taken(target);
      assert.equal(decode(sampled()), undefined);
      assert.deepEqual(taken(target), [row]);
    }),
  );
});
