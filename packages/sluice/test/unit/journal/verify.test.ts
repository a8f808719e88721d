import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSluiceError } from '../../../src/base/errors.ts';
import { lockDataDirectory } from '../../../src/journal/lock.ts';
import { verifyJournal } from '../../../src/journal/verify.ts';
import { metadataBatch, open, sampleBatch, segmentFile, temporaryFolder } from './fixture.ts';

function filesIn(folder: string): string[] {
  return fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
}

test('a sound journal has no problems', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal } = await open({ dataDir });
  await journal.append([sampleBatch([1, 2])]);
  await journal.append([sampleBatch([3])]);
  await journal.append([metadataBatch(['a'])]);
  await journal.close();
  assert.deepEqual(await verifyJournal(dataDir), { segments: 2, blocks: 3, rows: 4, problems: [] });
});

test('every problem is named with file and offset, and nothing is changed', async (t) => {
  const dataDir = temporaryFolder(t);
  const { journal } = await open({ dataDir });
  await journal.append([sampleBatch([1, 2])]);
  await journal.append([sampleBatch([3])]);
  await journal.close();
  const data = segmentFile(dataDir, 0, 'native');
  const bytes = fs.readFileSync(data);
  bytes[50] = bytes[50]! ^ 1;
  fs.writeFileSync(data, Buffer.concat([bytes, Buffer.from('tail')]));
  const cursor = join(dataDir, 'journal/readers/kafka.cursor');
  fs.writeFileSync(cursor, 'garbage');
  const before = filesIn(dataDir);
  const report = await verifyJournal(dataDir);
  assert.deepEqual(
    report.problems.map(({ file, offset }) => ({ file, offset })),
    [
      { file: data, offset: bytes.length },
      { file: data, offset: 0 },
      { file: cursor, offset: undefined },
    ],
  );
  assert.deepEqual([report.segments, report.blocks, report.rows], [1, 1, 1]);
  assert.deepEqual(filesIn(dataDir), before);
  assert.equal(fs.statSync(data).size, bytes.length + 4);
});

test('the journal of a running hub is not checked', async (t) => {
  const dataDir = temporaryFolder(t);
  const lock = await lockDataDirectory(dataDir);
  await assert.rejects(verifyJournal(dataDir), (error) => isSluiceError(error, 'data_dir_locked'));
  await lock.release();
});

test('a directory without a journal is a problem, not a crash', async (t) => {
  const dataDir = join(temporaryFolder(t), 'none');
  assert.match((await verifyJournal(dataDir)).problems[0]!.message, /no journal/);
  assert.equal(fs.existsSync(dataDir), false);
});
