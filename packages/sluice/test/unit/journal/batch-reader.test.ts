import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CATALOG_VERSION } from '../../../src/catalog/catalog.ts';
import { samples } from '../../../src/catalog/prometheus.ts';
import type { BatchReader, Journal, JournalBatch } from '../../../src/journal/types.ts';
import { realFiles } from '../../../src/journal/files.ts';
import {
  deleted,
  drain,
  filesWith,
  helpsIn,
  metadataBatch,
  metricValue,
  open,
  sampleBatch,
  samplesKey,
  segmentFile,
  soon,
  temporaryFolder,
  valuesIn,
} from './fixture.ts';

const exporter = { name: 'kafka', tables: ['prometheus.samples'], from: 'tail', maxBacklogBytes: 2 ** 40 } as const;

/** Everything the reader can read now. */
async function readAll(reader: BatchReader, confirm = false): Promise<JournalBatch[]> {
  const found: JournalBatch[] = [];
  for (;;) {
    const next = await reader.next(soon());
    if (next === undefined) return found;
    found.push(next);
    if (confirm) reader.confirm(next.partition, next.firstRow + next.batch.rows);
  }
}

function valuesOf(batches: readonly JournalBatch[]): number[] {
  return batches.flatMap(({ batch }) => valuesIn(batch));
}

async function appendEach(journal: Journal, values: readonly number[]): Promise<void> {
  for (const value of values) await journal.append([sampleBatch([value])]);
}

test('a reader at the tail gets new rows from memory and those before it opened not at all', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal } = await open({ dataDir });
  await appendEach(journal, [1, 2]);
  const reader = await journal.openReader(exporter);
  await appendEach(journal, [3, 4]);
  // Read without the files: they are not needed.
  fs.renameSync(join(dataDir, 'journal/1'), join(dataDir, 'journal/hidden'));
  const found = await readAll(reader);
  fs.renameSync(join(dataDir, 'journal/hidden'), join(dataDir, 'journal/1'));
  assert.deepEqual(valuesOf(found), [3, 4]);
  assert.deepEqual(
    found.map(({ firstRow }) => firstRow),
    [2, 3],
  );
  await reader.close();
  await journal.close();
});

test('a reader from the oldest gets what is on disk, open segment included, then what comes', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t) });
  await appendEach(journal, [1, 2]);
  await journal.seal();
  await appendEach(journal, [3]);
  const reader = await journal.openReader({ ...exporter, from: 'oldest' });
  await appendEach(journal, [4]);
  assert.deepEqual(valuesOf(await readAll(reader)), [1, 2, 3, 4]);
  await reader.close();
  await journal.close();
});

test('rows read from memory and from the segment are the same', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t) });
  const tables = ['prometheus.metadata'];
  const early = await journal.openReader({ ...exporter, name: 'early', tables, from: 'oldest' });
  const helps = ['', 'text', 'ä'.repeat(300)];
  await journal.append([metadataBatch(helps)]);
  const fromMemory = await readAll(early);
  await journal.seal();
  const late = await journal.openReader({ ...exporter, name: 'late', tables, from: 'oldest' });
  const fromDisk = await readAll(late);
  assert.deepEqual(
    fromMemory.flatMap(({ batch }) => helpsIn(batch)),
    helps,
  );
  assert.deepEqual(
    fromDisk.flatMap(({ batch }) => helpsIn(batch)),
    helps,
  );
  const { columns: inMemory, ...memory } = fromMemory[0]!.batch;
  const { columns: onDisk, ...disk } = fromDisk[0]!.batch;
  assert.deepEqual(disk, memory);
  assert.deepEqual(
    onDisk.map((column) => ({ ...column, bytes: 'bytes' in column ? [...column.bytes] : [] })),
    inMemory.map((column) => ({ ...column, bytes: 'bytes' in column ? [...column.bytes] : [] })),
  );
  await Promise.all([early.close(), late.close()]);
  await journal.close();
});

test("a Batch in memory does not change when the sender's memory is used again", async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t) });
  const reader = await journal.openReader(exporter);
  const batch = sampleBatch([1]);
  await journal.append([batch]);
  for (const column of batch.columns) if (column.kind === 'fixed') column.bytes.fill(0xff);
  assert.deepEqual(valuesOf(await readAll(reader)), [1]);
  await reader.close();
  await journal.close();
});

test('next waits for rows and ends with its signal', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t) });
  const reader = await journal.openReader(exporter);
  const stop = new AbortController();
  const waiting = reader.next(stop.signal);
  await appendEach(journal, [7]);
  assert.deepEqual(valuesIn((await waiting)!.batch), [7]);
  const again = reader.next(stop.signal);
  stop.abort();
  assert.equal(await again, undefined);
  const beforeClose = reader.next(new AbortController().signal);
  await reader.close();
  assert.equal(await beforeClose, undefined);
  await journal.close();
});

test('after the journal is closed a reader reads to the end, confirms, and then gets undefined', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal } = await open({ dataDir });
  const reader = await journal.openReader(exporter);
  await appendEach(journal, [1, 2]);
  const first = await reader.next(soon());
  await journal.close();
  const rest = await readAll(reader, true);
  assert.deepEqual([...valuesIn(first!.batch), ...valuesOf(rest)], [1, 2]);
  assert.equal(await reader.next(new AbortController().signal), undefined, 'not a wait for ever');
  await reader.close();
  const again = await open({ dataDir });
  const reopened = await again.journal.openReader(exporter);
  assert.deepEqual(await readAll(reopened), []);
  await reopened.close();
  await again.journal.close();
});

test('a reader that is opened again begins behind what it confirmed, in the middle of a block too', async (t) => {
  const dataDir = temporaryFolder(t);
  const first = await open({ dataDir });
  const reader = await first.journal.openReader(exporter);
  await first.journal.append([sampleBatch([1, 2, 3, 4])]);
  await first.journal.append([sampleBatch([5])]);
  await readAll(reader);
  reader.confirm(samplesKey, 3);
  reader.confirm(samplesKey, 2);
  await reader.close();
  const again = await first.journal.openReader(exporter);
  const fromMemory = await readAll(again);
  assert.deepEqual(valuesOf(fromMemory), [4, 5]);
  assert.deepEqual([fromMemory[0]?.firstRow, fromMemory[0]?.batch.minTime], [3, 4]);
  await again.close();
  await first.journal.close();
  const second = await open({ dataDir });
  const fromDisk = await readAll(await second.journal.openReader(exporter));
  assert.deepEqual(valuesOf(fromDisk), [4, 5]);
  assert.deepEqual([fromDisk[0]?.firstRow, fromDisk[0]?.batch.minTime, fromDisk[0]?.batch.maxTime], [3, 4, 4]);
  await second.journal.close();
});

test('a confirmation is on disk within a second, without a close', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal, clock } = await open({ dataDir });
  const reader = await journal.openReader(exporter);
  await appendEach(journal, [1, 2]);
  await readAll(reader, true);
  clock.advance(1000);
  // The process dies here.
  const second = await open({ dataDir });
  assert.deepEqual(valuesOf(await readAll(await second.journal.openReader(exporter))), []);
  await second.journal.close();
  await journal.close();
});

test('confirming more than there is does not swallow later rows', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t) });
  const reader = await journal.openReader(exporter);
  await appendEach(journal, [1]);
  reader.confirm(samplesKey, 1_000_000);
  await reader.close();
  await appendEach(journal, [2]);
  const again = await journal.openReader(exporter);
  assert.deepEqual(valuesOf(await readAll(again)), [2]);
  await again.close();
  await journal.close();
});

test('segments stay until storage and every reader of the table have passed them', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal } = await open({ dataDir });
  const reader = await journal.openReader(exporter);
  const other = await journal.openReader({ ...exporter, name: 'other', tables: ['prometheus.metadata'] });
  await appendEach(journal, [1]);
  await journal.seal();
  await drain(journal);
  assert.ok(fs.existsSync(segmentFile(dataDir, 0, 'native')));
  assert.equal(journal.storage.backlogBytes, 0);
  await readAll(reader, true);
  assert.equal(fs.existsSync(segmentFile(dataDir, 0, 'native')), false);
  await Promise.all([reader.close(), other.close()]);
  await journal.close();
});

test('a reader that is not opened again still holds its segments; dropping it lets them go', async (t) => {
  const dataDir = temporaryFolder(t);
  const first = await open({ dataDir });
  await (await first.journal.openReader(exporter)).close();
  await appendEach(first.journal, [1]);
  await first.journal.close();
  const second = await open({ dataDir });
  assert.deepEqual(second.journal.readerNames(), ['kafka']);
  assert.deepEqual(await drain(second.journal), [1]);
  assert.ok(fs.existsSync(segmentFile(dataDir, 0, 'native')));
  await second.journal.dropReader('kafka');
  await deleted();
  assert.equal(fs.existsSync(segmentFile(dataDir, 0, 'native')), false);
  assert.deepEqual(second.journal.readerNames(), []);
  assert.equal(fs.existsSync(join(dataDir, 'journal/readers/kafka.cursor')), false);
  await second.journal.dropReader('never-there');
  await second.journal.close();
});

test('a table that is newly added to a reader starts at the tail', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t) });
  const reader = await journal.openReader(exporter);
  await journal.append([sampleBatch([1]), metadataBatch(['old'])]);
  await reader.close();
  const wider = await journal.openReader({ ...exporter, tables: ['prometheus.samples', 'prometheus.metadata'] });
  await journal.append([metadataBatch(['new'])]);
  const found = await readAll(wider);
  assert.deepEqual(
    found.map(({ partition, batch }) => (partition.table === 'prometheus.samples' ? valuesIn(batch) : helpsIn(batch))),
    [[1], ['new']],
  );
  await wider.close();
  await journal.close();
});

test('memory for the tail is bounded; what left it is read from the segment', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t), maxTailBytes: 200, segmentMaxRows: 7 });
  const reader = await journal.openReader(exporter);
  const slow = await journal.openReader({ ...exporter, name: 'slow' });
  const values = Array.from({ length: 100 }, (_, index) => index);
  await appendEach(journal, values.slice(0, 50));
  assert.deepEqual(valuesOf(await readAll(reader)), values.slice(0, 50));
  await appendEach(journal, values.slice(50));
  assert.deepEqual(valuesOf(await readAll(reader)), values.slice(50));
  assert.deepEqual(valuesOf(await readAll(slow)), values);
  await Promise.all([reader.close(), slow.close()]);
  await journal.close();
});

test('a reader that lags beyond its limit loses its oldest segments, counted; storage and others lose nothing', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal, metrics, lines } = await open({ dataDir });
  const lagging = await journal.openReader({ ...exporter, maxBacklogBytes: 1000 });
  const other = await journal.openReader({ ...exporter, name: 'other' });
  const values = Array.from({ length: 30 }, (_, index) => index);
  for (const value of values) {
    await journal.append([sampleBatch([value])]);
    await journal.seal();
  }
  const left = valuesOf(await readAll(lagging));
  assert.ok(left.length > 0 && left.length < 12, `${left.length} rows are left`);
  assert.deepEqual(left, values.slice(-left.length));
  assert.equal(await metricValue(metrics.journalOverflow, { reader: 'kafka', reason: 'overflow' }), 30 - left.length);
  assert.ok(lagging.lag().bytes <= 1000);
  assert.ok(lines.some((line) => line['reader'] === 'kafka' && line['level'] === 'error'));
  assert.deepEqual(valuesOf(await readAll(other)), values);
  assert.deepEqual(await drain(journal), values);
  await Promise.all([lagging.close(), other.close()]);
  await journal.close();
});

test('lag says rows, bytes and age of what is not confirmed', async (t) => {
  const { journal, clock } = await open({ dataDir: temporaryFolder(t) });
  const reader = await journal.openReader(exporter);
  assert.deepEqual(reader.lag(), { rows: 0, bytes: 0, ageMs: 0 });
  await journal.append([sampleBatch([1, 2, 3, 4])]);
  clock.advance(5000);
  await journal.append([sampleBatch([5, 6])]);
  const { rows, bytes, ageMs } = reader.lag();
  assert.deepEqual([rows, ageMs], [6, 5000]);
  assert.ok(bytes > 6 * 32);
  reader.confirm(samplesKey, 5);
  assert.deepEqual([reader.lag().rows, reader.lag().ageMs], [1, 0]);
  reader.confirm(samplesKey, 6);
  assert.deepEqual(reader.lag(), { rows: 0, bytes: 0, ageMs: 0 });
  await reader.close();
  await journal.close();
});

test('columns are mapped by name; one that the segment lacks has its default, one that is gone is left out', async (t) => {
  const dataDir = temporaryFolder(t);
  const before = await open({ dataDir });
  await before.journal.append([sampleBatch([1, 2])]);
  await before.journal.close();
  const [metricId, , time, value] = samples.columns;
  const added = [
    { name: 'note', type: 'String' },
    { name: 'maybe', type: 'Nullable(Float64)' },
    { name: 'list', type: 'Array(UInt32)' },
    { name: 'kind', type: 'LowCardinality(String)' },
  ].map((column) => ({ ...column, role: 'tag', description: '' }) as const);
  const source = { ...samples, columns: [value, ...added, time, metricId] };
  const { journal } = await open({ dataDir, catalog: { version: CATALOG_VERSION + 1, find: () => source } });
  const reader = await journal.openReader({ ...exporter, from: 'oldest' });
  const found = await reader.next(soon());
  assert.deepEqual(valuesIn(found!.batch), [1, 2]);
  assert.equal(found!.batch.source, source);
  const [, note, maybe, list] = found!.batch.columns;
  assert.deepEqual(note, { kind: 'string', bytes: new Uint8Array(2), ends: Uint32Array.of(1, 2) });
  assert.deepEqual(maybe, {
    kind: 'nullable',
    nulls: Uint8Array.of(1, 1),
    inner: { kind: 'fixed', width: 8, bytes: new Uint8Array(16) },
  });
  assert.deepEqual(list, {
    kind: 'array',
    ends: Uint32Array.of(0, 0),
    element: { kind: 'fixed', width: 4, bytes: new Uint8Array(0) },
  });
  await reader.close();
  await journal.close();
});

test('a block that rots after the start goes to quarantine and is lost to the reader alone, counted', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal, metrics } = await open({ dataDir });
  await appendEach(journal, [1, 2, 3]);
  await journal.seal();
  const path = segmentFile(dataDir, 0, 'native');
  const bytes = fs.readFileSync(path);
  const at = bytes.length / 3 + 80;
  bytes[at] = bytes[at]! ^ 1;
  fs.writeFileSync(path, bytes);
  const reader = await journal.openReader({ ...exporter, from: 'oldest' });
  assert.deepEqual(valuesOf(await readAll(reader)), [1, 3]);
  assert.equal(await metricValue(metrics.journalOverflow, { reader: 'kafka', reason: 'unreadable' }), 1);
  assert.equal(fs.readdirSync(join(dataDir, 'quarantine')).length, 2);
  await reader.close();
  await journal.close();
});

test('a damaged cursor makes its reader begin at the oldest rows', async (t) => {
  const dataDir = temporaryFolder(t);
  const first = await open({ dataDir });
  const reader = await first.journal.openReader(exporter);
  await appendEach(first.journal, [1, 2]);
  await readAll(reader, true);
  await appendEach(first.journal, [3]);
  await reader.close();
  await first.journal.close();
  fs.writeFileSync(join(dataDir, 'journal/readers/kafka.cursor'), 'garbage');
  const second = await open({ dataDir });
  assert.deepEqual(await drain(second.journal), [1, 2, 3]);
  const again = await second.journal.openReader(exporter);
  assert.deepEqual(valuesOf(await readAll(again)), [1, 2, 3]);
  await again.close();
  await second.journal.close();
});

test('with sync: always a reader sees rows only when they are on the disk', async (t) => {
  let go = () => {};
  let held: Promise<void> | undefined;
  const files = filesWith({
    fdatasync: async (fd) => {
      await held;
      await realFiles.fdatasync(fd);
    },
  });
  const { journal } = await open({ dataDir: temporaryFolder(t), sync: 'always', files });
  const reader = await journal.openReader({ ...exporter, from: 'oldest' });
  held = new Promise((resolve) => (go = resolve));
  const appended = journal.append([sampleBatch([1])]);
  assert.deepEqual(await readAll(reader), []);
  go();
  await appended;
  assert.deepEqual(valuesOf(await readAll(reader)), [1]);
  await reader.close();
  await journal.close();
});
