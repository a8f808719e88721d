import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Running, until } from './processes.ts';

test('the demo shows rows of every kind of data that agents send, and ends', { timeout: 180_000 }, async () => {
  const script = fileURLToPath(new URL('../../../../scripts/demo.ts', import.meta.url));
  await using demo = new Running('demo', process.execPath, [script, '--once', '--agents', '2']);
  await until(
    () => (demo.exited ? true : undefined),
    150_000,
    () => `the demo to end:\n${demo.output()}`,
  );
  assert.equal(await demo.end(), 0, demo.output());
  const rows = new Map(
    demo.lines.map((line) => line.split(/\s+/)).map(([table = '', count]) => [table, Number(count)]),
  );
  for (const table of [
    'application_log.log',
    'deepflow_tenant.deepflow_collector',
    'event.file_event',
    'ext_metrics.metrics',
    'flow_log.l4_flow_log',
    'flow_log.l7_flow_log',
    'flow_metrics.application_map.1s',
    'flow_metrics.network.1m',
    'profile.in_process',
    'prometheus.samples',
  ]) {
    assert.ok((rows.get(table) ?? 0) > 0, `${table}:\n${demo.output()}`);
  }
});
