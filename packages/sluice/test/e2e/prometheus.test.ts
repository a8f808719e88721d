import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiData, freePort, Hub, needs, peerPath, Prometheus, Running, Scratch, until } from './processes.ts';

interface RangeResult {
  readonly result: readonly {
    readonly metric: Record<string, string>;
    readonly values: readonly (readonly [number, string])[];
  }[];
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
      await node.end('SIGTERM');
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

      await sameCatalogue(writer, hub, String(started));
    } finally {
      assert.equal(await hub.end('SIGTERM'), 0, hub.output());
    }
  },
);

/**
 * The label APIs answer as the writer does, but for the external label that it adds when it sends. A Prometheus answers from its head without regard to
 * the end of the window, so the window is open here, and the two are compared until what was scraped last has arrived.
 */
async function sameCatalogue(writer: Prometheus, hub: Hub, start: string): Promise<void> {
  const own = (path: string, query: Record<string, string | readonly string[]>) => apiData(`${hub.http}${path}`, query);
  const window = { start, end: String(Math.ceil(Date.now() / 1000) + 600) };
  const ours = { ...window, 'match[]': '{replica="a"}' };
  const same = async (what: string, expected: () => Promise<unknown>, actual: () => Promise<unknown>) => {
    let seen: { expected: unknown; actual: unknown } | undefined;
    await until(
      async () => {
        seen = { expected: await expected(), actual: await actual() };
        return stable(seen.actual) === stable(seen.expected) ? true : undefined;
      },
      10_000,
      () => what,
    ).catch(() => assert.deepEqual(seen?.actual, seen?.expected, what));
  };

  await same(
    'label names',
    async () => [...((await writer.get('/api/v1/labels', window)) as string[]), 'replica'].toSorted(),
    () => own('/api/v1/labels', ours),
  );
  for (const label of ['__name__', 'job', 'instance', 'handler', 'le', 'mode']) {
    const path = `/api/v1/label/${label}/values`;
    await same(
      path,
      () => writer.get(path, window),
      () => own(path, ours),
    );
  }
  const matching = { ...window, 'match[]': ['up', 'node_cpu_seconds_total{mode!="idle"}'] };
  await same(
    'series',
    async () =>
      sorted(((await writer.get('/api/v1/series', matching)) as Labels[]).map((one) => ({ ...one, replica: 'a' }))),
    async () => sorted(((await own('/api/v1/series', matching)) as Labels[]).filter((one) => one['replica'] === 'a')),
  );

  const expected = (await writer.get('/api/v1/metadata')) as Record<string, readonly Labels[]>;
  assert.ok(Object.keys(expected).length > 50);
  await same(
    'metadata',
    () => Promise.resolve(expected),
    // The hub also knows what older versions of a text said; what the writer says must be there.
    async () => {
      const actual = (await own('/api/v1/metadata', {})) as Record<string, readonly Labels[]>;
      return Object.fromEntries(
        Object.entries(expected).map(([metric, entries]) => [
          metric,
          entries.filter((entry) => actual[metric]?.some((one) => stable(one) === stable(entry))),
        ]),
      );
    },
  );
}

type Labels = Record<string, string>;

function stable(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function sorted(list: readonly Labels[]): string[] {
  return list.map(stable).toSorted();
}

function byLabels(data: RangeResult): Map<string, unknown> {
  return new Map(
    data.result.map((one) => [stable(one.metric), one.values] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}
