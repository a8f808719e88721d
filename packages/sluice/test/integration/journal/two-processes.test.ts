import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { isSluiceError } from '../../../src/base/errors.ts';
import { dataDirectoryHolder, lockDataDirectory } from '../../../src/journal/lock.ts';
import { temporaryFolder } from '../../unit/journal/fixture.ts';

type Child = ChildProcessByStdio<null, Readable, Readable>;

function holdDirectory(dataDir: string): Child {
  const script = join(import.meta.dirname, 'numbered-writer.ts');
  return spawn(process.execPath, ['--conditions=@sluice/source', script, dataDir, 'lock', '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** `locked`, or the error that ended it. */
async function outcome(child: Child): Promise<string> {
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  const locked = once(child.stdout, 'data').then(() => 'locked');
  return Promise.race([locked, once(child, 'close').then(() => text)]);
}

async function kill(child: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

test(
  'a second process is refused while the first lives, and takes over when it was killed',
  { timeout: 60_000 },
  async (t) => {
    const dataDir = temporaryFolder(t);
    const child = holdDirectory(dataDir);
    assert.equal(await outcome(child), 'locked');
    await assert.rejects(
      lockDataDirectory(dataDir),
      (error) => isSluiceError(error, 'data_dir_locked') && error.message.includes(`another process (${child.pid})`),
    );
    await kill(child);
    const lock = await lockDataDirectory(dataDir);
    assert.deepEqual(await dataDirectoryHolder(dataDir), { pid: process.pid });
    await lock.release();
  },
);

test('of processes that start together after a kill exactly one gets the directory', { timeout: 60_000 }, async (t) => {
  const dataDir = temporaryFolder(t);
  const dead = holdDirectory(dataDir);
  await outcome(dead);
  await kill(dead);
  const children = [1, 2, 3].map(() => holdDirectory(dataDir));
  const outcomes = await Promise.all(children.map(outcome));
  await Promise.all(children.map(kill));
  assert.deepEqual(outcomes.filter((text) => text === 'locked').length, 1);
  assert.equal(outcomes.filter((text) => text.includes('data_dir_locked')).length, 2);
});
