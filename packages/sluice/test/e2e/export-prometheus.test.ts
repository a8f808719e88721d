/** The demo of DeepFlow's page on remote write, through the real command into real receivers: sums over rows are what PromQL answers. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readFrames, type RecordedFrame } from '../../src/replay/frames.ts';
import { expectedRows, valuesAt } from './expected-rows.ts';
import { ExportingHub, PATIENCE_MS } from './exporting-hub.ts';
import { documentFrames, type DocumentRow } from './numbered-rows.ts';
import { apiData, freePort, needs, peerPath, Running, Scratch, until } from './processes.ts';

const TABLE = 'flow_metrics.application_map.1s';
const METRICS = ['request', 'response', 'rrt_max', 'rrt_sum', 'rrt_count'] as const;
type Sums = Record<(typeof METRICS)[number], number>;

const recorded = fileURLToPath(new URL('../fixtures/agent/METRICS_ebpf', import.meta.url));

/** The page's own text, with the address of the receiver, and what a receiver and an impatient test need. */
function demo(endpoint: string): string {
  return `
exporters:
  - protocol: prometheus
    data-sources:
      - ${TABLE}
    endpoints: [${endpoint}]
    export-fields:
      - $tag
      - $metrics
    # VictoriaMetrics leaves out labels beyond 40.
    max-labels: 40
    flush-timeout: 0.2
    timeout: 2s
    retry: { initial: 50ms, max: 500ms }
`;
}

/** Sums over what recorded frames have of the table, found without the hub's decoders. */
function sumsOfFrames(frames: readonly RecordedFrame[]): Sums {
  const sums = { request: 0, response: 0, rrt_max: 0, rrt_sum: 0, rrt_count: 0 };
  const paths = { request: [1, 1], response: [1, 2], rrt_max: [2, 1], rrt_sum: [2, 2], rrt_count: [2, 3] };
  for (const { type, records, ...head } of frames) {
    for (const record of records) {
      if (!expectedRows([{ ...head, type, records: [record] }]).has(TABLE)) continue;
      for (const metric of METRICS) sums[metric] += Number(valuesAt(record, [3, 4, ...paths[metric]]).at(-1) ?? 0);
    }
  }
  return sums;
}

function sumsOfRows(rows: readonly DocumentRow[]): Sums {
  const sum = (of: (row: DocumentRow) => number) => rows.reduce((total, row) => total + of(row), 0);
  return {
    request: sum((row) => row.request),
    response: sum((row) => row.response),
    rrt_max: sum((row) => row.rrtMax),
    rrt_sum: sum((row) => row.rrtSum),
    rrt_count: sum((row) => row.rrtCount),
  };
}

const CLIENTS = 20;

/** Rows with running numbers: a second for every `CLIENTS` of them, from `begin` on. */
function rowsOf(from: number, to: number, begin: number): DocumentRow[] {
  return Array.from({ length: to - from }, (_, i) => {
    const row = from + i;
    const time = begin + Math.floor(row / CLIENTS);
    return {
      time,
      client: row % CLIENTS,
      request: row + 1,
      response: row,
      rrtMax: 10 + (row % 7),
      rrtSum: 100 + row,
      rrtCount: 1 + (row % 3),
    };
  });
}

async function sumsAt(url: string): Promise<Sums> {
  const found: Partial<Sums> = {};
  for (const metric of METRICS) {
    const query = `sum(sum_over_time(${metric}{datasource="${TABLE}"}[2h]))`;
    const data = (await apiData(`${url}/api/v1/query`, { query, time: String(Math.ceil(Date.now() / 1000) + 60) })) as {
      result: readonly { value: readonly [number, string] }[];
    };
    found[metric] = Number(data.result[0]?.value[1] ?? 0);
  }
  return found as Sums;
}

/** A receiver at a port that outlives it. */
async function startReceiver(
  kind: 'prometheus' | 'victoria-metrics',
  port: number,
  scratch: Scratch,
): Promise<Running> {
  // What was taken before an answer got lost comes once more: late for Prometheus, a second value for VictoriaMetrics.
  const late = 'storage: {tsdb: {out_of_order_time_window: 2h}}\n';
  const args =
    kind === 'prometheus'
      ? [
          `--config.file=${scratch.file('prometheus.yml', late)}`,
          `--storage.tsdb.path=${scratch.path}/data`,
          `--web.listen-address=127.0.0.1:${port}`,
          '--web.enable-remote-write-receiver',
        ]
      : [
          `-storageDataPath=${scratch.path}/data`,
          `-httpListenAddr=127.0.0.1:${port}`,
          '-retentionPeriod=1',
          '-dedup.minScrapeInterval=1ms',
          '-search.latencyOffset=0s',
        ];
  const running = new Running(kind, peerPath(kind), args);
  const path = kind === 'prometheus' ? '/-/ready' : '/health';
  await until(
    async () => {
      if (running.exited) throw new Error(`${kind} ended:\n${running.output()}`);
      const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
      return answer?.status === 200 ? true : undefined;
    },
    PATIENCE_MS,
    () => `${kind} to be ready:\n${running.output()}`,
  );
  return running;
}

for (const kind of ['prometheus', 'victoria-metrics'] as const) {
  describe(`the demo with ${kind} as the receiver`, { ...needs(kind), timeout: 240_000 }, () => {
    it('answers sums over what agents sent, also after the receiver was away and the hub was killed', async (t) => {
      using scratch = new Scratch();
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      await using first = await startReceiver(kind, port, scratch);
      await using exporting = await ExportingHub.start(scratch, demo(`${url}/api/v1/write`));
      const wanted: Sums = { request: 0, response: 0, rrt_max: 0, rrt_sum: 0, rrt_count: 0 };
      const add = (sums: Sums) => {
        for (const metric of METRICS) wanted[metric] += sums[metric];
      };
      const untilSums = async () => {
        let found: Sums | undefined;
        await until(
          async () => {
            found = await sumsAt(url).catch(() => undefined);
            return METRICS.every((metric) => found?.[metric] === wanted[metric]) ? true : undefined;
          },
          PATIENCE_MS,
          () => `${JSON.stringify(wanted)}; got ${JSON.stringify(found)}\n${exporting.hub.output()}`,
        );
      };

      const frames = readFrames([recorded]);
      const rows = [...expectedRows(frames).values()].reduce((sum, count) => sum + count, 0);
      await exporting.replayFiles([recorded], rows, '--now', '--org', '1');
      add(sumsOfFrames(frames));
      assert.ok(wanted.request > 0);
      await untilSums();

      // Another hour than the recorded ones: no series has two values of a second.
      const begin = Math.floor(Date.now() / 1000) - 3000;
      let sent = 0;
      const send = async (count: number) => {
        const some = rowsOf(sent, sent + count, begin);
        sent += count;
        await exporting.replay(documentFrames(some), count);
        add(sumsOfRows(some));
      };
      await send(2000);
      await untilSums();
      // What a receiver took and has not on the disk yet is its own to lose: it is ended, not killed.
      await first.end('SIGTERM');
      await send(3000);
      await exporting.untilExporter('prometheus', ({ state }) => state === 'retrying', 'nobody is there');
      await exporting.crash();
      await send(3000);
      await using second = await startReceiver(kind, port, scratch);
      await exporting.untilExporter('prometheus', ({ counters }) => counters.items_sent > 0, 'goes on');
      await exporting.crash();
      await send(1000);
      await exporting.untilExporter('prometheus', ({ lag }) => lag.rows === 0, 'sends everything');
      await untilSums();
      const { rejected } = await exporting.exporter('prometheus');
      assert.equal(rejected.items, 0, await (await fetch(`${exporting.hub.http}/api/v1/rejected`)).text());
      t.diagnostic(`${sent} rows and the recorded ones: ${JSON.stringify(wanted)}`);
      assert.equal(second.exited, false);
      assert.equal(await exporting.hub.end(), 0, exporting.hub.output());
    });
  });
}
