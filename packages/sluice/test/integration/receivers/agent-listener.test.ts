import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createNetworkTest } from '../../../src/access/networks.ts';
import { SluiceError } from '../../../src/base/errors.ts';
import type { Batch } from '../../../src/batch/batch.ts';
import { findDataSource } from '../../../src/catalog/catalog.ts';
import type { AgentLimits } from '../../../src/receivers/agent/config.ts';
import { listenForAgents, type AgentListenerOptions } from '../../../src/receivers/agent/listen.ts';
import { MESSAGE_NAMES } from '../../../src/base/message-type.ts';
import type { RecordDecoder } from '../../../src/receivers/record-decoder.ts';
import { RowGather, type GatherLimits } from '../../../src/receivers/row-gather.ts';
import { replay } from '../../../src/replay/replay.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { counts, frame, silent } from '../../unit/receivers/agent/intake-parts.ts';

const logs = findDataSource('application_log.log')!;
const TIME = { timeout: 60_000 };

interface Options {
  readonly limits?: Partial<AgentLimits>;
  readonly gather?: Partial<GatherLimits>;
  readonly listener?: Partial<AgentListenerOptions>;
}

/** A listener whose decoders make one row of a log table of each record, its text. */
async function listen(t: TestContext, options: Options = {}) {
  const metrics = createMetrics();
  const state: { refuse: boolean; readonly texts: string[] } = { refuse: false, texts: [] };
  const rows = new RowGather({
    input: 'agent',
    append: async (batches: readonly Batch[]) => {
      await sleep(1);
      if (state.refuse) throw new SluiceError('journal_full', 'cannot take it');
      for (const { columns, rows: count, source } of batches) {
        const column = columns[source.columns.findIndex(({ name }) => name === 'body')];
        assert.ok(column?.kind === 'string');
        for (let row = 0; row < count; row++) {
          let at = row === 0 ? 0 : column.ends[row - 1]!;
          while (column.bytes[at]! > 127) at++;
          state.texts.push(Buffer.from(column.bytes.subarray(at + 1, column.ends[row])).toString());
        }
      }
    },
    tagger: () => undefined,
    organisations: [1],
    accept: () => ({ behindMs: Infinity, aheadMs: Infinity }),
    metrics,
    log: silent,
    limits: { gatherMs: 20, retryMs: 10, maxRetryMs: 50, ...options.gather },
  });
  const decoder: RecordDecoder = {
    decode(bytes, start, end, { org }) {
      const block = rows.block(logs, org);
      block.wire = bytes;
      block.setTextBytes(block.column('body'), bytes, start, end);
      block.commit(1_700_000_000_000);
      return undefined;
    },
  };
  const listener = await listenForAgents({
    addresses: [{ host: '127.0.0.1', port: 0 }],
    isAllowed: () => true,
    decoders: new Map(MESSAGE_NAMES.map((_, type) => [type, decoder])),
    rows,
    organisations: [1],
    resolve: () => undefined,
    traffic: { noteData: () => undefined },
    limits: {
      connections: 2000,
      frameBytes: 16 * 1024 * 1024,
      decompressedBytes: 64 * 1024 * 1024,
      memoryBytes: 256 * 1024 * 1024,
      ...options.limits,
    },
    metrics,
    log: silent,
    ...options.listener,
  });
  const stop = async () => {
    await listener.stop(5000);
    await rows.stop(1000);
  };
  t.after(stop);
  return { listener, metrics, rows, state, stop, port: listener.addresses[0]!.port };
}

async function client(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.resume();
  return socket;
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + 20_000; !(await condition());) {
    assert.ok(performance.now() < end, `waited for ${what}`);
    await sleep(5);
  }
}

/** Unlike `once` it takes an error before the end for what it is here: a reset. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

const numbered = (first: number, count: number) => Array.from({ length: count }, (_, index) => String(first + index));

test('frames of several connections arrive, each in order; the hub never writes', TIME, async (t) => {
  const { port, state, metrics } = await listen(t);
  const sockets = await Promise.all([0, 1, 2, 3].map(() => client(t, port)));
  const received: Buffer[] = [];
  for (const socket of sockets) socket.on('data', (bytes: Buffer) => received.push(bytes));
  for (let round = 0; round < 20; round++) {
    for (const [index, socket] of sockets.entries()) {
      const bytes = frame({ encoder: round % 4, records: numbered(index * 1000 + round * 10, 10), agent: index });
      socket.write(bytes.subarray(0, 7));
      await sleep(1);
      socket.write(bytes.subarray(7));
    }
  }
  for (const socket of sockets) socket.end();
  await until(() => state.texts.length === 800, '800 rows');
  for (const index of [0, 1, 2, 3]) {
    const own = state.texts.filter((text) => Math.floor(Number(text) / 1000) === index);
    assert.deepEqual(own, numbered(index * 1000, 200));
  }
  await until(async () => (await counts(metrics, 'agentClosed'))['end'] === 4, 'the ends');
  assert.deepEqual(received, []);
});

test('while the journal refuses nothing is read, and nothing is lost', TIME, async (t) => {
  const { port, state, metrics, rows, listener } = await listen(t);
  state.refuse = true;
  const total = 400;
  const frames = Array.from({ length: total }, (_, index) => ({
    type: 3,
    encoder: 0,
    org: 1,
    team: 1,
    agent: 1,
    records: [Buffer.from(`${index} ${'x'.repeat(99_000)}`)],
  }));
  const recorded = frames.map((one) => ({ ...one, bytes: frame(one) }));
  const sending = replay({ frames: recorded, to: listener.addresses[0]!, connections: 4 });
  await until(() => rows.pressure, 'pressure');
  await sleep(300);
  const before = await counts(metrics, 'agentRecords');
  await sleep(300);
  assert.deepEqual(await counts(metrics, 'agentRecords'), before, 'nothing is decoded');
  assert.ok((before['metrics,taken'] ?? 0) < total / 2, `${before['metrics,taken']} of ${total} were decoded`);
  assert.ok(rows.waitingBytes < 16 * 1024 * 1024, `${rows.waitingBytes} bytes are waiting`);
  assert.equal((await metrics.agentPaused.get()).values[0]?.value, 1);
  const late = await client(t, port);
  late.write(frame({ records: ['late'] }));
  state.refuse = false;
  const report = await sending;
  assert.equal(report.failure, undefined);
  assert.equal(report.byType.get(3)?.records, total);
  await until(() => state.texts.length === total + 1, 'all rows');
  const found = state.texts.filter((text) => text !== 'late').map((text) => Number(text.split(' ', 1)[0]));
  assert.deepEqual(
    found.toSorted((left, right) => left - right),
    Array.from({ length: total }, (_, index) => index),
  );
  assert.ok(state.texts.includes('late'));
  assert.equal((await metrics.agentPaused.get()).values[0]?.value, 0);
});

test('all connections get on alike while the journal takes less than they send', TIME, async (t) => {
  const { port, state } = await listen(t, { gather: { waitingBytes: 16_384, blockRows: 256 } });
  const senders = 12;
  for (let sender = 0; sender < senders; sender++) {
    const socket = await client(t, port);
    const record = `${sender}`.padEnd(1000);
    const bytes = frame({ type: 17, records: Array.from({ length: 64 }, () => record) });
    const more = () => {
      while (!socket.destroyed && socket.write(bytes));
    };
    socket.on('drain', more);
    more();
  }
  const shares = () => {
    const rows = new Map<string, number>();
    for (const text of state.texts) rows.set(text.trim(), (rows.get(text.trim()) ?? 0) + 1);
    return rows;
  };
  // What had been read of each when the gate closed first is no matter of turns.
  await until(() => shares().size === senders, 'rows of every sender');
  state.texts.length = 0;
  await until(() => state.texts.length > 60_000, 'rows');
  const rows = [...shares().values()];
  assert.equal(rows.length, senders, 'nobody waits for all the others');
  const [least, most] = [Math.min(...rows), Math.max(...rows)];
  assert.ok(most < 10 * least, `${least} to ${most} rows`);
});

test('1,000 idle connections take little memory, and stay', TIME, async (t) => {
  const { port, metrics, state } = await listen(t);
  const warm = await client(t, port);
  warm.write(frame({ records: ['warm'] }));
  await until(() => state.texts.length === 1, 'a row');
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const sockets: Socket[] = [];
  for (let index = 0; index < 1000; index++) sockets.push(await client(t, port));
  for (const [index, socket] of sockets.entries()) socket.write(frame({ records: [String(index)] }));
  await until(() => state.texts.length === 1001, 'all rows');
  await sleep(500);
  const grown = (process.memoryUsage().rss - before) / 1e6;
  // Both ends of each connection are in this process.
  t.diagnostic(`1,000 connections, both ends: ${grown.toFixed(1)} MB`);
  assert.ok(grown < 100, `${grown} MB`);
  assert.equal((await metrics.agentConnections.get()).values[0]?.value, 1001);
  assert.equal((await metrics.agentMemory.get()).values[0]?.value ?? 0, 0);
  for (const socket of sockets) socket.destroy();
  await until(async () => (await metrics.agentConnections.get()).values[0]?.value === 1, 'the connections to end');
});

describe('connections that end early', () => {
  test('torn in the middle of a frame: what was complete is kept', TIME, async (t) => {
    const { port, metrics, state } = await listen(t);
    const bytes = Buffer.concat([frame({ records: ['a', 'b'] }), frame({ records: ['lost'] })]);
    const orderly = await client(t, port);
    orderly.end(bytes.subarray(0, -3));
    const hard = await client(t, port);
    hard.write(bytes.subarray(0, -3), () => setTimeout(() => hard.resetAndDestroy(), 50));
    await until(() => state.texts.length === 4, 'four rows');
    await until(async () => Object.keys(await counts(metrics, 'agentClosed')).length === 2, 'the ends');
    assert.deepEqual(await counts(metrics, 'agentClosed'), { torn: 1, error: 1 });
    assert.deepEqual(await counts(metrics, 'agentFaults'), { '1,12,torn': 1 });
  });

  test('what is no frame ends its connection and no other', TIME, async (t) => {
    const { port, metrics, state } = await listen(t);
    const good = await client(t, port);
    const bad = await client(t, port);
    bad.write(Buffer.concat([frame({ records: ['kept'] }), Buffer.from('GET / HTTP/1.1\r\n\r\n')]));
    await closeOf(bad);
    good.write(frame({ records: ['good'] }));
    await until(() => state.texts.length === 2, 'two rows');
    assert.deepEqual(await counts(metrics, 'agentClosed'), { unknown_type: 1 });
    assert.deepEqual(await counts(metrics, 'agentFaults'), { '1,12,unknown_type': 1 });
  });

  test('the fault is that of the agent whose frames came before, of nobody where there were none', TIME, async (t) => {
    const { port, metrics } = await listen(t, {
      listener: { resolve: () => ({ org: 2, team: 5 }), organisations: [1, 2] },
    });
    const short = Buffer.alloc(19);
    short[3] = 18;
    short[4] = 3;
    const known = await client(t, port);
    known.write(Buffer.concat([frame({ org: 0, team: 0, agent: 7 }), frame({ type: 1 }), short]));
    await closeOf(known);
    const torn = await client(t, port);
    torn.end(Buffer.concat([frame({ agent: 9 }), frame({ agent: 10 }).subarray(0, -1)]));
    await closeOf(torn);
    const unknown = await client(t, port);
    unknown.write(short);
    await closeOf(unknown);
    await until(async () => Object.keys(await counts(metrics, 'agentFaults')).length === 3, 'the faults');
    assert.deepEqual(await counts(metrics, 'agentFaults'), { '2,7,bad_size': 1, '1,9,torn': 1, '0,0,bad_size': 1 });
  });
});

describe('who may connect', () => {
  test('only addresses that are allowed', TIME, async (t) => {
    const isAllowed = createNetworkTest([{ address: '10.0.0.0', prefix: 8, family: 'ipv4' }]);
    const { port, metrics, state } = await listen(t, { listener: { isAllowed } });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(frame({}));
    await closeOf(socket);
    assert.deepEqual(await counts(metrics, 'agentConnectionsTotal'), { network: 1 });
    assert.deepEqual(state.texts, []);
  });

  test('as many as the limit says', TIME, async (t) => {
    const { port, metrics, state } = await listen(t, { limits: { connections: 2 } });
    const [first] = await Promise.all([client(t, port), client(t, port)]);
    const third = connect(port, '127.0.0.1');
    third.on('error', () => undefined);
    await closeOf(third);
    assert.deepEqual(await counts(metrics, 'agentConnectionsTotal'), { accepted: 2, limit: 1 });
    first.end();
    await until(async () => (await metrics.agentConnections.get()).values[0]?.value === 1, 'a place');
    (await client(t, port)).write(frame({ records: ['in'] }));
    await until(() => state.texts.length === 1, 'a row');
  });

  test('an address in use is said', TIME, async (t) => {
    const { port } = await listen(t);
    await assert.rejects(listen(t, { listener: { addresses: [{ host: '127.0.0.1', port }] } }), {
      code: 'listen_failed',
      message: new RegExp(
        `^cannot listen on 127\\.0\\.0\\.1:${port} \\(listen\\.agent\\): another program listens there`,
      ),
    });
  });
});

test('datagrams: one frame each, their own length counts', TIME, async (t) => {
  const { port, metrics, state } = await listen(t);
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  const send = (bytes: Uint8Array) =>
    new Promise<void>((resolve, reject) =>
      socket.send(bytes, port, '127.0.0.1', (error) => (error === null ? resolve() : reject(error))),
    );
  const statistics = frame({ type: 2, records: ['one', 'two'] });
  statistics.writeUInt32BE(19);
  await send(statistics);
  await until(() => state.texts.length === 2, 'two rows');
  await send(Buffer.from([0, 0, 0]));
  await send(frame({ type: 2, records: [] }).subarray(0, 18));
  await send(Buffer.from([0, 0, 0, 99, 22, 0, 0]));
  await send(frame({ type: 2, records: ['three'] }));
  await until(() => state.texts.length === 3, 'three rows');
  assert.deepEqual(state.texts, ['one', 'two', 'three']);
  assert.deepEqual(await counts(metrics, 'agentFrames'), {
    'server_dfstats,taken': 2,
    'unknown,short': 1,
    'server_dfstats,short': 1,
    'unknown,unknown_type': 1,
  });
  state.refuse = true;
  await send(frame({ type: 2, records: ['four'] }));
  await until(async () => (await metrics.agentPaused.get()).values[0]?.value === 1, 'pressure');
  await send(frame({ type: 2, records: ['too much'] }));
  await until(async () => (await counts(metrics, 'agentFrames'))['server_dfstats,paused'] === 1, 'a refused datagram');
  state.refuse = false;
  await until(() => state.texts.length === 4, 'four rows');
});

test('the stop keeps complete frames, resets connections and takes no new ones', TIME, async (t) => {
  const { port, state, stop, metrics } = await listen(t, { gather: { gatherMs: 10_000 } });
  const socket = await client(t, port);
  socket.write(
    Buffer.concat([frame({ records: ['a'] }), frame({ records: ['b'] }), frame({ records: ['c'] }).subarray(0, 21)]),
  );
  await until(async () => (await counts(metrics, 'agentRecords'))['metrics,taken'] === 2, 'two records');
  const closed = closeOf(socket);
  await stop();
  await closed;
  assert.deepEqual(state.texts, ['a', 'b']);
  const refused = connect(port, '127.0.0.1');
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});

test('memory for less than two of the greatest frames is raised, and the log says so', async (t) => {
  const lines: string[] = [];
  const log = createLog({ destination: { write: (line) => void lines.push(line) } });
  const frameBytes = 1024 * 1024;
  await listen(t, { listener: { log }, limits: { frameBytes, memoryBytes: 2 * frameBytes } });
  assert.deepEqual(lines, []);
  await listen(t, { listener: { log }, limits: { frameBytes, memoryBytes: 100_000 } });
  assert.equal(lines.length, 1);
  const { configured, used, level } = JSON.parse(lines[0] ?? '') as Record<string, string>;
  assert.deepEqual({ configured, used, level }, { configured: '100kB', used: '2MiB', level: 'warn' });
});
