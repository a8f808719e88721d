/** Real programs for end-to-end tests: the hub's own command and its peers, each in a folder of its own, ended by their process ids. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The program as a user starts it. */
export const command = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));
export const peersDirectory = process.env['SLUICE_PEERS'] ?? join(homedir(), '.cache', 'sluice-peers');

/** Options for `it`/`describe`: skipped with a printed reason where a peer is absent, run (and so failed) there when CI=true. */
export function needs(...peers: readonly Peer[]): { skip?: string } {
  const absent = peers.filter((peer) => !existsSync(peerPath(peer)));
  if (absent.length === 0 || process.env['CI'] === 'true') return {};
  return { skip: `${absent.join(', ')} not found in ${peersDirectory}: npm run peers` };
}

export type Peer = 'prometheus' | 'prometheus-node-exporter' | 'victoria-metrics' | 'vmagent' | 'clickhouse-server';

export function peerPath(peer: Peer): string {
  return join(peersDirectory, peer === 'clickhouse-server' ? 'usr/sbin' : 'usr/bin', peer);
}

/** A folder that is removed when the test ends. */
export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'sluice-e2e-'));

  file(name: string, content: string): string {
    const path = join(this.path, name);
    writeFileSync(path, content);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A running child. Its output is kept for the message of a failing test. */
export class Running implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly name: string;
  readonly lines: string[] = [];

  constructor(name: string, path: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.name = name;
    this.child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        if (this.lines.length > 2000) this.lines.splice(0, 1000);
      });
    }
  }

  get pid(): number {
    return this.child.pid!;
  }

  get exited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Ends it and waits; the exit code, or the signal's name. */
  async end(signal: NodeJS.Signals = 'SIGTERM', deadlineMs = 35_000): Promise<number | string> {
    if (!this.exited) {
      const exit = once(this.child, 'exit');
      this.child.kill(signal);
      const late = setTimeout(() => this.child.kill('SIGKILL'), deadlineMs);
      await exit;
      clearTimeout(late);
    }
    return this.child.exitCode ?? this.child.signalCode ?? 'unknown';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }

  output(): string {
    return this.lines.slice(-60).join('\n');
  }
}

/** The hub, started as a user would, on free ports. */
export class Hub extends Running {
  http = '';
  integration = '';
  /** `host:port` of agents' data. */
  agent = '';
  /** `host:port` of the control plane of agents. */
  control = '';

  /** `listen: false`: the addresses come from `args`. */
  static async start(
    dataDir: string,
    options: { args?: readonly string[]; env?: NodeJS.ProcessEnv; listen?: false } = {},
  ): Promise<Hub> {
    const listen = options.listen === false ? [] : ['--set', 'listen.http=127.0.0.1:0'];
    const hub = new Hub(
      'sluice',
      process.execPath,
      [
        command,
        'serve',
        '--data-dir',
        dataDir,
        ...listen,
        '--set',
        'listen.integration=127.0.0.1:0',
        '--set',
        'listen.agent=127.0.0.1:0',
        '--set',
        'listen.control=127.0.0.1:0',
        ...(options.args ?? []),
      ],
      { ...process.env, ...options.env },
    );
    const addresses = await until(
      () => {
        if (hub.exited) throw new Error(`sluice ended with ${hub.child.exitCode}:\n${hub.output()}`);
        for (const line of hub.lines) {
          if (!line.includes('"msg":"listening"')) continue;
          return JSON.parse(line) as { http: string[]; integration: string[]; agent: string[]; control: string[] };
        }
        return undefined;
      },
      20_000,
      () => `sluice to listen:\n${hub.output()}`,
    );
    hub.http = addresses.http[0]!;
    hub.integration = addresses.integration[0] ?? '';
    hub.agent = addresses.agent[0] ?? '';
    hub.control = addresses.control[0] ?? '';
    return hub;
  }

  /** Waits until the database is open too. */
  async ready(timeoutMs = 20_000): Promise<void> {
    await until(
      async () => {
        const answer = await fetch(`${this.http}/-/ready`).catch(() => undefined);
        return answer?.status === 200 ? true : undefined;
      },
      timeoutMs,
      () => `sluice to be ready:\n${this.output()}`,
    );
  }

  /** Value of one of the hub's own metrics, summed over its labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.http}/metrics`)).text();
    let sum = 0;
    for (const line of text.split('\n')) {
      if (line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        sum += Number(line.slice(line.lastIndexOf(' ') + 1));
    }
    return sum;
  }
}

/** A Prometheus with its own configuration and data folder. */
export class Prometheus extends Running {
  readonly url: string;

  private constructor(port: number, config: string, data: string, extra: readonly string[]) {
    super('prometheus', peerPath('prometheus'), [
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--storage.remote.flush-deadline=10s',
      ...extra,
    ]);
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(
    scratch: Scratch,
    name: string,
    config: (self: string) => string,
    extra: readonly string[] = [],
  ): Promise<Prometheus> {
    const port = await freePort();
    const file = scratch.file(`${name}.yml`, config(`127.0.0.1:${port}`));
    const prometheus = new Prometheus(port, file, join(scratch.path, name), extra);
    await until(
      async () => {
        if (prometheus.exited) throw new Error(`prometheus ended:\n${prometheus.output()}`);
        const answer = await fetch(`${prometheus.url}/-/ready`).catch(() => undefined);
        return answer?.status === 200 ? true : undefined;
      },
      20_000,
      () => `prometheus to be ready:\n${prometheus.output()}`,
    );
    return prometheus;
  }

  /** `data` of an API answer, as it stands. */
  async get(path: string, query: Record<string, string | readonly string[]> = {}): Promise<unknown> {
    return apiData(`${this.url}${path}`, query);
  }
}

/** `data` of an answer of the Prometheus HTTP API; throws with the error's text otherwise. */
export async function apiData(url: string, query: Record<string, string | readonly string[]> = {}): Promise<unknown> {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    for (const one of typeof value === 'string' ? [value] : value) search.append(key, one);
  }
  const answer = await fetch(`${url}?${search}`);
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${url}?${search} answered ${answer.status}: ${text.slice(0, 500)}`);
  return (JSON.parse(text) as { data: unknown }).data;
}

/** Polls until `probe` gives something. */
export async function until<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  timeoutMs: number,
  what: () => string,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const result = await probe();
    if (result !== undefined) return result;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what()}`);
    await sleep(50);
  }
}

/** A TCP port on 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
