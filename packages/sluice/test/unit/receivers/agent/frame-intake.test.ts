import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { goldenFrames } from './golden-frames.ts';
import { counts, frame, makeIntake } from './intake-parts.ts';

async function take(intake: ReturnType<typeof makeIntake>['intake'], bytes: Uint8Array): Promise<void> {
  await intake.take(bytes, 0, bytes.length, '10.0.0.1');
}

/** A frame around bytes that are the body already. */
function around(body: Uint8Array, encoder: number): Buffer {
  const bytes = Buffer.concat([frame({ encoder: 0, records: [] }), body]);
  bytes.writeUInt32BE(bytes.length);
  bytes[7] = encoder;
  return bytes;
}

describe('encoders', () => {
  for (const [name, encoder] of [
    ['raw', 0],
    ['zlib', 1],
    ['gzip', 2],
    ['zstd', 3],
  ] as const) {
    test(name, async () => {
      const { intake, noted, metrics } = makeIntake();
      const records = ['one', 'two', 'x'.repeat(100_000)];
      await take(intake, frame({ type: 5, encoder, records }));
      assert.deepEqual(
        noted.map(({ text }) => text),
        records,
      );
      assert.deepEqual(await counts(metrics, 'agentFrames'), { 'protocollog,taken': 1 });
      assert.deepEqual(await counts(metrics, 'agentRecords'), { 'protocollog,taken': 3 });
    });
  }

  test('zstd of a real agent has no content size', async () => {
    const { intake, noted } = makeIntake();
    const bytes = goldenFrames.get('PROTOCOLLOG')!;
    assert.equal(bytes[7], 3);
    await take(intake, bytes);
    assert.deepEqual(
      noted.map(({ text }) => Buffer.from(text).length > 200),
      [true],
    );
    assert.equal(noted[0]?.sender.agent, 12);
  });

  const broken: readonly [name: string, body: Uint8Array, encoder: number, outcome: string][] = [
    ['no zstd at all', Buffer.from('not compressed'), 3, 'corrupt_body'],
    ['zstd cut short', zstdCompressSync(Buffer.alloc(5000, 'ab')).subarray(0, 10), 3, 'corrupt_body'],
    [
      'a second frame of zstd',
      Buffer.concat([zstdCompressSync('\x02\0\0\0ok'), zstdCompressSync('\x01\0\0\0x')]),
      3,
      'corrupt_body',
    ],
    [
      'bytes after large zstd',
      Buffer.concat([zstdCompressSync(Buffer.alloc(3_000_000)), Buffer.from('rest')]),
      3,
      'corrupt_body',
    ],
    ['no zlib at all', Buffer.from('not compressed'), 1, 'corrupt_body'],
    ['zlib cut short', deflateSync(Buffer.alloc(5000, 'ab')).subarray(0, 10), 1, 'corrupt_body'],
    ['no gzip at all', Buffer.from('not compressed'), 2, 'corrupt_body'],
    ['an encoder that there is not', Buffer.from('????'), 4, 'unknown_encoder'],
    ['a bomb of zstd', zstdCompressSync(Buffer.alloc(40_000_000)), 3, 'body_too_large'],
    ['a bomb of zlib', deflateSync(Buffer.alloc(40_000_000)), 1, 'body_too_large'],
    ['a bomb of gzip', gzipSync(Buffer.alloc(40_000_000)), 2, 'body_too_large'],
  ];
  for (const [name, body, encoder, outcome] of broken) {
    test(`${name}: the frame is dropped and counted, the next one is taken`, async () => {
      const { intake, noted, metrics } = makeIntake();
      await take(intake, around(body, encoder));
      await take(intake, frame({ records: ['next'] }));
      assert.deepEqual(
        noted.map(({ text }) => text),
        ['next'],
      );
      assert.deepEqual(await counts(metrics, 'agentFrames'), { [`metrics,${outcome}`]: 1, 'metrics,taken': 1 });
      assert.deepEqual(await counts(metrics, 'agentFaults'), { [`1,12,${outcome}`]: 1 });
    });
  }

  test('a body between the size for at once and the limit is uncompressed later, and whole', async () => {
    const { intake, noted } = makeIntake();
    const records = Array.from({ length: 30 }, (_, index) => String(index).repeat(50_000));
    for (const encoder of [1, 2, 3]) {
      const work = intake.take(frame({ encoder, records }), 0, frame({ encoder, records }).length, 'here');
      assert.ok(work instanceof Promise);
      await work;
      assert.deepEqual(
        noted.splice(0).map(({ text }) => text),
        records,
      );
    }
  });
});

describe('records', () => {
  test('a length beyond the body ends the frame, the records before it are kept', async () => {
    const { intake, noted, metrics } = makeIntake();
    const bytes = frame({ records: ['kept', 'lost'] });
    bytes.writeUInt32LE(5, 19 + 4 + 4);
    await take(intake, bytes);
    assert.deepEqual(
      noted.map(({ text }) => text),
      ['kept'],
    );
    assert.deepEqual(await counts(metrics, 'agentRecords'), { 'metrics,taken': 1, 'metrics,overrun': 1 });
  });

  for (const rest of [1, 2, 3]) {
    test(`${rest} bytes are left over`, async () => {
      const { intake, noted, metrics } = makeIntake();
      await take(intake, around(Buffer.concat([Buffer.from('\x02\0\0\0ok'), Buffer.alloc(rest)]), 0));
      assert.deepEqual(
        noted.map(({ text }) => text),
        ['ok'],
      );
      assert.deepEqual(await counts(metrics, 'agentRecords'), { 'metrics,taken': 1, 'metrics,overrun': 1 });
    });
  }

  test('the greatest length is no room for a trick', async () => {
    const { intake, noted } = makeIntake();
    await take(intake, around(Buffer.from('ffffffff00000000', 'hex'), 0));
    assert.deepEqual(noted, []);
  });

  test('of no length: counted, the next ones are taken', async () => {
    const { intake, noted, metrics } = makeIntake();
    await take(intake, frame({ records: ['a', '', 'b'] }));
    assert.deepEqual(
      noted.map(({ text }) => text),
      ['a', 'b'],
    );
    assert.deepEqual(await counts(metrics, 'agentRecords'), { 'metrics,taken': 2, 'metrics,empty': 1 });
  });

  test('a bad one costs itself, is counted by its reason and its agent', async () => {
    const { intake, noted, metrics, traffic } = makeIntake({
      answer: (text) => (text === 'bad' ? 'malformed' : undefined),
    });
    await take(intake, frame({ records: ['a', 'bad', 'b', 'bad'], org: 2, agent: 7 }));
    assert.equal(noted.length, 4);
    assert.deepEqual(await counts(metrics, 'agentRecords'), { 'metrics,taken': 2, 'metrics,malformed': 2 });
    assert.deepEqual(await counts(metrics, 'agentFaults'), { '2,7,malformed': 2 });
    assert.deepEqual(traffic, [[2, 7, 2, 19 + 4 * 4 + 8, '10.0.0.1']]);
  });

  test('a decoder that fails does not end the hub, and leaves no half of a row', async () => {
    const { intake, metrics, state } = makeIntake({
      answer(text) {
        if (text === 'throws') throw new TypeError('a mistake');
        return text === 'rejects' ? Promise.reject(new TypeError('a later mistake')) : undefined;
      },
    });
    await take(intake, frame({ records: ['a', 'throws', 'rejects', 'b'] }));
    assert.deepEqual(await counts(metrics, 'agentRecords'), { 'metrics,taken': 2, 'metrics,bug': 2 });
    assert.equal(state.abandoned, 2);
  });

  test('the next one waits for a decoder that takes its time', async () => {
    const slow = Promise.withResolvers<undefined>();
    const { intake, noted, metrics } = makeIntake({ answer: (text) => (text === 'slow' ? slow.promise : undefined) });
    const work = take(intake, frame({ records: ['slow', 'next'] }));
    await nextTurn();
    assert.deepEqual(
      noted.map(({ text }) => text),
      ['slow'],
    );
    slow.resolve(undefined);
    await work;
    assert.deepEqual(
      noted.map(({ text }) => text),
      ['slow', 'next'],
    );
    assert.deepEqual(await counts(metrics, 'agentRecords'), { 'metrics,taken': 2 });
  });

  test('a large frame gives others their turn, and stops while the gate is closed', async () => {
    const { intake, noted, state, gate } = makeIntake();
    const records = Array.from({ length: 40 }, () => 'y'.repeat(50_000));
    const work = take(intake, frame({ records }));
    assert.ok(noted.length > 5 && noted.length < 20, `${noted.length} records without a break`);
    state.closed = true;
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    const before = noted.length;
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    assert.equal(noted.length, before);
    assert.ok(before < 40);
    state.closed = false;
    gate.open();
    await work;
    assert.equal(noted.length, 40);
    assert.equal(state.decodedBytes, 40 * 50_004);
  });
});

describe('who sent it', () => {
  const cases: readonly [name: string, org: number, team: number, sender: { org: number; team: number } | undefined][] =
    [
      ['organisation and team 0 are 1', 0, 0, { org: 1, team: 1 }],
      ['1', 1, 1, { org: 1, team: 1 }],
      ['another organisation', 2, 0, { org: 2, team: 1 }],
      ['the greatest organisation', 1024, 65_535, { org: 1024, team: 65_535 }],
      ['beyond it', 1025, 1, undefined],
      ['one that is not configured', 3, 1, undefined],
      ['the greatest number', 65_535, 1, undefined],
    ];
  for (const [name, org, team, expected] of cases) {
    test(`${name}: ${org}/${team}`, async () => {
      const { intake, noted, metrics } = makeIntake();
      await take(intake, frame({ org, team, agent: 0 }));
      assert.deepEqual(
        noted.map(({ sender }) => sender),
        expected === undefined ? [] : [{ ...expected, agent: 0, address: '10.0.0.1' }],
      );
      assert.deepEqual(await counts(metrics, 'agentFrames'), {
        [`metrics,${expected === undefined ? 'organisation' : 'taken'}`]: 1,
      });
    });
  }

  test('an agent that does not know yet where it belongs is looked up', async () => {
    const { intake, noted } = makeIntake({ resolve: (agent) => (agent === 7 ? { org: 2, team: 9 } : undefined) });
    await take(intake, frame({ org: 0, team: 0, agent: 7 }));
    await take(intake, frame({ org: 0, team: 0, agent: 8 }));
    await take(intake, frame({ org: 1, team: 0, agent: 7 }));
    assert.deepEqual(
      noted.map(({ sender: { org, team } }) => [org, team]),
      [
        [2, 9],
        [1, 1],
        [1, 1],
      ],
    );
  });

  test('agents have a label of their own up to a bound', async () => {
    const { intake, metrics } = makeIntake({ answer: () => 'malformed' });
    for (let agent = 1; agent <= 1000; agent++) await take(intake, frame({ agent }));
    const faults = await counts(metrics, 'agentFaults');
    assert.equal(Object.keys(faults).length, 257);
    assert.equal(faults['other,other,malformed'], 744);
  });
});

test('types without a decoder are counted by type, and no fault of the agent', async () => {
  const { intake, metrics, noted, traffic } = makeIntake({ types: [3] });
  for (const type of [0, 12, 19, 3]) await take(intake, frame({ type }));
  assert.deepEqual(await counts(metrics, 'agentFrames'), {
    'compress,unsupported': 1,
    'raw_pcap,unsupported': 1,
    'skywalking,unsupported': 1,
    'metrics,taken': 1,
  });
  assert.deepEqual(await counts(metrics, 'agentFaults'), {});
  assert.equal(noted.length, 1);
  assert.equal(traffic.length, 1);
});

test('an empty frame is counted', async () => {
  const { intake, metrics } = makeIntake();
  await take(intake, frame({ records: [] }));
  await take(intake, frame({ type: 1, records: [] }));
  assert.deepEqual(await counts(metrics, 'agentFrames'), { 'metrics,empty': 1, 'syslog,empty': 1 });
});

test('golden frames are taken apart', async () => {
  const { intake, noted } = makeIntake();
  assert.equal(goldenFrames.size, 6);
  for (const bytes of goldenFrames.values()) await take(intake, bytes);
  assert.deepEqual(
    noted.map(({ type, sender: { org, team, agent } }) => [type, org, team, agent]),
    [
      [3, 1, 1, 12],
      [3, 1, 1, 12],
      [4, 1, 1, 12],
      [5, 1, 1, 12],
      [14, 1, 1, 12],
      [10, 1, 1, 12],
      [7, 1, 1, 12],
    ],
  );
});
