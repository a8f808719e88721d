/**
 * Remote read of 1,000 series over an hour, 240 samples each, from Sluice and from Prometheus: from the request to the last byte of the answer, in both
 * forms, in turns.
 *
 *   npm run bench -- remote-read-peers [--rounds 30]
 */
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { compressBlock } from 'promwrite/wire';
import { Scratch } from '../test/e2e/processes.ts';
import { createLoad, send } from './load.ts';
import { cpuSeconds } from './process-usage.ts';
import { startPrometheus, startSluice } from './targets.ts';

const { values: options } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '30' } },
});
const rounds = Number(options.rounds);
const scrapes = 240;
const startMs = Math.floor(Date.now() / 15_000) * 15_000 - scrapes * 15_000 - 60_000;
const load = createLoad({
  series: 1000,
  labels: 15,
  seriesPerRequest: 1000,
  scrapes,
  startMs,
  stepMs: 15_000,
  message: 'prometheus.WriteRequest',
});

console.log(
  `${cpus()[0]?.model ?? 'unknown processor'} x ${cpus().length}, Node ${process.version}; ${rounds} rounds, medians`,
);
using scratch = new Scratch();
const targets = [];
for (const start of [startSluice, startPrometheus]) {
  const target = await start(scratch);
  if (target?.readUrl === undefined) continue;
  await send(load, target.writeUrl, { connections: 1 });
  targets.push({ ...target, readUrl: target.readUrl });
}
await sleep(5000);

const results = new Map<string, number>();
for (const [form, accepted] of [
  ['streamed', 1],
  ['samples', 0],
] as const) {
  const body = request(accepted);
  const readings = targets.map((target) => ({ target, times: [] as number[], bytes: 0, cpu: 0 }));
  // In turns, and the first five of each do not count: both compile and cache as they go.
  for (let round = -5; round < rounds; round++) {
    for (const reading of readings) {
      const before = cpuSeconds(reading.target.running.pid);
      const begin = performance.now();
      reading.bytes = await read(reading.target.readUrl, body);
      if (round < 0) continue;
      reading.times.push(performance.now() - begin);
      reading.cpu += cpuSeconds(reading.target.running.pid) - before;
    }
  }
  for (const { target, times, bytes, cpu } of readings) {
    const sorted = times.toSorted((a, b) => a - b);
    const median = sorted[rounds >> 1]!;
    results.set(`${target.name.split(' ')[0]} ${form}`, median);
    console.log(
      `${target.name.padEnd(20)} ${form.padEnd(9)} ${median.toFixed(1)} ms (least ${sorted[0]!.toFixed(1)}), ${((cpu * 1000) / rounds).toFixed(0)} ms CPU, ${bytes} bytes`,
    );
  }
}
for (const { running } of targets) await running.end('SIGTERM');
for (const form of ['streamed', 'samples']) {
  const [ours, theirs] = [results.get(`sluice ${form}`), results.get(`prometheus ${form}`)];
  if (ours !== undefined && theirs !== undefined)
    console.log(`prometheus / sluice, ${form}: ${(theirs / ours).toFixed(2)}`);
}

/** ReadRequest { 1 Query { 1 start, 2 end, 3 matcher { 1 type, 2 name, 3 value } }, 2 accepted response type }. */
function request(accepted: number): Uint8Array<ArrayBuffer> {
  const matcher = Buffer.concat([
    Buffer.from([0x12, 3]),
    Buffer.from('job'),
    Buffer.from([0x1a, 15]),
    Buffer.from('kubernetes-pods'),
  ]);
  const times = Buffer.concat([
    Buffer.from([0x08]),
    varint(load.lastMs - 3_600_000),
    Buffer.from([0x10]),
    varint(load.lastMs),
  ]);
  const query = Buffer.concat([times, Buffer.from([0x1a, matcher.length]), matcher]);
  return compressBlock(Buffer.concat([Buffer.from([0x0a, query.length]), query, Buffer.from([0x10, accepted])]));
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

async function read(url: string, body: Uint8Array<ArrayBuffer>): Promise<number> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-protobuf',
      'Content-Encoding': 'snappy',
      'X-Prometheus-Remote-Read-Version': '0.1.0',
    },
    body,
  });
  const bytes = (await answer.arrayBuffer()).byteLength;
  if (answer.status !== 200 || bytes < 1000) throw new Error(`${url} answered ${answer.status} with ${bytes} bytes`);
  return bytes;
}
