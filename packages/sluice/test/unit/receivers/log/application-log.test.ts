import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { applicationLog } from '../../../../src/catalog/application-log.ts';
import { createApplicationLogDecoder } from '../../../../src/receivers/log/application-log.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { BlockTarget, OPEN, SENDER } from '../block-target.ts';
import { emptyRow, rowId } from '../empty-row.ts';
import { missingFrames, recordedFrames } from '../recorded-frames.ts';
import type { Row } from '../row-values.ts';

const TABLE = applicationLog.id;
const NOW = 1_795_224_900_000;
const TIME = '2026-11-21T01:34:03.123456+00:00';
const MICROS = 1_795_224_843_123_456;
const SECONDS = 1_795_224_843;
const HUB = 5;

function fixture(window = OPEN, entryBytes = 1 << 20) {
  const target = new BlockTarget(2, window, NOW);
  const metrics = createMetrics();
  const decoder = createApplicationLogDecoder({
    target,
    rowIds: new RowIds({ hubId: HUB }),
    organisations: [1, 2, 7],
    limits: { bodyBytes: 0, decodedBytes: 0, entryBytes },
    metrics,
  });
  const decode = (text: string | Uint8Array, sender = SENDER) => {
    const frame = Buffer.concat([Buffer.from('[{'), Buffer.from(text), Buffer.from('}]')]);
    const reason = decoder.decode(frame, 2, frame.length - 2, sender);
    assert.ok(!(reason instanceof Promise));
    return reason;
  };
  const dropped = async () =>
    Object.fromEntries(
      (await metrics.droppedRows.get()).values.map(({ labels, value }) => [`${labels.input} ${labels.reason}`, value]),
    );
  return { target, decode, dropped };
}

const entry = { message: 'x', timestamp: TIME };

const row: Row = {
  ...emptyRow(applicationLog),
  time: SECONDS,
  timestamp: String(MICROS),
  type: 'user',
  severity_number: 8,
  body: 'x',
  agent_id: 12,
  team_id: 3,
};

/** Rows without their ids. */
function taken(target: BlockTarget): Row[] {
  return target.take(TABLE).map((made) => ({ ...made, _id: '0' }));
}

function one(changes: Readonly<Record<string, unknown>>): Row {
  const { target, decode } = fixture();
  assert.equal(decode(JSON.stringify([{ ...entry, ...changes }])), undefined);
  const rows = taken(target);
  assert.equal(rows.length, 1);
  return rows[0]!;
}

describe('records of a stock agent', () => {
  test('are all there', { skip: missingFrames() }, () => {
    for (const type of ['APPLICATION_LOG', 'APPLICATION_LOG_zstd']) {
      assert.deepEqual(
        recordedFrames(type).map(({ name, records }) => [name, records.length]),
        [[`${type}/001.bin`, 1]],
      );
    }
  });
  for (const frame of [...recordedFrames('APPLICATION_LOG'), ...recordedFrames('APPLICATION_LOG_zstd')]) {
    test(frame.name, () => {
      const { target, decode } = fixture();
      const { text } = frame.decoded.get(0) as { readonly text: string };
      assert.equal(Buffer.from(frame.records[0]!).toString(), text);
      const { agent, team } = frame;
      assert.equal(decode(frame.records[0]!, { ...SENDER, org: 2, agent, team }), undefined);
      const [first] = JSON.parse(text) as readonly [{ readonly timestamp: string }];
      const micros = Date.parse(first.timestamp) * 1000 + 456;
      const seconds = Math.floor(micros / 1e6);
      const common = { ...row, time: seconds, timestamp: String(micros), agent_id: agent, team_id: team };
      assert.deepEqual([...target.blocks.keys()], [`2/${TABLE}`]);
      const { block } = target.blocks.get(`2/${TABLE}`)!;
      const names = [0, 1].map((index) => Buffer.from(block.textAt(block.column('pod_name_key'), index)).toString());
      assert.deepEqual(names, ['shop-0', '']);
      assert.deepEqual(target.take(TABLE), [
        {
          ...common,
          _id: rowId(seconds, (HUB << 22) | 1),
          severity_number: 5,
          app_service: 'shop',
          body: 'order 1 created',
          trace_id: '4bf92f3577b34da6a3ce929d0e0e0001',
          span_id: '00f067aa0ba902b7',
          user_id: 5,
          is_ipv4: 1,
          ip4: '10.77.1.2',
          attribute_names: ['pod_ip', 'pod_name', 'k', 'n'],
          attribute_values: ['10.77.1.2', 'shop-0', 'v', '3'],
          metrics_names: ['m'],
          metrics_values: [1.5],
        },
        { ...common, _id: rowId(seconds, (HUB << 22) | 2), body: 'second' },
      ]);
    });
  }
});

describe('an entry', () => {
  test('with nothing but a message and a time', () => assert.deepEqual(one({}), row));

  test('has a type', () => {
    for (const [type, expected] of [
      ['user', 'user'],
      ['AGENT', 'agent'],
      ['System', 'system'],
      ['audit', 'audit'],
      ['', 'user'],
      ['constructor', 'user'],
      [7, 'user'],
    ]) {
      assert.equal(one({ _df_log_type: type })['type'], expected);
    }
  });

  test('has attributes of every kind', () => {
    const json = { a: 'x', b: 1.5, c: true, d: null, e: { f: ['g', 1] }, '': '', __proto__x: -3 };
    const made = one({ json });
    assert.deepEqual(made['attribute_names'], ['a', 'b', 'c', 'd', 'e', '', '__proto__x']);
    assert.deepEqual(made['attribute_values'], ['x', '1.5', 'true', 'null', '{"f":["g",1]}', '', '-3']);
  });

  test('keeps all digits of whole numbers', () => {
    const { target, decode } = fixture();
    const json =
      '{"id":12345678901234567890,"in":{"ids":[9007199254740993,-9007199254740995]},"text":"12345678901234567890","e":1e20}';
    const text = `[{"message":"x","timestamp":"${TIME}","json":${json},"metrics":{"m":36893488147419103232}}]`;
    assert.equal(decode(text), undefined);
    const [made] = taken(target);
    assert.deepEqual(made?.['attribute_values'], [
      '12345678901234567890',
      '{"ids":[9007199254740993,-9007199254740995]}',
      '12345678901234567890',
      '100000000000000000000',
    ]);
    assert.deepEqual(made['metrics_values'], [36_893_488_147_419_103_232]);
  });

  test('has measurements where they are numbers, or texts of such', () => {
    const metrics = {
      a: 1.5,
      b: '-2e3',
      c: ' 1',
      d: 'x',
      e: '',
      f: true,
      g: null,
      h: '0x10',
      i: '.5',
      j: '1e999',
      k: {},
    };
    const made = one({ metrics, json: { z: 'y' } });
    assert.deepEqual(made['metrics_names'], ['a', 'b', 'i']);
    assert.deepEqual(made['metrics_values'], [1.5, -2000, 0.5]);
    assert.deepEqual(made['attribute_names'], ['z', 'c', 'd', 'e', 'f', 'g', 'h', 'j', 'k']);
    assert.deepEqual(made['attribute_values'], ['y', ' 1', 'x', '', 'true', 'null', '0x10', '1e999', '{}']);
  });

  test('has a pod, and its address where it says one', () => {
    assert.deepEqual(one({ kubernetes: { pod_name: 'a' } }), row);
    assert.deepEqual(one({ kubernetes: { pod_ip: '2001:db8::1' } }), {
      ...row,
      ip6: '2001:db8::1',
      attribute_names: ['pod_ip', 'pod_name'],
      attribute_values: ['2001:db8::1', ''],
    });
    assert.deepEqual(one({ kubernetes: { pod_ip: '::ffff:10.0.0.1', pod_name: 'p' } }), {
      ...row,
      is_ipv4: 1,
      ip4: '10.0.0.1',
      attribute_names: ['pod_ip', 'pod_name'],
      attribute_values: ['::ffff:10.0.0.1', 'p'],
    });
    assert.deepEqual(one({ kubernetes: { pod_ip: 'nowhere' } })['attribute_values'], ['nowhere', '']);
  });

  test('of other kinds of values is as if they were absent', () => {
    const wrong = { level: 3, app_service: {}, trace_id: 1, span_id: null, kubernetes: 'x', json: [1], metrics: 'y' };
    assert.deepEqual(one({ ...wrong, user_id: -1 }), row);
    assert.deepEqual(one({ user_id: 4_294_967_296 }), row);
    assert.equal(one({ user_id: '77' })['user_id'], 77);
    assert.equal(one({ user_id: 4_294_967_295 })['user_id'], 4_294_967_295);
  });
});

test('logs of the system go to organisation 1, audit logs to theirs if it is configured', async () => {
  const { target, decode, dropped } = fixture();
  const entries = [
    { ...entry, _df_log_type: 'system', org_id: 7 },
    { ...entry, _df_log_type: 'audit', org_id: 7 },
    { ...entry, _df_log_type: 'audit', org_id: 3 },
    { ...entry, _df_log_type: 'audit' },
    { ...entry, _df_log_type: 'user', org_id: 7 },
  ];
  assert.equal(decode(JSON.stringify(entries), { ...SENDER, org: 2 }), undefined);
  const counts = [...target.blocks].map(([key, { block }]) => [key, block.rows]);
  assert.deepEqual(counts, [
    [`1/${TABLE}`, 1],
    [`7/${TABLE}`, 1],
    [`2/${TABLE}`, 2],
  ]);
  assert.deepEqual(await dropped(), { 'log organisation': 1 });
});

test('broken entries cost themselves, and are counted', async () => {
  const { target, decode, dropped } = fixture({ behindMs: 60_000, aheadMs: 60_000 }, 200);
  const at = (offset: number) => new Date(NOW + offset).toISOString();
  const good = { message: 'good', timestamp: at(0) };
  const text = [
    JSON.stringify(good),
    '{"message": "x", nonsense}',
    '17',
    JSON.stringify({ ...good, message: '' }),
    JSON.stringify({ timestamp: at(0) }),
    JSON.stringify({ ...good, message: { a: 1 } }),
    JSON.stringify({ ...good, timestamp: 'yesterday' }),
    JSON.stringify({ ...good, timestamp: 1_795_224_900 }),
    JSON.stringify({ message: 'x' }),
    JSON.stringify({ ...good, timestamp: at(-61_000) }),
    JSON.stringify({ ...good, timestamp: at(61_000) }),
    JSON.stringify({ ...good, message: 'long'.repeat(50) }),
    JSON.stringify({ ...good, message: 'better' }),
    '{"message": "torn',
  ].join(',');
  assert.equal(decode(`[${text}`), undefined);
  assert.deepEqual(
    target.take(TABLE).map((made) => made['body']),
    ['good', 'better'],
  );
  assert.deepEqual(await dropped(), {
    'log malformed': 3,
    'log no_message': 3,
    'log bad_timestamp': 3,
    'log too_old': 1,
    'log too_new': 1,
    'log too_large': 1,
  });
});

test('a record without a good entry is dropped', () => {
  const { target, decode } = fixture();
  assert.equal(decode('[{"message":""}]'), 'no_message');
  assert.equal(decode('nothing'), 'malformed');
  assert.equal(decode('['), 'malformed');
  assert.equal(decode('[]'), undefined, 'an agent may have nothing to say');
  assert.deepEqual(target.take(TABLE), []);
});

test('times before 1970 and after 2106 have no row', () => {
  const { decode } = fixture();
  assert.equal(decode('[{"message":"x","timestamp":"1969-12-31T23:59:59Z"}]'), 'too_old');
  assert.equal(decode('[{"message":"x","timestamp":"2106-02-07T06:28:16Z"}]'), 'too_new');
  assert.equal(decode('[{"message":"x","timestamp":"9999-02-07T06:28:16Z"}]'), 'too_new');
  assert.equal(decode('[{"message":"x","timestamp":"2106-02-07T06:28:15Z"}]'), undefined);
});

test('values nested too deep cost their entry', () => {
  const { target, decode } = fixture();
  const deep = `${'['.repeat(100_000)}12345678901234567890${']'.repeat(100_000)}`;
  for (const value of [deep, deep.replace(/\d+/, '')]) {
    const text = `[{"message":"x","timestamp":"${TIME}","json":{"a":"b","d":${value}}},${JSON.stringify(entry)}]`;
    assert.equal(decode(text), undefined);
    assert.deepEqual(taken(target), [row]);
  }
});

test('random entries come back as they were written', () => {
  const { target, decode } = fixture();
  const text = fc.string({ unit: 'grapheme', maxLength: 20 });
  const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const attributes = fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)), {
    noNullPrototype: true,
  });
  const measurements = fc.dictionary(text, fc.double({ noNaN: true, noDefaultInfinity: true }), {
    noNullPrototype: true,
  });
  const written = fc.record({
    message: text.filter((message) => message !== ''),
    ms: fc.integer({ min: 0, max: 4_294_967_295_999 }),
    app_service: optional(text),
    trace_id: optional(text),
    span_id: optional(text),
    user_id: optional(fc.integer({ min: 0, max: 4_294_967_295 })),
    level: optional(fc.constantFrom('INFO', 'ERROR')),
    json: optional(attributes),
    metrics: optional(measurements),
  });
  fc.assert(
    fc.property(fc.array(written, { minLength: 1, maxLength: 4 }), (entries) => {
      const posted = entries.map(({ ms, ...others }) => ({ ...others, timestamp: new Date(ms).toISOString() }));
      assert.equal(decode(JSON.stringify(posted)), undefined);
      const expected = entries.map(({ ms, message, json = {}, metrics = {}, level, ...others }) => ({
        ...row,
        body: message,
        time: Math.floor(ms / 1000),
        timestamp: String(ms * 1000),
        severity_number: level === undefined ? 8 : level === 'INFO' ? 5 : 3,
        ...Object.fromEntries(Object.entries(others).filter(([, value]) => value !== undefined)),
        attribute_names: Object.keys(json),
        attribute_values: Object.values(json).map(String),
        metrics_names: Object.keys(metrics),
        metrics_values: Object.values(metrics).map((value) => value + 0),
      }));
      assert.deepEqual(taken(target), expected);
    }),
  );
});

test('any bytes are decoded or dropped, and leave nothing behind', () => {
  const { target, decode } = fixture();
  const good = JSON.stringify([{ ...entry, json: { a: 'b' }, metrics: { m: 1 }, kubernetes: { pod_ip: '10.0.0.1' } }]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), fc.nat(), (noise, at) => {
      decode(noise);
      const damaged = Buffer.from(good);
      damaged[at % damaged.length] = noise[0] ?? 0;
      decode(damaged);
      taken(target);
      assert.equal(decode(JSON.stringify(entry)), undefined);
      assert.deepEqual(taken(target), [row]);
    }),
  );
});
