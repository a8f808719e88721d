import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../../../src/base/errors.ts';
import type { Batch } from '../../../src/batch/batch.ts';
import type { RowBlock } from '../../../src/batch/row-block.ts';
import { dataSources } from '../../../src/catalog/catalog.ts';
import type { DataSource } from '../../../src/catalog/types.ts';
import { RowGather, type GatherLimits, type RowGatherOptions } from '../../../src/receivers/row-gather.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { counts, silent } from './agent/intake-parts.ts';

const [logs, packets] = ['application_log.log', 'flow_log.l4_packet'].map((id) =>
  dataSources.find((source) => source.id === id),
);
assert.ok(logs !== undefined && packets !== undefined);

const MB = 1024 * 1024;

function make(t: TestContext, options: Partial<RowGatherOptions> & { limits?: Partial<GatherLimits> } = {}) {
  const metrics = createMetrics();
  /** Rows of each append, by table and organisation. */
  const appended: Record<string, number>[] = [];
  const texts: string[] = [];
  const state: { refuse: Error | undefined } = { refuse: undefined };
  const gather = new RowGather({
    input: 'agent',
    append: async (batches) => {
      await nextTurn();
      if (state.refuse !== undefined) throw state.refuse;
      appended.push(Object.fromEntries(batches.map(({ source, org, rows }) => [`${org}/${source.id}`, rows])));
      texts.push(...batches.flatMap((batch) => bodies(batch)));
    },
    tagger: () => undefined,
    organisations: [1, 2],
    accept: () => ({ behindMs: Infinity, aheadMs: Infinity }),
    metrics,
    log: silent,
    ...options,
    limits: { gatherMs: 20, retryMs: 5, maxRetryMs: 20, ...options.limits },
  });
  t.after(() => gather.stop(10));
  return { gather, metrics, appended, texts, state };
}

/** The texts in the column `body` of log rows. */
function bodies({ source, columns, rows }: Batch): string[] {
  const column = columns[source.columns.findIndex(({ name }) => name === 'body')];
  if (column?.kind !== 'string') return [];
  return Array.from({ length: rows }, (_, index) => {
    let at = index === 0 ? 0 : column.ends[index - 1]!;
    while (column.bytes[at]! > 127) at++;
    return Buffer.from(column.bytes.subarray(at + 1, column.ends[index])).toString();
  });
}

function row(
  gather: RowGather,
  text: string,
  options: { source?: DataSource; org?: number; timeMs?: number } = {},
): RowBlock {
  const block = gather.block(options.source ?? logs!, options.org ?? 1);
  if (options.source === undefined) block.setText(block.column('body'), text);
  block.commit(options.timeMs ?? 1_700_000_000_000);
  return block;
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + 5000; !condition();) {
    assert.ok(performance.now() < end, 'it takes too long');
    await sleep(2);
  }
}

describe('gathering', () => {
  test('rows of all tables and organisations go in one append, after a while', async (t) => {
    const { gather, appended, texts, metrics } = make(t);
    row(gather, 'a');
    row(gather, 'b');
    row(gather, 'c', { org: 2 });
    row(gather, '', { source: packets });
    row(gather, 'd');
    assert.deepEqual(appended, []);
    await until(() => appended.length > 0);
    assert.deepEqual(appended, [{ '1/application_log.log': 3, '2/application_log.log': 1, '1/flow_log.l4_packet': 1 }]);
    assert.deepEqual(texts, ['a', 'b', 'd', 'c']);
    assert.deepEqual(await counts(metrics, 'receivedRows'), {
      'agent,application_log.log': 4,
      'agent,flow_log.l4_packet': 1,
    });
  });

  test('a full block goes at once and is exchanged for an empty one', async (t) => {
    const { gather, appended } = make(t, { limits: { blockRows: 10, gatherMs: 10_000 } });
    const first = row(gather, '0');
    for (let number = 1; number < 10; number++) assert.equal(row(gather, String(number)), first);
    assert.notEqual(row(gather, '10'), first);
    await until(() => appended.length > 0);
    assert.deepEqual(appended, [{ '1/application_log.log': 10 }]);
    await gather.settled();
    assert.deepEqual(appended[1], { '1/application_log.log': 1 });
  });

  test('a block of large rows goes before it has many', async (t) => {
    const { gather, appended } = make(t, { limits: { blockBytes: MB, gatherMs: 10_000 } });
    for (let number = 0; number < 12; number++) {
      row(gather, 'x'.repeat(100_000));
      gather.decoded(100_000);
    }
    await until(() => appended.length > 0);
    assert.deepEqual(appended, [{ '1/application_log.log': 12 }]);
  });

  test('blocks are used again, and carry nothing over', async (t) => {
    const { gather, texts } = make(t);
    const blocks = new Set<RowBlock>();
    for (let round = 0; round < 50; round++) {
      blocks.add(row(gather, `text ${round}`));
      await gather.settled();
    }
    assert.ok(blocks.size <= 2, `${blocks.size} blocks`);
    assert.deepEqual(
      texts,
      Array.from({ length: 50 }, (_, round) => `text ${round}`),
    );
  });

  test('rows are tagged once, before they are appended', async (t) => {
    const tagged: string[] = [];
    const { gather, appended, state } = make(t, {
      tagger: (block, org) => tagged.push(`${org}/${block.source.id}/${block.rows}`),
    });
    state.refuse = new SluiceError('disk_full', 'cannot take it');
    row(gather, 'a');
    row(gather, 'b', { org: 2 });
    await sleep(80);
    state.refuse = undefined;
    await gather.settled();
    assert.deepEqual(tagged, ['1/application_log.log/1', '2/application_log.log/1']);
    assert.equal(appended.length, 1);
  });
});

describe('what is not taken', () => {
  test('rows of organisations that are not configured', async (t) => {
    const { gather, appended, metrics } = make(t);
    for (let org = 3; org < 2000; org++) row(gather, 'lost', { org });
    row(gather, 'kept', { org: 2 });
    await gather.settled();
    assert.deepEqual(appended, [{ '2/application_log.log': 1 }]);
    await until(() => appended.length === 1);
    assert.deepEqual(await counts(metrics, 'droppedRows'), { 'agent,organisation': 1997 });
  });

  test('rows outside of the accept window', async (t) => {
    const { gather, texts, metrics } = make(t, { accept: () => ({ behindMs: 60_000, aheadMs: 10_000 }) });
    const now = Date.now();
    for (const [text, timeMs] of Object.entries({
      old: now - 61_000,
      recent: now - 55_000,
      now,
      soon: now + 9000,
      later: now + 20_000,
      never: 5e15,
      'not a time': NaN,
    })) {
      row(gather, text, { timeMs });
    }
    await gather.settled();
    assert.deepEqual(texts, ['recent', 'now', 'soon']);
    assert.deepEqual(await counts(metrics, 'droppedRows'), { 'agent,too_old': 2, 'agent,too_new': 2 });
  });

  test('rows of any time are taken when the window is open, as far as the column reaches', async (t) => {
    const { gather, texts } = make(t);
    row(gather, 'first', { timeMs: 0 });
    row(gather, 'last', { timeMs: 2 ** 32 * 1000 - 1 });
    row(gather, 'beyond', { timeMs: 2 ** 32 * 1000 });
    row(gather, 'before', { timeMs: -1 });
    await gather.settled();
    assert.deepEqual(texts, ['first', 'last']);
  });
});

describe('a journal that refuses', () => {
  for (const code of ['journal_full', 'disk_full', 'journal_failed', 'stopping'] as const) {
    test(`${code}: rows are kept, there is pressure, and all arrive in order`, async (t) => {
      const { gather, texts, state } = make(t);
      let relieved = 0;
      gather.onRelief(() => relieved++);
      state.refuse = new SluiceError(code, 'cannot take it');
      row(gather, '0');
      await until(() => gather.pressure);
      for (let number = 1; number < 20; number++) {
        row(gather, String(number));
        await sleep(2);
      }
      assert.deepEqual(texts, []);
      assert.equal(relieved, 0);
      state.refuse = undefined;
      await gather.settled();
      assert.deepEqual(
        texts,
        Array.from({ length: 20 }, (_, number) => String(number)),
      );
      await until(() => !gather.pressure);
      assert.equal(relieved, 1);
      assert.equal(gather.waitingBytes, 0);
    });
  }

  test('what is more than the whole journal takes arrives in parts, in order', async (t) => {
    const texts: string[] = [];
    const { gather, metrics } = make(t, {
      append: async (batches) => {
        await nextTurn();
        const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
        if (rows > 8) throw new SluiceError('journal_full', `cannot take ${rows} rows`);
        texts.push(...batches.flatMap((batch) => bodies(batch)));
      },
      limits: { blockRows: 4, gatherMs: 10_000, retryMs: 60_000, maxRetryMs: 60_000 },
    });
    // All in one turn of the event loop, and so in one append.
    for (let number = 0; number < 30; number++) row(gather, String(number));
    await gather.settled();
    assert.deepEqual(
      texts,
      Array.from({ length: 30 }, (_, number) => String(number)),
    );
    assert.equal(gather.waitingBytes, 0);
    await until(() => !gather.pressure);
    assert.deepEqual(await counts(metrics, 'receivedRows'), { 'agent,application_log.log': 30 });
  });

  test('a block that the journal will never take is dropped and counted, and holds up nothing', async (t) => {
    const texts: string[] = [];
    const lines: string[] = [];
    const { gather, metrics } = make(t, {
      append: async (batches) => {
        await nextTurn();
        const found = batches.flatMap((batch) => bodies(batch));
        if (found.join('').length > 100) throw new SluiceError('too_large', 'cannot take so much at once');
        texts.push(...found);
      },
      log: createLog({ destination: { write: (line) => void lines.push(line) } }),
    });
    row(gather, 'x'.repeat(60));
    row(gather, 'y'.repeat(60));
    row(gather, 'other', { org: 2 });
    await gather.settled();
    row(gather, 'later');
    await gather.settled();
    assert.deepEqual(texts, ['other', 'later']);
    assert.deepEqual(await counts(metrics, 'droppedRows'), { 'agent,too_large': 2 });
    await until(() => !gather.pressure);
    assert.equal(gather.waitingBytes, 0);
    assert.equal(lines.filter((line) => line.includes('will never take so many bytes')).length, 1);
  });

  test('too much waiting is pressure as well', async (t) => {
    const slow = Promise.withResolvers<void>();
    const { gather } = make(t, { append: () => slow.promise, limits: { waitingBytes: MB, blockRows: 4 } });
    for (let number = 0; number < 16; number++) row(gather, 'x'.repeat(100_000));
    assert.ok(gather.pressure);
    assert.ok(gather.waitingBytes > MB);
    slow.resolve();
    await gather.settled();
    await until(() => !gather.pressure);
    assert.equal(gather.waitingBytes, 0);
  });

  test('at the stop rows are kept trying until the deadline, then dropped and counted', async (t) => {
    const lines: string[] = [];
    const log = createLog({ level: 'error', destination: { write: (line) => lines.push(line) } });
    const { gather, metrics, state, appended } = make(t, { log });
    state.refuse = new SluiceError('journal_full', 'cannot take it');
    row(gather, 'a');
    row(gather, 'b');
    const began = performance.now();
    await gather.stop(100);
    assert.ok(performance.now() - began >= 90);
    assert.deepEqual(appended, []);
    assert.deepEqual(await counts(metrics, 'droppedRows'), { 'agent,stopping': 2 });
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /"rows":2,.*these rows are lost/);
  });

  test('at the stop a full journal takes what was read from agents', async (t) => {
    const asked: (boolean | undefined)[] = [];
    const { gather, metrics } = make(t, {
      append: (_, { beyondLimit } = {}) => {
        asked.push(beyondLimit);
        return beyondLimit === true
          ? Promise.resolve()
          : Promise.reject(new SluiceError('journal_full', 'cannot take it'));
      },
      limits: { retryMs: 60_000 },
    });
    row(gather, 'a');
    await until(() => asked.length === 1);
    const began = performance.now();
    await gather.stop(10_000);
    assert.ok(performance.now() - began < 5000, 'the pause ends with the stop');
    assert.deepEqual(asked, [false, true]);
    assert.deepEqual(await counts(metrics, 'droppedRows'), {});
  });

  test('at the stop everything is written when the journal takes it', async (t) => {
    const { gather, texts } = make(t, { limits: { gatherMs: 10_000 } });
    row(gather, 'a');
    await gather.stop(1000);
    assert.deepEqual(texts, ['a']);
  });
});

describe('mistakes of the program', () => {
  test('a block that cannot be appended does not hold up the others', async (t) => {
    const texts: string[] = [];
    const { gather, metrics } = make(t, {
      append: (batches) => {
        if (batches.some(({ org }) => org === 2)) return Promise.reject(new Error('BUG: a broken batch'));
        texts.push(...batches.flatMap((batch) => bodies(batch)));
        return Promise.resolve();
      },
    });
    row(gather, 'a');
    row(gather, 'b', { org: 2 });
    row(gather, 'c', { source: packets });
    await gather.settled();
    assert.deepEqual(texts, ['a']);
    assert.deepEqual(await counts(metrics, 'droppedRows'), { 'agent,bug': 1 });
    assert.deepEqual(await counts(metrics, 'receivedRows'), {
      'agent,application_log.log': 1,
      'agent,flow_log.l4_packet': 1,
    });
  });

  test('a tagger that fails costs its block', async (t) => {
    const { gather, texts } = make(t, {
      tagger: (_, org) => {
        if (org === 1) throw new TypeError('a mistake');
      },
    });
    row(gather, 'a');
    row(gather, 'b', { org: 2 });
    await gather.settled();
    assert.deepEqual(texts, ['b']);
  });

  test('half a row is wiped out', async (t) => {
    const { gather, texts } = make(t);
    const block = gather.block(logs, 1);
    block.setText(block.column('body'), 'half');
    block.setText(block.column('app_service'), 'of it');
    gather.abandon();
    row(gather, 'whole');
    await gather.settled();
    assert.deepEqual(texts, ['whole']);
  });
});
