import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { LabelList } from '../../../src/base/label-fields.ts';
import { seriesTags } from '../../../src/catalog/prometheus.ts';
import type { Resource } from '../../../src/tags/description.ts';
import { readAnswer, type ReadConfig, type ReadTargets } from '../../../src/tags/prometheus-targets/read-answers.ts';
import { TargetTable } from '../../../src/tags/prometheus-targets/target-table.ts';
import { SeriesSubjects } from '../../../src/tags/series-subjects.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { described, type Described, ToldSource } from './described.ts';

const START = 1_700_000_000;
const log = createLog({ level: 'silent' });
const open: Described[] = [];
after(async () => {
  for (const one of open) await one.close();
});

const RESOURCES: readonly Resource[] = [
  { kind: 'region', key: 'north', name: 'north', id: 3 },
  { kind: 'vpc', key: '1', name: 'main', region: 'north' },
  { kind: 'vpc', key: '9', name: 'other' },
  ...['k1', 'k2'].flatMap((cluster, index): Resource[] => [
    { kind: 'pod_cluster', key: cluster, name: cluster, id: 5 + index, vpc: index === 0 ? '1' : '9' },
    { kind: 'pod_ns', key: `${cluster}/prod`, name: 'prod', id: 11 + index * 10, cluster },
    { kind: 'pod_ns', key: `${cluster}/stage`, name: 'stage', id: 12 + index * 10, cluster },
  ]),
  { kind: 'pod_node', key: 'k1/node-1', name: 'node-1', id: 71, cluster: 'k1', addresses: ['10.0.0.71'] },
  {
    kind: 'pod_group',
    key: 'k1/prod/deployment/web',
    name: 'web',
    id: 81,
    cluster: 'k1',
    namespace: 'k1/prod',
    type: 'deployment',
  },
  {
    kind: 'pod',
    key: 'k1/u1',
    name: 'web-1',
    id: 101,
    cluster: 'k1',
    namespace: 'k1/prod',
    group: 'k1/prod/deployment/web',
    node: 'k1/node-1',
    addresses: ['10.0.1.1'],
  },
  { kind: 'pod', key: 'k1/u2', name: 'db-0', id: 102, cluster: 'k1', namespace: 'k1/prod', addresses: ['10.0.1.2'] },
  { kind: 'pod', key: 'k1/u3', name: 'db-0', id: 103, cluster: 'k1', namespace: 'k1/stage', addresses: ['10.0.1.3'] },
  { kind: 'pod', key: 'k2/u4', name: 'web-1', id: 104, cluster: 'k2', namespace: 'k2/prod', addresses: ['10.0.1.1'] },
  { kind: 'host', key: 'metal-7', name: 'metal-7', id: 41, addresses: ['192.0.2.7', '2001:db8::7'] },
  { kind: 'subnet', key: '1/office', name: 'office', id: 51, vpc: '1', cidrs: ['198.51.100.0/24'] },
  { kind: 'agent', key: '1', name: 'agent-1', id: 1, vpc: '1', cluster: 'k1', address: '10.0.0.71' },
  { kind: 'agent', key: '2', name: 'agent-2', id: 2, vpc: '9', cluster: 'k2' },
];

interface Bench {
  readonly source: ToldSource;
  readonly subjects: SeriesSubjects;
  readonly platform: Described;
  readonly tags: (labels: Record<string, string>, agent?: number) => Record<string, number>;
  readonly subject: (labels: Record<string, string>, agent?: number) => number;
}

async function bench(targets?: () => TargetTable): Promise<Bench> {
  const source = new ToldSource(RESOURCES);
  const platform = await described([source], START);
  open.push(platform);
  const clock = { now: START * 1000 };
  const { setTime } = platform;
  const subjects = new SeriesSubjects({
    org: platform.inventory,
    log,
    ...(targets === undefined ? {} : { targets }),
    now: () => clock.now,
  });
  const subject = (labels: Record<string, string>, agent = 0) => {
    const { list, bytes } = ranges(labels);
    return subjects.subjectOf(list, bytes, agent);
  };
  return {
    source,
    subjects,
    platform: {
      ...platform,
      setTime: (seconds) => {
        clock.now = seconds * 1000;
        setTime(seconds);
      },
    },
    subject,
    tags: (labels, agent = 0) => named(subjects.tagsOf(subject(labels, agent))),
  };
}

function ranges(labels: Record<string, string>): { list: LabelList; bytes: Uint8Array } {
  const list = new LabelList();
  const parts: Buffer[] = [];
  let at = 0;
  const put = (text: string): readonly [number, number] => {
    const part = Buffer.from(text);
    parts.push(part);
    at += part.length;
    return [at - part.length, at];
  };
  for (const [name, value] of Object.entries(labels)) list.push(...put(name), ...put(value));
  return { list, bytes: Buffer.concat(parts) };
}

/** A tag row by columns, zeros left out. */
function named(row: Uint32Array): Record<string, number> {
  const tags: Record<string, number> = {};
  let at = 0;
  for (const { name, type } of seriesTags) {
    const words = type === 'IPv6' ? 4 : 1;
    const value = words === 1 ? row[at]! : row[at]! >>> 0;
    if (value !== 0) tags[name] = value;
    at += words;
  }
  assert.equal(at, row.length);
  return tags;
}

describe('the resource behind a series', () => {
  test('a pod by name and namespace, with all that follows from it', async () => {
    const { tags } = await bench();
    assert.deepEqual(tags({ __name__: 'up', namespace: 'prod', pod: 'web-1', job: 'x' }, 1), {
      region_id: 3,
      l3_epc_id: 1,
      pod_id: 101,
      pod_node_id: 71,
      pod_ns_id: 11,
      pod_cluster_id: 5,
      pod_group_id: 81,
      l3_device_type: 10,
      l3_device_id: 101,
      agent_id: 1,
      is_ipv4: 1,
      ip4: 0x0a00_0101,
      auto_instance_id: 101,
      auto_instance_type: 10,
      auto_service_id: 81,
      auto_service_type: 130,
    });
  });

  test('names that two namespaces or two clusters have need the other label or an agent', async () => {
    const { tags } = await bench();
    const podOf = (labels: Record<string, string>, agent = 0) => tags(labels, agent)['pod_id'];
    assert.equal(podOf({ pod: 'db-0' }), undefined);
    assert.equal(podOf({ pod: 'db-0' }, 1), undefined);
    assert.equal(podOf({ pod: 'db-0', namespace: 'stage' }), 103);
    assert.equal(podOf({ pod: 'db-0', namespace: 'dev' }), undefined);
    assert.equal(podOf({ pod: 'web-1', namespace: 'prod' }), undefined);
    assert.equal(podOf({ pod: 'web-1', namespace: 'prod' }, 2), 104);
    assert.equal(podOf({ pod: 'web-1' }, 1), 101);
  });

  test('other spellings of the labels, in their order', async () => {
    const { tags } = await bench();
    const podOf = (labels: Record<string, string>) => tags(labels, 1)['pod_id'];
    assert.equal(podOf({ kubernetes_namespace: 'stage', kubernetes_pod_name: 'db-0' }), 103);
    assert.equal(podOf({ exported_namespace: 'prod', exported_pod: 'db-0' }), 102);
    assert.equal(podOf({ exported_namespace: 'prod', exported_pod: 'db-0', namespace: 'stage', pod: 'db-0' }), 103);
    assert.equal(podOf({ kubernetes_namespace: 'stage', pod: 'db-0' }), 103);
    assert.equal(podOf({ namespace: 'stage', kubernetes_pod_name: 'db-0' }), 103);
  });

  test('what a server has renamed tells who has said the rest', async () => {
    const { tags } = await bench();
    const podOf = (labels: Record<string, string>) => tags(labels, 1)['pod_id'];
    // Its target says a namespace and no pod.
    assert.equal(podOf({ namespace: 'prod', exported_namespace: 'stage', pod: 'db-0' }), 103);
    // And the other way round.
    assert.equal(podOf({ pod: 'watcher', exported_pod: 'db-0', namespace: 'stage' }), 103);
    // Empty labels are none.
    assert.equal(podOf({ namespace: '', exported_namespace: '', exported_pod: '', pod: 'web-1' }), 101);
    assert.equal(podOf({ namespace: '', pod: 'db-0' }), undefined);
  });

  test('an address or a known name of the instance', async () => {
    const { tags } = await bench();
    assert.equal(tags({ instance: '192.0.2.7:9100' })['l3_device_id'], 41);
    assert.equal(tags({ instance: '[2001:db8::7]:9100' })['l3_device_id'], 41);
    assert.equal(tags({ instance: 'metal-7:9100' })['l3_device_id'], 41);
    for (const instance of [
      '[2001:DB8:0::0007]:9100',
      '2001:db8::7',
      '[::ffff:192.0.2.7]:9100',
      'http://metal-7:9100/x',
    ]) {
      assert.equal(tags({ instance })['l3_device_id'], 41, instance);
    }
    for (const instance of [
      '',
      ':9100',
      '[]:9100',
      '[2001:db8::7',
      '192.0.2.7:9100:1',
      'metal-70:9100',
      '192.0.2.70:9100',
    ]) {
      assert.equal(tags({ instance })['l3_device_id'], undefined, instance);
    }
    assert.equal(tags({ instance: 'node-1' }, 1)['pod_node_id'], 71);
    // The VPC is the agent's.
    assert.equal(tags({ instance: '10.0.1.1:80' }, 1)['pod_id'], 101);
    assert.equal(tags({ instance: '10.0.1.1:80' }, 2)['pod_id'], 104);
    const office = tags({ instance: '198.51.100.4:80' });
    assert.deepEqual(
      [office['subnet_id'], office['auto_instance_id'], office['auto_instance_type'], office['ip4']],
      [51, 51, 255, 0xc633_6404],
    );
  });

  test('what is known of nothing but the agent is its VPC', async () => {
    const { tags } = await bench();
    const only = {
      region_id: 3,
      l3_epc_id: 1,
      agent_id: 1,
      is_ipv4: 1,
      auto_instance_type: 255,
      auto_service_type: 255,
    };
    assert.deepEqual(tags({ job: 'x' }, 1), only);
    assert.deepEqual(tags({ instance: '127.0.0.1:9090' }, 1), only);
  });

  test('no pod of another namespace or cluster is ever found', async () => {
    const { tags } = await bench();
    const pods = RESOURCES.flatMap((one) => (one.kind === 'pod' ? [one] : []));
    const maybe = (values: readonly string[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
    const labels = fc.record({
      pod: maybe(['web-1', 'db-0', 'gone']),
      namespace: maybe(['prod', 'stage', 'dev']),
      exported_pod: maybe(['web-1', 'db-0']),
      exported_namespace: maybe(['prod', 'stage']),
      agent: fc.constantFrom(0, 1, 2),
    });
    fc.assert(
      fc.property(labels, ({ agent, ...given }) => {
        const present = Object.fromEntries(
          Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined),
        );
        const id = tags(present, agent)['pod_id'];
        if (id === undefined) return;
        const found = pods.find((one) => one.id === id)!;
        const saidByProgram = given.exported_pod === undefined ? given.exported_namespace : undefined;
        const pairs = [
          [given.pod, saidByProgram ?? given.namespace],
          [given.exported_pod, given.exported_namespace ?? given.namespace],
        ] as const;
        const fits = pairs.some(
          ([name, namespace]) =>
            name === found.name && (namespace === undefined || found.namespace === `${found.cluster}/${namespace}`),
        );
        assert.ok(fits, JSON.stringify({ present, found }));
        if (agent !== 0) assert.equal(found.cluster, `k${agent}`);
      }),
      { numRuns: 200 },
    );
  });
});

describe('targets', () => {
  const server = (targets: readonly object[], yaml = '', vpc = 1) => ({
    server: 'prometheus one',
    targets: readAnswer(
      'targets',
      Buffer.from(JSON.stringify({ status: 'success', data: { activeTargets: targets } })),
    ) as ReadTargets,
    config:
      yaml === ''
        ? undefined
        : (readAnswer('config', Buffer.from(JSON.stringify({ status: 'success', data: { yaml } }))) as ReadConfig),
    vpc,
  });
  const target = (instance: string, discoveredLabels: Record<string, string>, labels: Record<string, string> = {}) => ({
    scrapePool: 'apps',
    discoveredLabels,
    labels: { job: 'app', instance, ...labels },
  });
  const podTarget = target('shop', {
    __address__: '10.0.1.3:8080',
    __meta_kubernetes_pod_name: 'db-0',
    __meta_kubernetes_namespace: 'stage',
    __meta_kubernetes_pod_uid: 'u3',
  });

  test('an instance that says nothing is what the server knows it is', async () => {
    const byAddress = target('shop-2', { __address__: '192.0.2.7:1234' });
    const byNode = target('shop-3', { __address__: 'localhost:1', __meta_kubernetes_node_name: 'node-1' });
    const byEndpoint = target('shop-4', {
      __meta_kubernetes_endpoint_address_target_kind: 'Pod',
      __meta_kubernetes_endpoint_address_target_name: 'db-0',
      __meta_kubernetes_namespace: 'prod',
    });
    const table = new TargetTable([server([podTarget, byAddress, byNode, byEndpoint])]);
    const { tags } = await bench(() => table);
    assert.equal(tags({ job: 'app', instance: 'shop' })['pod_id'], 103);
    assert.equal(tags({ job: 'app', instance: 'shop-2' })['l3_device_id'], 41);
    assert.equal(tags({ job: 'app', instance: 'shop-3' })['pod_node_id'], 71);
    assert.equal(tags({ job: 'app', instance: 'shop-4' })['pod_id'], 102);
    assert.equal(tags({ job: 'other', instance: 'shop' })['pod_id'], undefined);
    // Labels and the instance come first.
    assert.equal(tags({ job: 'app', instance: 'shop', namespace: 'prod', pod: 'db-0' })['pod_id'], 102);
  });

  test('servers that mean different things by one name are told apart by their external labels, or not at all', async () => {
    const other = target('shop', { __address__: '10.0.1.2:8080' });
    const first = server([podTarget], 'global: {external_labels: {dc: a}}');
    const second = server([other], 'global: {external_labels: {dc: b}}');
    const table = new TargetTable([first, second]);
    const { tags } = await bench(() => table);
    const podOf = (labels: Record<string, string>) => tags({ job: 'app', instance: 'shop', ...labels })['pod_id'];
    assert.deepEqual(
      [podOf({ dc: 'a' }), podOf({ dc: 'b' }), podOf({ dc: 'c' }), podOf({})],
      [103, 102, undefined, undefined],
    );
  });

  test('labels of a target tell it apart unless its job honours what programs say', async () => {
    const targets = [podTarget, target('shop', { __address__: '10.0.1.2:8080' }, { role: 'second' })];
    const own = server(targets, 'scrape_configs: [{job_name: apps}]');
    const honoured = server(targets, 'scrape_configs: [{job_name: apps, honor_labels: true}]');
    const tagsWith = async (one: typeof own) =>
      (await bench(() => new TargetTable([one]))).tags({ job: 'app', instance: 'shop', role: 'second' })['pod_id'];
    assert.equal(await tagsWith(own), 102);
    assert.equal(await tagsWith(honoured), undefined);
    assert.equal(await tagsWith(server(targets)), undefined);
  });

  test('a look that fails does no harm, and the next one does what it has left', async (context) => {
    let table = new TargetTable([]);
    const { subjects, subject } = await bench(() => table);
    const labels = { job: 'app', instance: 'shop' };
    const shop = subject(labels);
    const podOf = () => named(subjects.tagsOf(shop))['pod_id'];
    assert.equal(podOf(), undefined);
    table = new TargetTable([server([podTarget])]);
    const failing = context.mock.method(table, 'find', () => assert.fail('no luck'));
    await subjects.look();
    assert.equal(podOf(), undefined);
    failing.mock.restore();
    const told: (readonly number[] | undefined)[] = [];
    subjects.onChange((changed) => told.push(changed));
    await subjects.look();
    assert.deepEqual(told, [[shop]]);
    assert.equal(podOf(), 103);
  });
});

describe('changes', () => {
  test('subjects whose tags change are told, the others are not', async () => {
    const { subjects, subject, source, platform, tags } = await bench();
    const told: (readonly number[] | undefined)[] = [];
    subjects.onChange((changed) => told.push(changed));
    const web = subject({ pod: 'web-1', namespace: 'prod' }, 1);
    const host = subject({ instance: 'metal-7' });
    assert.notEqual(web, host);
    assert.equal(subject({ __name__: 'other', pod: 'web-1', namespace: 'prod', code: '200' }, 1), web);
    await subjects.look();
    assert.deepEqual(told, []);
    platform.setTime(START + 60);
    const [moved] = RESOURCES.filter((one) => one.kind === 'pod' && one.id === 101);
    source.put({ ...moved!, group: undefined } as unknown as Resource);
    await platform.inventory.settle();
    const before = subjects.signatureOf(web);
    await subjects.look();
    assert.deepEqual(told, [[web]]);
    assert.notEqual(subjects.signatureOf(web), before);
    assert.equal(tags({ pod: 'web-1', namespace: 'prod' }, 1)['pod_group_id'], undefined);
    subjects.release([web]);
    assert.deepEqual([...subjects.subjects()], [host]);
  });

  test('targets that need other labels make all subjects void', async () => {
    let table = new TargetTable([]);
    const { subjects, subject } = await bench(() => table);
    subject({ instance: 'metal-7' });
    const { generation } = subjects;
    assert.equal(generation, 1);
    const answer = { status: 'success', data: { yaml: 'global: {external_labels: {dc: a}}' } };
    const config = readAnswer('config', Buffer.from(JSON.stringify(answer))) as ReadConfig;
    const targets: ReadTargets = { kind: 'targets', targets: [], skipped: 0, digest: '' };
    table = new TargetTable([{ server: 'prometheus one', targets, config, vpc: 1 }]);
    let isVoid = false;
    subjects.onChange((changed) => {
      isVoid = changed === undefined;
    });
    await subjects.look();
    assert.equal(isVoid, true);
    assert.equal(subjects.generation, generation + 1);
    assert.deepEqual([...subjects.subjects()], []);
  });

  test('an inventory that knows nothing yet leaves series alone', async () => {
    const platform = await described([], START);
    open.push(platform);
    const subjects = new SeriesSubjects({ org: platform.inventory, log, now: () => START * 1000 });
    const { list, bytes } = ranges({ pod: 'web-1', namespace: 'prod' });
    assert.equal(subjects.subjectOf(list, bytes, 0), 0);
    assert.equal(subjects.generation, 0);
    const row = named(subjects.tagsOf(subjects.subjectOf(list, bytes, 7)));
    assert.equal(row['agent_id'], 7);
  });
});
