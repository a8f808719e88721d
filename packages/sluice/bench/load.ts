/**
 * Remote-write load: the same series again and again, as a scraping Prometheus sends them. Bodies are encoded before a run and the same bodies go to
 * every receiver under test.
 */
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { compressSync } from 'snappy';

export interface LoadOptions {
  readonly series: number;
  /** Labels a series, `__name__` included. */
  readonly labels: number;
  readonly seriesPerRequest: number;
  readonly scrapes: number;
  /** Time of the first scrape and between two, in milliseconds. */
  readonly startMs: number;
  readonly stepMs: number;
  readonly message: 'prometheus.WriteRequest' | 'io.prometheus.write.v2.Request';
}

export interface Load {
  readonly message: LoadOptions['message'];
  /** Compressed bodies, in the order of sending. */
  readonly bodies: readonly Buffer[];
  readonly samples: number;
  readonly lastMs: number;
  /** Bodies a scrape: body i and body i + groups hold the same series. */
  readonly groups: number;
}

const encoder = new TextEncoder();

/** Label sets of about 460 bytes on the wire with 15 labels: what a Kubernetes scrape looks like. Sorted by name. */
export function labelsOf(index: number, count: number): [string, string][] {
  const pod = index % 400;
  const all: [string, string][] = [
    [
      '__name__',
      `bench_${['http_requests', 'rpc_duration', 'cache_entries', 'queue_length'][index % 4]}_${Math.floor(index / 400) % 50}_total`,
    ],
    ['app', 'checkout-service'],
    ['cluster', 'production-eu-central-1'],
    ['code', String(200 + (index % 5))],
    ['container', 'checkout'],
    ['endpoint', 'http-metrics'],
    ['handler', `/api/v1/orders/${index % 37}/items`],
    ['instance', `10.42.${pod >> 8}.${pod & 255}:8080`],
    ['job', 'kubernetes-pods'],
    ['method', ['GET', 'POST', 'PUT'][index % 3]!],
    ['namespace', 'shop-production'],
    ['node', `ip-10-0-${pod % 16}-${pod % 7}.eu-central-1.compute.internal`],
    ['pod', `checkout-service-7d4b9c6f5d-${(pod * 2654435761).toString(36).slice(-5)}`],
    ['series', String(index)],
    ['version', 'v1.42.7'],
  ];
  return all.slice(0, count);
}

/** A mix of counters, gauges and noisy floats, by series. */
export function valueOf(index: number, scrape: number): number {
  switch (index % 4) {
    case 0:
      return index + scrape * (1 + (index % 13));
    case 1:
      return Math.round(1e4 * (1 + Math.sin((index + scrape) / 9))) / 100;
    case 2:
      return (index * 31) % 1000;
    default:
      return noise(index * 7919 + scrape) * 1000;
  }
}

function noise(seed: number): number {
  let x = (seed * 2654435761) >>> 0;
  x = ((x ^ (x >>> 15)) * 2246822519) >>> 0;
  return ((x ^ (x >>> 13)) >>> 0) / 2 ** 32;
}

export function createLoad(options: LoadOptions): Load {
  const groups = Math.ceil(options.series / options.seriesPerRequest);
  const create = options.message === 'prometheus.WriteRequest' ? templateV1 : templateV2;
  const templates = Array.from({ length: groups }, (_, group) => {
    const first = group * options.seriesPerRequest;
    return create(first, Math.min(options.series, first + options.seriesPerRequest), options.labels);
  });
  const bodies: Buffer[] = [];
  for (let scrape = 0; scrape < options.scrapes; scrape++) {
    const time = varint(options.startMs + scrape * options.stepMs);
    for (const { body, first, samples } of templates) {
      for (const [index, at] of samples.entries()) {
        body.writeDoubleLE(valueOf(first + index, scrape), at + 1);
        body.set(time, at + 10);
      }
      bodies.push(compressSync(body));
    }
  }
  return {
    message: options.message,
    bodies,
    samples: options.series * options.scrapes,
    lastMs: options.startMs + (options.scrapes - 1) * options.stepMs,
    groups,
  };
}

/** A message of which only values and times change from scrape to scrape: times of this century take 6 bytes as a varint. */
interface Template {
  readonly body: Buffer;
  readonly first: number;
  /** Where each Sample message begins. */
  readonly samples: readonly number[];
}

const sample = Buffer.from([0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0]);

/** WriteRequest: 1 TimeSeries { 1 Label { 1 name, 2 value }, 2 Sample { 1 value, 2 timestamp } }. */
function templateV1(first: number, end: number, labelCount: number): Template {
  const series: Buffer[] = [];
  for (let index = first; index < end; index++) {
    const labels = labelsOf(index, labelCount).map(([name, value]) =>
      nested(1, Buffer.concat([field(1, name), field(2, value)])),
    );
    series.push(nested(1, Buffer.concat([...labels, nested(2, sample)])));
  }
  return template(first, [], series, 0);
}

/** Request: 4 symbols, 5 TimeSeries { 1 labels_refs packed, 2 Sample, 5 Metadata { 1 type } }. */
function templateV2(first: number, end: number, labelCount: number): Template {
  const symbols = new Map<string, number>([['', 0]]);
  const reference = (text: string) => {
    let number = symbols.get(text);
    if (number === undefined) symbols.set(text, (number = symbols.size));
    return varint(number);
  };
  const metadata = Buffer.from([0x2a, 2, 0x08, 1]);
  const series: Buffer[] = [];
  for (let index = first; index < end; index++) {
    const refs = Buffer.concat(
      labelsOf(index, labelCount).flatMap(([name, value]) => [reference(name), reference(value)]),
    );
    series.push(nested(5, Buffer.concat([nested(1, refs), nested(2, sample), metadata])));
  }
  return template(
    first,
    [...symbols.keys()].map((text) => field(4, text)),
    series,
    metadata.length,
  );
}

/** `behind`: bytes of a series that follow its sample. */
function template(first: number, head: readonly Buffer[], series: readonly Buffer[], behind: number): Template {
  const samples: number[] = [];
  let at = head.reduce((sum, one) => sum + one.length, 0);
  for (const one of series) {
    at += one.length;
    samples.push(at - behind - sample.length);
  }
  return { body: Buffer.concat([...head, ...series]), first, samples };
}

function nested(number: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(body.length), body]);
}

function field(number: number, text: string): Buffer {
  const bytes = encoder.encode(text);
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** How bodies are sent: over so many connections, each with one request at a time; a series stays on its connection. */
export interface Sending {
  readonly connections: number;
  /** Samples a second; absent: as fast as answers come. An answer's time then counts from when its request was due, not from when it was sent. */
  readonly rate?: number | undefined;
}

/** Retries 429 and 503. */
export async function send(
  load: Load,
  url: string,
  { connections, rate }: Sending,
): Promise<{ seconds: number; latencies: Float64Array; retries: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const latencies = new Float64Array(load.bodies.length);
  const betweenMs = rate === undefined ? 0 : (1000 * load.samples) / load.bodies.length / rate;
  let retries = 0;
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async (_, lane) => {
      for (const [index, body] of load.bodies.entries()) {
        if ((index % load.groups) % connections !== lane) continue;
        const due = begin + index * betweenMs;
        if (betweenMs > 0) await sleep(due - performance.now());
        for (;;) {
          const start = betweenMs > 0 ? due : performance.now();
          const status = await post(agent, url, load, body);
          latencies[index] = performance.now() - start;
          if (status < 300) break;
          if (status !== 429 && status !== 503) throw new Error(`${url} answered ${status}`);
          retries++;
          await sleep(100);
        }
      }
    }),
  );
  agent.destroy();
  return { seconds: (performance.now() - begin) / 1000, latencies, retries };
}

async function post(agent: Agent, url: string, load: Load, body: Buffer): Promise<number> {
  const { message: type } = load;
  const outgoing = request(url, {
    method: 'POST',
    agent,
    headers: {
      'Content-Type':
        type === 'prometheus.WriteRequest' ? 'application/x-protobuf' : `application/x-protobuf;proto=${type}`,
      'Content-Encoding': 'snappy',
      'Content-Length': body.length,
      'User-Agent': 'sluice-bench/1',
      'X-Prometheus-Remote-Write-Version': type === 'prometheus.WriteRequest' ? '0.1.0' : '2.0.0',
    },
  });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  incoming.resume();
  await once(incoming, 'end');
  return incoming.statusCode ?? 0;
}
