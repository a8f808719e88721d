import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { crc32 } from 'node:zlib';
import {
  encodeState,
  readStateFile,
  replaceStateFile,
  replaceStateFileSync,
  type StateContent,
} from '../../../src/base/state-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-state-'));
after(() => rmSync(folder, { recursive: true }));
const strict = { version: 1, onDamaged: (why: string) => assert.fail(why) };

for (const [name, replace] of [
  ['synced', replaceStateFile],
  ['not synced', (path: string, content: StateContent) => replaceStateFileSync(path, content)],
] as const) {
  test(`${name}: what was written is read, and only its user may read it`, async () => {
    const path = join(folder, name, 'a.json');
    assert.equal(readStateFile(path, strict), undefined);
    for (const names of [['\u00e4', '\n'], []]) {
      await replace(path, { version: 1, names });
      assert.deepEqual(readStateFile(path, strict), { version: 1, names });
    }
    assert.deepEqual(readdirSync(dirname(path)), ['a.json']);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
  });
}

test('a damaged file is moved aside and told; a newer one is refused', () => {
  const path = join(folder, 'e.json');
  const told: string[] = [];
  const format = { version: 1, onDamaged: (why: string) => void told.push(why) };
  const damage = ['', '{"version":1}', '{"version":1}\n00000000\n', `[1]\n${crc32('[1]').toString(16)}\n`];
  const whole = encodeState({ version: 1, text: 'some text' });
  for (let at = 1; at < whole.length - 2; at += 7) damage.push(whole.slice(0, at));
  for (const text of damage) {
    writeFileSync(path, text);
    assert.equal(readStateFile(path, format), undefined, text);
    assert.equal(readFileSync(`${path}.damaged`, 'utf8'), text);
    assert.equal(existsSync(path), false);
  }
  assert.equal(told.length, damage.length);
  assert.deepEqual(told.slice(2, 4), ['its checksum is wrong', 'it has no version']);
  replaceStateFileSync(path, { version: 2 });
  assert.throws(() => readStateFile(path, format), {
    code: 'format_too_new',
    message: `cannot read ${path}: expected format 1; got 2, written by a newer Sluice; start that version`,
  });
  assert.ok(existsSync(path));
});

test('what cannot be read is told by name', () => {
  assert.throws(() => readStateFile(folder, strict), { code: 'data_dir_unusable' });
});
