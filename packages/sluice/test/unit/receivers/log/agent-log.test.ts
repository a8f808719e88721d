import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { applicationLog } from '../../../../src/catalog/application-log.ts';
import { createAgentLogDecoder } from '../../../../src/receivers/log/agent-log.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { BlockTarget, OPEN, SENDER } from '../block-target.ts';
import { emptyRow, rowId } from '../empty-row.ts';
import { missingFrames, recordedFrames } from '../recorded-frames.ts';
import type { Row } from '../row-values.ts';

const TABLE = applicationLog.id;
const HUB = 9;

function fixture(window = OPEN) {
  const target = new BlockTarget(2, window, 1_795_224_462_000);
  const decoder = createAgentLogDecoder({ target, rowIds: new RowIds({ hubId: HUB }) });
  const decode = (text: string | Uint8Array, sender = SENDER) => {
    const frame = Buffer.concat([Buffer.from('a '), Buffer.from(text), Buffer.from(' b c d e f g\n')]);
    const dropped = decoder.decode(frame, 2, frame.length - 13, sender);
    assert.ok(!(dropped instanceof Promise));
    return dropped;
  };
  return { target, decode };
}

const LINE =
  '2026-11-21T01:27:42.986294171+00:00 deepflow-agent h1-agent-host[1328]: [WARN] src/rpc.rs:296 it failed: {}\n';

const row: Row = {
  ...emptyRow(applicationLog),
  time: 1_795_224_462,
  timestamp: '1795224462986294',
  _id: rowId(1_795_224_462, (HUB << 22) | 1),
  type: 'agent',
  severity_number: 4,
  app_service: 'deepflow-agent',
  body: 'it failed: {}',
  agent_id: 12,
  team_id: 3,
  attribute_names: ['host', 'module'],
  attribute_values: ['h1-agent-host', 'src/rpc.rs:296'],
};

/** The line, taken apart in another way. */
function expected(text: string): Row {
  const parts = /^(\S+) (\S+) ([^[\s]+)\[\d+\]: \[(\w+)\] (\S+) ([\s\S]*)\n$/.exec(text);
  assert.ok(parts !== null, text);
  const [, time, program, host, level, module, body] = parts;
  const ms = Date.parse(time!);
  const micros = /\.\d{3}(\d{3})/.exec(time!)![1]!;
  return {
    ...row,
    time: Math.floor(ms / 1000),
    timestamp: `${ms}${micros}`,
    severity_number: { ERROR: 3, WARN: 4, INFO: 5 }[level!]!,
    app_service: program!,
    body: body!,
    attribute_values: [host!, module!],
  };
}

describe('records of a stock agent', () => {
  test('are all there', { skip: missingFrames() }, () => {
    assert.deepEqual(
      recordedFrames('AGENT_LOG').map(({ records }) => records.length),
      [1, 2, 4, 3, 72],
    );
  });
  for (const frame of recordedFrames('AGENT_LOG')) {
    test(frame.name, () => {
      const { target, decode } = fixture();
      const texts = frame.records.map((record) => Buffer.from(record).toString());
      for (const [index, { text }] of frame.decoded as ReadonlyMap<number, { readonly text: string }>) {
        assert.equal(texts[index], text);
      }
      for (const text of texts) assert.equal(decode(text), undefined, text);
      const rows = target.take(TABLE);
      assert.equal(rows.length, texts.length);
      for (const [index, text] of texts.entries()) {
        assert.deepEqual({ ...rows[index], _id: row['_id'] }, expected(text), `record ${index}`);
      }
      if (frame.name === 'AGENT_LOG/005.bin') assert.ok(rows.some((made) => String(made['body']).includes('\n')));
    });
  }
});

test('a line is a row', () => {
  const { target, decode } = fixture();
  assert.equal(decode(LINE), undefined);
  assert.equal(decode(LINE.slice(0, -1), { org: 2, team: 1, agent: 0, address: '::1' }), undefined);
  assert.deepEqual([...target.blocks.keys()], [`1/${TABLE}`, `2/${TABLE}`]);
  assert.deepEqual(target.take(TABLE), [
    row,
    { ...row, _id: rowId(1_795_224_462, (HUB << 22) | 2), team_id: 1, agent_id: 0 },
  ]);
});

test('line feeds and further spaces belong to the message, the last line feed does not', () => {
  const { target, decode } = fixture();
  decode(LINE.replace('it failed', ' it\n failed  \r\n'));
  assert.equal(target.take(TABLE)[0]?.['body'], ' it\n failed  \r\n: {}');
});

test('levels', () => {
  const levels = { INFO: 5, WARN: 4, ERRO: 3, ERROR: 3, DEBU: 6, DEBUG: 6 };
  for (const [level, number] of Object.entries(levels)) {
    const { target, decode } = fixture();
    assert.equal(decode(LINE.replace('WARN', level)), undefined);
    assert.equal(target.take(TABLE)[0]?.['severity_number'], number);
  }
  const { target, decode } = fixture();
  for (const level of ['TRACE', 'info', 'FATAL', 'WARNING', '', 'WARN '.repeat(20)]) {
    assert.equal(decode(LINE.replace('WARN', level)), 'unknown_level', level);
  }
  assert.equal(decode(LINE.replace('[WARN]', 'WARN')), 'unknown_level');
  assert.deepEqual(target.take(TABLE), []);
});

test('the host stands before the number of the process', () => {
  for (const [word, host] of [
    ['h[1]:', 'h'],
    ['h[1]', 'h'],
    ['h:', 'h'],
    ['h', 'h'],
    ['a[b][1]:', 'a[b]'],
    ['[1]:', '[1]'],
    ['h]:', 'h]'],
    [']', ']'],
    [':', ''],
    ['', ''],
  ] as const) {
    const { target, decode } = fixture();
    assert.equal(decode(LINE.replace('h1-agent-host[1328]:', word)), undefined);
    assert.deepEqual(target.take(TABLE)[0]?.['attribute_values'], [host, 'src/rpc.rs:296'], word);
  }
});

test('other lines are dropped', () => {
  const { target, decode } = fixture({ behindMs: 60_000, aheadMs: 10_000 });
  assert.equal(decode(''), 'malformed');
  assert.equal(decode('\n'), 'malformed');
  assert.equal(decode('a b c [INFO] e'), 'malformed');
  assert.equal(decode(LINE.replace('2026', '2O26')), 'bad_timestamp');
  assert.equal(decode(LINE.replace('it failed: {}', '')), 'no_message');
  assert.equal(decode(LINE.replace('01:27:42', '01:26:41')), 'too_old');
  assert.equal(decode(LINE.replace('01:27:42', '01:27:53')), 'too_new');
  assert.deepEqual(target.take(TABLE), []);
});

test('any bytes are decoded or dropped, and leave nothing behind', () => {
  const { target, decode } = fixture();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(), (noise, at) => {
      decode(noise);
      const damaged = Buffer.from(LINE);
      damaged[at % damaged.length] = noise[0] ?? 0;
      decode(damaged);
      target.take(TABLE);
      assert.equal(decode(LINE), undefined);
      assert.deepEqual({ ...target.take(TABLE)[0], _id: row['_id'] }, row);
    }),
  );
});
