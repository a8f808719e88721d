/** Custom fields through the real command: what was acknowledged is listed after a kill, by the queries that DeepFlow's own interface asks. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { textAt } from '../../src/batch/read.ts';
import { openChdb } from '../../src/storage/chdb.ts';
import { trustedSql } from '../../src/storage/sql.ts';
import { Hub, Scratch, until } from './processes.ts';

it('fields and values of acknowledged rows are listed after a kill', { timeout: 120_000 }, async () => {
  using scratch = new Scratch();
  const dataDir = `${scratch.path}/hub`;
  const tags = scratch.file('tags.yaml', 'chosts: [{ name: db-1, address: 10.1.0.9, tags: { team: shop } }]\n');
  const config = scratch.file('sluice.yaml', `tags: { files: [${tags}] }\n`);
  {
    await using hub = await Hub.start(dataDir, { args: ['--config', config] });
    const atNs = `${Date.now()}000000`;
    const lines = ['db-1', 'db-2'].map((host) => `disk,host=${host},device=sda used=5,free=7 ${atNs}`);
    const url = `${hub.http}/api/v1/telegraf`;
    const answer = await fetch(url, { method: 'POST', body: `${lines.join('\n')}\n` });
    assert.equal(answer.status, 204, await answer.text());
    await hub.end('SIGKILL');
  }
  {
    await using hub = await Hub.start(dataDir, { args: ['--config', config] });
    await hub.ready();
    await until(
      async () => {
        const loaded = await hub.metric('sluice_storage_rows_total');
        const backlog = await hub.metric('sluice_journal_backlog_bytes');
        const made = hub.lines.some((line) => line.includes('views and dictionaries made'));
        return made && loaded > 0 && backlog === 0 ? true : undefined;
      },
      60_000,
      () => `everything to be loaded and made:\n${hub.output()}`,
    );
    assert.equal(await hub.end('SIGTERM'), 0, hub.output());
  }
  const store = await openChdb({ path: `${dataDir}/chdb`, maxMemory: 500e6 });
  try {
    const ask = async (query: string) => {
      const blocks = await store.select(trustedSql(query));
      return blocks.flatMap(({ rows, columns }) =>
        Array.from({ length: rows }, (_, row) => textAt(columns[0]!.data, row)),
      );
    };
    assert.deepEqual(
      await ask(`SELECT concat(field_type, ' ', field_name) AS field FROM flow_tag.ext_metrics_custom_field
        WHERE table = 'influxdb.disk' GROUP BY field ORDER BY field`),
      ['metrics free', 'metrics used', 'tag device', 'tag host'],
    );
    assert.deepEqual(
      await ask(`SELECT field_value FROM flow_tag.ext_metrics_custom_field_value
        WHERE table = 'influxdb.disk' AND field_type = 'tag' AND field_name = 'host' GROUP BY field_value ORDER BY field_value`),
      ['db-1', 'db-2'],
    );
    assert.deepEqual(await ask(`SELECT name FROM flow_tag.chost_map`), ['db-1']);
    assert.deepEqual(
      await ask(`SELECT dictGet('flow_tag.chost_cloud_tag_map', 'value', (id, 'team')) FROM flow_tag.chost_map`),
      ['shop'],
    );
    const labels = await ask(
      `SELECT field_name AS name FROM flow_tag.prometheus_custom_field WHERE table = 'sluice_build_info' GROUP BY name`,
    );
    assert.ok(
      ['version', 'node', 'job'].every((name) => labels.includes(name)),
      labels.join(),
    );
  } finally {
    await store.close();
  }
});
