import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { goldenBatch, goldenExports, type GoldenExport } from '../unit/exporters/golden-batch.ts';
import { Sending } from '../integration/exporters/prometheus/sending.ts';
import { Prometheus, Running, Scratch, apiData, freePort, needs, peerPath, until } from './processes.ts';

/** Rows of flow_metrics and samples, exported to real receivers and asked back with PromQL. */

const TABLE = 'flow_metrics.application_map.1s';
const METRICS = ['request', 'response', 'rrt_sum', 'rrt_count', 'client_error', 'server_error', 'timeout', 'rrt_max'];
const cases = goldenExports(TABLE).filter(({ org_id }) => org_id === 1);

/** The demo of the documentation, with what a receiver needs. */
const demo = { 'data-sources': [TABLE], 'export-fields': ['$tag', '$metrics'], 'queue-count': 4 };

/** One row a second that ends now, from many clients to many servers. */
function rowsOf(count: number, firstSecond: number): GoldenExport[] {
  return Array.from({ length: count }, (_, i) => {
    const golden = cases[i % cases.length]!;
    const row = { ...golden.row, time: firstSecond + i, server_port: 1000 + (i % 50), request: i + 1, rrt_max: i };
    return { ...golden, row };
  });
}

function sums(rows: readonly GoldenExport[]): Record<string, number> {
  return Object.fromEntries(
    METRICS.map((metric) => [metric, rows.reduce((sum, { row }) => sum + Number(row[metric]), 0)]),
  );
}

async function ask(url: string, query: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]> {
  const time = String(Math.ceil(Date.now() / 1000) + 1);
  const data = (await apiData(`${url}/api/v1/query`, { query, time })) as {
    result: { metric: Record<string, string>; value: [number, string] }[];
  };
  return data.result;
}

async function sumsOf(url: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const metric of METRICS) {
    const [sum] = await ask(url, `sum(sum_over_time(${metric}{datasource="${TABLE}"}[1h]))`);
    found[metric] = Number(sum?.value[1] ?? 0);
  }
  return found;
}

async function awaitSums(url: string, rows: readonly GoldenExport[], timeoutMs = 30_000): Promise<void> {
  const wanted = sums(rows);
  let found: Record<string, number> = {};
  await until(
    async () => {
      found = await sumsOf(url).catch(() => ({}));
      return METRICS.every((metric) => found[metric] === wanted[metric]) ? true : undefined;
    },
    timeoutMs,
    () => `${JSON.stringify(wanted)}; got ${JSON.stringify(found)}`,
  );
}

const receiving = ['--web.enable-remote-write-receiver'];
const config = (): string => 'global: {scrape_interval: 1h}\n';
/** What was taken before an answer got lost comes once more, and then it is late. */
const late = `${config()}storage: {tsdb: {out_of_order_time_window: 1h}}\n`;

/** A receiver at a port that outlives it. */
async function startAt(kind: 'prometheus' | 'victoria-metrics', port: number, scratch: Scratch): Promise<Running> {
  const args =
    kind === 'prometheus'
      ? [
          `--config.file=${scratch.file('prometheus.yml', late)}`,
          `--storage.tsdb.path=${scratch.path}/data`,
          `--web.listen-address=127.0.0.1:${port}`,
          ...receiving,
        ]
      : [
          `-storageDataPath=${scratch.path}/data`,
          `-httpListenAddr=127.0.0.1:${port}`,
          '-retentionPeriod=1',
          // Likewise: it would count them twice.
          '-dedup.minScrapeInterval=1ms',
        ];
  const running = new Running(kind, peerPath(kind), args);
  const path = kind === 'prometheus' ? '/-/ready' : '/health';
  await until(
    async () => {
      if (running.exited) throw new Error(`${kind} ended:\n${running.output()}`);
      const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
      return answer?.status === 200 ? true : undefined;
    },
    20_000,
    () => `${kind} to be ready:\n${running.output()}`,
  );
  return running;
}

describe('export to Prometheus', needs('prometheus'), () => {
  for (const message of ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request']) {
    test(`sums over rows are what PromQL answers, ${message}`, async () => {
      using scratch = new Scratch();
      await using prometheus = await Prometheus.start(scratch, 'receiver', config, receiving);
      await using sending = await Sending.start({
        ...demo,
        endpoints: [`${prometheus.url}/api/v1/write`],
        'protobuf-message': message,
        'external-labels': { cluster: 'c1' },
      });
      const rows = rowsOf(600, Math.floor(Date.now() / 1000) - 600);
      for (let from = 0; from < rows.length; from += 100) {
        await sending.append(goldenBatch(rows.slice(from, from + 100)));
      }
      await awaitSums(prometheus.url, rows);
      const [shop] = await ask(
        prometheus.url,
        'count(count_over_time(request{pod_id_1="shop-7f9c",cluster="c1"}[1h]))',
      );
      assert.ok(Number(shop!.value[1]) > 0);
      const { rejected, counters } = await sending.state();
      assert.deepEqual([rejected.items, counters.items_sent], [0, 600 * 9]);
    });
  }

  test('a stale marker ends a series', async () => {
    using scratch = new Scratch();
    await using prometheus = await Prometheus.start(scratch, 'receiver', config, receiving);
    await using sending = await Sending.start({ endpoints: [`${prometheus.url}/api/v1/write`] });
    const time = Date.now() - 60_000;
    await sending.write({ labels: { __name__: 'up', job: 'a' }, time }, { labels: { __name__: 'up', job: 'b' }, time });
    await sending.write({ labels: { __name__: 'up', job: 'a' }, time: time + 1000, value: 0x7ff0000000000002n });
    await until(
      async () => ((await sending.state()).counters.items_sent === 3 ? true : undefined),
      10_000,
      () => 'the samples to be sent',
    );
    const found = await ask(prometheus.url, 'up');
    assert.deepEqual(
      found.map(({ metric, value }) => [metric['job'], value[1]]),
      [['b', '1']],
    );
  });
});

for (const kind of ['prometheus', 'victoria-metrics'] as const) {
  describe(`outages of ${kind}`, needs(kind), () => {
    test('rows written while it is paused, stopped and started again are all there in the end', async () => {
      using scratch = new Scratch();
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      await using first = await startAt(kind, port, scratch);
      await using sending = await Sending.start({
        ...demo,
        endpoints: [`${url}/api/v1/write`],
        // VictoriaMetrics leaves out labels beyond 40.
        'max-labels': 40,
        timeout: '500ms',
      });
      const rows = rowsOf(900, Math.floor(Date.now() / 1000) - 900);
      const write = async (from: number, to: number): Promise<void> => {
        for (let at = from; at < to; at += 30) await sending.append(goldenBatch(rows.slice(at, at + 30)));
      };
      await write(0, 150);
      first.child.kill('SIGSTOP');
      await write(150, 300);
      await sleep(1500);
      first.child.kill('SIGCONT');
      await write(300, 450);
      await awaitSums(url, rows.slice(0, 450));
      // What a receiver said it took and had not on the disk yet is its own to lose: it is ended, not killed, here.
      await first.end('SIGTERM');
      await write(450, 750);
      await sleep(1000);
      assert.equal((await sending.state()).state, 'retrying');
      await using second = await startAt(kind, port, scratch);
      await write(750, 900);
      await awaitSums(url, rows);
      assert.equal((await sending.state()).rejected.items, 0);
      assert.equal(second.exited, false);
    });
  });
}
