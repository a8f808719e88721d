import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { realFiles, type Files } from '../../../src/journal/files.ts';
import { segmentPaths, type SegmentPaths } from '../../../src/journal/layout.ts';
import { SegmentRemover } from '../../../src/journal/segment-remover.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { fileError, filesWith, open, sampleBatch, samplesKey, segmentFile, temporaryFolder } from './fixture.ts';

function make(files: Files, options: { mostSegments?: number; mostBytes?: number } = {}) {
  const lines: string[] = [];
  const log = createLog({ destination: { write: (line) => void lines.push(line) } });
  return { remover: new SegmentRemover({ files, log, ...options }), lines };
}

function segments(folder: string, count: number): SegmentPaths[] {
  return Array.from({ length: count }, (_, number) => {
    const paths = segmentPaths(folder, number);
    fs.writeFileSync(paths.data, 'x');
    fs.writeFileSync(paths.index, 'x');
    return paths;
  });
}

test('nothing is deleted before it returns; then all is, the data before its index, one at a time', async (t) => {
  const folder = temporaryFolder(t);
  const order: string[] = [];
  let running = 0;
  const { remover } = make({
    ...realFiles,
    unlink: async (path) => {
      assert.equal(running++, 0);
      await realFiles.unlink(path);
      running--;
      order.push(path);
    },
    unlinkSync: () => assert.fail('deleted at once'),
  });
  const paths = segments(folder, 20);
  for (const one of paths) remover.remove(one, 1);
  // The first one may be gone by now: another thread deletes it.
  assert.ok(fs.readdirSync(folder).length >= 39);
  await remover.done();
  assert.deepEqual(fs.readdirSync(folder), []);
  assert.deepEqual(
    order,
    paths.flatMap(({ data, index }) => [data, index]),
  );
});

test('what waits is bounded, in number and in bytes: the oldest is deleted at once while the pool is busy', async (t) => {
  const folder = temporaryFolder(t);
  const pool = Promise.withResolvers<void>();
  const busy = { ...realFiles, unlink: (path: string) => pool.promise.then(() => realFiles.unlink(path)) };
  const left = () => fs.readdirSync(folder).length / 2;
  const { remover } = make(busy, { mostSegments: 3, mostBytes: 100 });
  const paths = segments(folder, 12);
  for (const one of paths.slice(0, 4)) remover.remove(one, 1);
  assert.equal(left(), 12, 'one is under way, three wait');
  for (const one of paths.slice(4, 8)) remover.remove(one, 1);
  assert.equal(left(), 8);
  remover.remove(paths[8]!, 99);
  assert.equal(left(), 6, 'one for the number, one for the bytes');
  remover.remove(paths[9]!, 99);
  assert.equal(left(), 4, 'all that waited before it');
  pool.resolve();
  await remover.done();
  assert.equal(left(), 2);
  assert.deepEqual(
    fs.readdirSync(folder).toSorted(),
    paths.slice(10).flatMap(({ data, index }) => [index, data].map((path) => path.slice(folder.length + 1))),
  );
});

test('a file that cannot be deleted is left for the next start, and the others go', async (t) => {
  const folder = temporaryFolder(t);
  const paths = segments(folder, 3);
  const { remover, lines } = make({
    ...realFiles,
    unlink: (path) => (path === paths[1]!.data ? Promise.reject(fileError('EIO')) : realFiles.unlink(path)),
  });
  fs.unlinkSync(paths[0]!.data);
  for (const one of paths) remover.remove(one, 1);
  await remover.done();
  assert.deepEqual(fs.readdirSync(folder).length, 2);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /cannot delete a segment; the next start does/);
});

test('the cursor that has passed a segment is on the disk before its deletion begins', async (t) => {
  const dataDir = temporaryFolder(t);
  const events: string[] = [];
  const files = filesWith({
    renameSync: (from, to) => {
      realFiles.renameSync(from, to);
      if (to.endsWith('.cursor')) events.push('cursor');
    },
    syncFolder: async (path) => {
      await realFiles.syncFolder(path);
      if (path.endsWith('readers')) events.push('synced');
    },
    unlink: async (path) => {
      events.push(path.endsWith('.native') ? 'data' : 'index');
      await realFiles.unlink(path);
    },
  });
  const { journal } = await open({ dataDir, files, sync: 'always' });
  await journal.append([sampleBatch([1])]);
  await journal.seal();
  const segment = await journal.storage.next(samplesKey);
  events.length = 0;
  await journal.storage.confirm(segment!);
  await journal.close();
  assert.deepEqual(events, ['cursor', 'synced', 'data', 'index']);
});

test('what was not deleted before the end is at the next start, and no row comes again', async (t) => {
  const dataDir = temporaryFolder(t);
  // A pool that never gets to it.
  const stuck = filesWith({ unlink: () => new Promise(() => undefined) });
  const first = await open({ dataDir, files: stuck });
  await first.journal.append([sampleBatch([1, 2])]);
  await first.journal.seal();
  await first.journal.storage.confirm((await first.journal.storage.next(samplesKey))!);
  await first.journal.close();
  assert.ok(fs.existsSync(segmentFile(dataDir, 0, 'native')));
  const second = await open({ dataDir });
  assert.equal(await second.journal.storage.next(samplesKey), undefined);
  await second.journal.append([sampleBatch([3])]);
  await second.journal.close();
  assert.equal(fs.existsSync(segmentFile(dataDir, 0, 'native')), false);
  assert.equal(fs.existsSync(segmentFile(dataDir, 0, 'index')), false);
  assert.equal((await second.journal.storage.next(samplesKey))?.firstRow, 2);
});
