import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { readLimitsSchema, toReadLimits } from '../../../src/query/config.ts';
import { createRemoteRead } from '../../../src/query/remote-read/remote-read.ts';
import type { Store } from '../../../src/storage/store.ts';
import { TableVersions } from '../../../src/storage/table-versions.ts';
import { decodeSamples } from '../../unit/query/answer-decoder.ts';
import { bitsOf, staleHistogram } from '../../unit/query/chunk-decoder.ts';
import { ask, readRequest, uncompressed, type TestQuery } from './ask.ts';
import { openTestDatabase, type DataSeries } from './prometheus-data.ts';

const T = 1_700_000_000_000;
const HOUR = 3_600_000;
const limits = toReadLimits(readLimitsSchema.parse({}));
const database = await openTestDatabase([1, 7]);
after(() => database.close());

const one = (pod: string, time = T, org = 'a'): DataSeries => ({
  labels: [
    ['__name__', `kept_${round}`],
    ['job', org],
    ['pod', pod],
  ],
  samples: [{ time, bits: bitsOf(1) }],
});
let round = 0;
beforeEach(() => {
  round++;
});

/** A remote read of its own, over a store that notes which tables are asked. */
function reader(versions?: TableVersions) {
  const asked: string[] = [];
  const hooks = { afterSeries: () => Promise.resolve() };
  const store: Store = {
    engine: 'chdb',
    command: (statement, options) => database.store.command(statement, options),
    stream: (statement, options) => database.store.stream(statement, options),
    close: () => Promise.resolve(),
    async select(statement, options) {
      const table = /FROM `(?:\w+)`\.`(\w+)`/.exec(statement.text)?.[1] ?? '';
      asked.push(table);
      const blocks = await database.store.select(statement, options);
      if (table === 'series') await hooks.afterSeries();
      return blocks;
    },
  };
  const options = { store, limits, metrics: createMetrics(), log: createLog({ level: 'silent' }) };
  const routes = createRemoteRead(versions === undefined ? options : { ...options, versions });
  /** Labels `pod` of the answer, and which tables were asked for it. */
  const read = async (query: Partial<TestQuery> = {}, org = 1) => {
    asked.length = 0;
    const body = readRequest([{ start: T, end: T + HOUR, matchers: [['__name__', 0, `kept_${round}`]], ...query }]);
    const reply = await ask(routes, { method: 'POST', path: '/api/v1/read', body, org });
    const [found = []] = decodeSamples(await uncompressed(reply));
    const pods = found.map(({ labels }) => labels.find(([name]) => name === 'pod')?.[1]);
    return { pods, found, asked: asked.toSorted() };
  };
  /** Reads until only the points are asked for: that there are no histograms is found out on the side. */
  const settle = async () => {
    const end = performance.now() + 5000;
    while ((await read()).asked.join() !== 'samples') if (performance.now() > end) assert.fail('it asks for more');
  };
  return { read, hooks, settle };
}

const SERIES = { org: 1, table: 'prometheus.series' };
const HISTOGRAMS = { org: 1, table: 'prometheus.histograms' };

describe('what a read leaves for the next one', () => {
  it('asks for the points alone, as long as no series and no histogram has come', async () => {
    const versions = new TableVersions();
    const { read, settle } = reader(versions);
    await database.insert([one('x'), one('y')]);
    const first = await read();
    assert.ok(first.asked.includes('series') && first.asked.includes('histograms'));
    await settle();
    for (let again = 0; again < 3; again++) {
      // Later by a refresh of the dashboard.
      const { found, asked } = await read({ end: T + HOUR + again * 15_000 });
      assert.deepEqual(asked, ['samples']);
      assert.deepEqual(found, first.found);
    }
    versions.changed({ org: 1, table: 'prometheus.samples' });
    versions.changed({ org: 7, table: 'prometheus.series' });
    assert.deepEqual((await read()).asked, ['samples']);
  });

  it('gives a new series with the first read after it has come', async () => {
    const versions = new TableVersions();
    const { read } = reader(versions);
    await database.insert([one('x')]);
    assert.deepEqual((await read()).pods, ['x']);
    assert.deepEqual((await read()).pods, ['x']);
    await database.insert([one('y')]);
    versions.changed(SERIES);
    assert.deepEqual((await read()).pods, ['x', 'y']);
    assert.ok(!(await read()).asked.includes('series'));
  });

  it('does not keep what was found while more came', async () => {
    const versions = new TableVersions();
    const { read, hooks } = reader(versions);
    await database.insert([one('x')]);
    hooks.afterSeries = async () => {
      hooks.afterSeries = () => Promise.resolve();
      await database.insert([one('y')]);
      versions.changed(SERIES);
    };
    // Not by the name alone: nothing is asked for on a guess.
    const matchers = [
      ['job', 0, 'a'],
      ['__name__', 0, `kept_${round}`],
    ] as const;
    assert.deepEqual((await read({ matchers })).pods, ['x']);
    assert.deepEqual((await read({ matchers })).pods, ['x', 'y']);
  });

  it('looks up an earlier range, and one much later, anew', async () => {
    const { read } = reader(new TableVersions());
    await database.insert([one('early', T - 40 * HOUR), one('now', T)]);
    const late = { start: T - 1000, end: T + HOUR };
    assert.deepEqual((await read(late)).pods, ['now']);
    assert.ok(!(await read(late)).asked.includes('series'));
    const early = await read({ start: T - 40 * HOUR, end: T + HOUR });
    assert.deepEqual(early.pods, ['early', 'now']);
    assert.ok(early.asked.includes('series'));
    const again = await read(late);
    assert.ok(again.asked.includes('series'), 'what went silent does not stay in every later answer');
    assert.deepEqual(again.pods, ['now']);
  });

  it('remembers that there is nothing, until there is something', async () => {
    const versions = new TableVersions();
    const { read } = reader(versions);
    assert.deepEqual((await read()).pods, []);
    assert.deepEqual((await read()).asked, []);
    await database.insert([one('x')]);
    versions.changed(SERIES);
    assert.deepEqual((await read()).pods, ['x']);
  });

  it('keeps organisations apart', async () => {
    const { read } = reader(new TableVersions());
    await database.insert([one('x')]);
    await database.insert([one('z')], 7);
    for (let again = 0; again < 2; again++) {
      assert.deepEqual((await read()).pods, ['x']);
      assert.deepEqual((await read({}, 7)).pods, ['z']);
    }
  });

  it('asks everything every time when others may write to the database', async () => {
    const { read } = reader();
    await database.insert([one('x')]);
    for (let again = 0; again < 3; again++) {
      const { asked } = await read();
      assert.ok(asked.includes('series') && asked.includes('histograms'), asked.join());
    }
  });

  // Last: the table of histograms is empty until here.
  it('gives the first histogram there is with the first read after it has come', async () => {
    const versions = new TableVersions();
    const { read, settle } = reader(versions);
    await database.insert([one('x')]);
    await settle();
    await database.insert([{ labels: one('x').labels, histograms: [staleHistogram(T + 1000, false)] }]);
    versions.changed(HISTOGRAMS);
    versions.changed(SERIES);
    const { found } = await read();
    assert.deepEqual([found[0]!.samples.length, found[0]!.histograms.length], [1, 1]);
    assert.ok((await read()).asked.includes('histograms'), 'there are some now');
  });
});
