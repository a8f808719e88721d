/**
 * Remote-write ingest, side by side in one run: Sluice, Prometheus and VictoriaMetrics take the same bodies one after the other.
 *
 *   npm run bench -- ingest [--series 20000] [--labels 15] [--per-request 2000] [--scrapes 150] [--connections 4] [--settle 30] [--rounds 1]
 *
 * CPU seconds of the whole process (all threads), from its start-up until everything is queryable plus `settle` seconds of merges. Peers come from
 * `npm run peers`; others can be given by path: SLUICE_BENCH_PROMETHEUS, SLUICE_BENCH_VICTORIA_METRICS.
 */
import { cpus, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { freePort, Hub, peerPath, Running, Scratch, until } from '../test/e2e/processes.ts';
import { createLoad, send, type Load } from './load.ts';
import { cpuSeconds, diskBytes, residentBytes } from './process-usage.ts';

const { values: options } = parseArgs({
  allowPositionals: true,
  options: {
    series: { type: 'string', default: '20000' },
    labels: { type: 'string', default: '15' },
    'per-request': { type: 'string', default: '2000' },
    scrapes: { type: 'string', default: '150' },
    connections: { type: 'string', default: '4' },
    settle: { type: 'string', default: '30' },
    rounds: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
});

interface Target {
  readonly name: string;
  readonly running: Running;
  readonly writeUrl: string;
  readonly data: string;
  /** Samples it can answer with at the last scrape's time; checked after the measurement. */
  count(load: Load): Promise<number>;
  /** Bytes on disk per stored sample, with everything flushed. */
  flush(): Promise<void>;
}

interface Figures {
  name: string;
  message: string;
  samplesPerCpuSecond: number;
  samplesPerSecond: number;
  p99Ms: number;
  residentMb: number;
  peakMb: number;
  bytesPerSample: number;
}

const seriesCount = Number(options.series);
const startMs = Date.now() - Number(options.scrapes) * 15_000 - 60_000;
const loads = (['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'] as const).map((message) =>
  createLoad({
    series: seriesCount,
    labels: Number(options.labels),
    seriesPerRequest: Number(options['per-request']),
    scrapes: Number(options.scrapes),
    startMs,
    stepMs: 15_000,
    message,
  }),
);

console.log(`machine: ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB; Node ${process.version}`);
console.log(`${seriesCount} series x ${options.labels} labels, ${options['per-request']} a request, ${loads[0]!.samples} samples`);
const results: Figures[] = [];
for (let round = 0; round < Number(options.rounds); round++) {
  for (const load of loads) {
    for (const start of [startSluice, startVictoriaMetrics, startPrometheus]) {
      const figures = await measure(start, load);
      if (figures === undefined) continue;
      results.push(figures);
      console.log(JSON.stringify(figures));
    }
  }
}
console.table(results);
const base = results.find((one) => one.name.startsWith('sluice') && one.message.endsWith('WriteRequest'));
if (base !== undefined) {
  for (const one of results) console.log(`sluice 1.0 / ${one.name} ${one.message}: ${(base.samplesPerCpuSecond / one.samplesPerCpuSecond).toFixed(2)}`);
}

async function measure(start: (scratch: Scratch) => Promise<Target | undefined>, load: Load): Promise<Figures | undefined> {
  if (options.only !== '' && !start.name.toLowerCase().includes(options.only)) return undefined;
  using scratch = new Scratch();
  const target = await start(scratch);
  if (target === undefined) return undefined;
  await using running = target.running;
  if (load.message !== 'prometheus.WriteRequest' && !(await speaksV2(target, load))) return undefined;
  const before = cpuSeconds(running.pid);
  const sent = await send(load, target.writeUrl, Number(options.connections));
  await sleep(Number(options.settle) * 1000);
  const cpu = cpuSeconds(running.pid) - before;
  const memory = residentBytes(running.pid);
  const count = await target.count(load);
  if (count !== seriesCount) throw new Error(`${target.name} answers with ${count} series at the last scrape; expected ${seriesCount}`);
  await target.flush();
  const latencies = sent.latencies.toSorted();
  return {
    name: target.name,
    message: load.message,
    samplesPerCpuSecond: Math.round(load.samples / cpu),
    samplesPerSecond: Math.round(load.samples / sent.seconds),
    p99Ms: Math.round(latencies[Math.floor(latencies.length * 0.99)]! * 10) / 10,
    residentMb: Math.round(memory.now / 1e6),
    peakMb: Math.round(memory.peak / 1e6),
    bytesPerSample: Math.round((diskBytes(target.data) / load.samples) * 100) / 100,
  };
}

/** Whether a receiver takes 2.0: one that does not know it answers 204 and stores nothing, told by the missing header. */
async function speaksV2(target: Target, load: Load): Promise<boolean> {
  const answer = await fetch(target.writeUrl, {
    method: 'POST',
    headers: { 'Content-Type': `application/x-protobuf;proto=${load.message}`, 'Content-Encoding': 'snappy' },
    body: new Uint8Array(load.bodies[0]!),
  });
  return answer.headers.has('x-prometheus-remote-write-samples-written');
}

async function startSluice(scratch: Scratch): Promise<Target> {
  const data = `${scratch.path}/sluice`;
  const hub = await Hub.start(data);
  await hub.ready();
  return {
    name: 'sluice',
    running: hub,
    writeUrl: `${hub.http}/api/v1/write`,
    data,
    async count(load) {
      await until(async () => ((await hub.metric('sluice_journal_backlog_bytes')) === 0 ? true : undefined), 60_000, () => 'an empty journal');
      const search = new URLSearchParams({ 'match[]': '{job="kubernetes-pods"}', start: String(load.lastMs / 1000), end: String(load.lastMs / 1000) });
      const answer = (await (await fetch(`${hub.http}/api/v1/series?${search}`)).json()) as { data: unknown[] };
      return answer.data.length;
    },
    async flush() {
      await hub.end('SIGTERM');
    },
  };
}

async function startVictoriaMetrics(scratch: Scratch): Promise<Target | undefined> {
  const path = process.env['SLUICE_BENCH_VICTORIA_METRICS'] ?? peerPath('victoria-metrics');
  if (!existsSync(path)) return undefined;
  const port = await freePort();
  const data = `${scratch.path}/vm`;
  const running = new Running('victoria-metrics', path, [`-storageDataPath=${data}`, `-httpListenAddr=127.0.0.1:${port}`, '-retentionPeriod=1']);
  const url = `http://127.0.0.1:${port}`;
  await answering(`${url}/health`, running);
  return {
    name: `victoria-metrics ${process.env['SLUICE_BENCH_VICTORIA_METRICS'] ?? peerVersion('victoria-metrics')}`,
    running,
    writeUrl: `${url}/api/v1/write`,
    data,
    count: (load) => countOverHttp(url, load),
    async flush() {
      await fetch(`${url}/internal/force_flush`);
      await running.end('SIGINT');
    },
  };
}

async function startPrometheus(scratch: Scratch): Promise<Target | undefined> {
  const path = process.env['SLUICE_BENCH_PROMETHEUS'] ?? peerPath('prometheus');
  if (!existsSync(path)) return undefined;
  const port = await freePort();
  const data = `${scratch.path}/prometheus`;
  const extra = version(path, /version (\d+)/) === '3' ? ['--web.remote-write-receiver.accepted-protobuf-messages=prometheus.WriteRequest', '--web.remote-write-receiver.accepted-protobuf-messages=io.prometheus.write.v2.Request'] : [];
  const running = new Running('prometheus', path, [
    `--config.file=${scratch.file('prometheus.yml', 'global: {}\n')}`,
    `--storage.tsdb.path=${data}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.enable-remote-write-receiver',
    '--web.enable-admin-api',
    ...extra,
  ]);
  const url = `http://127.0.0.1:${port}`;
  await answering(`${url}/-/ready`, running);
  const target: Target = {
    name: `prometheus ${version(path, /version (\d+\.\d+\.\d+)/)}`,
    running,
    writeUrl: `${url}/api/v1/write`,
    // A snapshot holds the head as a block: what the data will take once it is compacted.
    data: `${data}/snapshots`,
    count: (load) => countOverHttp(url, load),
    async flush() {
      await fetch(`${url}/api/v1/admin/tsdb/snapshot`, { method: 'POST' });
    },
  };
  return target;
}

async function countOverHttp(url: string, load: Load): Promise<number> {
  const search = new URLSearchParams({ query: 'count({job="kubernetes-pods"})', time: String(load.lastMs / 1000) });
  const answer = (await (await fetch(`${url}/api/v1/query?${search}`)).json()) as { data: { result: { value: [number, string] }[] } };
  return Number(answer.data.result[0]?.value[1] ?? 0);
}

/** Version of a Debian package that `npm run peers` unpacked. */
function peerVersion(name: string): string {
  const file = join(dirname(peerPath('prometheus')), '../..', `${name}.version`);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function version(path: string, pattern: RegExp): string {
  return pattern.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[1] ?? '';
}

async function answering(url: string, running: Running): Promise<void> {
  await until(
    async () => ((await fetch(url).catch(() => undefined))?.status === 200 ? true : undefined),
    20_000,
    () => `${running.name} to answer:\n${running.output()}`,
  );
}
