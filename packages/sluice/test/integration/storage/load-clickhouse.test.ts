import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { dataSources } from '../../../src/catalog/catalog.ts';
import { samples } from '../../../src/catalog/prometheus.ts';
import { createClickHouseTarget } from '../../../src/storage/clickhouse-target.ts';
import { createClickHouse, type ClickHouseStore } from '../../../src/storage/clickhouse.ts';
import { ensureTables } from '../../../src/storage/ensure-tables.ts';
import type { Piece } from '../../../src/storage/load-target.ts';
import { startLoader, type Loader } from '../../../src/storage/loader.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { startChdbFront, type ChdbFront } from './chdb-front.ts';
import { numberedSamples, SegmentFiles } from './segment-files.ts';
import { tempFolder } from './temp-folder.ts';

const DAY = Date.UTC(2024, 10, 20, 12);
const TABLE = 'prometheus.samples';
const ROWS = 600;
const log = createLog({ level: 'silent' });

let front: ChdbFront;
let store: ClickHouseStore;
let folder: Awaited<ReturnType<typeof tempFolder>>;
let journal: SegmentFiles;
let loader: Loader | undefined;
let rounds = 0;

before(async () => {
  folder = await tempFolder('load-http');
  front = await startChdbFront(folder.path);
});
after(async () => {
  await front.close();
  await folder.remove();
});
beforeEach(async () => {
  store = createClickHouse({ urls: [front.url], log });
  await front.ask('DROP DATABASE IF EXISTS prometheus SYNC');
  await ensureTables({ store, sources: dataSources, organisations: [1], retention: 'forever', log });
  journal = new SegmentFiles(join(folder.path, `journal-${rounds++}`));
});
afterEach(async () => {
  front.mishaps.hang = false;
  await loader?.stop(2000);
  await store.close();
});

function start(): void {
  const target = createClickHouseTarget(store, undefined);
  const backoff = { minMs: 5, maxMs: 50 };
  const metrics = createMetrics();
  loader = startLoader({ journal, journalUuid: 'u', target, organisations: [1], log, metrics, backoff });
}

/** Five segments; one of them spans three days. */
function fill(): void {
  for (let at = 0; at < 4; at++)
    journal.add(TABLE, [numberedSamples(at * 100, 50, () => DAY), numberedSamples(at * 100 + 50, 50, () => DAY)]);
  journal.add(TABLE, [numberedSamples(400, 200, (row) => DAY + (row % 3) * 86_400_000)]);
}

async function expectEachRowOnce(): Promise<void> {
  await journal.drained(60_000);
  assert.equal(
    await front.ask('SELECT count(), uniqExact(value), max(value) FROM prometheus.samples'),
    `${ROWS}\t${ROWS}\t${ROWS - 1}`,
  );
  assert.equal(journal.quarantined.length, 0);
}

describe('loading into a server', () => {
  it('takes every row once', async () => {
    fill();
    start();
    await expectEachRowOnce();
    assert.equal(
      await front.ask(
        "SELECT max(level) = 0, uniqExact(partition_id) FROM system.parts WHERE table = 'samples' AND active AND level = 0",
      ),
      '1\t3',
    );
  });

  it('finds what landed although the server answered with an error', async () => {
    front.mishaps.insertsAnsweredWithError = 4;
    fill();
    start();
    await expectEachRowOnce();
  });

  it('finds what landed although the server died before it answered', async () => {
    front.mishaps.insertsWithoutAnswer = 3;
    fill();
    start();
    await expectEachRowOnce();
  });

  it('sends again what the connection lost, once the server cannot begin it any more', async () => {
    front.mishaps.insertsCutBefore = 1;
    journal.add(TABLE, [numberedSamples(0, ROWS, () => DAY)]);
    start();
    await expectEachRowOnce();
  });

  it('does not double an INSERT that begins long after it was given up', async () => {
    // The server sleeps on the first INSERT for longer than it may; the connection is lost meanwhile.
    front.mishaps.insertsDelayed = 1;
    front.mishaps.delayMs = 12_000;
    journal.add(TABLE, [numberedSamples(0, ROWS, () => DAY)]);
    start();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await front.stopListening();
    await front.listen();
    await expectEachRowOnce();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await expectEachRowOnce();
  });

  it('takes a block without a row in the slice for done, but not an INSERT that began too late', async () => {
    const { path, bytes } = journal.add(TABLE, [numberedSamples(0, 2, (row) => DAY + row * 2 * 86_400_000)]);
    const midnight = Date.UTC(2024, 10, 21);
    const piece: Piece = {
      source: samples,
      org: 1,
      columns: samples.columns.map((column) => column.name),
      path,
      start: 0,
      end: bytes,
      whole: false,
      slice: { from: midnight, to: midnight + 86_400_000 },
      partitionId: '20241121',
      token: 't',
    };
    const target = createClickHouseTarget(store, undefined);
    const { signal } = new AbortController();
    const marker = await target.prepare(piece, 1, undefined);
    assert.equal(await target.insert(piece, marker, signal), 0);
    const late = { ...marker, deadline: Number(marker['deadline']) - 60_000, query: 'late' };
    await assert.rejects(target.insert(piece, late, signal), /began too late/);
  });

  it('waits for a server that is not there and catches up', async () => {
    await front.stopListening();
    fill();
    start();
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(loader!.state().ready, false);
    assert.match(loader!.state().detail ?? '', /ECONNREFUSED/);
    await front.listen();
    loader!.nudge();
    await expectEachRowOnce();
    assert.equal(loader!.state().ready, true);
  });

  it('waits for a server that hangs', async () => {
    front.mishaps.hang = true;
    fill();
    start();
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(await front.ask('SELECT count() FROM prometheus.samples'), '0');
    front.mishaps.hang = false;
    await expectEachRowOnce();
  });
});
