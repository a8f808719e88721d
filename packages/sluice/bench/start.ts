/**
 * Start with much data: from the beginning of the process until it listens and until it is ready, and how long it takes to stop.
 *
 *   npm run bench -- start [--gigabytes 10] [--rounds 3]
 *
 * The rows are made by the database itself: l7_flow_log with texts that hardly compress, over 30 days.
 */
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openChdb } from '../src/storage/chdb.ts';
import { sql } from '../src/storage/sql.ts';
import { Hub, Scratch, until } from '../test/e2e/processes.ts';
import { cpuSeconds, diskBytes, residentBytes } from './process-usage.ts';

const { values: options } = parseArgs({
  allowPositionals: true,
  options: { gigabytes: { type: 'string', default: '10' }, rounds: { type: 'string', default: '3' } },
});

const PIECE = 1_000_000;

using scratch = new Scratch();
const data = join(scratch.path, 'data');

console.log(`${cpus().length} x ${cpus()[0]?.model}; Node ${process.version}; load ${loadavg()[0]!.toFixed(1)}`);
await measure('empty, tables are made');
await measure('empty');
await fill(Number(options.gigabytes) * 1e9);
for (let round = 0; round < Number(options.rounds); round++) {
  await measure(`${(diskBytes(data) / 1e9).toFixed(1)} GB`);
}

async function measure(what: string): Promise<void> {
  const begin = performance.now();
  const hub = await Hub.start(data, { args: ['--set', 'storage.retention=forever'] });
  const listening = performance.now() - begin;
  await until(
    async () => ((await fetch(`${hub.http}/-/ready`)).ok ? true : undefined),
    120_000,
    () => `ready:\n${hub.output()}`,
  );
  const ready = performance.now() - begin;
  const cpu = cpuSeconds(hub.pid);
  const resident = residentBytes(hub.pid).now;
  const stopping = performance.now();
  await hub.end('SIGTERM');
  const stopped = performance.now() - stopping;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  console.log(
    `${what}: listens after ${seconds(listening)}, ready after ${seconds(ready)} (${cpu} s of CPU, ${Math.round(resident / 1e6)} MB), stopped in ${seconds(stopped)}`,
  );
}

async function fill(bytes: number): Promise<void> {
  const store = await openChdb({ path: join(data, 'chdb'), maxMemory: 2e9 });
  const nowS = Math.floor(Date.now() / 1000);
  for (let piece = 0; diskBytes(data) < bytes; piece++) {
    const day = nowS - (piece % 30) * 86_400;
    await store.insert(
      sql`INSERT INTO flow_log.l7_flow_log (time, _id, ip4_0, ip4_1, request_id, response_duration, endpoint, request_resource, trace_id)
          SELECT toDateTime(${day} - number % 80000), rand64(1), rand(2), rand(3), rand64(4), rand(5), concat('/api/', toString(rand(6) % 1000)),
                 randomPrintableASCII(200), hex(randomString(16))
          FROM numbers(${PIECE})`,
      { timeoutMs: 600_000 },
    );
  }
  await store.close();
}
