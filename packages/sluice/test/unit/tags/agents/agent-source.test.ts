import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { deflateSync } from 'node:zlib';
import type {
  AgentReports,
  ClusterReport,
  HostReport,
  KnownAgentFacts,
  ReportChange,
  ReportedObject,
} from '../../../../src/base/ports.ts';
import { createAgentSource } from '../../../../src/tags/agents/agent-source.ts';
import type { Resource } from '../../../../src/tags/description.ts';
import type { SourceChange } from '../../../../src/tags/source.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { node, pod, service, workload, type ApiObject } from '../kubernetes-objects.ts';

/** Reports as a test says they are. */
class ToldReports implements AgentReports {
  readonly hostReports = new Map<number, HostReport>();
  readonly clusterReports = new Map<string, ClusterReport>();
  readonly known = new Map<number, KnownAgentFacts>();
  #listener: ((change: ReportChange) => void) | undefined;

  hosts = () => [...this.hostReports.keys()];
  host = (agentId: number) => this.hostReports.get(agentId);
  clusters = () => [...this.clusterReports.values()];
  cluster = (org: number, clusterId: string) => this.clusterReports.get(`${org} ${clusterId}`);

  onChange(listener: (change: ReportChange) => void) {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }

  reportHost(agentId: number, parts: Partial<HostReport>): void {
    this.hostReports.set(agentId, { ...HOST, agentId, ...parts });
    this.#listener?.({ kind: 'host', agentId });
  }

  reportCluster(clusterId: string, objects: readonly ReportedObject[], org = 1): void {
    this.clusterReports.set(`${org} ${clusterId}`, { org, clusterId, agentId: 5, atMs: 1000, objects });
    this.#listener?.({ kind: 'cluster', org, clusterId });
  }

  know(agentId: number, parts: Partial<KnownAgentFacts> = {}): void {
    this.known.set(agentId, { ...AGENT, agentId, name: `host-${agentId}`, ...parts });
  }
}

const HOST: HostReport = {
  agentId: 1,
  org: 1,
  vpcId: 7,
  atMs: 1000,
  hostname: 'box',
  kubernetesClusterId: '',
  interfaces: [],
  namespaces: ['default'],
  addressTexts: [''],
  processes: [],
};

const AGENT: KnownAgentFacts = {
  agentId: 1,
  org: 1,
  vpcId: 7,
  name: '',
  address: '10.0.0.1',
  kubernetesClusterId: '',
  kubernetesClusterName: '',
  seenMs: 1000,
};

const TEXT = `1: lo: <LOOPBACK>
    inet 127.0.0.1/8 scope host lo
2: eth0: <UP>
    link/ether 02:77:00:00:00:01 brd ff:ff:ff:ff:ff:ff
    inet 10.0.0.1/24 scope global eth0
    inet6 fd00::1/64 scope global
3: docker0: <UP>
    link/ether 02:42:00:00:00:01 brd ff:ff:ff:ff:ff:ff
    inet 172.17.0.1/16 scope global docker0
4: kube-ipvs0: <NOARP>
    inet 10.96.0.1/32 scope global kube-ipvs0
`;

function compressed(type: string, object: ApiObject | string): ReportedObject {
  const text = typeof object === 'string' ? object : JSON.stringify(object);
  return { type, json: deflateSync(text), isCompressed: true };
}

function open(context: TestContext, prepare: (reports: ToldReports) => void = () => undefined) {
  const reports = new ToldReports();
  prepare(reports);
  const metrics = createMetrics();
  const time = { nowMs: 2000 };
  const logged: string[] = [];
  const source = createAgentSource({
    org: 1,
    reports,
    agents: { list: () => [...reports.known.values()] },
    metrics,
    log: createLog({ destination: { write: (line) => void logged.push(line) } }),
    now: () => time.nowMs,
  });
  const changes: SourceChange[] = [];
  source.onChange((change) => changes.push(change));
  source.start();
  context.after(async () => source.stop());
  const find = <K extends Resource['kind']>(kind: K, key: string) =>
    [...(source.current()?.resources ?? [])].find((one) => one.kind === kind && one.key === key) as
      | Extract<Resource, { kind: K }>
      | undefined;
  const skipped = async (reason: string) =>
    (await metrics.tagObjectsSkipped.get()).values.find(({ labels }) => labels.reason === reason)?.value ?? 0;
  return { reports, source, time, changes, logged, find, skipped };
}

test('a look that fails ends nothing, and the next one goes on', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const { reports, source, find } = open(context);
  await source.settle();
  reports.know(1, { name: 'box' });
  const failing = context.mock.method(reports.known, 'values', () => assert.fail('no luck'));
  const pass = async () => {
    context.mock.timers.tick(5000);
    await new Promise((resolve) => setImmediate(resolve));
  };
  await pass();
  assert.equal(find('agent', '1'), undefined);
  failing.mock.restore();
  await pass();
  await source.settle();
  assert.equal(find('agent', '1')?.name, 'box');
});

test('who is told and fails does not end the reading of reports', async (context) => {
  const { reports, source, find } = open(context);
  reports.know(1, { name: 'box' });
  source.look();
  await source.settle();
  let told = 0;
  source.onChange(() => (told++, assert.fail('no luck')));
  const processes = (gpid: number) => ({ processes: [{ ...PROCESS, pid: 10, gpid }] });
  reports.reportHost(1, processes(77));
  await source.settle();
  reports.reportHost(1, processes(78));
  await source.settle();
  assert.equal(told, 2);
  assert.notEqual(find('gprocess', '78'), undefined);
});

test('knows nothing at first, then the agents and their machines', async (context) => {
  const { reports, source, changes, find } = open(context);
  await source.settle();
  assert.deepEqual([source.current(), source.state(), changes], [undefined, { kind: 'up' }, []]);
  reports.know(1, { name: 'box' });
  reports.know(9, { org: 2 });
  source.look();
  reports.reportHost(1, {
    addressTexts: [TEXT],
    interfaces: [
      { ...ETH, mac: 5, addresses: ['10.0.0.9/32', 'fe80::1/128'] },
      { ...ETH, mac: 6, addresses: ['172.17.0.5/32'] },
    ],
    processes: [
      { ...PROCESS, pid: 10, gpid: 77, containerId: 'c1' },
      { ...PROCESS, pid: 11, gpid: 0 },
    ],
  });
  await source.settle();
  assert.deepEqual(find('agent', '1'), {
    kind: 'agent',
    key: '1',
    id: 1,
    name: 'box',
    vpc: '7',
    address: '10.0.0.1',
  });
  assert.equal(find('agent', '9'), undefined);
  assert.deepEqual(find('chost', 'box'), {
    kind: 'chost',
    key: 'box',
    name: 'box',
    vpc: '7',
    interfaces: [
      { mac: 0x0277_0000_0001, addresses: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] },
      { mac: 5, addresses: [{ ip: '10.0.0.9' }] },
    ],
  });
  assert.deepEqual(find('gprocess', '77'), {
    kind: 'gprocess',
    key: '77',
    id: 77,
    name: 'redis',
    agent: 1,
    machine: { kind: 'chost', key: 'box' },
    pid: 10,
    container: 'c1',
    since: 50,
  });
  assert.deepEqual(
    [...source.current()!.resources].filter(({ kind }) => kind === 'subnet').map(({ key }) => key),
    ['7/10.0.0.0/24', '7/fd00::/64'],
  );
  assert.equal(changes[0]?.kind, 'all');
  assert.equal(source.state().kind, 'up');
  source.look();
  const agent = find('agent', '1');
  assert.deepEqual(agent?.kind === 'agent' && agent.machine, { kind: 'chost', key: 'box' });
});

const ETH = {
  mac: 0,
  addresses: [],
  name: 'e',
  deviceId: '',
  deviceName: '',
  tapIndex: 1,
  namespace: 'x',
  namespaceId: 1,
};
const PROCESS = {
  pid: 1,
  gpid: 0,
  name: 'redis',
  processName: 'redis-server',
  commandLine: 'redis-server --requirepass secret',
  user: 'root',
  startS: 50,
  namespaceId: 0,
  containerId: '',
};

test('two machines in one subnet; it stays while one of them is in it', async (context) => {
  const { reports, source, changes, find } = open(context, (told) => {
    told.reportHost(1, { hostname: 'one', addressTexts: ['2: e: <UP>\n inet 10.0.0.1/24 scope global e'] });
    told.reportHost(2, { hostname: 'two', addressTexts: ['2: e: <UP>\n inet 10.0.0.2/24 scope global e'] });
  });
  await source.settle();
  reports.reportHost(1, { hostname: 'uno', addressTexts: ['2: e: <UP>\n inet 10.1.0.1/24 scope global e'] });
  await source.settle();
  assert.deepEqual(changes.at(-1), {
    kind: 'some',
    changed: [find('chost', 'uno'), find('subnet', '7/10.1.0.0/24')],
    gone: [{ kind: 'chost', key: 'one' }],
  });
  assert.ok(find('subnet', '7/10.0.0.0/24'));
  reports.reportHost(2, { hostname: 'two', org: 3 });
  await source.settle();
  assert.deepEqual([find('subnet', '7/10.0.0.0/24'), find('chost', 'two')], [undefined, undefined]);
});

test('a cluster: only what is new is read, what is gone goes, nodes have the interfaces of their machines', async (context) => {
  const web = pod({
    name: 'web-1-x',
    namespace: 'a',
    uid: 'u1',
    ips: ['10.1.0.5'],
    labels: { app: 'web' },
    owner: { kind: 'ReplicaSet', name: 'web-1' },
  });
  const objects = [
    compressed('*v1.Pod', web),
    compressed(
      '*v1.ReplicaSet',
      workload({ name: 'web-1', namespace: 'a', owner: { kind: 'Deployment', name: 'web' } }),
    ),
    compressed(
      '*v1.Service',
      service({ name: 'web', namespace: 'a', selector: { app: 'web' }, ports: [{ port: 80 }] }),
    ),
    compressed('*v1.Node', node({ name: 'node-a.example', internal: ['10.0.0.1'] })),
    { type: '*v1.Namespace', json: Buffer.from(JSON.stringify(workload({ name: 'a' }))), isCompressed: false },
    compressed('*v1.ConfigMap', '{}'),
  ];
  const { reports, source, changes, find, skipped } = open(context, (told) => {
    told.know(5, { kubernetesClusterId: 'c', kubernetesClusterName: 'shop' });
    told.reportHost(5, {
      hostname: 'node-a',
      kubernetesClusterId: 'c',
      addressTexts: [TEXT],
      interfaces: [{ ...ETH, mac: 0x0a58_0a01_0005, addresses: ['10.1.0.5/32'] }],
    });
    told.reportCluster('c', objects);
    told.reportCluster('other', [compressed('*v1.Node', node({ name: 'theirs' }))], 2);
  });
  await source.settle();
  assert.deepEqual(find('pod_cluster', 'c'), { kind: 'pod_cluster', key: 'c', name: 'shop', vpc: '7' });
  assert.equal(find('pod', 'c/u1')?.group, 'c/a/deployment/web');
  assert.deepEqual(find('pod_service', 'c/a/web')?.podGroups, ['c/a/deployment/web']);
  const machine = find('pod_node', 'c/node-a.example');
  assert.deepEqual(machine?.interfaces, [
    { mac: 0x0277_0000_0001, addresses: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] },
  ]);
  assert.deepEqual(machine.podInterfaces, [{ mac: 0x0a58_0a01_0005, addresses: [{ ip: '10.1.0.5' }] }]);
  assert.deepEqual(machine.addresses, []);
  assert.equal(find('pod_node', 'c/node-a'), undefined, 'its machine is called otherwise');
  assert.equal(find('pod_node', 'other/theirs'), undefined);
  assert.equal(await skipped('malformed'), 0);

  // Changed bytes that mean the same, a pod that moved, and a service that is gone.
  const bytes = objects[3]!.json.slice();
  const moved = compressed('*v1.Pod', { ...web, spec: { ...(web['spec'] as object), nodeName: 'node-b' } });
  reports.reportCluster('c', [moved, objects[1]!, { ...objects[3]!, json: bytes }, objects[4]!]);
  await source.settle();
  assert.deepEqual(changes.at(-1), {
    kind: 'some',
    changed: [find('pod', 'c/u1')],
    gone: [{ kind: 'pod_service', key: 'c/a/web' }],
  });
  assert.equal(find('pod', 'c/u1')?.node, 'c/node-b');
});

test('objects that cannot be read are counted and left out; the others count', async (context) => {
  const bomb = deflateSync(Buffer.alloc(8 * 1024 * 1024, 32));
  const { reports, source, find, skipped } = open(context);
  reports.reportCluster('c', [
    { type: '*v1.Pod', json: Buffer.from('not zlib'), isCompressed: true },
    { type: '*v1.Pod', json: bomb, isCompressed: true },
    compressed('*v1.Pod', '{"metadata":'),
    compressed('*v1.Pod', '[1]'),
    compressed('*v1.Pod', pod({ name: 'good', namespace: 'a', uid: 'g' })),
  ]);
  await source.settle();
  assert.deepEqual([await skipped('malformed'), await skipped('too_large')], [3, 1]);
  assert.ok(find('pod', 'c/g'));
  // The same again is not counted again.
  reports.reportCluster('c', reports.cluster(1, 'c')!.objects);
  await source.settle();
  assert.deepEqual([await skipped('malformed'), await skipped('too_large')], [3, 1]);
});

test('an object of few bytes and many values is not looked into', async (context) => {
  const { reports, source, find, skipped } = open(context);
  const large = {
    ...pod({ name: 'large', namespace: 'a', uid: 'l' }),
    more: Array.from({ length: 100_000 }, () => ({})),
  };
  reports.reportCluster('c', [
    compressed('*v1.Pod', large),
    { type: '*v1.Pod', json: Buffer.from(JSON.stringify(large)), isCompressed: false },
    compressed('*v1.Pod', pod({ name: 'good', namespace: 'a', uid: 'g' })),
  ]);
  await source.settle();
  // They are told apart by what was sent, so that each of them counts.
  assert.equal(await skipped('too_large'), 2);
  assert.equal(find('pod', 'c/l'), undefined);
  assert.ok(find('pod', 'c/g'));
});

test('a report that takes too much uncompressed is read in part; the rest stays as it was, and comes in the next time', async (context) => {
  const { reports, source, logged, find, skipped } = open(context);
  const old = compressed('*v1.Pod', pod({ name: 'old', namespace: 'a', uid: 'o' }));
  const gone = compressed('*v1.Pod', pod({ name: 'gone', namespace: 'a', uid: 'x' }));
  const next = compressed('*v1.Pod', pod({ name: 'new', namespace: 'a', uid: 'n' }));
  reports.reportCluster('c', [old, gone]);
  await source.settle();
  const bombs = Array.from({ length: 18 }, (_, i) =>
    compressed('*v1.Pod', `${' '.repeat(4 * 1024 * 1024 - 10)}[${i}]`),
  );
  reports.reportCluster('c', [...bombs, next, old]);
  await source.settle();
  assert.deepEqual([await skipped('malformed'), await skipped('limit')], [17, 2]);
  assert.ok(find('pod', 'c/o') && find('pod', 'c/x'));
  assert.equal(find('pod', 'c/n'), undefined);
  const lines = logged.filter((line) => line.includes('takes too much'));
  assert.equal(lines.length, 1);
  const { agent, cluster, objects } = JSON.parse(lines[0]!) as Record<string, unknown>;
  assert.deepEqual([agent, cluster, objects], [5, 'c', 2]);
  reports.reportCluster('c', [...bombs, next, old]);
  await source.settle();
  assert.ok(find('pod', 'c/o') && find('pod', 'c/n'));
  assert.equal(find('pod', 'c/x'), undefined);
});

test('a report that was too large to be kept leaves what is known', async (context) => {
  const { reports, source, find } = open(context, (told) => {
    told.reportHost(1, { addressTexts: [TEXT] });
    told.reportCluster('c', [compressed('*v1.Node', node({ name: 'n' }))]);
  });
  await source.settle();
  reports.reportHost(1, { hostname: '', namespaces: [], addressTexts: [] });
  reports.reportCluster('c', []);
  await source.settle();
  assert.ok(find('chost', 'box') && find('pod_node', 'c/n'));
});

test('silence is failing after a while; what an agent reported is forgotten after a day and known again when it is back', async (context) => {
  const { reports, source, time, find } = open(context, (told) => {
    told.know(5);
    told.reportHost(5, { addressTexts: [TEXT] });
    told.reportCluster('c', [compressed('*v1.Node', node({ name: 'n' }))]);
  });
  await source.settle();
  time.nowMs += 240_000;
  assert.deepEqual([source.state().kind, source.state().lastSuccessMs], ['failing', 1000]);
  reports.know(6, { seenMs: time.nowMs + 86_400_000 });
  time.nowMs += 86_400_000;
  source.look();
  await source.settle();
  assert.equal(source.state().kind, 'up');
  assert.deepEqual([find('chost', 'box'), find('pod_node', 'c/n')], [undefined, undefined]);
  assert.ok(find('agent', '5'));
  reports.know(5, { seenMs: time.nowMs });
  source.look();
  await source.settle();
  assert.ok(find('chost', 'box'));
  assert.ok(find('pod_node', 'c/n'));
});
