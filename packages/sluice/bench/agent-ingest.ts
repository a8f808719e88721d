/**
 * What agents' data costs the real command: rows per CPU-second of the whole process, from the frame on a socket to the row that can be queried, and the
 * memory of idle agents.
 *
 *   npm run bench -- agent-ingest [l7|l4|metrics|idle|control]... [--rows N] [--agents N]
 *
 * Recorded frames are sent by `sluice replay`, a process of its own, as fast as the hub reads them. CPU is counted from the first byte until storage has
 * taken the last row and for 10 s of merges after. Frames: the project's fixtures and, where it exists, ../shared.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { framed } from '../src/control/grpc-messages.ts';
import { readFrames } from '../src/replay/frames.ts';
import { command, Hub, Running, Scratch, until } from '../test/e2e/processes.ts';
import { expectedRows } from '../test/e2e/expected-rows.ts';
import { changed } from '../test/integration/control/agent-client.ts';
import { cpuSeconds, residentBytes } from './process-usage.ts';

const { values: options, positionals } = parseArgs({
  options: {
    rows: { type: 'string', default: '600000' },
    agents: { type: 'string', default: '8' },
    settle: { type: 'string', default: '10' },
  },
  allowPositionals: true,
});

const folders = new Map([
  ['l7', ['PROTOCOLLOG', 'PROTOCOLLOG_zstd', 'PROTOCOLLOG_ebpf_zstd']],
  ['l4', ['TAGGEDFLOW', 'TAGGEDFLOW_zstd', 'TAGGEDFLOW_platform_data']],
  ['metrics', ['METRICS', 'METRICS_ebpf', 'METRICS_platform_data']],
]);

const roots = ['../../../../shared/frames/agent', '../test/fixtures/agent'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** The recordings of a case: those beside the project, where they are, else its own. */
function framesOf(types: readonly string[]): string[] {
  for (const root of roots) {
    const found = types.map((type) => join(root, type)).filter((path) => existsSync(path));
    if (found.length > 0) return found;
  }
  throw new Error(`there are no recordings of ${types.join(', ')}`);
}

async function sum(hub: Hub, name: string, ...labels: string[]): Promise<number> {
  const text = await (await fetch(`${hub.http}/metrics`)).text();
  let total = 0;
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${name}{`) || !labels.every((label) => line.includes(label))) continue;
    total += Number(line.slice(line.lastIndexOf(' ')));
  }
  return total;
}

async function ingest(name: string, types: readonly string[]): Promise<void> {
  using scratch = new Scratch();
  await using hub = await Hub.start(`${scratch.path}/hub`, { args: ['--set', 'storage.retention=forever'] });
  await hub.ready();
  await sleep(3000);
  const paths = framesOf(types);
  const inOne = [...expectedRows(readFrames(paths)).values()].reduce((a, b) => a + b, 0);
  const agents = Number(options.agents);
  const repeat = Math.max(1, Math.round(Number(options.rows) / inOne / agents));
  const rows = inOne * agents * repeat;
  const replayArguments = ['--to', hub.agent, '--agents', String(agents), '--repeat', String(repeat), '--org', '1'];
  const idle = await idleRate(hub);
  const before = cpuSeconds(hub.pid);
  const began = performance.now();
  await using sending = new Running('replay', process.execPath, [command, 'replay', ...paths, ...replayArguments]);
  await until(
    async () => ((await sum(hub, 'sluice_received_rows_total', 'input="agent"')) >= rows ? true : undefined),
    300_000,
    () => `the rows to come\n${sending.output()}`,
  );
  const received = (performance.now() - began) / 1000;
  const decoding = cpuSeconds(hub.pid) - before;
  await until(
    async () => ((await hub.metric('sluice_journal_backlog_bytes')) < 100_000 ? true : undefined),
    300_000,
    () => 'storage to take them',
  );
  const loaded = cpuSeconds(hub.pid) - before;
  const wall = (performance.now() - began) / 1000;
  await sleep(Number(options.settle) * 1000);
  const settled = cpuSeconds(hub.pid) - before - idle * Number(options.settle);
  const { now, peak } = residentBytes(hub.pid);
  const thousands = (cpu: number) => `${Math.round(rows / cpu / 1000)} k`;
  console.log(
    `${name.padEnd(9)}${String(rows).padStart(9)} rows  ${thousands(received).padStart(7)}/s received  per CPU-second: ` +
      `${thousands(decoding).padStart(7)} when the journal has them, ${thousands(loaded).padStart(7)} when stored (${wall.toFixed(1)} s), ` +
      `${thousands(settled).padStart(7)} with ${options.settle} s of merges;  ${Math.round(now / 1e6)} MB, peak ${Math.round(peak / 1e6)} MB`,
  );
}

/** CPU-seconds a second that the hub takes with nothing to do but its own telemetry. */
async function idleRate(hub: Hub): Promise<number> {
  const before = cpuSeconds(hub.pid);
  await sleep(5000);
  return (cpuSeconds(hub.pid) - before) / 5;
}

async function idleConnections(): Promise<void> {
  using scratch = new Scratch();
  await using hub = await Hub.start(`${scratch.path}/hub`);
  await hub.ready();
  await sleep(5000);
  const before = residentBytes(hub.pid).now;
  const [host, port] = hub.agent.split(':');
  const sockets: Socket[] = [];
  for (let i = 0; i < 1000; i++) {
    const socket = connect(Number(port), host);
    sockets.push(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
  }
  await sleep(5000);
  const after = residentBytes(hub.pid).now;
  console.log(
    `idle     1,000 connections: ${((after - before) / 1e6).toFixed(1)} MB more (${Math.round(after / 1e6)} MB)`,
  );
  for (const socket of sockets) socket.destroy();
}

/** Agents that registered, each with a Push stream open on a connection of its own; then five rounds of Sync. */
async function controlledAgents(): Promise<void> {
  using scratch = new Scratch();
  await using hub = await Hub.start(`${scratch.path}/hub`);
  await hub.ready();
  await sleep(15_000);
  const before = residentBytes(hub.pid);
  const sessions: ClientHttp2Session[] = [];
  for (let i = 0; i < 1000; i++) {
    const session = connectHttp2(`http://${hub.control}`);
    sessions.push(session);
    await once(call(session, 'Push', i), 'response');
  }
  await sleep(2000);
  const opened = residentBytes(hub.pid);
  for (let round = 0; round < 5; round++) {
    await Promise.all(sessions.map((session, i) => once(call(session, 'Sync', i), 'end')));
  }
  await sleep(2000);
  const after = residentBytes(hub.pid);
  const more = (then: typeof before) =>
    `${((then.own - before.own) / 1e6).toFixed(1)} MB more (${((then.now - before.now) / 1e6).toFixed(1)} with pages of programs)`;
  console.log(
    `control  1,000 agents with an open Push stream: ${more(opened)}; after five rounds of Sync ${more(after)}`,
  );
  for (const session of sessions) session.destroy();
}

function call(session: ClientHttp2Session, method: string, agent: number): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/agent.Synchronizer/${method}`,
    'content-type': 'application/grpc',
  });
  const request = changed('06-Push-request', 'SyncRequest', { ctrl_ip: `10.1.${agent >> 8}.${agent & 255}` });
  stream.end(framed(request));
  return stream.resume();
}

const chosen = positionals.length > 0 ? positionals : [...folders.keys(), 'idle', 'control'];
console.log(`${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, load ${loadavg()[0]!.toFixed(1)}`);
for (const name of chosen) {
  const types = folders.get(name);
  if (types !== undefined) await ingest(name, types);
  else if (name === 'control') await controlledAgents();
  else await idleConnections();
}
