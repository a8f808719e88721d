/** The programs under test: each started with an empty data folder, told apart only by how they are asked. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePort, Hub, peerPath, Running, type Scratch, until } from '../test/e2e/processes.ts';
import type { Load } from './load.ts';

export interface Target {
  readonly name: string;
  readonly running: Running;
  readonly writeUrl: string;
  readonly readUrl: string | undefined;
  readonly data: string;
  /** Series it answers with at the time of the last scrape; asked after the measurement. */
  count(load: Load): Promise<number>;
  /** Brings everything to disk, so that its size can be told. */
  flush(): Promise<void>;
}

/** `settings`: KEY=VALUE of its configuration. */
export async function startSluice(scratch: Scratch, settings: readonly string[] = []): Promise<Target> {
  const data = `${scratch.path}/sluice`;
  const hub = await Hub.start(data, { args: settings.flatMap((one) => ['--set', one]) });
  await hub.ready();
  return {
    name: 'sluice',
    running: hub,
    writeUrl: `${hub.http}/api/v1/write`,
    readUrl: `${hub.http}/api/v1/read`,
    data,
    async count(load) {
      await until(
        async () => ((await hub.metric('sluice_journal_backlog_bytes')) === 0 ? true : undefined),
        60_000,
        () => 'an empty journal',
      );
      const search = new URLSearchParams({
        'match[]': '{job="kubernetes-pods"}',
        start: String(load.lastMs / 1000),
        end: String(load.lastMs / 1000),
      });
      const answer = (await (await fetch(`${hub.http}/api/v1/series?${search}`)).json()) as { data: unknown[] };
      return answer.data.length;
    },
    async flush() {
      await hub.end('SIGTERM');
    },
  };
}

export async function startVictoriaMetrics(scratch: Scratch): Promise<Target | undefined> {
  const path = process.env['SLUICE_BENCH_VICTORIA_METRICS'] ?? peerPath('victoria-metrics');
  if (!existsSync(path)) return undefined;
  const port = await freePort();
  const data = `${scratch.path}/vm`;
  const running = new Running('victoria-metrics', path, [
    `-storageDataPath=${data}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    '-retentionPeriod=1',
  ]);
  const url = `http://127.0.0.1:${port}`;
  await answering(`${url}/health`, running);
  return {
    name: `victoria-metrics ${process.env['SLUICE_BENCH_VICTORIA_METRICS'] ?? peerVersion('victoria-metrics')}`,
    running,
    writeUrl: `${url}/api/v1/write`,
    readUrl: undefined,
    data,
    count: (load) => countOverHttp(url, load),
    async flush() {
      await fetch(`${url}/internal/force_flush`);
      await running.end('SIGINT');
    },
  };
}

export async function startPrometheus(scratch: Scratch): Promise<Target | undefined> {
  const path = process.env['SLUICE_BENCH_PROMETHEUS'] ?? peerPath('prometheus');
  if (!existsSync(path)) return undefined;
  const port = await freePort();
  const data = `${scratch.path}/prometheus`;
  const extra =
    version(path, /version (\d+)/) === '3'
      ? [
          '--web.remote-write-receiver.accepted-protobuf-messages=prometheus.WriteRequest',
          '--web.remote-write-receiver.accepted-protobuf-messages=io.prometheus.write.v2.Request',
        ]
      : [];
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
    readUrl: `${url}/api/v1/read`,
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
  const answer = (await (await fetch(`${url}/api/v1/query?${search}`)).json()) as {
    data: { result: { value: [number, string] }[] };
  };
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
