import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { StateWriter, readStateFile } from '../../../src/control/state-file.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-state-'));
after(() => rmSync(folder, { recursive: true }));
const logged: string[] = [];
const log = createLog({ destination: { write: (line) => void logged.push(line) } });

test('what was written is read', async () => {
  const path = join(folder, 'deep', 'a.json');
  assert.equal(await readStateFile(path, 1, log), undefined);
  await new StateWriter(path, () => ({ version: 1, names: ['ä', '\n'] })).save();
  assert.deepEqual(await readStateFile(path, 1, log), { version: 1, names: ['ä', '\n'] });
});

test('who asks during a write shares the next one, which has what was so when they asked', async () => {
  const path = join(folder, 'b.json');
  let count = 0;
  let writes = 0;
  const writer = new StateWriter(path, () => {
    writes++;
    return { version: 1, count };
  });
  const saves: Promise<void>[] = [];
  for (let index = 0; index < 20; index++) {
    count++;
    const wanted = count;
    saves.push(
      writer.save().then(() => {
        const written = JSON.parse(readFileSync(path, 'utf8').split('\n')[0] ?? '') as { count: number };
        assert.ok(written.count >= wanted);
      }),
    );
    if (index % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(saves);
  assert.ok(writes < 20, `${writes} writes`);
});

test('a failed write is told, and the next one is tried', async () => {
  const blocked = join(folder, 'c');
  writeFileSync(blocked, '');
  const writer = new StateWriter(join(blocked, 'd.json'), () => ({ version: 1 }));
  await assert.rejects(writer.save(), { code: 'data_dir_unusable' });
  rmSync(blocked);
  await writer.save();
  assert.ok(existsSync(join(blocked, 'd.json')));
});

test('a damaged file is moved aside with an error; a newer one is refused', async () => {
  const path = join(folder, 'e.json');
  const damage = ['', '{"version":1}', '{"version":1}\n00000000\n', `[1]\n${crc32('[1]').toString(16)}\n`];
  for (const text of damage) {
    writeFileSync(path, text);
    assert.equal(await readStateFile(path, 1, log), undefined);
    assert.equal(readFileSync(`${path}.damaged`, 'utf8'), text);
    assert.equal(existsSync(path), false);
  }
  assert.equal(logged.length, damage.length);
  await new StateWriter(path, () => ({ version: 2 })).save();
  await assert.rejects(readStateFile(path, 1, log), { code: 'format_too_new' });
  assert.ok(existsSync(path));
});
