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

const EXPORTERS =
  'exporters: [{ protocol: kafka, endpoints: [127.0.0.1:9092], data-sources: [flow_log.l7_flow_log] }]\n';

test("DeepFlow's storage-disabled is obeyed, unless the own key says otherwise", () => {
  const theirs = `ingester: { storage-disabled: true }\n${EXPORTERS}`;
  assert.equal(load(theirs).config?.storage.engine, 'none');
  assert.ok(load(theirs).notes.some((note) => note.includes('storage-disabled stands for storage.engine: none')));
  assert.equal(load(`${theirs}storage: { engine: chdb }\n`).config?.storage.engine, 'chdb');
  assert.equal(load(`ingester: { storage-disabled: false }\n${EXPORTERS}`).config?.storage.engine, 'chdb');
});

test('a hub that would neither keep nor export anything is a mistake at the key', () => {
  const { problems } = load('ingester:\n  storage-disabled: true\n');
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /server\.yaml:2:\d+: /);
});
