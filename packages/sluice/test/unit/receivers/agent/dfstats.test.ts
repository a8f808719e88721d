import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createAgentStatsDecoder, createServerStatsDecoder } from '../../../../src/receivers/agent/dfstats.ts';
import type { RecordDecoder } from '../../../../src/receivers/record-decoder.ts';
import { BlockTarget, OPEN, SENDER } from '../block-target.ts';
import { missingFrames, recordedFrames } from '../recorded-frames.ts';
import { bytes, double, message, number } from '../wire-message.ts';

const COLLECTOR = 'deepflow_tenant.deepflow_collector';
const SERVER = 'deepflow_admin.deepflow_server';

function fixture(create: typeof createAgentStatsDecoder, window = OPEN) {
  const target = new BlockTarget(2, window, 2_000_000_000);
  const decoder: RecordDecoder = create({ target, organisations: [1, 2] });
  const decode = (record: Uint8Array, sender = SENDER) => {
    const frame = Buffer.concat([Buffer.alloc(3, 0xff), record, Buffer.alloc(12, 0xff)]);
    const outcome = decoder.decode(frame, 3, 3 + record.length, sender);
    assert.ok(outcome === undefined || typeof outcome === 'string');
    return outcome;
  };
  return { target, decode };
}

function stats(...more: readonly (readonly number[])[]): Uint8Array {
  return message(
    number(1, 2_000_000),
    bytes(2, 'deepflow_agent_monitor'),
    bytes(3, 'host'),
    bytes(4, 'node-1'),
    bytes(7, 'cpu_percent'),
    bytes(7, 'memory'),
    bytes(8, [...double(1, 1.5).slice(1), ...double(1, 104_857_600).slice(1)]),
    ...more,
  );
}

const row = {
  time: 2_000_000,
  virtual_table_name: 'deepflow_agent_monitor',
  team_id: 3,
  tag_names: ['host'],
  tag_values: ['node-1'],
  metrics_float_names: ['cpu_percent', 'memory'],
  metrics_float_values: [1.5, 104_857_600],
};

describe('records of a stock agent', () => {
  test('are all there', { skip: missingFrames() }, () => {
    assert.deepEqual(
      recordedFrames('DFSTATS').map(({ name, records }) => [name, records.length]),
      [
        ['DFSTATS/001.bin', 70],
        ['DFSTATS/002.bin', 44],
      ],
    );
  });
  for (const frame of recordedFrames('DFSTATS')) {
    test(frame.name, () => {
      const { target, decode } = fixture(createAgentStatsDecoder);
      for (const [index, record] of frame.records.entries()) assert.equal(decode(record), undefined, `record ${index}`);
      const rows = target.take(COLLECTOR);
      assert.equal(rows.length, frame.records.length);
      assert.ok(frame.decoded.size >= 5);
      for (const [index, decoded] of frame.decoded) {
        const { timestamp, name, ...lists } = decoded as Readonly<Record<string, string & readonly string[]>>;
        assert.deepEqual(
          rows[index],
          {
            time: Number(timestamp),
            virtual_table_name: name,
            team_id: 3,
            tag_names: lists['tag_names'] ?? [],
            tag_values: lists['tag_values'] ?? [],
            metrics_float_names: lists['metrics_float_names'] ?? [],
            metrics_float_values: lists['metrics_float_values'] ?? [],
          },
          `record ${index}`,
        );
      }
    });
  }
});

test('an agent statistic goes to its organisation, a named one wins', () => {
  const { target, decode } = fixture(createAgentStatsDecoder);
  assert.equal(decode(stats()), undefined);
  assert.equal(decode(stats(), { ...SENDER, org: 2 }), undefined);
  assert.equal(decode(stats(number(9, 2), number(10, 77))), undefined);
  assert.deepEqual([...target.blocks.keys()], [`1/${COLLECTOR}`, `2/${COLLECTOR}`]);
  assert.deepEqual(target.take(COLLECTOR), [row, row, { ...row, team_id: 77 }]);
});

test('a server statistic goes to the tenant that it names, else to the administrator', () => {
  const { target, decode } = fixture(createServerStatsDecoder);
  assert.equal(decode(stats()), undefined);
  assert.equal(decode(stats(number(9, 2))), undefined);
  assert.deepEqual([...target.blocks.keys()], [`1/${SERVER}`, `2/${COLLECTOR}`]);
  assert.deepEqual(target.take(SERVER), [row]);
  assert.deepEqual(target.take(COLLECTOR), [{ ...row, team_id: 1 }]);
});

for (const create of [createAgentStatsDecoder, createServerStatsDecoder]) {
  describe(create.name, () => {
    test('drops what has no name, unequal lists, other organisations and times, and malformed records', () => {
      const { target, decode } = fixture(create, { behindMs: 60_000, aheadMs: 10_000 });
      assert.equal(decode(message(number(1, 2_000_000))), 'empty_name');
      assert.equal(decode(message(number(1, 2_000_000), bytes(2, ''))), 'empty_name');
      assert.equal(decode(stats(bytes(3, 'a'))), 'unequal_lists');
      assert.equal(decode(stats(double(8, 1))), 'unequal_lists');
      assert.equal(decode(stats(number(9, 3))), 'organisation');
      assert.equal(decode(stats(number(9, 0x1_0000_0001n))), undefined, 'cut to 32 bits');
      assert.equal(decode(stats(number(1, 1_999_939))), 'too_old');
      assert.equal(decode(stats(number(1, 2_000_011))), 'too_new');
      assert.equal(decode(stats(number(1, 2n ** 40n))), 'too_new');
      assert.equal(decode(stats([0x0a])), 'malformed');
      assert.equal(decode(stats(bytes(8, [1, 2, 3]))), 'malformed');
      assert.equal(decode(stats(number(2, 1))), 'malformed');
      assert.equal(decode(stats()), undefined);
      const rows = [...target.take(SERVER), ...target.take(COLLECTOR)];
      assert.deepEqual(
        rows.map((one) => ({ ...one, team_id: 0 })),
        [
          { ...row, team_id: 0 },
          { ...row, team_id: 0 },
        ],
      );
    });

    test('any bytes are decoded or dropped, and leave nothing behind', () => {
      const { target, decode } = fixture(create);
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(), (noise, at) => {
          decode(noise);
          const damaged = stats();
          damaged[at % damaged.length] = noise[0] ?? 0;
          decode(damaged);
          target.take(SERVER);
          target.take(COLLECTOR);
          assert.equal(decode(stats()), undefined);
          assert.deepEqual([...target.take(SERVER), ...target.take(COLLECTOR)], [row]);
        }),
      );
    });
  });
}
