import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSluiceError } from '../../../src/base/errors.ts';
import { dataDirectoryHolder, lockDataDirectory } from '../../../src/journal/lock.ts';
import { temporaryFolder } from './fixture.ts';

test('a second holder is refused with the directory, the process and what to do', async (t) => {
  const dir = join(temporaryFolder(t), 'data');
  const lock = await lockDataDirectory(dir);
  assert.equal(fs.statSync(dir).mode & 0o777, 0o700);
  await assert.rejects(
    lockDataDirectory(dir),
    (error) =>
      isSluiceError(error, 'data_dir_locked') &&
      error.message ===
        `cannot use data directory ${dir}: another process (${process.pid}) holds it; stop that one, or give this one a directory of its own with --data-dir`,
  );
  assert.deepEqual(await dataDirectoryHolder(dir), { pid: process.pid });
  await lock.release();
  assert.equal(await dataDirectoryHolder(dir), undefined);
  await (await lockDataDirectory(dir)).release();
});

test('a directory is the same under another name', async (t) => {
  const folder = temporaryFolder(t);
  const lock = await lockDataDirectory(join(folder, 'data'));
  fs.symlinkSync(join(folder, 'data'), join(folder, 'link'));
  await assert.rejects(lockDataDirectory(join(folder, 'link')), (error) => isSluiceError(error, 'data_dir_locked'));
  await lock.release();
});

test('a path too long for a socket is locked all the same', async (t) => {
  const dir = join(temporaryFolder(t), 'x'.repeat(120), 'data');
  const lock = await lockDataDirectory(dir);
  await assert.rejects(lockDataDirectory(dir), (error) => isSluiceError(error, 'data_dir_locked'));
  await lock.release();
  await (await lockDataDirectory(dir)).release();
});

test('a file that nobody listens on is taken over', async (t) => {
  const dir = temporaryFolder(t);
  fs.writeFileSync(join(dir, 'lock'), 'left over');
  const lock = await lockDataDirectory(dir);
  await assert.rejects(lockDataDirectory(dir), (error) => isSluiceError(error, 'data_dir_locked'));
  await lock.release();
});

test('of many that find a left-over at once exactly one gets the directory', async (t) => {
  for (let round = 0; round < 10; round++) {
    const dir = temporaryFolder(t);
    fs.writeFileSync(join(dir, 'lock'), 'left over');
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockDataDirectory(dir)));
    const held = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    assert.equal(held.length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        assert.ok(isSluiceError(outcome.reason, 'data_dir_locked'), String(outcome.reason));
    }
    assert.notEqual(await dataDirectoryHolder(dir), undefined);
    await held[0]!.value.release();
  }
});

test('a holder that accepts but does not answer is alive', async (t) => {
  const dir = temporaryFolder(t);
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => {
    silent.listen(join(dir, 'lock'), resolve);
  });
  await assert.rejects(
    lockDataDirectory(dir),
    (error) => isSluiceError(error, 'data_dir_locked') && error.message.includes('another process holds it'),
  );
  await new Promise((resolve) => silent.close(resolve));
});

test('a directory that cannot be made is said so', async (t) => {
  const file = join(temporaryFolder(t), 'file');
  fs.writeFileSync(file, '');
  await assert.rejects(lockDataDirectory(join(file, 'data')), (error) => isSluiceError(error, 'data_dir_unusable'));
});
