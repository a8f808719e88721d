/**
 * What exporting costs the real command, and what a sink that is down does to it.
 *
 *   npm run bench -- export [kafka|prometheus|neighbour|outage]... [--rows N] [--minutes N] [--rate N]
 *
 *   kafka       l7 rows to a real Kafka broker: rows per CPU-second of the hub, ingest and storage included, and what the exporter adds to it
 *   prometheus  network and application metrics to a real VictoriaMetrics, likewise
 *   neighbour   ingest of l7 rows with an exporter whose endpoint is dead, against none
 *   outage      memory of the hub while a sink is down and rows come at --rate a second for --minutes
 *
 * Recorded frames are sent by `sluice replay`, a process of its own. CPU is counted from the first byte until storage and the exporter have taken the last
 * row. Peers: npm run peers.
 */
import { existsSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { readFrames } from '../src/replay/frames.ts';
import { expectedRows } from '../test/e2e/expected-rows.ts';
import { command, freePort, Hub, peerPath, Running, Scratch, until } from '../test/e2e/processes.ts';
import { KafkaBroker } from '../test/peers/kafka/broker.ts';
import { cpuSeconds, residentBytes } from './process-usage.ts';

const { values: options, positionals } = parseArgs({
  options: {
    rows: { type: 'string', default: '300000' },
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '10000' },
  },
  allowPositionals: true,
});

const fields = { 'export-fields': ['$tag', '$metrics'] };
const folders = new Map([
  ['l7', ['PROTOCOLLOG', 'PROTOCOLLOG_zstd', 'PROTOCOLLOG_ebpf_zstd']],
  ['metrics', ['METRICS', 'METRICS_ebpf', 'METRICS_platform_data']],
]);
const L7 = ['flow_log.l7_flow_log'];
const METRICS = ['application', 'application_map', 'network', 'network_map'].flatMap((table) => [
  `flow_metrics.${table}.1s`,
  `flow_metrics.${table}.1m`,
]);

interface Run {
  readonly rows: number;
  /** CPU-seconds of the hub. */
  readonly cpu: number;
  readonly seconds: number;
}

/** The recordings of a kind: those beside the project, where they are, else its own. */
function framesOf(kind: string): string[] {
  for (const root of ['../../../../shared/frames/agent', '../test/fixtures/agent']) {
    const folder = fileURLToPath(new URL(root, import.meta.url));
    const found = folders
      .get(kind)!
      .map((type) => join(folder, type))
      .filter((path) => existsSync(path));
    if (found.length > 0) return found;
  }
  throw new Error(`there are no recordings of ${kind}`);
}

async function startHub(scratch: Scratch, exporters: readonly object[]): Promise<Hub> {
  const config = scratch.file(`hub-${Math.random()}.yaml`, stringify({ ingester: { exporters } }));
  const hub = await Hub.start(join(scratch.path, `hub-${Math.random()}`), {
    args: ['--config', config, '--set', 'storage.retention=forever'],
  });
  await hub.ready();
  await sleep(3000);
  return hub;
}

/** Sends rows of a kind and waits until storage and, with `exported`, the exporter have them. */
async function run(hub: Hub, kind: string, exported: boolean): Promise<Run> {
  const paths = framesOf(kind);
  const inOne = [...expectedRows(readFrames(paths)).values()].reduce((a, b) => a + b, 0);
  const repeat = Math.max(1, Math.round(Number(options.rows) / inOne / 8));
  const rows = inOne * 8 * repeat;
  const before = cpuSeconds(hub.pid);
  const began = performance.now();
  const how = ['--to', hub.agent, '--agents', '8', '--repeat', String(repeat), '--org', '1'];
  await using sending = new Running('replay', process.execPath, [command, 'replay', ...paths, ...how]);
  const wait = (done: () => Promise<boolean>, what: string) =>
    until(
      async () => ((await done()) ? true : undefined),
      600_000,
      () => `${what}\n${sending.output()}`,
    );
  const received = async () => (await hub.metric('sluice_received_rows_total')) >= rows;
  await wait(received, 'the rows to come');
  await wait(async () => (await backlog(hub, 'storage')) < 100_000, 'storage to take them');
  if (exported) await wait(async () => (await backlog(hub, 'bench')) < 100_000, 'the exporter to send them');
  return { rows, cpu: cpuSeconds(hub.pid) - before, seconds: (performance.now() - began) / 1000 };
}

async function backlog(hub: Hub, reader: string): Promise<number> {
  if (reader !== 'storage') {
    const answer = await fetch(`${hub.http}/api/v1/exporters`);
    const { data } = (await answer.json()) as { data: { name: string; lag: { bytes: number } }[] };
    return data.find(({ name }) => name === reader)?.lag.bytes ?? Infinity;
  }
  const text = await (await fetch(`${hub.http}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`sluice_journal_backlog_bytes{reader="storage"}`));
  return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1));
}

/** The same rows without and with an exporter, in turns. */
async function compare(name: string, kind: string, exporter: object, exported: boolean): Promise<void> {
  const sums = { without: 0, with: 0, rows: 0, seconds: 0 };
  for (let round = 0; round < 2; round++) {
    using scratch = new Scratch();
    {
      await using hub = await startHub(scratch, []);
      sums.without += (await run(hub, kind, false)).cpu;
    }
    await using hub = await startHub(scratch, [{ name: 'bench', 'exclude-self-traffic': false, ...exporter }]);
    const { rows, cpu, seconds } = await run(hub, kind, exported);
    sums.with += cpu;
    sums.rows += rows;
    sums.seconds += seconds;
  }
  const perSecond = (cpu: number) => `${(sums.rows / cpu / 1000).toFixed(1)} k`;
  const more = sums.with - sums.without;
  console.log(
    `${name.padEnd(11)} ${sums.rows} rows; per CPU-second of the hub: ${perSecond(sums.without)} without, ${perSecond(sums.with)} with the exporter ` +
      `(${(sums.without / sums.with).toFixed(2)}); the exporter alone ${more > 0 ? perSecond(more) : 'cannot be told'}; ${Math.round(sums.rows / sums.seconds)} rows/s`,
  );
}

async function kafka(): Promise<void> {
  await using broker = await KafkaBroker.start();
  const exporter = { protocol: 'kafka', endpoints: [broker.addresses.plaintext], 'data-sources': L7, ...fields };
  await compare('kafka', 'l7', exporter, true);
}

async function prometheus(): Promise<void> {
  using scratch = new Scratch();
  const port = await freePort();
  await using receiver = new Running('victoria-metrics', peerPath('victoria-metrics'), [
    `-storageDataPath=${join(scratch.path, 'data')}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    '-retentionPeriod=100y',
    '-maxLabelsPerTimeseries=100',
  ]);
  const url = `http://127.0.0.1:${port}`;
  const up = async () => ((await fetch(`${url}/health`).catch(() => undefined))?.ok === true ? true : undefined);
  await until(up, 20_000, () => receiver.output());
  const exporter = { protocol: 'prometheus', endpoints: [`${url}/api/v1/write`], 'data-sources': METRICS, ...fields };
  await compare('prometheus', 'metrics', exporter, true);
}

async function deadExporter(): Promise<object> {
  return {
    protocol: 'prometheus',
    endpoints: [`http://127.0.0.1:${await freePort()}/api/v1/write`],
    'data-sources': METRICS,
    ...fields,
  };
}

async function outage(): Promise<void> {
  using scratch = new Scratch();
  await using hub = await startHub(scratch, [{ name: 'bench', ...(await deadExporter()) }]);
  const how = ['--to', hub.agent, '--org', '1', '--rate', options.rate, '--repeat', '1000000'];
  await using sending = new Running('replay', process.execPath, [command, 'replay', ...framesOf('metrics'), ...how]);
  console.log('minute  resident MB  own MB  journal MB waiting for the exporter');
  for (let minute = 0; minute <= Number(options.minutes); minute++) {
    const { now, own } = residentBytes(hub.pid);
    const megabytes = (bytes: number) => Math.round(bytes / 1e6);
    console.log(
      `${String(minute).padStart(6)}  ${String(megabytes(now)).padStart(11)}  ${String(megabytes(own)).padStart(6)}  ${megabytes(await backlog(hub, 'bench'))}`,
    );
    if (sending.exited) throw new Error(sending.output());
    if (minute < Number(options.minutes)) await sleep(60_000);
  }
}

const chosen = positionals.length > 0 ? positionals : ['kafka', 'prometheus', 'neighbour', 'outage'];
console.log(`${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, load ${loadavg()[0]!.toFixed(1)}`);
for (const name of chosen) {
  if (name === 'kafka') await kafka();
  else if (name === 'prometheus') await prometheus();
  else if (name === 'neighbour') await compare('neighbour', 'metrics', await deadExporter(), false);
  else if (name === 'outage') await outage();
  else throw new Error(`there is no case ${name}; expected kafka, prometheus, neighbour or outage`);
}
