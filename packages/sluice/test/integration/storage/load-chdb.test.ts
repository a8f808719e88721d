import assert from 'node:assert/strict';
import { readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { valuesOf } from '../../../src/batch/read.ts';
import { samples, series } from '../../../src/catalog/prometheus.ts';
import { createChdbTarget } from '../../../src/storage/chdb-target.ts';
import { openChdb, type ChdbStore } from '../../../src/storage/chdb.ts';
import { ensureTables } from '../../../src/storage/ensure-tables.ts';
import type { LoadTarget } from '../../../src/storage/load-target.ts';
import { startLoader, type Loader } from '../../../src/storage/loader.ts';
import { sql } from '../../../src/storage/sql.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { numberedSamples, SegmentFiles } from './segment-files.ts';
import { tempFolder } from './temp-folder.ts';

const DAY = Date.UTC(2024, 10, 20, 12);
const TABLE = 'prometheus.samples';
const log = createLog({ level: 'silent' });

let store: ChdbStore;
let folder: Awaited<ReturnType<typeof tempFolder>>;
let journal: SegmentFiles;
let loader: Loader | undefined;
let rounds = 0;

before(async () => {
  folder = await tempFolder('load');
  store = await openChdb({ path: join(folder.path, 'chdb'), maxMemory: 400e6 });
});
after(async () => {
  await store.close();
  await folder.remove();
});
beforeEach(async () => {
  await store.command(sql`DROP DATABASE IF EXISTS prometheus SYNC`);
  await ensureTables({ store, sources: [samples, series], organisations: [1], retention: 'forever', log });
  journal = new SegmentFiles(join(folder.path, `journal-${rounds++}`));
});
afterEach(async () => {
  await loader?.stop(1000);
  loader = undefined;
});

async function start(wrap: (target: LoadTarget) => LoadTarget = (target) => target) {
  const metrics = createMetrics();
  const target = wrap(await createChdbTarget(store, join(folder.path, 'ingest')));
  const backoff = { minMs: 5, maxMs: 20 };
  loader = startLoader({ journal, journalUuid: 'u', target, organisations: [1], log, metrics, backoff });
  return metrics;
}

async function numbers(): Promise<number[]> {
  const blocks = await store.select(sql`SELECT toUInt32(value) AS n FROM prometheus.samples ORDER BY n`);
  return blocks.flatMap((block) => [...valuesOf(block.columns[0]!.data, Uint32Array)]);
}

const upTo = (rows: number) => Array.from({ length: rows }, (_, index) => index);

async function counted(metrics: ReturnType<typeof createMetrics>, outcome: string): Promise<number> {
  const { values } = await metrics.storageInserts.get();
  return values.filter(({ labels }) => labels.outcome === outcome).reduce((sum, { value }) => sum + value, 0);
}

describe('loading into the embedded database', () => {
  it('takes segments as they are sealed, one part an INSERT', async () => {
    const metrics = await start();
    for (let at = 0; at < 10; at++) journal.add(TABLE, [numberedSamples(at * 50, 50, () => DAY)]);
    await journal.drained();
    assert.deepEqual(await numbers(), upTo(500));
    assert.equal(await counted(metrics, 'loaded'), 10);
    assert.deepEqual(loader!.state(), { part: 'loader', ready: true });
  });

  it('cuts a segment at the partitions of its table, also at odd times', async () => {
    const times = [
      DAY,
      DAY + 86_400_000,
      0,
      -1,
      -86_400_000 * 40_000,
      Date.UTC(2105, 0, 1),
      Date.UTC(2290, 0, 1),
      1e15,
      -1e15,
    ];
    journal.add(TABLE, [
      numberedSamples(0, 90, (row) => times[row % times.length]!),
      numberedSamples(90, 10, () => DAY),
    ]);
    await start();
    await journal.drained();
    assert.deepEqual(await numbers(), upTo(100));
  });

  it('knows the partition ids that the database gives', async () => {
    let seen: (string | undefined)[] = [];
    await start((target) => ({
      ...target,
      insert: (piece, marker, signal) => {
        seen.push(piece.partitionId);
        return target.insert(piece, marker, signal);
      },
    }));
    seen = [];
    journal.add(TABLE, [numberedSamples(0, 100, (row) => DAY + (row % 4) * 86_400_000)]);
    await journal.drained();
    const blocks = await store.select(
      sql`SELECT DISTINCT toUInt32(partition_id) AS id FROM system.parts WHERE database = 'prometheus' AND table = 'samples' ORDER BY id`,
    );
    const ids = blocks.flatMap((block) => [...valuesOf(block.columns[0]!.data, Uint32Array)].map(String));
    assert.deepEqual(seen, ids);
    assert.deepEqual(ids, ['20241120', '20241121', '20241122', '20241123']);
  });

  it('sets a damaged block aside and loads the others', async () => {
    const segment = journal.add(TABLE, [
      numberedSamples(0, 10, () => DAY),
      numberedSamples(10, 10, () => DAY),
      numberedSamples(20, 10, () => DAY),
    ]);
    const bytes = await import('node:fs/promises').then(({ readFile }) => readFile(segment.path));
    // The second block claims a type that its column cannot have.
    const at = bytes.indexOf('Float64', segment.blocks[1]!.offset);
    bytes.write('Flaot64', at);
    await writeFile(segment.path, bytes);
    journal.add(TABLE, [numberedSamples(30, 10, () => DAY)]);
    const metrics = await start();
    await journal.drained();
    assert.deepEqual(
      await numbers(),
      upTo(40).filter((n) => n < 10 || n >= 20),
    );
    assert.equal(journal.quarantined.length, 1);
    assert.deepEqual(journal.quarantined[0]!.blocks, [segment.blocks[1]]);
    assert.match(journal.quarantined[0]!.why, /cannot insert into the database: Code: \d+/);
    assert.equal(await counted(metrics, 'quarantined'), 1);
  });

  it('sets a segment aside that is cut off, and goes on', async () => {
    const segment = journal.add(TABLE, [numberedSamples(0, 10, () => DAY)]);
    await truncate(segment.path, segment.bytes - 5);
    journal.add(TABLE, [numberedSamples(10, 10, () => DAY)]);
    await start();
    await journal.drained();
    assert.deepEqual(await numbers(), upTo(20).slice(10));
    assert.equal(journal.quarantined.length, 1);
  });

  it('sets aside what belongs to no known table or organisation', async () => {
    journal.add('prometheus.nonsense', [numberedSamples(0, 10, () => DAY)]);
    journal.add(TABLE, [numberedSamples(10, 10, () => DAY, 9)]);
    journal.add(TABLE, [numberedSamples(0, 10, () => DAY)]);
    await start();
    await journal.drained();
    assert.deepEqual(await numbers(), upTo(10));
    assert.deepEqual(journal.quarantined.map(({ why }) => why).toSorted(), [
      'no data source prometheus.nonsense',
      'organisation 9 is not configured',
    ]);
  });

  it('does not load again what landed although the INSERT failed', async () => {
    let failures = 5;
    const metrics = await start((target) => ({
      ...target,
      insert: async (piece, marker, signal) => {
        const rows = await target.insert(piece, marker, signal);
        if (failures-- > 0) throw new Error('the answer was lost');
        return rows;
      },
    }));
    for (let at = 0; at < 8; at++) journal.add(TABLE, [numberedSamples(at * 10, 10, () => DAY)]);
    await journal.drained();
    assert.deepEqual(await numbers(), upTo(80));
    assert.equal(await counted(metrics, 'found'), 5);
  });

  it('sends again what did not land, and says so meanwhile', async () => {
    let refusing = true;
    const metrics = await start((target) => ({
      ...target,
      insert: (piece, marker, signal) =>
        refusing ? Promise.reject(new Error('nobody there')) : target.insert(piece, marker, signal),
    }));
    journal.add(TABLE, [numberedSamples(0, 10, () => DAY)]);
    while ((await counted(metrics, 'retried')) < 12) await new Promise((resolve) => setTimeout(resolve, 5));
    const state = loader!.state();
    assert.equal(state.ready, false);
    assert.match(state.detail ?? '', /1\/prometheus\.samples: nobody there/);
    refusing = false;
    await journal.drained();
    assert.deepEqual(await numbers(), upTo(10));
    assert.equal(journal.quarantined.length, 0);
  });

  it('sends again into a table that was made anew', async () => {
    const segment = journal.add(TABLE, [numberedSamples(0, 10, () => DAY)]);
    const marker = { table: 'another', floor: 0, row: segment.firstRow, slice: 0, block: -1, deaths: 0, flying: 1 };
    await store.command(
      sql`INSERT INTO prometheus.samples SELECT 1, 1, toDateTime64('2024-11-20 00:00:00', 3, 'UTC'), 999`,
    );
    await journal.saveMarker(segment.partition, marker);
    await start();
    await journal.drained();
    assert.deepEqual(await numbers(), [...upTo(10), 999]);
  });

  it('suspects an INSERT within which the process died again and again', async () => {
    const segment = journal.add(TABLE, [numberedSamples(0, 10, () => DAY), numberedSamples(10, 10, () => DAY)]);
    const died = { table: 'x', floor: 0, row: segment.firstRow, slice: 0, block: 0, deaths: 9, flying: 1 };
    await journal.saveMarker(segment.partition, died);
    await start();
    await journal.drained();
    assert.deepEqual(await numbers(), upTo(20).slice(10));
    assert.match(journal.quarantined[0]!.why, /the process died 10 times/);
  });

  it('loads tables side by side while one of them fails', async () => {
    await start((target) => ({
      ...target,
      insert: (piece, marker, signal) =>
        piece.source.id === 'prometheus.series'
          ? Promise.reject(new Error('not this one'))
          : target.insert(piece, marker, signal),
    }));
    journal.add('prometheus.series', [numberedSamples(0, 10, () => DAY)]);
    journal.add(TABLE, [numberedSamples(0, 10, () => DAY)]);
    while ((await numbers()).length < 10) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(journal.pending().length, 1);
  });

  it('leaves nothing in the scratch folder', async () => {
    await writeFile(join(folder.path, 'ingest', 'left-over.native'), 'x');
    const segment = journal.add(TABLE, [numberedSamples(0, 10, () => DAY), numberedSamples(10, 10, () => DAY)]);
    await journal.saveMarker(segment.partition, { row: 0, slice: 0, block: 0, table: '', floor: 0 });
    await start();
    await journal.drained();
    assert.deepEqual(await numbers(), upTo(20));
    assert.deepEqual(await readdir(join(folder.path, 'ingest')), []);
  });
});
