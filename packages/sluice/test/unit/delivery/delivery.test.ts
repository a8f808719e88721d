import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { SendOutcome } from '../../../src/base/ports.ts';
import { realFiles } from '../../../src/journal/files.ts';
import { fileError, filesWith, metricValue, sampleBatch, samplesKey, temporaryFolder } from '../journal/fixture.ts';
import {
  deliver,
  Scripted,
  settle,
  start,
  stateOf,
  until,
  type Call,
  type ScriptedOptions,
  type Started,
} from './scripted.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

interface Running extends Started {
  readonly exporter: Scripted;
}

async function run(t: TestContext, options: ScriptedOptions = {}): Promise<Running> {
  const started = await start({ dataDir: temporaryFolder(t) });
  const exporter = new Scripted(options);
  await started.delivery.apply([exporter]);
  return { ...started, exporter };
}

async function end({ delivery, journal }: Started): Promise<void> {
  await journal.close();
  await delivery.stop(1000);
}

/** Lowest row that the exporter has not confirmed. */
async function pendingRows(hub: Started): Promise<number> {
  return (await stateOf(hub.delivery)).lag.rows;
}

async function untilConfirmed(hub: Started): Promise<void> {
  for (let i = 0; i < 2000 && (await pendingRows(hub)) > 0; i++) await settle(1);
  assert.equal(await pendingRows(hub), 0);
}

test('rows are sent in batches of the configured size, the rest after the flush time', async (t) => {
  const hub = await run(t, { keyOf: () => 0 });
  await hub.journal.append([sampleBatch(range(0, 10))]);
  await until(() => hub.exporter.taken.length === 8);
  await settle();
  assert.deepEqual(
    hub.exporter.calls.map(({ values }) => values),
    [range(0, 4), range(4, 8)],
  );
  assert.equal(await pendingRows(hub), 2);
  hub.clock.advance(999);
  await settle();
  assert.equal(hub.exporter.calls.length, 2);
  hub.clock.advance(1);
  await until(() => hub.exporter.taken.length === 10);
  await untilConfirmed(hub);
  await end(hub);
});

test('a batch is full by its bytes, and a larger item goes alone', async (t) => {
  const sizeOf = (value: number) => (value === 5 ? 5000 : 100);
  const hub = await run(t, { keyOf: () => 0, sizeOf, settings: { batchItems: 1000, batchBytes: 1000, flushMs: 0 } });
  await hub.journal.append([sampleBatch(range(0, 40))]);
  await settle();
  hub.clock.advance(1);
  await until(() => hub.exporter.taken.length === 40);
  assert.deepEqual(hub.exporter.taken, range(0, 40));
  for (const { bytes, values } of hub.exporter.calls) assert.ok(bytes <= 1000 || values.length === 1, `${bytes}`);
  assert.deepEqual(hub.exporter.calls.find(({ bytes }) => bytes > 1000)?.values, [5]);
  assert.ok(hub.exporter.calls.length <= 8, 'batches are filled');
  await end(hub);
});

test('items with a key stay in order in one lane, and lanes do not wait for each other', async (t) => {
  const hung = Promise.withResolvers<SendOutcome>();
  const hub = await run(t, {
    keyOf: (value) => value % 6,
    script: ({ lane }) => (lane === 1 ? hung.promise : { kind: 'sent' }),
  });
  await hub.journal.append([sampleBatch(range(0, 120))]);
  await until(() => hub.exporter.taken.length === 80);
  assert.deepEqual(
    sorted(hub.exporter.taken),
    range(0, 120).filter((value) => value % 3 !== 1),
  );
  assert.equal(hub.exporter.calls.filter(({ lane }) => lane === 1).length, 1, 'one request in flight');
  assert.equal(await pendingRows(hub), 119, 'row 1 is not confirmed');
  hung.resolve({ kind: 'sent' });
  await until(() => hub.exporter.taken.length === 120);
  for (let key = 0; key < 6; key++) {
    const own = hub.exporter.taken.filter((value) => value % 6 === key);
    assert.deepEqual(own, sorted(own));
  }
  await untilConfirmed(hub);
  await end(hub);
});

test('items without an order go to the lane that has least to do', async (t) => {
  const hung = Promise.withResolvers<SendOutcome>();
  const hub = await run(t, { script: (call) => (call.values.includes(0) ? hung.promise : { kind: 'sent' }) });
  for (let i = 0; i < 60; i += 4) {
    await hub.journal.append([sampleBatch(range(i, i + 4))]);
    await settle();
  }
  assert.deepEqual(sorted(hub.exporter.taken), range(4, 60));
  hung.resolve({ kind: 'sent' });
  await end(hub);
});

test('rows that filters leave out move the cursor, and are counted by reason', async (t) => {
  const hub = await run(t, { passes: (value) => value === 7 });
  await hub.journal.append([sampleBatch(range(0, 20))]);
  await settle();
  assert.equal(await pendingRows(hub), 13, 'up to the row that waits');
  hub.clock.advance(1000);
  await until(() => hub.exporter.taken.length === 1);
  await settle();
  assert.equal(await pendingRows(hub), 0);
  const { counters } = await stateOf(hub.delivery);
  assert.deepEqual([counters.rows_received, counters.rows_left_out, counters.items_sent], [20, { filter: 19 }, 1]);
  const labels = { exporter: 'scripted', protocol: 'scripted', data_source: 'prometheus.samples' };
  assert.equal(await metricValue(hub.metrics.exporterRowsLeftOut, { ...labels, reason: 'filter' }), 19);
  await end(hub);
});

test('a failed batch is sent again with a doubling wait, to the next endpoint each time, and the others stay with the one that works', async (t) => {
  const fails = new Set([0, 1, 2]);
  const hub = await run(t, {
    keyOf: () => 0,
    endpoints: ['http://a:1/w', 'http://b:2/w', 'c:3'],
    script: () => (fails.delete(hub.exporter.calls.length - 1) ? { kind: 'retry', why: 'down' } : { kind: 'sent' }),
  });
  await hub.journal.append([sampleBatch(range(0, 4))]);
  await until(() => hub.exporter.calls.length === 1);
  await settle();
  const failing = await stateOf(hub.delivery);
  assert.deepEqual([failing.state, failing.last_error?.text], ['retrying', 'down']);
  for (const [calls, ms] of [
    [2, 100],
    [3, 200],
    [4, 400],
  ] as const) {
    hub.clock.advance(ms - 1);
    await settle();
    assert.equal(hub.exporter.calls.length, calls - 1);
    hub.clock.advance(1);
    await until(() => hub.exporter.calls.length === calls);
    await settle();
  }
  const asked = hub.exporter.calls.map(({ endpoint }) => endpoint);
  assert.equal(new Set(asked.slice(0, 3)).size, 3);
  assert.equal(asked[3], asked[0]);
  assert.deepEqual(
    hub.exporter.calls.map(({ attempt }) => attempt),
    [0, 1, 2, 3],
  );
  await hub.journal.append([sampleBatch(range(4, 8))]);
  await until(() => hub.exporter.taken.length === 8);
  assert.equal(hub.exporter.calls.at(-1)?.endpoint, asked[3]);
  const state = await stateOf(hub.delivery);
  assert.equal(state.state, 'running');
  assert.equal(state.counters.retries, 3);
  assert.equal(state.endpoints[asked[3]!]?.up, true);
  assert.equal(state.endpoints.filter(({ up }) => up === false).length, 2);
  const hosts = (await hub.metrics.exporterEndpointUp.get()).values.map(({ labels }) => String(labels.endpoint));
  assert.deepEqual(new Set(hosts), new Set(['a:1', 'b:2', 'c:3']));
  await end(hub);
});

test('the wait that a receiver asks for wins, up to five minutes', async (t) => {
  const asked = [7000, 3_600_000];
  const hub = await run(t, {
    script: () => {
      const afterMs = asked.shift();
      return afterMs === undefined ? { kind: 'sent' } : { kind: 'retry', why: 'busy', afterMs };
    },
    settings: { retry: { initialMs: 1, maxMs: 1, jitter: true } },
  });
  await hub.journal.append([sampleBatch(range(0, 4))]);
  await until(() => hub.exporter.calls.length === 1);
  await settle();
  hub.clock.advance(6999);
  await settle();
  assert.equal(hub.exporter.calls.length, 1);
  hub.clock.advance(1);
  await until(() => hub.exporter.calls.length === 2);
  await settle();
  hub.clock.advance(299_999);
  await settle();
  assert.equal(hub.exporter.calls.length, 2);
  hub.clock.advance(1);
  await until(() => hub.exporter.taken.length === 4);
  await end(hub);
});

test('a send without an answer is cut off after its timeout and repeated', async (t) => {
  const hub = await run(t, {
    script: ({ signal, attempt }) =>
      attempt > 0
        ? { kind: 'sent' }
        : new Promise((resolve) => {
            signal.addEventListener('abort', () => resolve({ kind: 'retry', why: 'aborted' }));
          }),
  });
  await hub.journal.append([sampleBatch(range(0, 4))]);
  await until(() => hub.exporter.calls.length === 1);
  hub.clock.advance(10_000);
  await settle();
  assert.match((await stateOf(hub.delivery)).last_error?.text ?? '', /no answer within 10 s/);
  hub.clock.advance(100);
  await until(() => hub.exporter.taken.length === 4);
  assert.deepEqual((await stateOf(hub.delivery)).counters.requests, { timeout: 1, sent: 1 });
  await end(hub);
});

test('an exporter that throws is a bug that loses nothing', async (t) => {
  let throws = true;
  const hub = await run(t, {
    script: () => {
      if (!throws) return { kind: 'sent' };
      throw new Error('undefined is not a function');
    },
  });
  await hub.journal.append([sampleBatch(range(0, 4))]);
  await until(() => hub.exporter.calls.length === 1);
  await settle();
  throws = false;
  hub.clock.advance(100);
  await until(() => hub.exporter.taken.length === 4);
  const line = hub.lines.find(({ msg }) => msg === 'BUG: an exporter failed; please report it');
  assert.equal((line?.['err'] as { message: string } | undefined)?.message, 'undefined is not a function');
  await end(hub);
});

test('a wrong configuration is a visible state: one lane probes every 30 s, the others wait, nothing is dropped', async (t) => {
  let isWrong = true;
  const hub = await run(t, {
    keyOf: (value) => value,
    script: () => (isWrong ? { kind: 'misconfigured', why: 'the password is wrong' } : { kind: 'sent' }),
  });
  await hub.journal.append([sampleBatch(range(0, 60))]);
  await until(() => hub.exporter.calls.length >= 3);
  await settle();
  // All lanes were on their way when the first one was told.
  assert.equal(hub.exporter.calls.length, 3);
  const state = await stateOf(hub.delivery);
  assert.deepEqual([state.state, state.last_error?.text], ['misconfigured', 'the password is wrong']);
  const labels = { exporter: 'scripted', state: 'misconfigured' };
  assert.equal(await metricValue(hub.metrics.exporterState, labels), 1);
  for (let probe = 1; probe <= 3; probe++) {
    hub.clock.advance(29_999);
    await settle();
    assert.equal(hub.exporter.calls.length, 2 + probe);
    hub.clock.advance(1);
    await settle();
    assert.equal(hub.exporter.calls.length, 3 + probe);
  }
  assert.equal(new Set(hub.exporter.calls.slice(3).map(({ lane }) => lane)).size, 1);
  isWrong = false;
  hub.clock.advance(30_000);
  await until(() => hub.exporter.taken.length === 60);
  assert.deepEqual(sorted(hub.exporter.taken), range(0, 60));
  await settle();
  assert.equal((await stateOf(hub.delivery)).state, 'running');
  assert.equal(await pendingRows(hub), 0);
  await end(hub);
});

test('with several endpoints the configuration counts as wrong when all say so', async (t) => {
  const hub = await run(t, {
    keyOf: () => 0,
    endpoints: ['a:1', 'b:1'],
    script: ({ endpoint }) => (endpoint === 0 ? { kind: 'misconfigured', why: 'who are you' } : { kind: 'sent' }),
  });
  await hub.journal.append([sampleBatch(range(0, 4))]);
  await settle();
  hub.clock.advance(100);
  await until(() => hub.exporter.taken.length === 4);
  assert.equal((await stateOf(hub.delivery)).state, 'running');
  await end(hub);
});

test('what the receiver names is set aside, the rest counts as sent', async (t) => {
  const hub = await run(t, {
    keyOf: () => 0,
    script: ({ values }) =>
      values.includes(2)
        ? { kind: 'rejected', items: [values.indexOf(2), 99, -1, 0.5], why: 'too old' }
        : { kind: 'sent' },
  });
  await hub.journal.append([sampleBatch(range(0, 8))]);
  await until(() => hub.exporter.taken.length === 7);
  await settle();
  await until(() => hub.exporter.calls.length === 2);
  assert.deepEqual(hub.exporter.taken, [0, 1, 3, 4, 5, 6, 7]);
  const { counters, rejected } = await stateOf(hub.delivery);
  assert.deepEqual([counters.items_sent, counters.items_rejected, rejected.items], [7, { rejected: 1 }, 1]);
  await untilConfirmed(hub);
  await end(hub);
});

test('a refused batch is halved until the guilty items are found; the rest goes on in order', async (t) => {
  const bad = new Set([5, 6, 40]);
  const hub = await run(t, {
    keyOf: () => 0,
    settings: { batchItems: 64 },
    script: ({ values }) =>
      values.some((value) => bad.has(value)) ? { kind: 'refused', why: 'out of bounds' } : { kind: 'sent' },
  });
  await hub.journal.append([sampleBatch(range(0, 64))]);
  await until(() => hub.exporter.taken.length === 61);
  assert.deepEqual(
    hub.exporter.taken,
    range(0, 64).filter((value) => !bad.has(value)),
  );
  await untilConfirmed(hub);
  const { counters, rejected, state } = await stateOf(hub.delivery);
  assert.deepEqual([counters.items_rejected, rejected.items, state], [{ refused: 3 }, 3, 'running']);
  assert.ok(hub.exporter.calls.length < 40, `${hub.exporter.calls.length} requests`);
  await end(hub);
});

test('a receiver that refuses everything is asked less and less, more and more slowly, until it takes something again', async (t) => {
  let refuses = true;
  const hub = await run(t, {
    keyOf: () => 0,
    settings: { batchItems: 1024, queueRows: 100_000 },
    script: () => (refuses ? { kind: 'refused', why: 'answered 400' } : { kind: 'sent' }),
  });
  const calls: number[] = [];
  for (let batch = 0; batch < 12; batch++) {
    const before = hub.exporter.calls.length;
    await hub.journal.append([sampleBatch(range(batch * 1024, batch * 1024 + 1024))]);
    await settle();
    if (batch > 0) {
      assert.equal(hub.exporter.calls.length, before, 'it waits first');
      hub.clock.advance(Math.min(1600, 100 * 2 ** (batch - 1)));
    }
    await until(() => hub.exporter.calls.length > before);
    await untilConfirmed(hub);
    calls.push(hub.exporter.calls.length - before);
  }
  assert.ok(calls[0]! < 200 && calls[1]! <= 15 && calls[2]! <= 7, `${calls}`);
  assert.deepEqual(calls.slice(-3), [1, 1, 1]);
  const refused = await stateOf(hub.delivery);
  assert.deepEqual(
    [refused.state, refused.last_error?.text, refused.rejected.items],
    ['refused', 'answered 400', 12_288],
  );
  assert.equal(refused.counters.items_rejected['refused']! + refused.counters.items_rejected['unsplit']!, 12_288);
  refuses = false;
  await hub.journal.append([sampleBatch(range(20_000, 21_024))]);
  await settle();
  hub.clock.advance(1600);
  await until(() => hub.exporter.taken.length === 1024);
  await untilConfirmed(hub);
  assert.equal((await stateOf(hub.delivery)).state, 'running');
  await end(hub);
});

test('a long run of bad items costs few sound ones beside it', async (t) => {
  const isBad = (value: number) => value >= 100 && value < 500;
  const hub = await run(t, {
    keyOf: () => 0,
    settings: { batchItems: 1024 },
    script: ({ values }) => (values.some(isBad) ? { kind: 'refused', why: 'out of bounds' } : { kind: 'sent' }),
  });
  await hub.journal.append([sampleBatch(range(0, 1024))]);
  await untilConfirmed(hub);
  const { items } = (await stateOf(hub.delivery)).rejected;
  assert.ok(items >= 400 && items <= 450, `${items} items are set aside for 400`);
  assert.deepEqual(hub.exporter.taken, sorted(hub.exporter.taken));
  assert.equal(hub.exporter.taken.length + items, 1024);
  assert.ok(hub.exporter.calls.length < 250, `${hub.exporter.calls.length} requests`);
  await end(hub);
});

test('when there is no room for more rejected items, a receiver that refuses everything is waited for', async (t) => {
  let refuses = true;
  const started = await start({ dataDir: temporaryFolder(t), delivery: { maxRejectedBytes: 1 << 20 } });
  const exporter = new Scripted({
    keyOf: () => 0,
    settings: { batchItems: 1000, queueRows: 100_000 },
    script: () => (refuses ? { kind: 'refused', why: 'answered 400' } : { kind: 'sent' }),
  });
  await started.delivery.apply([exporter]);
  const hub = { ...started, exporter };
  await hub.journal.append([sampleBatch(range(0, 10_000))]);
  let held = await stateOf(hub.delivery);
  // It asks more and more slowly, and writes to the disk in between.
  for (let i = 0; i < 2000 && !held.last_error?.text.includes('no room'); i++) {
    await settle();
    hub.clock.advance(1600);
    held = await stateOf(hub.delivery);
  }
  assert.equal(held.state, 'refused');
  assert.match(held.last_error?.text ?? '', /answered 400; there is no room for more rejected items/);
  assert.ok(held.rejected.items >= 1000 && held.rejected.items < 10_000, `${held.rejected.items}`);
  assert.equal(held.lag.rows, 10_000 - held.rejected.items, 'the rest is kept');
  assert.deepEqual(held.counters.items_dropped, {});
  await settle();
  refuses = false;
  hub.clock.advance(1600);
  await until(() => hub.exporter.taken.length === 10_000 - held.rejected.items);
  await untilConfirmed(hub);
  assert.equal((await stateOf(hub.delivery)).state, 'running');
  await end(hub);
});

test('a lane of bad items goes on where other lanes get through, even when there is no room for rejected items', async (t) => {
  const started = await start({ dataDir: temporaryFolder(t), delivery: { maxRejectedBytes: 1 << 18 } });
  const exporter = new Scripted({
    keyOf: (value) => value % 2,
    settings: { lanes: 2, batchItems: 1000, queueRows: 100_000 },
    script: ({ lane }) => (lane === 1 ? { kind: 'refused', why: 'out of bounds' } : { kind: 'sent' }),
  });
  await started.delivery.apply([exporter]);
  const hub = { ...started, exporter };
  for (let from = 0; from < 20_000; from += 2000) {
    await hub.journal.append([sampleBatch(range(from, from + 2000))]);
    for (let i = 0; i < 2000 && (await pendingRows(hub)) > 0; i++) {
      await settle(1);
      hub.clock.advance(100);
    }
    assert.equal(await pendingRows(hub), 0);
  }
  assert.equal(hub.exporter.taken.length, 10_000);
  assert.ok((await stateOf(hub.delivery)).rejected.items < 10_000, 'the oldest are gone');
  await end(hub);
});

test('a stop throws nothing more at a receiver that refuses everything', async (t) => {
  const hub = await run(t, {
    keyOf: () => 0,
    settings: { batchItems: 100 },
    script: () => ({ kind: 'refused', why: 'answered 400' }),
  });
  await hub.journal.append([sampleBatch(range(0, 1000))]);
  await until(() => hub.exporter.calls.length > 100);
  for (let i = 0; i < 2000 && (await pendingRows(hub)) > 800; i++) {
    await settle(1);
    hub.clock.advance(1);
  }
  assert.equal(await pendingRows(hub), 800);
  await settle();
  const calls = hub.exporter.calls.length;
  await hub.journal.close();
  const stopping = hub.delivery.stop(1000);
  await settle();
  hub.clock.advance(2000);
  await stopping;
  assert.equal(hub.exporter.calls.length, calls);
});

test('after one batch that was all bad, a stop sends what is there', async (t) => {
  const hub = await run(t, {
    keyOf: () => 0,
    script: ({ values }) => (values.some((value) => value < 4) ? { kind: 'refused', why: 'bad' } : { kind: 'sent' }),
  });
  await hub.journal.append([sampleBatch(range(0, 20))]);
  await until(() => hub.exporter.calls.some(({ values }) => values.length === 1 && values[0] === 3));
  await settle();
  assert.equal(hub.exporter.taken.length, 0, 'it waits a moment');
  await end(hub);
  assert.deepEqual(hub.exporter.taken, range(4, 20));
});

test('a row that cannot be encoded is set aside with its reason', async (t) => {
  const hub = await run(t, { itemsOf: (value) => (value === 3 ? -1 : 1) });
  await hub.journal.append([sampleBatch(range(0, 8))]);
  await settle();
  hub.clock.advance(1000);
  await until(() => hub.exporter.taken.length === 7);
  await settle();
  await untilConfirmed(hub);
  const { counters, rejected, last_error } = await stateOf(hub.delivery);
  assert.deepEqual([counters.items_rejected, rejected.items, last_error?.text], [{ encode: 1 }, 1, 'no such value']);
  assert.equal(await pendingRows(hub), 0);
  await end(hub);
});

test('rows of rejected items are confirmed when the items are on the disk, not before', async (t) => {
  let isFull = true;
  const files = filesWith({
    createSync: (path) => {
      if (isFull) throw fileError('ENOSPC');
      return realFiles.createSync(path);
    },
  });
  const started = await start({ dataDir: temporaryFolder(t), delivery: { files } });
  const exporter = new Scripted({ keyOf: () => 0, script: () => ({ kind: 'rejected', items: [1], why: 'no' }) });
  const hub = { ...started, exporter };
  await hub.delivery.apply([exporter]);
  await hub.journal.append([sampleBatch(range(0, 4))]);
  await until(() => exporter.calls.length === 1);
  await settle();
  const state = await stateOf(hub.delivery);
  assert.deepEqual([state.state, state.lag.rows, state.rejected.items], ['retrying', 4, 0]);
  assert.match(state.last_error?.text ?? '', /no space is left on the disk/);
  isFull = false;
  hub.clock.advance(100);
  await untilConfirmed(hub);
  assert.deepEqual([exporter.calls.length, (await stateOf(hub.delivery)).rejected.items], [1, 1]);
  await end(hub);
});

test('an encoder that throws for a row leaves only that row behind, and nothing is sent twice', async (t) => {
  const hub = await run(t, {
    keyOf: (value) => value,
    onEncode: (value) => {
      if (value === 17) throw new Error('boom');
    },
  });
  await hub.journal.append([sampleBatch(range(0, 10))]);
  await settle();
  await hub.journal.append([sampleBatch(range(10, 30))]);
  await until(() => hub.lines.some(({ msg }) => msg === 'BUG: an encoder failed; please report it'));
  await settle(200);
  hub.clock.advance(1000);
  await until(() => hub.exporter.taken.length > 0);
  await untilConfirmed(hub);
  assert.deepEqual(
    sorted(hub.exporter.taken),
    range(0, 30).filter((value) => value !== 17),
  );
  const { rejected, last_error } = await stateOf(hub.delivery);
  assert.deepEqual([rejected.items, last_error?.text], [1, 'BUG: boom']);
  await end(hub);
});

test('a Batch that cannot even be judged is counted and told, and the next one goes on', async (t) => {
  let throws = true;
  const hub = await run(t, {
    onBegin: () => {
      if (throws) throw new Error('no such column');
    },
  });
  await hub.journal.append([sampleBatch(range(0, 4))]);
  await until(() => hub.lines.some(({ msg }) => msg === 'BUG: an exporter failed; please report it'));
  throws = false;
  await hub.journal.append([sampleBatch(range(4, 8))]);
  await until(() => hub.exporter.taken.length === 4);
  const { counters, rejected, last_error } = await stateOf(hub.delivery);
  assert.deepEqual([counters.items_dropped, rejected.items], [{ bug: 4 }, 1]);
  assert.match(last_error?.text ?? '', /no such column; rows 0 to 3 were not exported/);
  await end(hub);
});

test('what rows need is fetched again and again until it is there', async (t) => {
  let failures = 2;
  const hub = await run(t, {
    prepare: async () => {
      if (failures-- > 0) throw new Error('the database is away');
    },
  });
  await hub.journal.append([sampleBatch(range(0, 4))]);
  await until(() => failures === 1);
  await settle();
  assert.equal((await stateOf(hub.delivery)).state, 'retrying');
  hub.clock.advance(100);
  await settle();
  hub.clock.advance(200);
  await until(() => hub.exporter.taken.length === 4);
  assert.equal((await stateOf(hub.delivery)).state, 'running');
  await end(hub);
});

test('items that became too old while they waited are dropped and counted, the others are sent', async (t) => {
  let isDown = true;
  const now = 1_700_000_001_000;
  const hub = await run(t, {
    keyOf: () => 0,
    timeOf: (value) => now + (value % 2 === 0 ? 0 : 60_000),
    settings: { maxAgeMs: 10_000, retry: { initialMs: 15_000, maxMs: 15_000, jitter: false } },
    script: () => (isDown ? { kind: 'retry', why: 'down' } : { kind: 'sent' }),
  });
  await hub.journal.append([sampleBatch(range(0, 4))]);
  await until(() => hub.exporter.calls.length === 1);
  await settle();
  isDown = false;
  hub.clock.advance(15_000);
  await until(() => hub.exporter.taken.length === 2);
  assert.deepEqual(hub.exporter.taken, [1, 3]);
  await settle();
  const { counters } = await stateOf(hub.delivery);
  assert.deepEqual(counters.items_dropped, { too_old: 2 });
  assert.equal(await pendingRows(hub), 0);
  await end(hub);
});

test('while nothing can be sent, reading stops at the bounds on bytes', async (t) => {
  let isDown = true;
  const hub = await run(t, {
    keyOf: (value) => value,
    sizeOf: () => 1000,
    settings: { queueBytes: 64_000, batchItems: 8 },
    script: () => (isDown ? { kind: 'retry', why: 'down' } : { kind: 'sent' }),
  });
  for (let i = 0; i < 20; i++) await hub.journal.append([sampleBatch(range(i * 50, i * 50 + 50))]);
  await settle(200);
  const { lanes, counters, lag } = await stateOf(hub.delivery);
  const bytes = lanes.reduce((sum, { queued_bytes }) => sum + queued_bytes, 0);
  assert.ok(bytes >= 64_000 && bytes < 64_000 + 300_000, `${bytes}`);
  assert.ok(counters.rows_received < 500, `${counters.rows_received} rows read`);
  assert.equal(lag.rows, 1000);
  isDown = false;
  for (let i = 0; i < 50 && hub.exporter.taken.length < 1000; i++) {
    hub.clock.advance(1600);
    await settle();
  }
  assert.deepEqual(sorted(hub.exporter.taken), range(0, 1000));
  await end(hub);
});

test('one lane that stands still holds back reading when the others are its rows ahead', async (t) => {
  const hung = Promise.withResolvers<SendOutcome>();
  const hub = await run(t, {
    keyOf: (value) => (value === 0 ? 0 : 1 + (value % 2)),
    settings: { queueRows: 100, batchItems: 8, flushMs: 0 },
    script: ({ values }) => (values.includes(0) ? hung.promise : { kind: 'sent' }),
  });
  for (let i = 0; i < 40; i++) {
    await hub.journal.append([sampleBatch(range(i * 25, i * 25 + 25))]);
    await settle(5);
    hub.clock.advance(1);
  }
  await settle(100);
  const { counters } = await stateOf(hub.delivery);
  assert.ok(counters.rows_received >= 300 && counters.rows_received < 500, `${counters.rows_received} rows read`);
  hung.resolve({ kind: 'sent' });
  for (let i = 0; i < 100 && hub.exporter.taken.length < 1000; i++) {
    await settle(5);
    hub.clock.advance(1);
  }
  assert.deepEqual(sorted(hub.exporter.taken), range(0, 1000));
  await end(hub);
});

test('a bound below the size of a batch does not wait for the flush time', async (t) => {
  const hub = await run(t, { settings: { queueRows: 2, lanes: 1, batchItems: 1000 } });
  await hub.journal.append([sampleBatch(range(0, 50))]);
  await hub.journal.append([sampleBatch(range(50, 52))]);
  await until(() => hub.exporter.taken.length >= 50);
  await end(hub);
  assert.deepEqual(hub.exporter.taken, range(0, 52));
});

test('stop sends what the journal has, without waiting for the flush time', async (t) => {
  const dataDir = temporaryFolder(t);
  const hub = await start({ dataDir });
  const exporter = new Scripted();
  await hub.delivery.apply([exporter]);
  await hub.journal.append([sampleBatch(range(0, 103))]);
  await hub.journal.close();
  await hub.delivery.stop(30_000);
  assert.deepEqual(sorted(exporter.taken), range(0, 103));
  assert.equal(exporter.closed, 1);
  const again = await start({ dataDir });
  const second = new Scripted();
  await again.delivery.apply([second]);
  await settle();
  await end(again);
  assert.deepEqual(second.calls, []);
});

test('stop with a dead receiver gives up at once, and everything comes after the next start', async (t) => {
  const dataDir = temporaryFolder(t);
  const hub = await start({ dataDir });
  const exporter = new Scripted({ script: () => ({ kind: 'retry', why: 'down', afterMs: 200_000 }) });
  await hub.delivery.apply([exporter]);
  await hub.journal.append([sampleBatch(range(0, 50))]);
  await until(() => exporter.calls.length > 0);
  await hub.journal.close();
  await hub.delivery.stop(30_000);
  const again = await start({ dataDir });
  const second = new Scripted();
  await again.delivery.apply([second]);
  await settle();
  await end(again);
  assert.deepEqual(sorted(second.taken), range(0, 50));
});

test('stop cuts a hanging send off at its deadline', async (t) => {
  const dataDir = temporaryFolder(t);
  const hub = await start({ dataDir });
  let aborted = 0;
  const exporter = new Scripted({
    settings: { timeoutMs: 100_000 },
    script: ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          aborted++;
          resolve({ kind: 'retry', why: 'aborted' });
        });
      }),
  });
  await hub.delivery.apply([exporter]);
  await hub.journal.append([sampleBatch(range(0, 50))]);
  await until(() => exporter.calls.length > 0);
  await hub.journal.close();
  let isStopped = false;
  const stopping = hub.delivery.stop(5000).then(() => (isStopped = true));
  await settle();
  hub.clock.advance(4999);
  await settle();
  assert.equal(isStopped, false);
  hub.clock.advance(1);
  await stopping;
  assert.ok(aborted > 0);
  const again = await start({ dataDir });
  const second = new Scripted();
  await again.delivery.apply([second]);
  await settle();
  await end(again);
  assert.deepEqual(sorted(second.taken), range(0, 50));
});

test('a send that never ends does not hold up the stop', async (t) => {
  const hub = await run(t, { script: () => new Promise(() => undefined) });
  await hub.journal.append([sampleBatch(range(0, 4))]);
  await until(() => hub.exporter.calls.length > 0);
  await hub.journal.close();
  const stopping = hub.delivery.stop(5000);
  await settle();
  hub.clock.advance(5000);
  await settle();
  hub.clock.advance(1000);
  await stopping;
  assert.equal(hub.exporter.closed, 1);
});

test('a reload keeps what is equal, restarts what changed at its place, and drops the place of what is gone', async (t) => {
  const hub = await start({ dataDir: temporaryFolder(t) });
  const kept = new Scripted({ name: 'kept' });
  const changed = new Scripted({ name: 'changed' });
  const gone = new Scripted({ name: 'gone' });
  await hub.delivery.apply([kept, changed, gone]);
  await hub.journal.append([sampleBatch(range(0, 40))]);
  await until(() => [kept, changed, gone].every(({ taken }) => taken.length === 40));
  const sameAgain = new Scripted({ name: 'kept' });
  const different = new Scripted({ name: 'changed', fingerprint: 'two' });
  const fresh = new Scripted({ name: 'fresh', settings: { from: 'tail' } });
  await hub.delivery.apply([sameAgain, different, fresh]);
  assert.deepEqual([kept.closed, sameAgain.closed, changed.closed, different.closed, gone.closed], [0, 1, 1, 0, 1]);
  assert.deepEqual(hub.journal.readerNames(), ['changed', 'fresh', 'kept']);
  const told = hub.lines.map(({ exporter, msg }) => `${exporter}: ${msg}`);
  for (const line of [
    'kept: exporter is unchanged and runs on',
    'changed: exporter is changed and starts again',
    'gone: exporter is not configured any more; its place in the journal was dropped',
    'fresh: exporter started',
  ]) {
    assert.ok(told.includes(line), line);
  }
  await hub.journal.append([sampleBatch(range(40, 80))]);
  await until(() => [kept, different, fresh].every(({ taken }) => taken.includes(79)));
  await end(hub);
  assert.deepEqual(sorted(kept.taken), range(0, 80));
  assert.deepEqual(sorted(different.taken), range(40, 80));
  assert.deepEqual(sorted(fresh.taken), range(40, 80));
  assert.deepEqual(sameAgain.calls, []);
});

test('a cursor whose exporter was removed while the hub was down is dropped at the start', async (t) => {
  const dataDir = temporaryFolder(t);
  const hub = await start({ dataDir });
  await hub.delivery.apply([new Scripted({ name: 'old' })]);
  await end(hub);
  const again = await start({ dataDir });
  await again.delivery.apply([]);
  assert.deepEqual(again.journal.readerNames(), []);
  await end(again);
});

test('an exporter that cannot be started does not keep the others from running', async (t) => {
  const opened = await start({ dataDir: temporaryFolder(t) });
  const { journal } = opened;
  const picky = {
    openReader: (options: Parameters<typeof journal.openReader>[0]) =>
      options.name === 'bad' ? Promise.reject(new Error('no')) : journal.openReader(options),
    dropReader: (name: string) => journal.dropReader(name),
    readerNames: () => journal.readerNames(),
  };
  const delivery = deliver(opened, temporaryFolder(t), { journal: picky });
  const good = new Scripted({ name: 'good' });
  await assert.rejects(delivery.apply([new Scripted({ name: 'bad' }), good]), /no/);
  await journal.append([sampleBatch(range(0, 4))]);
  await until(() => good.taken.length === 4);
  await journal.close();
  await delivery.stop(1000);
});

test('a wait is cut short by a reload: what is waited for may have been mended', async (t) => {
  let isWrong = true;
  const hub = await run(t, { script: () => (isWrong ? { kind: 'misconfigured', why: 'no' } : { kind: 'sent' }) });
  await hub.journal.append([sampleBatch(range(0, 4))]);
  await until(() => hub.exporter.calls.length === 1);
  await settle();
  isWrong = false;
  await hub.delivery.apply([hub.exporter]);
  await until(() => hub.exporter.taken.length === 4);
  assert.equal(hub.exporter.closed, 0);
  await end(hub);
});

test('the state tells rows that were lost because the exporter lags too far behind', async (t) => {
  const started = await start({ dataDir: temporaryFolder(t), segmentMaxRows: 10 });
  const exporter = new Scripted({
    settings: { maxBacklogBytes: 1000, queueRows: 1, lanes: 1 },
    script: () => ({ kind: 'retry', why: 'down' }),
  });
  await started.delivery.apply([exporter]);
  for (let i = 0; i < 30; i++) {
    await started.journal.append([sampleBatch(range(i * 10, i * 10 + 10))]);
    started.clock.advance(50);
    await settle(3);
  }
  const { counters } = await stateOf(started.delivery);
  assert.ok((counters.rows_lost['overflow'] ?? 0) > 100);
  await end(started);
});

test('rows in the lanes are not lost when their part of the journal goes, unless they never arrive', async (t) => {
  const hung = Promise.withResolvers<SendOutcome>();
  const started = await start({ dataDir: temporaryFolder(t), segmentMaxRows: 10 });
  const script = async ({ values }: Call): Promise<SendOutcome> =>
    values.includes(0) ? hung.promise : { kind: 'retry', why: 'down' };
  const settings = { maxBacklogBytes: 1000, queueRows: 10, lanes: 1, batchItems: 10 };
  await started.delivery.apply([new Scripted({ keyOf: () => 0, settings, script })]);
  const lost = async () => (await stateOf(started.delivery)).counters.rows_lost['overflow'] ?? 0;
  for (let i = 0; i < 30; i++) {
    await started.journal.append([sampleBatch(range(i * 10, i * 10 + 10))]);
    await settle(3);
  }
  const { lag, lanes } = await stateOf(started.delivery);
  const inLanes = lanes[0]!.queued_rows;
  assert.ok(inLanes >= 10, `${inLanes}`);
  assert.equal(await lost(), 300 - lag.rows - inLanes);
  hung.resolve({ kind: 'sent' });
  await settle();
  assert.equal(await lost(), 300 - lag.rows - inLanes, 'those arrived');
  await end(started);
  const value = await metricValue(started.metrics.journalOverflow, { reader: 'scripted', reason: 'overflow' });
  assert.equal(value, 300 - lag.rows - 10, 'all but those that arrived');
});

test('since when samples wait is told', async (t) => {
  const hub = await run(t, { script: () => ({ kind: 'retry', why: 'down' }) });
  assert.equal(hub.delivery.waitingSinceMs('prometheus.samples'), undefined);
  const at = hub.clock.epochMs();
  await hub.journal.append([sampleBatch(range(0, 4))]);
  hub.clock.advance(7_200_000);
  assert.ok(hub.delivery.waitingSinceMs('prometheus.samples')! <= at);
  assert.equal(hub.delivery.waitingSinceMs('flow_log.l7_flow_log'), undefined);
  await end(hub);
});

test('an exporter without rows in a partition of another organisation has a cursor of its own there', async (t) => {
  const hub = await run(t, { keyOf: () => 0 });
  await hub.journal.append([sampleBatch(range(0, 4), 1), sampleBatch(range(100, 104), 2)]);
  await until(() => hub.exporter.taken.length === 8);
  await settle();
  assert.equal(await pendingRows(hub), 0);
  assert.deepEqual(sorted(hub.exporter.taken), [...range(0, 4), ...range(100, 104)]);
  assert.equal(samplesKey.org, 1);
  await end(hub);
});
