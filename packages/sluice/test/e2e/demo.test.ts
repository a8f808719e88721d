import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { dataSources } from '../../src/catalog/catalog.ts';
import { Running, until } from './processes.ts';

test(
  'the demo shows rows in every table that something is sent for, says why there are none in others, and ends',
  { timeout: 180_000 },
  async () => {
    const script = fileURLToPath(new URL('../../../../scripts/demo.ts', import.meta.url));
    await using demo = new Running('demo', process.execPath, [script, '--once', '--agents', '2']);
    await until(
      () => (demo.exited ? true : undefined),
      150_000,
      () => `the demo to end:\n${demo.output()}`,
    );
    assert.equal(await demo.end(), 0, demo.output());
    const header = demo.lines.findIndex((line) => /^table +rows$/.test(line));
    const rows = new Map(
      demo.lines.slice(header + 1, header + 1 + dataSources.length).map((line) => {
        const [table = '', ...rest] = line.split(/ {2,}/);
        return [table, rest.join(' ')];
      }),
    );
    assert.deepEqual([...rows.keys()], dataSources.map(({ id }) => id).toSorted(), demo.output());
    // What the inventory knows of the demo's agents may be written by then, or not yet.
    const isAsked = (table: string) => !table.startsWith('flow_tag.');
    const without = [...rows].filter(
      ([table, text]) => isAsked(table) && !(Number(text) > 0) && !text.startsWith('made in the database'),
    );
    assert.deepEqual(
      without.map(([table]) => table),
      ['deepflow_admin.deepflow_server', 'event.event', 'flow_log.l4_packet', 'flow_metrics.traffic_policy.1m'],
      demo.output(),
    );
    for (const [table, text] of without) assert.match(text, /^0: .*(agents|servers|the hub)/, table);
  },
);
