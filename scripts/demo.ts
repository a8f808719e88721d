/**
 * `npm run demo`: a hub in a temporary folder and some agents that send what real ones sent once, moved to now; then the rows of each table. It goes on
 * until Ctrl-C, and leaves nothing behind. `--once` ends it after the table, `--agents N` sets how many agents there are.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const command = fileURLToPath(new URL('../packages/sluice/bin/sluice.js', import.meta.url));
const frames = fileURLToPath(new URL('../packages/sluice/test/fixtures/agent', import.meta.url));
const ROUNDS = 5;
const WAIT_MS = 60_000;
/** Rows of agents are in the database by then, if it keeps up. */
const STORED_MS = 12_000;

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
  const hub = spawn(process.execPath, [command, 'serve', '--data-dir', join(folder, 'data'), ...listen], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A Ctrl-C is for this program, which ends the hub.
    detached: true,
  });
  const ended = once(hub, 'exit');
  try {
    const addresses = await listening(hub);
    await until(async () => (await fetch(`${addresses.http[0]}/-/ready`)).ok);
    await replay(addresses.agent[0]);
    await sleep(STORED_MS, undefined, { signal: stopped.signal });
    const rows = await until(() => settledRows(addresses.http[0]));
    const width = Math.max(...[...rows.keys()].map((table) => table.length));
    console.log(`\n${'table'.padEnd(width)}  rows`);
    for (const [table, count] of rows) console.log(`${table.padEnd(width)}  ${count}`);
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
  const child = spawn(process.execPath, [command, 'replay', frames, '--to', to, '--now', ...agents], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`sluice replay ended with ${code}`);
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
