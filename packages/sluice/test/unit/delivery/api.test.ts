import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { isSluiceError, type ErrorCode } from '../../../src/base/errors.ts';
import type { RejectedListing, ReplayListing } from '../../../src/delivery/rejected-api.ts';
import type { RejectedItem } from '../../../src/delivery/rejected-format.ts';
import { metricValue, sampleBatch, temporaryFolder } from '../journal/fixture.ts';
import {
  ask,
  request,
  Scripted,
  settle,
  start,
  stateOf,
  until,
  type ScriptedOptions,
  type Started,
} from './scripted.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

interface Running extends Started {
  readonly exporter: Scripted;
  readonly dataDir: string;
}

async function run(t: TestContext, options: ScriptedOptions = {}): Promise<Running> {
  const dataDir = temporaryFolder(t);
  const started = await start({ dataDir });
  const exporter = new Scripted(options);
  await started.delivery.apply([exporter]);
  return { ...started, exporter, dataDir };
}

async function end({ delivery, journal }: Started): Promise<void> {
  await journal.close();
  await delivery.stop(1000);
}

async function rejectSome(
  t: TestContext,
  options: ScriptedOptions = {},
): Promise<Running & { readonly bad: Set<number> }> {
  const bad = new Set([1, 2, 5]);
  const hub = await run(t, {
    keyOf: () => 0,
    script: ({ values }) =>
      values.some((value) => bad.has(value)) ? { kind: 'refused', why: 'out of order' } : { kind: 'sent' },
    ...options,
  });
  await hub.journal.append([sampleBatch(range(0, 8))]);
  await until(() => hub.exporter.taken.length === 5);
  for (let i = 0; i < 2000 && (await stateOf(hub.delivery)).rejected.items < 3; i++) await settle(1);
  return { ...hub, bad };
}

async function refused(work: Promise<unknown>, code: ErrorCode, text: RegExp): Promise<void> {
  await assert.rejects(work, (error: Error) => {
    assert.match(error.message, text);
    return isSluiceError(error, code);
  });
}

async function readAll(body: AsyncIterable<Uint8Array>): Promise<string[]> {
  let text = '';
  for await (const part of body) text += Buffer.from(part).toString();
  return text.split('\n').slice(0, -1);
}

async function tap(hub: Running, query: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const path = `/api/v1/exporters/scripted/tap?${query}`;
  const { body, status } = await request(hub.delivery, { path, ...(signal === undefined ? {} : { signal }) });
  assert.equal(status, 200);
  assert.ok(typeof body === 'object' && Symbol.asyncIterator in body);
  return body;
}

test('the state of an exporter tells where it sends to, how far it is and what it did', async (t) => {
  const hub = await run(t, { keyOf: () => 0, endpoints: ['a:1', 'b:2'], passes: (value) => value < 6 });
  await hub.journal.append([sampleBatch(range(0, 10))]);
  await until(() => hub.exporter.taken.length === 4);
  await settle();
  const state = await stateOf(hub.delivery);
  const used = hub.exporter.calls[0]!.endpoint;
  assert.deepEqual(state, {
    name: 'scripted',
    protocol: 'scripted',
    data_sources: ['prometheus.samples'],
    state: 'running',
    since: '2023-11-14T22:13:21.000Z',
    endpoints: ['a:1', 'b:2'].map((endpoint, index) => ({ endpoint, up: index === used ? true : null })),
    lag: { rows: 6, bytes: state.lag.bytes, age_seconds: 0, oldest_pending: '2023-11-14T22:13:21.000Z' },
    lanes: [
      { queued_items: 2, queued_bytes: 20, queued_rows: 2, batches: 0 },
      { queued_items: 0, queued_bytes: 0, queued_rows: 0, batches: 0 },
      { queued_items: 0, queued_bytes: 0, queued_rows: 0, batches: 0 },
    ],
    counters: {
      rows_received: 10,
      rows_left_out: { filter: 4 },
      items_encoded: 6,
      items_sent: 4,
      items_rejected: {},
      items_dropped: {},
      requests: { sent: 1 },
      retries: 0,
      sent_bytes: 32,
      rows_lost: {},
    },
    rejected: { items: 0, bytes: 0 },
    protocol_state: { calls: 1 },
  });
  const labels = { exporter: 'scripted', protocol: 'scripted' };
  assert.equal(await metricValue(hub.metrics.exporterQueueRows, labels), 2);
  assert.equal(await metricValue(hub.metrics.exporterQueueBytes, labels), 20);
  assert.equal(await metricValue(hub.metrics.exporterQueueCapacity, labels), 1 << 24);
  assert.equal(await metricValue(hub.metrics.exporterItemsSent, { ...labels, data_source: 'prometheus.samples' }), 4);
  assert.equal(await metricValue(hub.metrics.exporterHighestSent, labels), 0.003);
  assert.equal(await metricValue(hub.metrics.exporterConfigInfo, labels), 1);
  hub.clock.advance(5000);
  await until(() => hub.exporter.taken.length === 6);
  await settle();
  hub.clock.advance(5000);
  assert.equal(await metricValue(hub.metrics.exporterOldestPending, labels), 0);
  await end(hub);
});

test('metrics of a removed exporter that tell of the present are removed', async (t) => {
  const hub = await run(t);
  await hub.delivery.apply([]);
  const { metrics } = hub;
  for (const gauge of [
    metrics.exporterState,
    metrics.exporterConfigInfo,
    metrics.exporterQueueRows,
    metrics.exporterEndpointUp,
  ]) {
    assert.deepEqual((await gauge.get()).values, []);
  }
  assert.deepEqual(await ask(hub.delivery, '/api/v1/exporters'), []);
  await end(hub);
});

test('rejected items are listed newest first and shown whole', async (t) => {
  const hub = await rejectSome(t);
  const listed = await ask<RejectedListing[]>(hub.delivery, '/api/v1/rejected');
  assert.deepEqual(
    listed.map(({ exporter, table, org, row, kind, reason, bytes }) => [
      exporter,
      table,
      org,
      row,
      kind,
      reason,
      bytes,
    ]),
    [5, 2, 1].map((row) => ['scripted', 'prometheus.samples', 1, row, 'refused', 'out of order', 8]),
  );
  assert.equal((await ask<RejectedListing[]>(hub.delivery, '/api/v1/rejected?limit=1')).length, 1);
  assert.equal((await ask<RejectedListing[]>(hub.delivery, '/api/v1/rejected?exporter=scripted')).length, 3);
  const item = await ask<RejectedItem>(hub.delivery, `/api/v1/rejected/scripted/${listed[0]!.id}`);
  assert.equal(item.text, 'prometheus.samples h5 5');
  assert.equal(Buffer.from(item.body!, 'base64').readDoubleLE(0), 5);
  assert.equal(Buffer.from(item.head!, 'base64').toString(), 'h5');
  assert.equal(item.row_time, '1970-01-01T00:00:00.005Z');
  await end(hub);
});

test('what there is not is told, and no name leaves the folder', async (t) => {
  const hub = await rejectSome(t);
  const { delivery } = hub;
  await refused(ask(delivery, '/api/v1/rejected/scripted/1'), 'not_found', /no rejected item "1" of scripted/);
  await refused(ask(delivery, '/api/v1/rejected/other/1'), 'not_found', /no exporter "other"; there are: scripted/);
  await refused(ask(delivery, '/api/v1/rejected?exporter=other'), 'not_found', /exporter "other"; there are: scripted/);
  await refused(ask(delivery, '/api/v1/rejected?exporter=../x'), 'not_found', /no exporter/);
  await refused(ask(delivery, '/api/v1/rejected/..%2Fjournal/1'), 'not_found', /no exporter/);
  await refused(ask(delivery, '/api/v1/rejected/other/drop?all=true', 'POST'), 'not_found', /no exporter/);
  await refused(ask(delivery, '/api/v1/rejected/scripted/drop', 'POST'), 'bad_request', /expected id=N/);
  await refused(ask(delivery, '/api/v1/rejected/scripted/drop?id=x', 'POST'), 'not_found', /no rejected item "x"/);
  await refused(ask(delivery, '/api/v1/rejected?limit=0'), 'bad_request', /expected limit from 1 to 10000; got "0"/);
  await refused(ask(delivery, '/api/v1/exporters/other/tap'), 'not_found', /no exporter "other"/);
  await refused(ask(delivery, '/api/v1/exporters/scripted/tap?timeout=9999'), 'bad_request', /expected timeout/);
  assert.deepEqual(
    hub.delivery.routes.filter(({ method }) => method === 'POST').map(({ scope }) => scope),
    ['admin', 'admin'],
  );
  await end(hub);
});

test('rejected items are sent once more in their order, and removed when they were taken', async (t) => {
  const hub = await rejectSome(t);
  hub.bad.delete(1);
  hub.bad.delete(5);
  const before = hub.exporter.taken.length;
  const answer = await ask<ReplayListing>(hub.delivery, '/api/v1/rejected/scripted/replay?all=true', 'POST');
  assert.deepEqual(answer, { items: 3, sent: 2, rejected_again: 1, without_content: 0, waiting: 0 });
  assert.deepEqual(hub.exporter.taken.slice(before), [1, 5]);
  const listed = await ask<RejectedListing[]>(hub.delivery, '/api/v1/rejected');
  assert.deepEqual(
    listed.map(({ row }) => row),
    [2],
  );
  hub.bad.clear();
  const one = `/api/v1/rejected/scripted/replay?id=${listed[0]!.id}`;
  assert.equal((await ask<ReplayListing>(hub.delivery, one, 'POST')).sent, 1);
  assert.equal((await stateOf(hub.delivery)).rejected.items, 0);
  assert.deepEqual(sorted(hub.exporter.taken), range(0, 8));
  await end(hub);
});

test('a repeated send that takes long is answered with how far it is, and is not done twice', async (t) => {
  const hub = await rejectSome(t);
  hub.exporter.script = () => ({ kind: 'retry', why: 'down', afterMs: 60_000 });
  const asked = ask<ReplayListing>(hub.delivery, '/api/v1/rejected/scripted/replay?all=true', 'POST');
  const calls = hub.exporter.calls.length;
  await until(() => hub.exporter.calls.length > calls);
  await settle();
  const again = ask(hub.delivery, '/api/v1/rejected/scripted/replay?all=true', 'POST');
  await refused(again, 'bad_request', /others are on their way/);
  hub.clock.advance(10_000);
  assert.deepEqual(await asked, { items: 3, sent: 0, rejected_again: 0, without_content: 0, waiting: 3 });
  hub.exporter.script = () => ({ kind: 'sent' });
  hub.clock.advance(60_000);
  for (let i = 0; i < 2000 && (await stateOf(hub.delivery)).rejected.items > 0; i++) await settle(1);
  assert.deepEqual(sorted(hub.exporter.taken), range(0, 8));
  await end(hub);
});

test('a repeated send that the stop cuts off leaves the items where they are', async (t) => {
  const hub = await rejectSome(t);
  hub.exporter.script = () => ({ kind: 'retry', why: 'down', afterMs: 60_000 });
  const calls = hub.exporter.calls.length;
  const asked = ask<ReplayListing>(hub.delivery, '/api/v1/rejected/scripted/replay?all=true', 'POST');
  await until(() => hub.exporter.calls.length > calls);
  await settle();
  await end(hub);
  assert.equal((await asked).sent, 0);
  const again = await start({ dataDir: hub.dataDir });
  assert.equal((await ask<RejectedListing[]>(again.delivery, '/api/v1/rejected')).length, 3);
  await again.delivery.apply([new Scripted()]);
  const replayed = await ask<ReplayListing>(again.delivery, '/api/v1/rejected/scripted/replay?all=true', 'POST');
  assert.equal(replayed.sent, 3);
  await end(again);
});

test('dropped items are gone; items of an exporter that runs no more can be dropped too', async (t) => {
  const hub = await rejectSome(t);
  const [first] = await ask<RejectedListing[]>(hub.delivery, '/api/v1/rejected');
  const drop = `/api/v1/rejected/scripted/drop?id=${first!.id}`;
  assert.deepEqual(await ask(hub.delivery, drop, 'POST'), { dropped: 1 });
  await hub.delivery.apply([]);
  const listed = await ask<RejectedListing[]>(hub.delivery, '/api/v1/rejected');
  assert.deepEqual(
    listed.map(({ row }) => row),
    [2, 1],
  );
  await refused(
    ask(hub.delivery, '/api/v1/rejected/scripted/replay?all=true', 'POST'),
    'not_found',
    /none is configured/,
  );
  assert.deepEqual(await ask(hub.delivery, '/api/v1/rejected/scripted/drop?all=true', 'POST'), { dropped: 2 });
  await end(hub);
  const again = await start({ dataDir: hub.dataDir });
  assert.deepEqual(await ask(again.delivery, '/api/v1/rejected'), []);
  await end(again);
});

test('a row that could not be encoded cannot be sent once more', async (t) => {
  const hub = await run(t, { itemsOf: (value) => (value === 1 ? -1 : 1) });
  await hub.journal.append([sampleBatch(range(0, 4))]);
  for (let i = 0; i < 2000 && (await stateOf(hub.delivery)).rejected.items < 1; i++) await settle(1);
  const answer = await ask<ReplayListing>(hub.delivery, '/api/v1/rejected/scripted/replay?all=true', 'POST');
  assert.deepEqual(answer, { items: 1, sent: 0, rejected_again: 0, without_content: 1, waiting: 0 });
  await end(hub);
});

test('the tap shows what is sent, up to its limit', async (t) => {
  const hub = await run(t, { keyOf: () => 0 });
  const lines = readAll(await tap(hub, 'limit=6'));
  await hub.journal.append([sampleBatch(range(0, 40))]);
  assert.deepEqual(
    await lines,
    range(0, 6).map((value) => `prometheus.samples h${value} ${value}`),
  );
  await until(() => hub.exporter.taken.length === 40);
  await end(hub);
});

test('the tap ends after its time, when the client goes, and when the exporter stops', async (t) => {
  const hub = await run(t);
  const timed = readAll(await tap(hub, 'timeout=5'));
  const client = new AbortController();
  const gone = readAll(await tap(hub, 'timeout=60', client.signal));
  const open = readAll(await tap(hub, 'timeout=600'));
  await settle();
  hub.clock.advance(5000);
  assert.deepEqual(await timed, []);
  client.abort();
  assert.deepEqual(await gone, []);
  await end(hub);
  assert.deepEqual(await open, []);
});

test('a client of the tap that does not read holds up nothing and misses lines', async (t) => {
  const hub = await run(t, { keyOf: () => 0, settings: { batchItems: 50 } });
  const body = await tap(hub, 'limit=100000');
  for (let i = 0; i < 20; i++) await hub.journal.append([sampleBatch(range(i * 100, i * 100 + 100))]);
  await until(() => hub.exporter.taken.length === 2000);
  hub.clock.advance(30_000);
  const lines = await readAll(body);
  assert.ok(lines.length >= 256 && lines.length <= 300, `${lines.length} lines`);
  assert.equal(lines[0], 'prometheus.samples h0 0');
  await end(hub);
});

test('only so many may look at once', async (t) => {
  const hub = await run(t);
  const client = new AbortController();
  for (let i = 0; i < 8; i++) await tap(hub, '', client.signal);
  await refused(tap(hub, ''), 'too_many_requests', /too many look/);
  client.abort();
  await tap(hub, '');
  await end(hub);
});

test('an item that cannot be shown is still set aside', async (t) => {
  const hub = await run(t, { script: () => ({ kind: 'refused', why: 'no' }), settings: { batchItems: 1 } });
  hub.exporter.show = () => {
    throw new Error('not text');
  };
  await hub.journal.append([sampleBatch([3])]);
  for (let i = 0; i < 2000 && (await stateOf(hub.delivery)).rejected.items < 1; i++) await settle(1);
  const [listed] = await ask<RejectedListing[]>(hub.delivery, '/api/v1/rejected');
  const item = await ask<RejectedItem>(hub.delivery, `/api/v1/rejected/scripted/${listed!.id}`);
  assert.equal(item.text, '(cannot be shown: not text)');
  await end(hub);
});
