import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiData, freePort, Hub, needs, peerPath, Prometheus, Running, Scratch, until } from './processes.ts';

interface RangeResult {
  readonly result: readonly { readonly metric: Record<string, string>; readonly values: readonly (readonly [number, string])[] }[];
}

const queries = [
  'up',
  'rate(prometheus_http_requests_total[10s])',
  'histogram_quantile(0.9, sum by (le, handler) (rate(prometheus_http_request_duration_seconds_bucket[10s])))',
  'sum by (job) (scrape_samples_scraped)',
  'node_cpu_seconds_total{mode=~"idle|user"}',
  'count({job=~".+"})',
];

it(
  'a Prometheus writes, another reads back the same numbers, also after the hub was killed in the middle',
  { ...needs('prometheus', 'prometheus-node-exporter'), timeout: 180_000 },
  async () => {
    using scratch = new Scratch();
    const dataDir = `${scratch.path}/hub`;
    const httpPort = await freePort();
    const hubArgs = { args: ['--set', `listen.http=127.0.0.1:${httpPort}`] };
    let hub = await Hub.start(dataDir, hubArgs);
    try {
      const nodePort = await freePort();
      await using node = new Running('node-exporter', peerPath('prometheus-node-exporter'), [
        `--web.listen-address=127.0.0.1:${nodePort}`,
        '--collector.disable-defaults',
        '--collector.cpu',
        '--collector.meminfo',
        '--collector.loadavg',
      ]);
      await using writer = await Prometheus.start(
        scratch,
        'writer',
        (self) => `
global: {scrape_interval: 1s, scrape_timeout: 1s, external_labels: {replica: a}}
scrape_configs:
  - {job_name: prometheus, static_configs: [{targets: ['${self}']}]}
  - {job_name: node, static_configs: [{targets: ['127.0.0.1:${nodePort}']}]}
  - {job_name: hub, static_configs: [{targets: ['127.0.0.1:${httpPort}']}]}
remote_write:
  - url: http://127.0.0.1:${httpPort}/api/v1/write
    queue_config: {batch_send_deadline: 500ms, max_backoff: 500ms}
    metadata_config: {send_interval: 2s}
`,
      );
      // Prometheus adds its external labels to its remote reads and takes them off the answers, so both name their series alike.
      await using reader = await Prometheus.start(
        scratch,
        'reader',
        () => `
global: {external_labels: {replica: a}}
remote_read:
  - url: http://127.0.0.1:${httpPort}/api/v1/read
    read_recent: true
`,
      );

      const started = Math.ceil(Date.now() / 1000) + 2;
      await sleep(9_000);
      // One target disappears: its series go stale, and staleness must be read back as well.
      assert.equal(await node.end('SIGTERM'), 0);
      await sleep(3_000);
      assert.equal(await hub.end('SIGKILL'), 'SIGKILL');
      await sleep(1_500);
      hub = await Hub.start(dataDir, hubArgs);
      await hub.ready();
      await sleep(6_000);
      const ended = Math.floor(Date.now() / 1000) - 3;

      // Everything the writer has for the window must have arrived: its queue is empty when nothing is pending and the newest sent time is past it.
      await until(
        async () => {
          const data = (await writer.get('/api/v1/query', {
            query: 'prometheus_remote_storage_queue_highest_sent_timestamp_seconds',
          })) as { result: readonly { value: readonly [number, string] }[] };
          return Number(data.result[0]?.value[1] ?? 0) > ended ? true : undefined;
        },
        30_000,
        () => `the writer's queue:\n${writer.output()}`,
      );
      await sleep(2_500);

      const failed = (await writer.get('/api/v1/query', {
        query: 'prometheus_remote_storage_samples_failed_total + prometheus_remote_storage_samples_dropped_total',
      })) as { result: readonly { value: readonly [number, string] }[] };
      assert.equal(failed.result[0]?.value[1], '0', 'the hub refused samples for good');

      for (const query of queries) {
        const window = { query, start: String(started), end: String(ended), step: '1' };
        const expected = (await writer.get('/api/v1/query_range', window)) as RangeResult;
        const actual = (await reader.get('/api/v1/query_range', window)) as RangeResult;
        assert.ok(expected.result.length > 0, `the writer itself has no answer for ${query}`);
        assert.deepEqual(byLabels(actual), byLabels(expected), query);
      }
      const stale = (await reader.get('/api/v1/query', { query: 'node_load1', time: String(ended) })) as RangeResult;
      assert.equal(stale.result.length, 0, 'series of a target that went away must be stale');

      // Raw samples, bit for bit as text, over the kill: nothing missing, nothing doubled.
      for (const selector of ['up', 'prometheus_http_requests_total', 'process_resident_memory_bytes']) {
        const at = { query: `${selector}[${ended - started}s]`, time: String(ended) };
        const expected = (await writer.get('/api/v1/query', at)) as RangeResult;
        const actual = (await reader.get('/api/v1/query', at)) as RangeResult;
        assert.ok(expected.result.length > 0);
        assert.deepEqual(byLabels(actual), byLabels(expected), selector);
      }

      await sameCatalogue(writer, hub, { start: String(started), end: String(ended) });
    } finally {
      assert.equal(await hub.end('SIGTERM'), 0, hub.output());
    }
  },
);

/** The label APIs answer as the writer does, but for the external label that it adds when it sends. */
async function sameCatalogue(writer: Prometheus, hub: Hub, window: { start: string; end: string }): Promise<void> {
  const own = (path: string, query: Record<string, string | readonly string[]>) => apiData(`${hub.http}${path}`, query);
  const ours = { ...window, 'match[]': '{replica="a"}' };

  const labels = (await writer.get('/api/v1/labels', window)) as string[];
  assert.deepEqual(await own('/api/v1/labels', ours), [...labels, 'replica'].toSorted());

  for (const label of ['__name__', 'job', 'instance', 'handler', 'le', 'mode']) {
    const path = `/api/v1/label/${label}/values`;
    assert.deepEqual(await own(path, ours), await writer.get(path, window), path);
  }

  const matching = { 'match[]': ['up', 'node_cpu_seconds_total{mode!="idle"}'] };
  const series = (await writer.get('/api/v1/series', { ...window, ...matching })) as Record<string, string>[];
  const stored = (await own('/api/v1/series', { ...window, ...matching })) as Record<string, string>[];
  assert.ok(series.length > 3);
  assert.deepEqual(
    sorted(stored.filter((one) => one['replica'] === 'a')),
    sorted(series.map((one) => ({ ...one, replica: 'a' }))),
  );

  const expected = (await writer.get('/api/v1/metadata')) as Record<string, readonly Record<string, string>[]>;
  const actual = (await own('/api/v1/metadata', {})) as Record<string, readonly Record<string, string>[]>;
  for (const [metric, entries] of Object.entries(expected)) {
    const known = actual[metric] ?? assert.fail(`no metadata of ${metric}`);
    for (const entry of entries) assert.ok(known.some((one) => sameText(one, entry)), `${metric}: ${JSON.stringify({ known, entry })}`);
  }
}

function sameText(a: unknown, b: unknown): boolean {
  return stable(a) === stable(b);
}

function stable(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).toSorted()) : inner,
  );
}

function sorted(list: readonly Record<string, string>[]): string[] {
  return list.map(stable).toSorted();
}

function byLabels(data: RangeResult): Map<string, unknown> {
  return new Map(data.result.map((one) => [stable(one.metric), one.values] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

