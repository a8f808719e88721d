/**
 * Remote-write ingest, side by side in one run: Sluice, Prometheus and VictoriaMetrics take the same bodies one after the other.
 *
 *   npm run bench -- ingest [--series 20000] [--labels 15] [--per-request 2000] [--scrapes 150] [--connections 4] [--settle 30] [--rounds 1] [--only sluice] [--message v2]
 *                           [--rate SAMPLES/S] [--set KEY=VALUE]...
 *
 * CPU seconds of the whole process (all threads), from its start-up until everything is queryable plus `settle` seconds of merges. Peers come from
 * `npm run peers`; others can be given by path: SLUICE_BENCH_PROMETHEUS, SLUICE_BENCH_VICTORIA_METRICS. `--set` is for Sluice: journal.sync=always.
 */
import { cpus, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Scratch } from '../test/e2e/processes.ts';
import { createLoad, send, type Load } from './load.ts';
import { cpuSeconds, diskBytes, residentBytes } from './process-usage.ts';
import { startPrometheus, startSluice, startVictoriaMetrics, type Target } from './targets.ts';

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
    message: { type: 'string', default: '' },
    rate: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
});

interface Figures {
  name: string;
  message: string;
  samplesPerCpuSecond: number;
  samplesPerSecond: number;
  /** Of the second half of the requests. */
  p50Ms: number;
  p99Ms: number;
  residentMb: number;
  peakMb: number;
  bytesPerSample: number;
}

const seriesCount = Number(options.series);
const startMs = Date.now() - Number(options.scrapes) * 15_000 - 60_000;
const messages = (['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'] as const).filter((message) =>
  message.includes(options.message),
);
const loads = messages.map((message) =>
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

console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB; Node ${process.version}`,
);
console.log(
  `${seriesCount} series x ${options.labels} labels, ${options['per-request']} a request, ${loads[0]!.samples} samples`,
);
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
  for (const one of results)
    console.log(
      `sluice 1.0 / ${one.name} ${one.message}: ${(base.samplesPerCpuSecond / one.samplesPerCpuSecond).toFixed(2)}`,
    );
}

async function measure(
  start: (scratch: Scratch, settings: readonly string[]) => Promise<Target | undefined>,
  load: Load,
): Promise<Figures | undefined> {
  if (options.only !== '' && !start.name.toLowerCase().includes(options.only)) return undefined;
  using scratch = new Scratch();
  const target = await start(scratch, options.set);
  if (target === undefined) return undefined;
  await using running = target.running;
  if (load.message !== 'prometheus.WriteRequest' && !(await speaksV2(target, load))) return undefined;
  const before = cpuSeconds(running.pid);
  const rate = options.rate === undefined ? undefined : Number(options.rate);
  const sent = await send(load, target.writeUrl, { connections: Number(options.connections), rate });
  await sleep(Number(options.settle) * 1000);
  const cpu = cpuSeconds(running.pid) - before;
  const memory = residentBytes(running.pid);
  const count = await target.count(load);
  if (count !== seriesCount)
    throw new Error(`${target.name} answers with ${count} series at the last scrape; expected ${seriesCount}`);
  await target.flush();
  // Series are known and code is compiled by then.
  const latencies = sent.latencies.slice(sent.latencies.length >> 1).toSorted();
  return {
    name: target.name,
    message: load.message,
    samplesPerCpuSecond: Math.round(load.samples / cpu),
    samplesPerSecond: Math.round(load.samples / sent.seconds),
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
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

function quantile(sorted: Float64Array, share: number): number {
  return Math.round(sorted[Math.floor(sorted.length * share)]! * 10) / 10;
}
