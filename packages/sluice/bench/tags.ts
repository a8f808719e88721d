/**
 * What tags cost, with 50,000 pods, 15,000 other machines and 200,000 addresses in the inventory:
 *
 *   npm run bench -- tags [--rows N]
 *
 * - the inventory: CPU of building it, of changes, the longest turn of the event loop, memory;
 * - rows: nanoseconds a row for rows whose addresses are spread over a thousand, ten thousand or all addresses, beside the CPU of the way from a golden
 *   record to a Native block in the same run;
 * - series: microseconds a series that is new, of targets whose tags are known already and of new ones.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LabelList } from '../src/base/label-fields.ts';
import type { Tagger } from '../src/base/ports.ts';
import { RowBlock } from '../src/batch/row-block.ts';
import { findDataSource } from '../src/catalog/catalog.ts';
import type { Resource } from '../src/tags/description.ts';
import { emptyInventory } from '../src/tags/empty-inventory.ts';
import { Ids } from '../src/tags/ids.ts';
import { OrgInventory } from '../src/tags/org-inventory.ts';
import { SeriesSubjects } from '../src/tags/series-subjects.ts';
import type { SourceChange } from '../src/tags/source.ts';
import { createTagger } from '../src/tags/tagger.ts';
import { createLog } from '../src/telemetry/log.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { agentCases, BlockSink, goldenRecords, lay, sender, type AgentCase } from './agent-records.ts';

const PODS = 50_000;
const NODES = 1000;
const GROUPS = 2500;
const NAMESPACES = 100;
const MACHINES = 15_000;
const ADDRESSES_PER_MACHINE = 10;
const ROUNDS = 12;

const { values: options } = parseArgs({ options: { rows: { type: 'string', default: '1023' } } });
const ROWS = Number(options.rows);

const podAddress = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
const range = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));

function pod(i: number, address = podAddress(i)): Resource {
  return {
    kind: 'pod',
    key: `k/${i}-3f2a-4c1e-9b7d-0242ac120002`,
    name: `shop-7f9c5d-${i}`,
    cluster: 'k',
    namespace: `k/ns${i % NAMESPACES}`,
    group: `k/g${i % GROUPS}`,
    node: `k/n${i % NODES}`,
    addresses: [address],
    containers: [`container-${i}-0123456789abcdef0123456789abcdef0123`],
    labels: [
      ['app', `g${i % GROUPS}`],
      ['tier', 'web'],
    ],
  };
}

const resources: readonly Resource[] = [
  { kind: 'region', key: 'r', name: 'r' },
  { kind: 'az', key: 'z', name: 'z', region: 'r' },
  { kind: 'vpc', key: '1', name: 'one', region: 'r' },
  ...range(20, (i): Resource => ({
    kind: 'subnet',
    key: `1/s${i}`,
    name: `s${i}`,
    vpc: '1',
    cidrs: [`10.${i * 10}.0.0/${i % 2 === 0 ? 20 : 16}`],
  })),
  { kind: 'pod_cluster', key: 'k', name: 'k', vpc: '1' },
  ...range(NAMESPACES, (i): Resource => ({ kind: 'pod_ns', key: `k/ns${i}`, name: `ns${i}`, cluster: 'k' })),
  ...range(GROUPS, (i): Resource => ({
    kind: 'pod_group',
    key: `k/g${i}`,
    name: `g${i}`,
    cluster: 'k',
    namespace: `k/ns${i % NAMESPACES}`,
    type: 'deployment',
  })),
  ...range(NODES, (i): Resource => ({
    kind: 'pod_node',
    key: `k/n${i}`,
    name: `n${i}`,
    cluster: 'k',
    az: 'z',
    addresses: [`192.168.${i >> 8}.${i & 255}`],
  })),
  ...range(PODS, (i) => pod(i)),
  ...range(GROUPS, (i): Resource => ({
    kind: 'pod_service',
    key: `k/svc${i}`,
    name: `svc${i}`,
    cluster: 'k',
    namespace: `k/ns${i % NAMESPACES}`,
    addresses: [`172.16.${i >> 8}.${i & 255}`],
    ports: [{ protocol: 'tcp', port: 80, targetPorts: [8080] }],
    podGroups: [`k/g${i}`],
  })),
  ...range(MACHINES, (i): Resource => ({
    kind: 'chost',
    key: `vm${i}`,
    name: `vm${i}`,
    vpc: '1',
    az: 'z',
    interfaces: [
      {
        mac: 0x0a5800000000 + i,
        addresses: range(ADDRESSES_PER_MACHINE, (k) => ({ ip: `11.${i >> 8}.${i & 255}.${k}` })),
      },
    ],
  })),
];

/** Milliseconds of CPU of this thread. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** CPU of the work and of its longest turn of the event loop, milliseconds. */
async function turns(work: () => Promise<void>): Promise<{ readonly all: number; readonly longest: number }> {
  let longest = 0;
  let last = cpuMs();
  let going = true;
  const began = last;
  const tick = () => {
    const now = cpuMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (going) setImmediate(tick);
  };
  setImmediate(tick);
  await work();
  await new Promise(setImmediate);
  going = false;
  return { all: cpuMs() - began, longest };
}

const metrics = createMetrics();
const log = createLog();
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const ids = new Ids({ path: join(folder, 'ids'), org: 1, allocates: true, metrics, log });
const org = new OrgInventory({ org: 1, ids, metrics, log, onPublished: () => undefined });
let changed: (change: SourceChange) => void = () => undefined;

async function inventory(): Promise<void> {
  globalThis.gc?.();
  const before = process.memoryUsage();
  const built = await turns(async () => {
    org.add({
      name: 'bench',
      kind: 'kubernetes',
      org: 1,
      current: () => ({ resources }),
      onChange: (listener) => {
        changed = listener;
        return () => undefined;
      },
      state: () => ({ kind: 'up' }),
    });
    await org.settle();
  });
  globalThis.gc?.();
  const after = process.memoryUsage();
  const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
  console.log(
    `inventory: built in ${built.all.toFixed(0)} ms of CPU, longest turn ${built.longest.toFixed(1)} ms; heap ${mb(after.heapUsed - before.heapUsed)} MB, tables ${mb(after.arrayBuffers - before.arrayBuffers)} MB`,
  );
  const moved = range(100, (i) => pod(i * 7, podAddress(60_000 + i)));
  const some = await turns(async () => {
    changed({ kind: 'some', changed: moved, gone: [] });
    await org.settle();
  });
  console.log(`           100 pods move: ${some.all.toFixed(1)} ms of CPU, longest turn ${some.longest.toFixed(1)} ms`);
  const all = await turns(async () => {
    changed({ kind: 'all' });
    await org.settle();
  });
  console.log(`           told anew: ${all.all.toFixed(0)} ms of CPU, longest turn ${all.longest.toFixed(1)} ms`);
}

/** Rows of a table whose addresses are any of so many; a third of them the machines'. */
function rowsOf(table: string, spread: number): RowBlock {
  const source = findDataSource(table)!;
  const block = new RowBlock(source, 1);
  const ends = block.findColumn('l3_epc_id_0') >= 0 ? ['_0', '_1'] : [''];
  for (let row = 0; row < ROWS; row++) {
    for (const end of ends) {
      const i = Math.floor(Math.random() * spread);
      const isMachine = i % 3 === 2;
      const machine = Math.floor(i / 10) % MACHINES;
      const address = isMachine ? 0x0b000000 + (machine << 8) + (i % 10) : 0x0a000000 + (i % PODS);
      block.setNumber(block.column(`ip4${end}`), address);
      block.setNumber(block.column(`l3_epc_id${end}`), 1);
    }
    block.setNumber(block.column('is_ipv4'), 1);
    block.setNumber(block.column('server_port'), 8080);
    block.setNumber(block.column('protocol'), 6);
    block.setNumber(block.column('agent_id'), 1);
    block.setNumber(block.column(source.time.column), Math.floor(Date.now() / 1000) - (row % 2));
    block.commit(Date.now());
  }
  return block;
}

/** Nanoseconds of CPU a row, best of the rounds. */
function tagging(tagger: Tagger<RowBlock>, blocks: readonly RowBlock[]): number {
  let best = Infinity;
  for (let round = 0; round <= ROUNDS; round++) {
    const before = cpuMs();
    for (const block of blocks) tagger(block, 1);
    if (round > 0) best = Math.min(best, cpuMs() - before);
  }
  return (best * 1e6) / ROWS / blocks.length;
}

/** Nanoseconds of CPU a row from record to Native block, without tags, best of the rounds. */
function decoding(one: AgentCase): number {
  const { bytes, bounds } = lay(one.golden.flatMap(goldenRecords), one);
  const sink = new BlockSink();
  const decoder = one.create(sink);
  let best = Infinity;
  for (let round = 0; round <= ROUNDS; round++) {
    const before = cpuMs();
    sink.rows = 0;
    for (let i = 0; i + 1 < bounds.length; i++) void decoder.decode(bytes, bounds[i]!, bounds[i + 1]!, sender);
    sink.flush();
    if (round > 0) best = Math.min(best, (cpuMs() - before) / sink.rows);
  }
  return best * 1e6;
}

function rows(): void {
  const none = createTagger({ inventory: () => emptyInventory });
  const live = createTagger({ inventory: () => org.inventory });
  console.log('\nns of CPU a row    decoded     no inventory   1,000 addresses   10,000          200,000');
  for (const one of agentCases) {
    const table = one.tables.at(-1)!;
    const decoded = decoding(one);
    const cost = (ns: number) => `${ns.toFixed(0)} (${((100 * ns) / decoded).toFixed(0)} %)`.padEnd(16);
    const blocks = (spread: number) => range(Math.ceil(40_000 / ROWS), () => rowsOf(table, spread));
    const figures = [1000, 10_000, 200_000].map((spread) => cost(tagging(live, blocks(spread))));
    console.log(
      `${one.name.padEnd(18)} ${decoded.toFixed(0).padStart(6)}      ${cost(tagging(none, blocks(1000)))}${figures.join('')}`,
    );
  }
}

async function series(): Promise<void> {
  const subjects = new SeriesSubjects({ org, log });
  const labels = new LabelList();
  const perTarget = 500;
  for (const what of ['500 new series of each of 400 new targets', 'as many more, of the same targets']) {
    const texts = range(400, (i) =>
      range(perTarget, (k) =>
        labelText({
          __name__: `metric_${k}`,
          instance: `${podAddress(i * 11)}:9100`,
          job: 'node',
          namespace: `ns${(i * 11) % NAMESPACES}`,
          pod: `shop-7f9c5d-${i * 11}`,
        }),
      ),
    ).flat();
    const before = cpuMs();
    for (const { bytes, at } of texts) {
      labels.clear();
      for (let i = 0; i < at.length; i += 4) labels.push(at[i]!, at[i + 1]!, at[i + 2]!, at[i + 3]!);
      subjects.subjectOf(labels, bytes, 0);
    }
    console.log(`series: ${what}: ${(((cpuMs() - before) * 1000) / texts.length).toFixed(2)} us each`);
  }
  await subjects.stop();
}

function labelText(given: Readonly<Record<string, string>>): {
  readonly bytes: Buffer;
  readonly at: readonly number[];
} {
  let text = '';
  const at: number[] = [];
  for (const [name, value] of Object.entries(given)) {
    at.push(
      text.length,
      text.length + name.length,
      text.length + name.length,
      text.length + name.length + value.length,
    );
    text += name + value;
  }
  return { bytes: Buffer.from(text), at };
}

console.log(`${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, load ${loadavg()[0]!.toFixed(1)}`);
await inventory();
rows();
await series();
await org.stop();
rmSync(folder, { recursive: true });
