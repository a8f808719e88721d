/**
 * `npm run demo`: a hub in a temporary folder, some agents that send what real ones sent once, moved to now, and a program that writes metrics; then the
 * rows of each table, and why there are none in those that nobody fills. It goes on until Ctrl-C, and leaves nothing behind. `--once` ends it after the
 * table, `--agents N` sets how many agents there are.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createClient } from '../packages/promwrite/src/index.ts';
import { dataSources } from '../packages/sluice/src/catalog/catalog.ts';
import { rollUps } from '../packages/sluice/src/catalog/roll-ups.ts';
import { encodeFrame, readFrames } from '../packages/sluice/src/replay/frames.ts';

const command = fileURLToPath(new URL('../packages/sluice/bin/sluice.js', import.meta.url));
const frames = fileURLToPath(new URL('../packages/sluice/test/fixtures/agent', import.meta.url));
const ROUNDS = 5;
const WAIT_MS = 60_000;
/** Compression of a frame, as agents do it. */
const ZSTD = 3;
/** Rows of agents are in the database by then, if it keeps up. */
const STORED_MS = 12_000;

/** Tables that no agent of the 7.1 community line makes rows of; what would is taken by the hub all the same, unless it says otherwise. */
const NOT_SENT = new Map([
  ['deepflow_admin.deepflow_server', "DeepFlow's own servers send it, not agents"],
  ['event.event', 'agents send no Kubernetes events any more (nor does the hub take them)'],
  ['flow_log.l4_packet', 'only agents of the enterprise edition send the headers of packets'],
  ['flow_metrics.traffic_policy.1m', 'only agents of the enterprise edition count by policy'],
  ['flow_tag.custom_tag_map', 'nobody tells the hub of labels of pods here (docs/tags.md)'],
  ['flow_tag.name_map', 'nobody tells the hub of resources here (docs/tags.md)'],
]);

const { values: options } = parseArgs({
  options: { once: { type: 'boolean', default: false }, agents: { type: 'string', default: '3' } },
});

interface Addresses {
  readonly http: readonly [string];
  readonly agent: readonly [string];
}

const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopped.abort());
const folder = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
try {
  await demo();
} catch (error) {
  if (!stopped.signal.aborted) throw error;
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function demo(): Promise<void> {
  const listen = ['http', 'integration', 'agent', 'control'].flatMap((name) => ['--set', `listen.${name}=127.0.0.1:0`]);
  const tags = ['--set', `tags.files=[${JSON.stringify(knownMachines())}]`];
  const hub = spawn(process.execPath, [command, 'serve', '--data-dir', join(folder, 'data'), ...listen, ...tags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A Ctrl-C is for this program, which ends the hub.
    detached: true,
  });
  const ended = once(hub, 'exit');
  try {
    const addresses = await listening(hub);
    await until(async () => (await fetch(`${addresses.http[0]}/-/ready`)).ok);
    await replay(addresses.agent[0]);
    await writeMetrics(addresses.http[0]);
    await sleep(STORED_MS, undefined, { signal: stopped.signal });
    const rows = await until(() => settledRows(addresses.http[0]));
    console.log(`\n${tableOf(rows)}`);
    console.log(
      `\nThe hub runs at ${addresses.http[0]} (metrics: ${addresses.http[0]}/metrics); agents send to ${addresses.agent[0]}.`,
    );
    if (options.once) return;
    console.log('Ctrl-C ends it and removes its data.');
    if (!stopped.signal.aborted) await Promise.race([once(stopped.signal, 'abort'), ended]);
  } finally {
    hub.kill('SIGTERM');
    await ended;
  }
}

/** Addresses from the line that the hub logs when it is there. */
function listening(hub: ChildProcess): Promise<Addresses> {
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    hub.once('exit', (code) => reject(new Error(`the hub ended with ${code}:\n${lines.slice(-20).join('\n')}`)));
    for (const input of [hub.stdout!, hub.stderr!]) {
      createInterface({ input }).on('line', (line) => {
        if (line.includes('"msg":"listening"')) resolve(JSON.parse(line) as Addresses);
        else if (line.startsWith('{"level":"error"') || line.startsWith('{"level":"fatal"')) console.error(line);
        if (lines.push(line) > 1000) lines.splice(0, 500);
      });
    }
  });
}

async function replay(to: string): Promise<void> {
  const agents = ['--agents', options.agents, '--repeat', String(ROUNDS), '--org', '1'];
  const files = [frames, watchedProcesses()];
  const child = spawn(process.execPath, [command, 'replay', ...files, '--to', to, '--now', ...agents], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`sluice replay ended with ${code}`);
}

/** A file of static tags: what rows say of addresses, and the dictionaries of its names. */
function knownMachines(): string {
  const path = join(folder, 'tags.yaml');
  writeFileSync(
    path,
    `regions: [{ name: demo, own: true }]
vpcs: [{ name: demo, id: 1, region: demo }]
subnets: [{ name: shop-floor, vpc: demo, cidrs: [10.0.0.0/8] }]
chosts: [{ name: till-1, vpc: demo, address: 10.1.0.6, tags: { team: shop } }]
`,
  );
  return path;
}

/** What agents send of processes that they watch (`ai_agent_root_pid`): the agent of the recordings watched none. */
function watchedProcesses(): string {
  const rootPid = Buffer.from([(14 << 3) | 0, 0xd2, 0x09]);
  const watched = readFrames([join(frames, 'PROC_EVENT')]).map((frame) =>
    encodeFrame({ ...frame, encoder: ZSTD, records: frame.records.map((record) => Buffer.concat([record, rootPid])) }),
  );
  const path = join(folder, 'watched.bin');
  writeFileSync(path, Buffer.concat(watched));
  return path;
}

/** A program's own metrics, with what only remote write carries: exemplars and native histograms. */
async function writeMetrics(url: string): Promise<void> {
  const client = createClient({ url: `${url}/api/v1/write`, protobufMessage: 'io.prometheus.write.v2.Request' });
  const labels = { job: 'demo', instance: 'till-1' };
  const trace = { labels: { trace_id: '0af7651916cd43dd8448eb211c80319c' }, value: 1 };
  await client.write([
    {
      labels: { __name__: 'demo_orders_total', ...labels },
      samples: [{ value: 42 }],
      exemplars: [trace],
      metadata: { type: 'counter', help: 'Orders taken' },
    },
    {
      labels: { __name__: 'demo_order_seconds', ...labels },
      histograms: [
        {
          kind: 'integer',
          schema: 0,
          count: 42,
          sum: 61.5,
          positiveSpans: [{ offset: 0, length: 3 }],
          positiveDeltas: [20, -5, -8],
        },
      ],
      metadata: { type: 'histogram', help: 'Time that an order takes' },
    },
  ]);
}

/** All tables: the rows of each, or why there are none. */
function tableOf(rows: ReadonlyMap<string, number>): string {
  const made = new Map(rollUps.map(({ from, to }) => [to.id, `made in the database of ${from.id}`]));
  const tables = dataSources.map(({ id }) => id).toSorted();
  const width = Math.max(...tables.map((table) => table.length));
  const lines = tables.map((table) => {
    const count = rows.get(table) ?? 0;
    return `${table.padEnd(width)}  ${count > 0 ? count : (made.get(table) ?? `0: ${NOT_SENT.get(table) ?? 'nothing came'}`)}`;
  });
  return [`${'table'.padEnd(width)}  rows`, ...lines].join('\n');
}

/** Rows of each table, once the database has all that agents sent. */
async function settledRows(url: string): Promise<ReadonlyMap<string, number> | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  if ((counts(text, 'sluice_journal_backlog_bytes', 'reader').get('storage') ?? 0) > 0) return undefined;
  // Rows that are made in the database, of others, were never received.
  const rows = counts(text, 'sluice_storage_rows_total', 'table');
  for (const [table, received] of counts(text, 'sluice_received_rows_total', 'table')) rows.set(table, received);
  return new Map([...rows].toSorted(([left], [right]) => left.localeCompare(right)));
}

function counts(text: string, metric: string, label: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const [, labels = '', value] of text.matchAll(new RegExp(`^${metric}\\{(.*)\\} (\\S+)$`, 'gm'))) {
    const name = new RegExp(`(?:^|,)${label}="([^"]*)"`).exec(labels)?.[1] ?? '';
    found.set(name, (found.get(name) ?? 0) + Number(value));
  }
  return found;
}

async function until<T>(probe: () => Promise<T | false | undefined>): Promise<T> {
  for (const end = performance.now() + WAIT_MS; ;) {
    const found = await probe();
    if (found !== false && found !== undefined) return found;
    if (performance.now() > end) throw new Error(`the hub did not get on for ${WAIT_MS / 1000} s`);
    await sleep(200, undefined, { signal: stopped.signal });
  }
}
