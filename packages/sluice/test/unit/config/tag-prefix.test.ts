import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../../src/config/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function load(text: string) {
  const path = join(folder, 'server.yaml');
  writeFileSync(path, text);
  return loadConfig({ path, env: {} });
}

test('the prefix of tags is the own key, else that of DeepFlow, else none', () => {
  const prefixOf = (text: string) => load(text).config?.tags.autoTaggingPrefix;
  const theirs = 'querier: { prometheus: { auto-tagging-prefix: df_ } }\n';
  assert.equal(prefixOf(''), '');
  assert.equal(prefixOf(theirs), 'df_');
  assert.equal(prefixOf(`${theirs}tags:\n`), 'df_');
  assert.equal(prefixOf(`${theirs}tags: { auto-tagging-prefix: x_ }\n`), 'x_');
  assert.ok(!load(theirs).notes.some((note) => note.includes('auto-tagging-prefix')));
});

test('what cannot begin a label name is named with its place', () => {
  const { problems } = load('querier:\n  prometheus:\n    auto-tagging-prefix: "9 x"\n');
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /server\.yaml:3:\d+: .*expected the beginning of a label name/);
});
