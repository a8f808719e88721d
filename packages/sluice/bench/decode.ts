/**
 * CPU a sample of the receiving path before the journal: uncompress, decode, find the series, fill the columns. Steady state: every series is known.
 *
 *   node --conditions=@sluice/source packages/sluice/bench/decode.ts [rounds]
 */
import {
  compressBlock,
  encodeRequestV2,
  encodeWriteRequest,
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

const rounds = Number(process.argv[2] ?? 200);
const now = Date.now();
const memory = new LinearMemory();
const table = new SeriesTable({ memory, limit: 1_000_000, now: Date.now });
const limits = toRemoteWriteLimits(remoteWriteLimitsSchema.parse({}));
let rows = 0;
const receiver = createRemoteWrite({
  append: async (batches) => {
    for (const batch of batches) rows += batch.rows;
  },
  series: () => table,
  memory,
  acceptWindow: () => ({ behindMs: 3_600_000, aheadMs: 3_600_000 }),
  limits,
  metrics: createMetrics(),
  log: createLog({ level: 'silent' }),
});
const message = new MessageMemory(memory);

for (const [name, proto, encode] of [
  ['1.0', WRITE_REQUEST, encodeWriteRequest],
  ['2.0', REQUEST_V2, encodeRequestV2],
] as const) {
  const plain: Uint8Array[] = [];
  for (let first = 0; first < SERIES; first += PER_REQUEST)
    plain.push(encode({ timeseries: request(first, now) }).slice());
  const bodies = plain.map((bytes) => Buffer.from(compressBlock(bytes)));
  const measure = async (round: (index: number) => unknown): Promise<number> => {
    for (let index = 0; index < 50; index++) await round(index % bodies.length);
    const before = process.cpuUsage();
    for (let index = 0; index < rounds; index++) {
      await round(index % bodies.length);
      if (index % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / rounds / PER_REQUEST;
  };
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
  const uncompress = await measure((index) => message.placeSnappy(bodies[index]!, limits.decodedBytes));
  const decode = await measure((index) => receiver.write(proto, plain[index]!, 1));
  const whole = await measure(take);
  const bytes = plain.reduce((sum, { length }) => sum + length, 0) / SERIES;
  const compressed = bodies.reduce((sum, { length }) => sum + length, 0) / SERIES;
  console.log(
    `${name}: uncompress ${uncompress.toFixed(3)}, copy and decode ${decode.toFixed(3)}, whole ${whole.toFixed(3)} us a sample; ` +
      `${bytes.toFixed(0)} B a series, ${compressed.toFixed(0)} compressed`,
  );
}
console.log(
  `${rows} rows, ${table.active} series, ${(table.bytes / table.active).toFixed(0)} B a series, ${table.forms} forms`,
);
