import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { isSluiceError } from '../../../src/base/errors.ts';
import { samples } from '../../../src/catalog/prometheus.ts';
import { realFiles } from '../../../src/journal/files.ts';
import {
  checkedValues,
  drain,
  filesWith,
  metadataBatch,
  metadataKey,
  metricValue,
  open,
  sampleBatch,
  samplesKey,
  segmentFile,
  temporaryFolder,
  valuesInFile,
} from './fixture.ts';

test('an acknowledged input stands in the segment as Native blocks', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal, metrics } = await open({ dataDir });
  await journal.append([sampleBatch([1, 2, 3])]);
  await journal.append([sampleBatch([4])]);
  assert.deepEqual(valuesInFile(segmentFile(dataDir, 0, 'native')), [1, 2, 3, 4]);
  assert.equal(await metricValue(metrics.journalAppends, { outcome: 'taken' }), 2);
  await journal.close();
});

test('inputs of one turn become one block of their table', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t) });
  await Promise.all([1, 2, 3].map((value) => journal.append([sampleBatch([value])])));
  await journal.append([sampleBatch([4])]);
  await journal.seal();
  const segment = await journal.storage.next(samplesKey);
  assert.deepEqual(
    segment?.blocks.map(({ rows, minTime, maxTime }) => ({ rows, minTime, maxTime })),
    [
      { rows: 3, minTime: 1, maxTime: 3 },
      { rows: 1, minTime: 4, maxTime: 4 },
    ],
  );
  assert.deepEqual(checkedValues(segment), [1, 2, 3, 4]);
  await journal.close();
});

test('series are written before the samples that need them, whatever the inputs of the turn look like', async (t) => {
  const order: string[] = [];
  const files = filesWith({
    createSync: (path) => {
      if (path.endsWith('.native')) order.push(path.split('/').at(-3)!);
      return realFiles.createSync(path);
    },
  });
  const { journal } = await open({ dataDir: temporaryFolder(t), files });
  await Promise.all([journal.append([sampleBatch([1])]), journal.append([metadataBatch(['first']), sampleBatch([2])])]);
  assert.deepEqual(order, ['prometheus.metadata', 'prometheus.samples']);
  await journal.seal();
  assert.deepEqual(await drain(journal), [1, 2]);
  await journal.close();
});

test('folders are for the owner alone', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal } = await open({ dataDir });
  await journal.append([sampleBatch([1])]);
  for (const folder of ['journal', 'journal/1', 'journal/1/prometheus.samples/main', 'journal/readers']) {
    assert.equal(fs.statSync(`${dataDir}/${folder}`).mode & 0o777, 0o700, folder);
  }
  assert.equal(fs.statSync(segmentFile(dataDir, 0, 'native')).mode & 0o777, 0o600);
  await journal.close();
});

test('an input without rows is acknowledged and leaves no file', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal } = await open({ dataDir });
  await journal.append([]);
  assert.equal(fs.existsSync(`${dataDir}/journal/1`), false);
  await journal.close();
});

test('organisations have folders and numbers of their own', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal } = await open({ dataDir });
  await journal.append([sampleBatch([1], 1), sampleBatch([2], 7)]);
  const other = { ...samplesKey, org: 7 };
  assert.deepEqual(valuesInFile(segmentFile(dataDir, 0, 'native', other)), [2]);
  await journal.seal();
  assert.deepEqual(journal.storage.pending(), [samplesKey, other]);
  await journal.close();
});

test('a segment is sealed a second after its first row, and none is made without rows', async (t) => {
  const { journal, clock } = await open({ dataDir: temporaryFolder(t) });
  await journal.append([sampleBatch([1])]);
  clock.advance(900);
  await journal.append([sampleBatch([2])]);
  assert.deepEqual(journal.storage.pending(), []);
  clock.advance(100);
  assert.deepEqual(journal.storage.pending(), [samplesKey]);
  clock.advance(10_000);
  const segment = await journal.storage.next(samplesKey);
  assert.deepEqual(checkedValues(segment!), [1, 2]);
  await journal.storage.confirm(segment!);
  assert.equal(await journal.storage.next(samplesKey), undefined);
  await journal.close();
});

test('a table with few rows is given longer before it is sealed', async (t) => {
  const source = { ...samples, sealAfterMs: 5000, sealSparse: { below: 3, afterMs: 10_000 } };
  const find = () => source;
  const { journal, clock } = await open({ dataDir: temporaryFolder(t), catalog: { version: 1, find } });
  const batch = (values: readonly number[]) => ({ ...sampleBatch(values), source });
  await journal.append([batch([1, 2])]);
  clock.advance(9999);
  assert.equal(journal.storage.pending().length, 0);
  clock.advance(1);
  assert.equal(journal.storage.pending().length, 1);
  await drain(journal);
  await journal.append([batch([1])]);
  clock.advance(6000);
  assert.equal(journal.storage.pending().length, 0);
  await journal.append([batch([2, 3])]);
  clock.advance(1);
  assert.equal(journal.storage.pending().length, 1, 'enough rows and older than 5 s');
  await journal.close();
});

test('segment-age takes the place of the ages in the catalog', async (t) => {
  const { journal, clock } = await open({ dataDir: temporaryFolder(t), segmentAgeMs: 30_000 });
  await journal.append([sampleBatch([1])]);
  clock.advance(29_999);
  assert.equal(journal.storage.pending().length, 0);
  clock.advance(1);
  assert.equal(journal.storage.pending().length, 1);
  await journal.close();
});

test('segments keep to their greatest number of rows and bytes; a large Batch is cut by rows', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t), segmentMaxRows: 10, segmentMaxBytes: 1000 });
  const values = Array.from({ length: 47 }, (_, index) => index);
  await journal.append([sampleBatch(values)]);
  await journal.append([metadataBatch(['x'.repeat(400), 'y'.repeat(400), 'z'.repeat(5000)])]);
  await journal.seal();
  const found: number[] = [];
  for (
    let segment = await journal.storage.next(samplesKey);
    segment !== undefined;
    segment = await journal.storage.next(samplesKey)
  ) {
    assert.ok(segment.rows <= 10 && segment.bytes <= 1000);
    const own = checkedValues(segment);
    // Pieces of a Batch have times of their own.
    assert.deepEqual([segment.minTime, segment.maxTime], [own[0], own.at(-1)]);
    found.push(...own);
    await journal.storage.confirm(segment);
  }
  assert.deepEqual(found, values);
  const rows: number[] = [];
  for (
    let segment = await journal.storage.next(metadataKey);
    segment !== undefined;
    segment = await journal.storage.next(metadataKey)
  ) {
    rows.push(segment.rows);
    await journal.storage.confirm(segment);
  }
  assert.deepEqual(rows, [1, 1, 1], 'a row larger than a segment has one to itself');
  await journal.close();
});

test('a table whose columns change gets a new segment, named by its own index', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t) });
  const batch = sampleBatch([1]);
  await journal.append([batch]);
  const source = { ...samples, columns: samples.columns.slice(1) };
  await journal.append([{ ...batch, source, columns: batch.columns.slice(1) }]);
  await journal.seal();
  const first = await journal.storage.next(samplesKey);
  assert.deepEqual(first?.columns, ['metric_id', 'series_id', 'time', 'value']);
  await journal.storage.confirm(first);
  const second = await journal.storage.next(samplesKey);
  assert.deepEqual([second?.firstRow, second?.columns], [1, ['series_id', 'time', 'value']]);
  await journal.close();
});

test('max-bytes counts what storage has not taken, for the whole input', async (t) => {
  const { journal, metrics } = await open({ dataDir: temporaryFolder(t), maxBytes: 1000 });
  await journal.append([sampleBatch(Array.from({ length: 20 }, (_, index) => index))]);
  assert.equal(journal.refusal(100), undefined);
  const batches = [sampleBatch([1, 2, 3]), metadataBatch(['x'.repeat(400)])];
  await assert.rejects(
    journal.append(batches),
    (error) => isSluiceError(error, 'journal_full') && error.retryAfterMs === 1000,
  );
  assert.equal(isSluiceError(journal.refusal(600), 'journal_full'), true);
  await journal.seal();
  assert.equal((await drain(journal)).length, 20, 'nothing of the refused input was taken');
  await journal.append(batches);
  assert.equal(await metricValue(metrics.journalAppends, { outcome: 'refused' }), 1);
  await journal.close();
});

test('beyond max-bytes an input is taken when it asks for that, but not beyond the free space', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t), maxBytes: 40 });
  await journal.append([sampleBatch([1])]);
  await assert.rejects(journal.append([sampleBatch([1])]), (error) => isSluiceError(error, 'journal_full'));
  await journal.append([sampleBatch([1, 2, 3])], { beyondLimit: true });
  await journal.close();
  const full = await open({ dataDir: temporaryFolder(t), minFreeBytes: 2 ** 50 });
  await assert.rejects(full.journal.append([sampleBatch([1])], { beyondLimit: true }), (error) =>
    isSluiceError(error, 'disk_full'),
  );
  await full.journal.close();
});

test('an input of more than max-bytes is refused for good: it would never be taken', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t), maxBytes: 100 });
  await assert.rejects(
    journal.append([sampleBatch([1, 2, 3, 4, 5])]),
    (error) =>
      isSluiceError(error, 'too_large') &&
      error.retryAfterMs === undefined &&
      error.message.includes('expected at most journal.max-bytes (100)'),
  );
  await journal.append([sampleBatch([1, 2])]);
  await journal.close();
});

test('inputs of one turn cannot exceed max-bytes together', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t), maxBytes: 1000 });
  const outcomes = await Promise.allSettled(
    [1, 2, 3, 4].map(() => journal.append([sampleBatch([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])])),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected'],
  );
  await journal.close();
});

test('inputs are refused while less than min-free-bytes is free, and taken again afterwards', async (t) => {
  let free = 10_000;
  const files = filesWith({ freeBytesSync: () => free });
  const { journal, clock } = await open({ dataDir: temporaryFolder(t), minFreeBytes: 9000, files });
  await journal.append([sampleBatch([1])]);
  free = 8999;
  await journal.append([sampleBatch([2])]);
  clock.advance(1000);
  await assert.rejects(journal.append([sampleBatch([3])]), (error) => isSluiceError(error, 'disk_full'));
  free = 20_000;
  clock.advance(1000);
  await journal.append([sampleBatch([4])]);
  await journal.seal();
  assert.deepEqual(await drain(journal), [1, 2, 4]);
  await journal.close();
});

test('what was written counts against the free space between two looks at it', async (t) => {
  const files = filesWith({ freeBytesSync: () => 10_000 });
  const { journal } = await open({ dataDir: temporaryFolder(t), minFreeBytes: 9000, files });
  const large = sampleBatch(Array.from({ length: 25 }, (_, index) => index));
  await journal.append([large]);
  await assert.rejects(journal.append([large]), (error) => isSluiceError(error, 'disk_full'));
  await journal.close();
});

test('close takes what was appended before it and refuses what comes after', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal, clock } = await open({ dataDir });
  const before = journal.append([sampleBatch([1])]);
  const closed = journal.close();
  await assert.rejects(journal.append([sampleBatch([2])]), (error) => isSluiceError(error, 'stopping'));
  await Promise.all([before, closed]);
  assert.equal(clock.waiting, 0, 'no timer is left');
  assert.deepEqual(await drain(journal), [1], 'storage goes on reading');
  assert.deepEqual(fs.readdirSync(`${dataDir}/journal/1/prometheus.samples/main`), []);
});

test('no descriptor is left open', async (t) => {
  const before = fs.readdirSync('/proc/self/fd').length;
  const { journal, clock } = await open({ dataDir: temporaryFolder(t) });
  for (let round = 0; round < 20; round++) {
    await journal.append([sampleBatch([round]), metadataBatch(['help'])]);
    clock.advance(1000);
  }
  await journal.close();
  assert.equal(fs.readdirSync('/proc/self/fd').length, before);
});
