import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { httpLimitsSchema } from '../../../src/http/config.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { referenceKeys, renderReference, type ReferenceKey } from '../../../src/config/reference.ts';
import { readLimitsSchema } from '../../../src/query/config.ts';
import { agentLimitsSchema } from '../../../src/receivers/agent/config.ts';
import { logLimitsSchema } from '../../../src/receivers/log/config.ts';
import { profileLimitsSchema } from '../../../src/receivers/profile/config.ts';
import { tracesLimitsSchema } from '../../../src/receivers/opentelemetry/config.ts';
import { remoteWriteLimitsSchema } from '../../../src/receivers/prometheus/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-reference-'));
after(() => rmSync(folder, { recursive: true }));

test('the printed reference loads without a word and is the defaults', () => {
  const path = join(folder, 'reference.yml');
  writeFileSync(path, renderReference());
  const { config, problems, warnings, notes } = loadConfig({ path, env: {} });
  assert.deepEqual([problems, warnings, notes], [[], [], []]);
  // A path in a file is relative to the file.
  const defaults = loadConfig({ dataDir: join(folder, 'sluice-data'), env: {} }).config;
  assert.deepEqual(config, defaults);
});

test('every key with a default is written out, every other one shown as a comment', () => {
  const lines = renderReference().split('\n');
  const missing = allKeys(referenceKeys()).filter((key) => {
    const written = new RegExp(`^[# -]*${key.key}:`);
    return !lines.some((line) => written.test(line));
  });
  assert.deepEqual(
    missing.map(({ path }) => path),
    [],
  );
  assert.ok(lines.includes('hub-id: 0'));
  assert.ok(lines.includes('  header-timeout: 10s'));
  assert.ok(lines.includes('# auth:'));
  assert.ok(
    lines.every((line) => line.length <= 120),
    lines.find((line) => line.length > 120),
  );
});

test('a commented-out section can be used by taking the hashes away', () => {
  const reference = renderReference();
  const tls = reference.slice(reference.indexOf('\n# tls:') + 1).split('\n\n', 1)[0] ?? '';
  const path = join(folder, 'tls.yml');
  writeFileSync(join(folder, 'path'), 'a certificate');
  writeFileSync(path, tls.replaceAll(/^# /gm, ''));
  const { config, problems } = loadConfig({ path, env: {} });
  assert.deepEqual(problems, []);
  assert.equal(config?.tls?.certFile, join(folder, 'path'));
});

test('every key is described', () => {
  const silent = allKeys(referenceKeys()).filter((key) => key.description === '' && key.children.length === 0);
  assert.deepEqual(
    silent.map(({ path }) => path),
    [],
  );
});

test('no two rooms claim the same limit', () => {
  const schemas = [
    httpLimitsSchema,
    remoteWriteLimitsSchema,
    readLimitsSchema,
    agentLimitsSchema,
    tracesLimitsSchema,
    profileLimitsSchema,
    logLimitsSchema,
  ];
  const names = schemas.flatMap(({ shape }) => Object.keys(shape));
  assert.equal(new Set(names).size, names.length);
  const limits = referenceKeys().find(({ key }) => key === 'limits');
  assert.deepEqual(limits?.children.map(({ key }) => key).toSorted(), names.toSorted());
});

function allKeys(keys: readonly ReferenceKey[]): ReferenceKey[] {
  return keys.flatMap((key) => [key, ...allKeys(key.children)]);
}
