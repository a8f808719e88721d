/**
 * CPU a sample of the receiving path before the journal: uncompress, decode, find the series, fill the columns. Steady state: every series is known;
 * beside it, what a series costs that is new.
 *
 *   node --conditions=@sluice/source packages/sluice/bench/decode.ts [rounds]
 */
import {
  compressBlock,
  encodeRequestV2,
  encodeWriteRequest,
  type FamilyMetadata,
  REQUEST_V2,
  WRITE_REQUEST,
  type TimeSeries,
} from 'promwrite/wire';
import { LinearMemory } from '../src/base/linear-memory.ts';
import { MessageMemory } from '../src/receivers/prometheus/message-memory.ts';
import { remoteWriteLimitsSchema, toRemoteWriteLimits } from '../src/receivers/prometheus/config.ts';
import { createRemoteWrite } from '../src/receivers/prometheus/write.ts';
import { SeriesTable } from '../src/series/series-table.ts';
import { createLog } from '../src/telemetry/log.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';

const SERIES = 20_000;
const PER_REQUEST = 2_000;
const TURNS = 5;

function labels(id: number): Record<string, string> {
  return {
    __name__: `http_request_duration_seconds_${id % 200}`,
    cluster: 'prod-eu-west-1',
    container: 'app-server',
    endpoint: `/api/v1/users/${id % 50}`,
    environment: 'production',
    host: `node-${id % 100}.internal.example.com`,
    instance: `10.0.${id % 256}.${(id >> 8) % 256}:9100`,
    job: 'kubernetes-pods',
    le: `0.${id % 11}`,
    method: ['GET', 'POST', 'PUT'][id % 3]!,
    namespace: `team-${id % 20}`,
    pod: `app-server-${((id * 2654435761) >>> 0).toString(16)}`,
    region: 'eu-west-1',
    status: String(200 + (id % 5)),
    zone: `eu-west-1${'abc'[id % 3]}`,
  };
}

function request(first: number, time: number): TimeSeries[] {
  return Array.from({ length: PER_REQUEST }, (_, index) => ({
    labels: labels(first + index),
    samples: [{ timestamp: time, value: index % 3 === 0 ? Math.random() * 1000 : index }],
  }));
}

/** What a scraping Prometheus knows of the metrics; only 2.0 sends it with the series. */
const families: FamilyMetadata[] = Array.from({ length: 200 }, (_, id) => ({
  name: `http_request_duration_seconds_${id}`,
  type: 'counter',
  help: `Seconds that requests of kind ${id} took, by handler and status.`,
  unit: id % 2 === 0 ? 'seconds' : '',
}));

interface Spent {
  /** CPU microseconds a sample. */
  readonly uncompress: number;
  readonly decode: number;
  readonly whole: number;
}

const rounds = Number(process.argv[2] ?? 200);
const now = Date.now();
const limits = toRemoteWriteLimits(remoteWriteLimitsSchema.parse({}));

function createReceiver() {
  const memory = new LinearMemory();
  const table = new SeriesTable({ memory, limit: 1_000_000, now: Date.now });
  const receiver = createRemoteWrite({
    append: async () => {},
    series: () => table,
    memory,
    acceptWindow: () => ({ behindMs: 3_600_000, aheadMs: 3_600_000 }),
    limits,
    metrics: createMetrics(),
    log: createLog({ level: 'silent' }),
  });
  return { memory, table, receiver };
}

const { memory, table, receiver } = createReceiver();
const message = new MessageMemory(memory);

async function spent(count: number, bodies: number, round: (index: number) => unknown): Promise<number> {
  const before = process.cpuUsage();
  for (let index = 0; index < count; index++) {
    await round(index % bodies);
    if (index % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count / PER_REQUEST;
}

const versions = (
  [
    ['1.0', WRITE_REQUEST, encodeWriteRequest],
    ['2.0', REQUEST_V2, encodeRequestV2],
  ] as const
).map(([name, proto, encode]) => {
  const isV2 = proto === REQUEST_V2;
  const plain: Uint8Array[] = [];
  for (let first = 0; first < SERIES; first += PER_REQUEST) {
    plain.push(encode({ timeseries: request(first, now), ...(isV2 ? { metadata: families } : {}) }).slice());
  }
  const bodies = plain.map((bytes) => Buffer.from(compressBlock(bytes)));
  const headers = { 'content-type': `application/x-protobuf;proto=${proto}`, 'content-encoding': 'snappy' };
  const route = receiver.routes[0]!;
  const take = async (index: number): Promise<void> => {
    const reply = await route.handle({
      method: 'POST',
      path: route.path,
      wildcards: [],
      query: new URLSearchParams(),
      headers,
      body: bodies[index]!,
      org: 1,
      signal: new AbortController().signal,
    });
    if (reply.status !== 204) throw new Error(`expected 204; got ${reply.status} ${String(reply.body)}`);
  };
  const measure = async (): Promise<Spent> => ({
    uncompress: await spent(rounds, bodies.length, (index) => message.placeSnappy(bodies[index]!, limits.decodedBytes)),
    decode: await spent(rounds, bodies.length, (index) => receiver.write(proto, plain[index]!, 1)),
    whole: await spent(rounds, bodies.length, take),
  });
  const firstSight = async (): Promise<number> => {
    const fresh = createReceiver();
    return spent(bodies.length, bodies.length, (index) => fresh.receiver.write(proto, plain[index]!, 1));
  };
  const bytes = plain.reduce((sum, { length }) => sum + length, 0) / SERIES;
  const compressed = bodies.reduce((sum, { length }) => sum + length, 0) / SERIES;
  return { name, take, measure, firstSight, bytes, compressed, found: [] as Spent[], first: [] as number[] };
});

for (const { take } of versions) for (let index = 0; index < 50; index++) await take(index % (SERIES / PER_REQUEST));
// The versions take turns, and the best of each counts: the machine may be shared.
for (let turn = 0; turn < TURNS; turn++) {
  for (const version of versions) {
    version.found.push(await version.measure());
    version.first.push(await version.firstSight());
  }
}
for (const { name, found, first, bytes, compressed } of versions) {
  const best = (part: keyof Spent): string => Math.min(...found.map((one) => one[part])).toFixed(3);
  console.log(
    `${name}: uncompress ${best('uncompress')}, copy and decode ${best('decode')}, whole ${best('whole')} us a sample; ` +
      `new series ${Math.min(...first).toFixed(1)} us; ${bytes.toFixed(0)} B a series, ${compressed.toFixed(0)} compressed`,
  );
}
console.log(`${table.active} series, ${(table.bytes / table.active).toFixed(0)} B a series, ${table.forms} forms`);
