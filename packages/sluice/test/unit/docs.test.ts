import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pages } from '../../../../scripts/write-docs.ts';
import { ERROR_CODES } from '../../src/base/errors.ts';
import { LABEL_VALUES } from '../../src/telemetry/label-values.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

const repository = new URL('../../../../', import.meta.url);

for (const [path, text] of pages()) {
  test(`${path} is what the code says`, () => {
    const committed = readFileSync(new URL(path, repository), 'utf8');
    assert.equal(committed, text, `run: npx node --conditions=@sluice/source scripts/write-docs.ts`);
  });
}

test('docs/metrics.md lists every metric with its labels, and nothing else', () => {
  const listed = [...new Set(firstCells('docs/metrics.md'))].toSorted();
  const declared = createMetrics().registry.getMetricsAsArray();
  assert.ok(declared.length > 20);
  assert.deepEqual(listed, declared.map(({ name }) => name).toSorted());
  const page = readFileSync(new URL('docs/metrics.md', repository), 'utf8');
  assert.match(page, /^\| `sluice_dropped_rows_total` +\| counter +\| `input`, `reason` +\| /m);
});

test('values are explained of labels that there are', () => {
  const { registry } = createMetrics();
  for (const { metric, label, values } of LABEL_VALUES) {
    const declared: object | undefined = registry.getSingleMetric(metric);
    const labels: unknown = declared !== undefined && 'labelNames' in declared ? declared.labelNames : [];
    assert.ok(Array.isArray(labels) && labels.includes(label), `${metric} has no label ${label}`);
    assert.ok(
      Object.keys(values).every((value) => /^[a-z_]+$/.test(value)),
      metric,
    );
  }
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
