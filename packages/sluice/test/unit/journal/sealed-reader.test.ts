import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { isSluiceError } from '../../../src/base/errors.ts';
import { realFiles } from '../../../src/journal/files.ts';
import {
  deleted,
  drain,
  fileError,
  filesWith,
  metadataBatch,
  metadataKey,
  metricValue,
  open,
  sampleBatch,
  samplesKey,
  segmentFile,
  temporaryFolder,
} from './fixture.ts';

test('segments come in order, one at a time in each partition, and are deleted when they are confirmed', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal, metrics } = await open({ dataDir });
  for (const value of [1, 2, 3]) {
    await journal.append([sampleBatch([value]), metadataBatch([String(value)])]);
    await journal.seal();
  }
  assert.deepEqual(journal.storage.pending(), [samplesKey, metadataKey]);
  const first = await journal.storage.next(samplesKey);
  assert.equal(await journal.storage.next(samplesKey), first, 'the same object until it is confirmed');
  assert.deepEqual([first?.firstRow, first?.rows], [0, 1]);
  assert.equal(first?.path, segmentFile(dataDir, 0, 'native'));
  await journal.storage.confirm(first);
  await deleted();
  assert.equal(fs.existsSync(first.path), false);
  assert.equal(fs.existsSync(segmentFile(dataDir, 0, 'index')), false);
  assert.deepEqual(await drain(journal), [2, 3]);
  assert.deepEqual(journal.storage.pending(), [metadataKey]);
  assert.equal(await metricValue(metrics.journalSegments), 3);
  await journal.close();
});

test('onSealed is called once for the segments of a turn', async (t) => {
  const { journal, clock } = await open({ dataDir: temporaryFolder(t) });
  let calls = 0;
  journal.storage.onSealed(() => calls++);
  await journal.append([sampleBatch([1]), metadataBatch(['a'])]);
  clock.advance(1000);
  assert.equal(calls, 0);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(calls, 1);
  await journal.close();
});

test('the cursor and its marker survive a restart; confirming drops the marker', async (t) => {
  const dataDir = temporaryFolder(t);
  const first = await open({ dataDir });
  await first.journal.append([sampleBatch([1])]);
  await first.journal.seal();
  await first.journal.append([sampleBatch([2])]);
  await first.journal.seal();
  await first.journal.storage.confirm((await first.journal.storage.next(samplesKey))!);
  await first.journal.storage.saveMarker(samplesKey, { floor: 42, part: 'p' });
  const second = await open({ dataDir });
  assert.deepEqual(second.journal.storage.marker(samplesKey), { floor: 42, part: 'p' });
  assert.equal(second.journal.storage.marker(metadataKey), undefined);
  const segment = await second.journal.storage.next(samplesKey);
  assert.equal(segment?.firstRow, 1);
  await second.journal.storage.confirm(segment);
  assert.equal(second.journal.storage.marker(samplesKey), undefined);
  const third = await open({ dataDir });
  assert.deepEqual(third.journal.storage.pending(), []);
  await Promise.all([first, second, third].map(({ journal }) => journal.close()));
});

test('a marker counts only for the segment it was saved for', async (t) => {
  const dataDir = temporaryFolder(t);
  const first = await open({ dataDir });
  for (const value of [1, 2]) {
    await first.journal.append([sampleBatch([value])]);
    await first.journal.seal();
  }
  await first.journal.storage.saveMarker(samplesKey, { floor: 1 });
  await first.journal.close();
  for (const kind of ['native', 'index'] as const) fs.rmSync(segmentFile(dataDir, 0, kind));
  const second = await open({ dataDir });
  assert.equal((await second.journal.storage.next(samplesKey))?.firstRow, 1);
  assert.equal(second.journal.storage.marker(samplesKey), undefined);
  await second.journal.close();
});

test('a cursor that cannot be written leaves the segment unconfirmed; it may be confirmed again', async (t) => {
  const dataDir = temporaryFolder(t);
  let failing = false;
  const files = filesWith({
    renameSync: (from, to) => {
      if (failing) throw fileError('ENOSPC');
      realFiles.renameSync(from, to);
    },
  });
  const { journal } = await open({ dataDir, files });
  await journal.append([sampleBatch([1])]);
  await journal.seal();
  const segment = await journal.storage.next(samplesKey);
  failing = true;
  await assert.rejects(journal.storage.saveMarker(samplesKey, { floor: 1 }), (error) =>
    isSluiceError(error, 'disk_full'),
  );
  assert.equal(journal.storage.marker(samplesKey), undefined);
  await assert.rejects(journal.storage.confirm(segment!), (error) => isSluiceError(error, 'disk_full'));
  assert.equal(await journal.storage.next(samplesKey), segment);
  assert.ok(fs.existsSync(segment!.path));
  assert.ok(journal.storage.backlogBytes > 0);
  failing = false;
  await journal.storage.confirm(segment!);
  await journal.storage.confirm(segment!);
  assert.equal(journal.storage.backlogBytes, 0);
  await journal.close();
});

test('saves at the same time of several partitions are all in the file', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal } = await open({ dataDir, sync: 'always' });
  await journal.append([sampleBatch([1]), metadataBatch(['a'])]);
  await journal.seal();
  await Promise.all([
    journal.storage.saveMarker(samplesKey, { floor: 1 }),
    journal.storage.saveMarker(metadataKey, { floor: 2 }),
  ]);
  const text = fs.readFileSync(join(dataDir, 'journal/readers/storage.cursor'), 'utf8');
  assert.match(text, /prometheus\.samples.*"floor":1/);
  assert.match(text, /prometheus\.metadata.*"floor":2/);
  await journal.close();
});

test('with sync: always the cursor is on the disk before it counts', async (t) => {
  const events: string[] = [];
  const files = filesWith({
    fdatasync: async (fd) => {
      await realFiles.fdatasync(fd);
      events.push('sync');
    },
    renameSync: (from, to) => {
      realFiles.renameSync(from, to);
      events.push('rename');
    },
    syncFolder: async (path) => {
      await realFiles.syncFolder(path);
      events.push('folder');
    },
  });
  const { journal } = await open({ dataDir: temporaryFolder(t), sync: 'always', files });
  await journal.append([sampleBatch([1])]);
  await journal.seal();
  events.length = 0;
  await journal.storage.confirm((await journal.storage.next(samplesKey))!);
  assert.deepEqual(events, ['sync', 'rename', 'folder']);
  await journal.close();
});

test('a segment is not deleted, nor its bytes forgotten, before the cursor behind it is on the disk', async (t) => {
  const dataDir = temporaryFolder(t);
  let reached = Promise.withResolvers<void>();
  let holds: Promise<void> | undefined;
  const files = filesWith({
    fdatasync: async (fd) => {
      if (holds !== undefined) {
        reached.resolve();
        await holds;
      }
      await realFiles.fdatasync(fd);
    },
  });
  const { journal } = await open({ dataDir, sync: 'always', files });
  const reader = await journal.openReader({
    name: 'kafka',
    tables: ['prometheus.samples'],
    from: 'tail',
    maxBacklogBytes: Infinity,
  });
  await journal.append([sampleBatch([1])]);
  await journal.seal();
  const segment = (await journal.storage.next(samplesKey))!;
  reached = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  holds = held.promise;
  const confirmed = journal.storage.confirm(segment);
  await reached.promise;
  reader.confirm(samplesKey, 1);
  assert.ok(fs.existsSync(segment.path), "storage's cursor is not written yet");
  assert.ok(journal.storage.backlogBytes > 0);
  holds = undefined;
  held.resolve();
  await confirmed;
  assert.equal(fs.existsSync(segment.path), false);
  assert.equal(journal.storage.backlogBytes, 0);
  await reader.close();
  await journal.close();
});

test('backlogBytes counts open and sealed bytes, also after a restart', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal, metrics } = await open({ dataDir });
  await journal.append([sampleBatch([1])]);
  const one = journal.storage.backlogBytes;
  assert.equal(one, fs.statSync(segmentFile(dataDir, 0, 'native')).size);
  await journal.seal();
  assert.equal(journal.storage.backlogBytes, one);
  await journal.append([sampleBatch([2])]);
  assert.equal(journal.storage.backlogBytes, 2 * one);
  await journal.close();
  assert.equal(await metricValue(metrics.journalBacklog, { reader: 'storage' }), 2 * one);
  const again = await open({ dataDir });
  assert.equal(again.journal.storage.backlogBytes, 2 * one);
  await drain(again.journal);
  assert.equal(again.journal.storage.backlogBytes, 0);
  assert.equal(await metricValue(again.metrics.journalBytes), 0);
  await again.journal.close();
});

test('refused blocks go to quarantine with the reason beside them', async (t) => {
  const dataDir = temporaryFolder(t);
  let lost = 0;
  const { journal, metrics, lines } = await open({ dataDir, onLost: () => lost++ });
  await journal.append([sampleBatch([1, 2])]);
  await journal.append([sampleBatch([3])]);
  await journal.seal();
  const segment = (await journal.storage.next(samplesKey))!;
  const second = segment.blocks[1]!;
  await journal.storage.quarantine(segment, 'the database says no', [second]);
  const name = `1-prometheus.samples-main-${'0'.repeat(16)}-${second.offset}.native`;
  assert.deepEqual(
    fs.readFileSync(join(dataDir, 'quarantine', name)),
    fs.readFileSync(segment.path).subarray(second.offset, second.offset + second.length),
  );
  assert.match(fs.readFileSync(join(dataDir, 'quarantine', `${name}.json`), 'utf8'), /the database says no/);
  assert.equal(await metricValue(metrics.journalQuarantined, { reason: 'refused' }), 1);
  await journal.storage.quarantine(segment, 'all of it');
  assert.equal(await metricValue(metrics.journalQuarantined, { reason: 'refused' }), 4);
  assert.equal(lines.filter((line) => line['level'] === 'error').length, 2);
  assert.equal(lost, 2);
  assert.equal((await journal.storage.next(samplesKey))?.firstRow, 0, 'the caller confirms');
  await journal.close();
});

test('the token of a segment: its index has the checksum that is on the disk, also after a restart', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal } = await open({ dataDir });
  await journal.append([sampleBatch([1, 2])]);
  await journal.append([sampleBatch([3])]);
  await journal.seal();
  const expected = crc32(fs.readFileSync(segmentFile(dataDir, 0, 'index')));
  assert.equal((await journal.storage.next(samplesKey))?.indexCrc, expected);
  await journal.close();
  const again = await open({ dataDir });
  assert.equal((await again.journal.storage.next(samplesKey))?.indexCrc, expected);
  await again.journal.close();
});

test('a further reader of sealed segments has its own cursor, reads its tables only, and holds their segments', async (t) => {
  const dataDir = temporaryFolder(t);
  const segmentReaders = new Map([['roll-up', new Set([metadataKey.table])]]);
  const first = await open({ dataDir, segmentReaders });
  const rollUp = first.journal.segmentReaders.get('roll-up')!;
  for (const value of [1, 2]) {
    await first.journal.append([sampleBatch([value]), metadataBatch([String(value)])]);
    await first.journal.seal();
  }
  assert.deepEqual(rollUp.pending(), [metadataKey]);
  assert.equal(await rollUp.next(samplesKey), undefined);
  assert.deepEqual(await drain(first.journal), [1, 2]);
  for (let segment; (segment = await first.journal.storage.next(metadataKey)) !== undefined;)
    await first.journal.storage.confirm(segment);
  const oldest = (await rollUp.next(metadataKey))!;
  assert.equal(fs.existsSync(oldest.path), true, 'held for the reader that has not passed it');
  await rollUp.saveMarker(metadataKey, { floor: 7 });
  await first.journal.close();
  assert.equal(await metricValue(first.metrics.journalSegments), 2);

  const second = await open({ dataDir, segmentReaders });
  const again = second.journal.segmentReaders.get('roll-up')!;
  assert.deepEqual(again.marker(metadataKey), { floor: 7 });
  assert.deepEqual(second.journal.storage.pending(), []);
  const segment = (await again.next(metadataKey))!;
  assert.equal(segment.firstRow, 0);
  await again.confirm(segment);
  assert.equal(fs.existsSync(segment.path), false);
  await again.confirm((await again.next(metadataKey))!);
  assert.equal(await metricValue(second.metrics.journalSegments), 0);
  await second.journal.close();
});
