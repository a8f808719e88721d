import assert from 'node:assert/strict';
import { it } from 'node:test';
import { apiData, freePort, Hub, needs, peerPath, Running, Scratch, until } from './processes.ts';

it(
  'vmagent scrapes and writes; what it scraped can be looked up',
  { ...needs('vmagent', 'prometheus-node-exporter'), timeout: 60_000 },
  async () => {
    using scratch = new Scratch();
    await using hub = await Hub.start(`${scratch.path}/hub`);
    await hub.ready();
    const nodePort = await freePort();
    await using exporter = new Running('node-exporter', peerPath('prometheus-node-exporter'), [
      `--web.listen-address=127.0.0.1:${nodePort}`,
    ]);
    const config = scratch.file(
      'scrape.yml',
      `
global: {scrape_interval: 1s}
scrape_configs:
  - {job_name: node, static_configs: [{targets: ['127.0.0.1:${nodePort}']}]}
`,
    );
    await using agent = new Running('vmagent', peerPath('vmagent'), [
      `-promscrape.config=${config}`,
      `-remoteWrite.url=${hub.integration}/api/v1/prometheus`,
      `-remoteWrite.tmpDataPath=${scratch.path}/vmagent`,
      '-remoteWrite.flushInterval=500ms',
      `-httpListenAddr=127.0.0.1:${await freePort()}`,
    ]);
    const series = await until(
      async () => {
        const data = (await apiData(`${hub.http}/api/v1/series`, { 'match[]': 'node_memory_MemFree_bytes' })) as Record<
          string,
          string
        >[];
        return data.length > 0 ? data : undefined;
      },
      30_000,
      () => `the scraped series:\n${agent.output()}\n${hub.output()}`,
    );
    assert.deepEqual(series, [
      { __name__: 'node_memory_MemFree_bytes', instance: `127.0.0.1:${nodePort}`, job: 'node' },
    ]);
    assert.equal(await hub.metric('sluice_dropped_rows_total'), 0);
    assert.ok(!exporter.exited);
    assert.equal(await agent.end(), 0);
    assert.equal(await hub.end(), 0, hub.output());
  },
);
