import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pages } from '../../../../scripts/write-docs.ts';
import { ERROR_CODES } from '../../src/base/errors.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

const repository = new URL('../../../../', import.meta.url);

for (const [path, text] of pages()) {
  test(`${path} is what the code says`, () => {
    const committed = readFileSync(new URL(path, repository), 'utf8');
    assert.equal(committed, text, `run: npx node --conditions=@sluice/source scripts/write-docs.ts`);
  });
}

test('docs/metrics.md lists every metric with its labels, and nothing else', () => {
  const listed = firstCells('docs/metrics.md').toSorted();
  const declared = createMetrics().registry.getMetricsAsArray();
  assert.ok(declared.length > 20);
  assert.deepEqual(listed, declared.map(({ name }) => name).toSorted());
  const page = readFileSync(new URL('docs/metrics.md', repository), 'utf8');
  assert.match(page, /^\| `sluice_dropped_rows_total` +\| counter +\| `input`, `reason` +\| /m);
});

test('docs/errors.md lists every code, and nothing else', () => {
  assert.deepEqual(firstCells('docs/errors.md'), Object.keys(ERROR_CODES));
});

test('metrics are named as the house does', () => {
  for (const metric of createMetrics().registry.getMetricsAsArray()) {
    const type = String(metric.type);
    assert.match(metric.name, /^sluice_[a-z]+(?:_[a-z]+)*$/);
    assert.equal(metric.name.endsWith('_total'), type === 'counter', metric.name);
    assert.ok(type !== 'histogram' || metric.name.endsWith('_seconds'), metric.name);
    assert.ok(metric.help.length > 5 && !metric.help.endsWith('.'), metric.name);
  }
});

function firstCells(path: string): string[] {
  const page = readFileSync(new URL(path, repository), 'utf8');
  return [...page.matchAll(/^\| `([a-z_]+)`/gm)].map((match) => match[1] ?? '');
}
