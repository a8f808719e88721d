import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProtobufWriter, compressBlock } from 'promwrite/wire';
import { histograms, samples, series } from '../src/catalog/prometheus.ts';
import { readLimitsSchema, toReadLimits } from '../src/query/config.ts';
import { createRemoteRead } from '../src/query/remote-read/remote-read.ts';
import { openChdb, type ChdbStore } from '../src/storage/chdb.ts';
import { sql } from '../src/storage/sql.ts';
import { createDatabase, createTables } from '../src/storage/tables.ts';
import { createLog } from '../src/telemetry/log.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';

/**
 * Remote read of 1,000 series over 1 h (240 samples each, 15 s apart) in this process, out of 5,000 series over 2 h in five metrics.
 *
 *   UV_THREADPOOL_SIZE=16 node --conditions=@sluice/source bench/remote-read.ts [rounds]
 */
const METRICS = 5;
const SERIES = 1000;
const START = 1_700_000_000_000;
const STEP = 15_000;
const SAMPLES = 480;
const INSERTS = 6;
const rounds = Number(process.argv[2] ?? 20);

const directory = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
const store = await openChdb({ path: join(directory, 'chdb'), maxMemory: 1 << 30 });
try {
  await fill(store);
  const limits = toReadLimits(readLimitsSchema.parse({}));
  const [route] = createRemoteRead({ store, limits, metrics: createMetrics(), log: createLog({ level: 'silent' }) });
  console.log(`${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads, Node ${process.version}`);
  for (const merged of [false, true]) {
    if (merged) await store.command(sql`OPTIMIZE TABLE prometheus.samples FINAL`);
    for (const [name, matchers] of [
      ['one metric', [['__name__', 'metric_3']]],
      [
        'name and label',
        [
          ['__name__', 'metric_3'],
          ['job', 'bench'],
        ],
      ],
      ['one label', [['group', '3']]],
    ] as const) {
      for (const accepted of [1, 0]) {
        const body = request(matchers, accepted);
        const times: number[] = [];
        let bytes = 0;
        const cpu = process.cpuUsage();
        for (let round = 0; round < rounds; round++) {
          const start = performance.now();
          bytes = await read(body);
          times.push(performance.now() - start);
        }
        const used = process.cpuUsage(cpu);
        times.sort((a, b) => a - b);
        const form = accepted === 1 ? 'streamed' : 'samples ';
        const cpuMs = (used.user + used.system) / 1000 / rounds;
        console.log(
          `${merged ? 'one part  ' : `${INSERTS} inserts `} ${name.padEnd(14)} ${form} p50 ${times[rounds >> 1]!.toFixed(1)} ms, least ${times[0]!.toFixed(1)} ms, cpu ${cpuMs.toFixed(0)} ms, ${bytes} bytes`,
        );
      }
    }
  }

  async function read(body: Buffer): Promise<number> {
    const reply = await route!.handle({
      method: 'POST',
      path: '/api/v1/read',
      wildcards: [],
      query: new URLSearchParams(),
      headers: {},
      body,
      org: 1,
      signal: new AbortController().signal,
    });
    if (reply.body instanceof Uint8Array) return reply.body.length;
    let bytes = 0;
    if (typeof reply.body === 'object') for await (const part of reply.body) bytes += part.length;
    return bytes;
  }
} finally {
  await store.close();
  await rm(directory, { recursive: true, force: true });
}

async function fill(target: ChdbStore): Promise<void> {
  await target.command(createDatabase('prometheus'));
  for (const source of [series, samples, histograms]) {
    for (const statement of createTables(source, 1, { retention: 'forever' })) await target.command(statement);
  }
  const ids = sql`reinterpretAsUInt64(SHA256(concat('metric_', toString(intDiv(n, ${SERIES}))))) AS metric_id, reinterpretAsUInt64(SHA256(toString(n))) AS series_id`;
  await target.command(sql`INSERT INTO prometheus.series (metric_id, series_id, valid_from, time, metric_name, labels) SELECT ${ids}, fromUnixTimestamp64Milli(${START}), fromUnixTimestamp64Milli(${START}),
    concat('metric_', toString(intDiv(n, ${SERIES}))), map('group', toString(intDiv(n, ${SERIES})), 'instance', concat('10.0.0.', toString(n), ':9100'), 'job', 'bench',
    'path', concat('/api/', toString(n % 100)), 'status', toString(n % 7), 'zone', 'eu-1') FROM (SELECT number AS n FROM numbers(${METRICS * SERIES}))`);
  for (let insert = 0; insert < INSERTS; insert++) {
    const each = SAMPLES / INSERTS;
    await target.command(sql`INSERT INTO prometheus.samples SELECT ${ids}, fromUnixTimestamp64Milli(${START} + (i + ${insert * each}) * ${STEP} + n % 1000),
      (i + ${insert * each}) * 10 + n + rand() % 8 FROM (SELECT number % ${METRICS * SERIES} AS n, intDiv(number, ${METRICS * SERIES}) AS i FROM numbers(${METRICS * SERIES * each}))`);
  }
}

function request(matchers: readonly (readonly [string, string])[], accepted: number): Buffer {
  const out = new ProtobufWriter();
  out.varint32(10);
  const query = out.open(2);
  out.varint32(8);
  out.int64(START + 3_600_000);
  out.varint32(16);
  out.int64(START + 7_200_000 - 1);
  for (const [name, value] of matchers) {
    out.varint32(26);
    const matcher = out.open(1);
    out.stringField(18, name);
    out.stringField(26, value);
    out.close(matcher, 1);
  }
  out.close(query, 2);
  out.varint32(16);
  out.varint32(accepted);
  return Buffer.from(compressBlock(out.written()));
}
