import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { isSluiceError } from '../../../src/base/errors.ts';
import { realFiles, type Files } from '../../../src/journal/files.ts';
import {
  drain,
  fileError,
  filesWith,
  metadataBatch,
  metricValue,
  open,
  sampleBatch,
  segmentFile,
  temporaryFolder,
  valuesInFile,
} from './fixture.ts';

test('sync: always acknowledges after the files and their folders are on the disk', async (t) => {
  const events: string[] = [];
  const paths = new Map<number, string>();
  const name = (path: string | undefined) => path?.split('/').at(-1)?.replace(/^0+/, '') ?? '?';
  const files: Files = {
    ...realFiles,
    createSync: (path) => {
      const fd = realFiles.createSync(path);
      paths.set(fd, path);
      return fd;
    },
    writevSync: (fd, buffers, position) => {
      events.push(`write ${name(paths.get(fd))}`);
      return realFiles.writevSync(fd, buffers, position);
    },
    writeSync: (fd, buffer, position) => {
      events.push(`entry ${name(paths.get(fd))}`);
      return realFiles.writeSync(fd, buffer, position);
    },
    fdatasync: async (fd) => {
      await realFiles.fdatasync(fd);
      events.push(`sync ${name(paths.get(fd))}`);
    },
    syncFolder: async (path) => {
      await realFiles.syncFolder(path);
      events.push(`folder ${name(path)}`);
    },
  };
  const { journal } = await open({ dataDir: temporaryFolder(t), sync: 'always', files });
  events.length = 0;
  await journal.append([sampleBatch([1])]);
  events.push('acknowledged');
  assert.deepEqual(events.slice(0, 3), ['write .index', 'write .native', 'entry .index']);
  assert.deepEqual(events.slice(3, -1).toSorted(), [
    'folder 1',
    'folder journal',
    'folder main',
    'folder prometheus.samples',
    'sync .index',
    'sync .native',
  ]);
  assert.equal(events.at(-1), 'acknowledged');
  events.length = 0;
  await journal.append([sampleBatch([2])]);
  events.push('acknowledged');
  assert.deepEqual(events.slice(0, 2), ['write .native', 'entry .index']);
  assert.deepEqual(events.slice(2).toSorted(), ['acknowledged', 'sync .index', 'sync .native']);
  assert.equal(events.at(-1), 'acknowledged');
  await journal.close();
});

test('sync: always brings inputs that come during an fsync to the disk with the next one', async (t) => {
  let syncs = 0;
  let go = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  const files = filesWith({
    fdatasync: async (fd) => {
      syncs++;
      await held;
      await realFiles.fdatasync(fd);
    },
  });
  const dataDir = temporaryFolder(t);
  await (await open({ dataDir })).journal.close();
  const { journal } = await open({ dataDir, sync: 'always', files });
  const acknowledged: number[] = [];
  const inputs = [1, 2, 3, 4].map(async (value) => {
    for (let turn = 0; turn < value * 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    await journal.append([sampleBatch([value])]);
    acknowledged.push(value);
  });
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(valuesInFile(segmentFile(dataDir, 0, 'native')), [1, 2, 3, 4], 'all are written');
  assert.deepEqual(acknowledged, [], 'none is durable');
  assert.equal(syncs, 2, 'the first one is under way: segment and index');
  go();
  await Promise.all(inputs);
  assert.deepEqual(acknowledged, [1, 2, 3, 4]);
  assert.equal(syncs, 4, 'one more for the other three');
  await journal.close();
});

test('sync: interval acknowledges at once and syncs within the interval', async (t) => {
  let syncs = 0;
  const files = filesWith({
    fdatasync: async () => {
      syncs++;
    },
  });
  const { journal, clock } = await open({
    dataDir: temporaryFolder(t),
    syncIntervalMs: 300,
    segmentAgeMs: 60_000,
    files,
  });
  syncs = 0;
  await journal.append([sampleBatch([1])]);
  assert.equal(syncs, 0);
  clock.advance(299);
  assert.equal(syncs, 0);
  clock.advance(1);
  assert.equal(syncs, 2, 'segment and index');
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(10_000);
  assert.equal(syncs, 2, 'nothing was written since');
  await journal.close();
});

test('a segment that is gone before its fsync is not synced', async (t) => {
  let syncs = 0;
  const files = filesWith({
    fdatasync: async () => {
      syncs++;
    },
  });
  const dataDir = temporaryFolder(t);
  await (await open({ dataDir })).journal.close();
  const { journal, clock } = await open({ dataDir, syncIntervalMs: 1000, segmentAgeMs: 100, files });
  await journal.append([sampleBatch([1])]);
  clock.advance(100);
  assert.deepEqual(await drain(journal), [1]);
  clock.advance(5000);
  assert.equal(syncs, 0);
  await journal.close();
});

test('a full disk rejects the input, cuts the segment back, and later inputs go on', async (t) => {
  const dataDir = temporaryFolder(t);
  let full = false;
  const files = filesWith({
    writevSync: (fd, buffers, position) => {
      if (!full) return realFiles.writevSync(fd, buffers, position);
      // What a disk does: it takes what fits, then refuses.
      const bytes = Buffer.concat(buffers);
      if (bytes.length <= 10) throw fileError('ENOSPC');
      return realFiles.writevSync(fd, [bytes.subarray(0, 10)], position);
    },
  });
  const { journal, metrics, lines } = await open({ dataDir, files });
  await journal.append([sampleBatch([1])]);
  const size = fs.statSync(segmentFile(dataDir, 0, 'native')).size;
  full = true;
  await assert.rejects(
    journal.append([sampleBatch([2])]),
    (error) => isSluiceError(error, 'disk_full') && error.retryAfterMs !== undefined,
  );
  assert.equal(fs.statSync(segmentFile(dataDir, 0, 'native')).size, size);
  full = false;
  await journal.append([sampleBatch([3])]);
  assert.deepEqual(valuesInFile(segmentFile(dataDir, 0, 'native')), [1, 3]);
  assert.equal(await metricValue(metrics.journalAppends, { outcome: 'failed' }), 1);
  assert.equal(lines.filter((line) => line['level'] === 'error').length, 1);
  await journal.seal();
  assert.deepEqual(await drain(journal), [1, 3]);
  await journal.close();
});

test('a short write that the disk goes on with is no failure', async (t) => {
  const dataDir = temporaryFolder(t);
  const files = filesWith({
    writevSync: (fd, buffers, position) => realFiles.writevSync(fd, [Buffer.concat(buffers).subarray(0, 7)], position),
  });
  const { journal } = await open({ dataDir, files });
  await journal.append([sampleBatch([1, 2, 3]), metadataBatch(['text'])]);
  await journal.seal();
  assert.deepEqual(await drain(journal), [1, 2, 3]);
  await journal.close();
});

test('a block whose index entry cannot be written is cut off again', async (t) => {
  const dataDir = temporaryFolder(t);
  let short = false;
  const files = filesWith({
    writeSync: (fd, buffer, position) => realFiles.writeSync(fd, short ? buffer.subarray(0, 13) : buffer, position),
  });
  const { journal } = await open({ dataDir, files });
  await journal.append([sampleBatch([1])]);
  const sizes = () =>
    ['native', 'index'].map(
      (kind) => fs.statSync(segmentFile(dataDir, 0, kind === 'native' ? 'native' : 'index')).size,
    );
  const before = sizes();
  short = true;
  await assert.rejects(journal.append([sampleBatch([2])]), (error) => isSluiceError(error, 'disk_full'));
  assert.deepEqual(sizes(), before);
  short = false;
  await journal.append([sampleBatch([3])]);
  await journal.seal();
  assert.deepEqual(await drain(journal), [1, 3]);
  await journal.close();
});

test('bytes that cannot be cut off at once are cut off before the next write and before sealing', async (t) => {
  const dataDir = temporaryFolder(t);
  let failing = false;
  const files = filesWith({
    writevSync: (fd, buffers, position) => {
      if (!failing) return realFiles.writevSync(fd, buffers, position);
      realFiles.writevSync(fd, [Buffer.concat(buffers).subarray(0, 30)], position);
      throw fileError('EIO');
    },
    ftruncateSync: (fd, length) => {
      if (failing) throw fileError('EIO');
      realFiles.ftruncateSync(fd, length);
    },
  });
  const { journal, clock } = await open({ dataDir, files });
  await journal.append([sampleBatch([1])]);
  failing = true;
  await assert.rejects(journal.append([sampleBatch([2])]), (error) => isSluiceError(error, 'journal_failed'));
  clock.advance(1000);
  assert.deepEqual(journal.storage.pending(), [], 'a ragged segment is not handed to storage');
  failing = false;
  clock.advance(1000);
  assert.deepEqual(await drain(journal), [1]);
  await journal.close();
});

test('a segment that cannot even be begun leaves no file', async (t) => {
  const dataDir = temporaryFolder(t);
  let failing = '';
  const files = filesWith({
    createSync: (path) => {
      if (failing !== '' && path.endsWith(failing)) throw fileError('ENOSPC');
      return realFiles.createSync(path);
    },
    writevSync: (fd, buffers, position) => {
      if (failing === 'write') throw fileError('ENOSPC');
      return realFiles.writevSync(fd, buffers, position);
    },
  });
  const { journal } = await open({ dataDir, files });
  for (failing of ['.native', '.index', 'write']) {
    await assert.rejects(journal.append([sampleBatch([1])]), (error) => isSluiceError(error, 'disk_full'));
    assert.deepEqual(fs.readdirSync(`${dataDir}/journal/1/prometheus.samples/main`), [], failing);
  }
  failing = '';
  await journal.append([sampleBatch([2])]);
  await journal.seal();
  assert.deepEqual(await drain(journal), [2]);
  await journal.close();
});

test('when a later table of a group fails, every input of the group is rejected and what was written stays', async (t) => {
  const dataDir = temporaryFolder(t);
  let failing = true;
  const files = filesWith({
    createSync: (path) => {
      if (failing && path.includes('prometheus.samples')) throw fileError('ENOSPC');
      return realFiles.createSync(path);
    },
  });
  const { journal } = await open({ dataDir, files });
  const outcomes = await Promise.allSettled([
    journal.append([metadataBatch(['a'])]),
    journal.append([metadataBatch(['b']), sampleBatch([1])]),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  failing = false;
  await journal.append([metadataBatch(['b']), sampleBatch([1])]);
  await journal.seal();
  assert.deepEqual(await drain(journal), [1]);
  const segment = await journal.storage.next({ org: 1, table: 'prometheus.metadata', writer: 'main' });
  assert.equal(segment?.rows, 3);
  await journal.close();
});

test('sync: always rejects when the fsync fails, and writes no more to that segment', async (t) => {
  const dataDir = temporaryFolder(t);
  let failing = false;
  const files = filesWith({
    fdatasync: async (fd) => {
      if (failing) throw fileError('EIO');
      await realFiles.fdatasync(fd);
    },
  });
  const { journal } = await open({ dataDir, sync: 'always', files });
  await journal.append([sampleBatch([1])]);
  failing = true;
  await assert.rejects(journal.append([sampleBatch([2])]), (error) => isSluiceError(error, 'journal_failed'));
  failing = false;
  await journal.append([sampleBatch([3])]);
  assert.deepEqual(valuesInFile(segmentFile(dataDir, 2, 'native')), [3]);
  await journal.close();
});

test('a Batch that is not of its table is refused alone', async (t) => {
  const { journal } = await open({ dataDir: temporaryFolder(t) });
  const good = sampleBatch([1]);
  const bad = { ...good, columns: good.columns.slice(1) };
  const outcomes = await Promise.allSettled([journal.append([bad]), journal.append([good])]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  );
  await journal.close();
});
