import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readState, StateWriter } from '../../../src/control/state-writer.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-state-'));
after(() => rmSync(folder, { recursive: true }));

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

test('what was written is read; of a damaged file the log says that it was moved aside', async () => {
  const logged: string[] = [];
  const log = createLog({ destination: { write: (line) => void logged.push(line) } });
  const path = join(folder, 'e.json');
  await new StateWriter(path, () => ({ version: 1, names: ['a'] })).save();
  assert.deepEqual(readState(path, 1, log), { version: 1, names: ['a'] });
  writeFileSync(path, 'x');
  assert.equal(readState(path, 1, log), undefined);
  assert.equal(logged.length, 1);
  assert.match(logged[0]!, /"level":"error".*a state file is damaged/);
});
