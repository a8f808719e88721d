import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ChangingFiles } from '../../../src/exporters/changing-files.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-changing-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function follow(path: string) {
  const lines: string[] = [];
  const log = createLog({ destination: { write: (line: string) => void lines.push(line) } });
  const clock = { now: 0 };
  let made = 0;
  const files = new ChangingFiles({
    exporter: 'out',
    paths: [path],
    make: ([content]) => {
      made++;
      const text = String(content);
      if (text === '') throw new Error('nothing in it');
      return { text };
    },
    log,
    now: () => clock.now,
  });
  return { files, clock, lines, made: () => made };
}

describe('what is made of a file', () => {
  test('follows it, once a second at most, and is the same object until then', async () => {
    const path = join(folder, 'token');
    writeFileSync(path, 'first');
    const { files, clock, made } = follow(path);
    const first = await files.current();
    assert.equal(first.text, 'first');
    writeFileSync(path, 'the second one');
    assert.equal(await files.current(), first);
    clock.now = 1001;
    assert.equal((await files.current()).text, 'the second one');
    const second = await files.current();
    clock.now = 5000;
    assert.equal(await files.current(), second);
    assert.equal(made(), 2);
  });

  test('stays while the file is missing or unusable, which is said once a minute', async () => {
    const path = join(folder, 'kept');
    writeFileSync(path, 'good');
    const { files, clock, lines } = follow(path);
    const good = await files.current();
    rmSync(path);
    clock.now = 2000;
    assert.equal(await files.current(), good);
    writeFileSync(path, '');
    clock.now = 4000;
    assert.equal(await files.current(), good);
    const [line, ...others] = lines.map((one) => JSON.parse(one) as Record<string, unknown>);
    assert.equal(others.length, 0);
    assert.equal(line!['exporter'], 'out');
    assert.match(String(line!['error']), /ENOENT/);
    writeFileSync(path, 'good again');
    clock.now = 6000;
    assert.equal((await files.current()).text, 'good again');
  });

  test('is asked for in vain until there is one; everybody who asks waits for the same look', async () => {
    const path = join(folder, 'late');
    const { files, made } = follow(path);
    await assert.rejects(files.current(), /ENOENT/);
    writeFileSync(path, 'here');
    const [one, other] = await Promise.all([files.current(), files.current()]);
    assert.equal(one, other);
    assert.equal(made(), 1);
  });
});
