import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AddressKey } from '../../../src/tags/address-key.ts';
import { ParsedAddress } from '../../../src/base/address.ts';
import { ClusterObjects } from '../../../src/tags/cluster-objects.ts';
import type { Resource } from '../../../src/tags/description.ts';
import { objectId, readObject, type ObjectKind } from '../../../src/tags/object-kinds.ts';
import { WORDS, word } from '../../../src/tags/resource-table.ts';
import { described, ToldSource } from './described.ts';
import { node, pod, service, slice, workload, type ApiObject } from './kubernetes-objects.ts';

type Told = readonly [ObjectKind, ApiObject];

function open(...told: readonly Told[]) {
  const objects = new ClusterObjects({ clusterId: 'c', name: 'shop', vpc: '7' });
  const put = (kind: ObjectKind, object: ApiObject) => {
    const read = readObject(kind, object, { environment: new Set(['TIER']) });
    assert.ok(read, `no ${kind}`);
    objects.put(read);
    return objectId(read);
  };
  for (const one of told) put(...one);
  const find = (kind: Resource['kind'], key: string) => {
    objects.take();
    return objects.find(kind, key);
  };
  return { objects, put, find };
}

const deployment: Told = [
  'Deployment',
  workload({ name: 'web', namespace: 'a' }, { labels: { app: 'web' }, ports: [['http', 8080]] }),
];
const set: Told = [
  'ReplicaSet',
  workload({ name: 'web-5f6d', namespace: 'a', owner: { kind: 'Deployment', name: 'web' } }),
];
const webPod: Told = [
  'Pod',
  pod({
    name: 'web-5f6d-x',
    namespace: 'a',
    uid: 'u1',
    ips: ['10.0.0.5', 'fd00::5'],
    ports: [['http', 8080]],
    labels: { 'pod-template-hash': '5f6d', app: 'web' },
    annotations: { team: 'blue', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
    owner: { kind: 'ReplicaSet', name: 'web-5f6d' },
    env: { TIER: 'front', PASSWORD: 'secret' },
  }),
];

describe('resources of a cluster', () => {
  test('a pod has its addresses, node, workload, containers, labels and the wanted environment', () => {
    const { find } = open(webPod, set, deployment);
    assert.deepEqual(find('pod', 'c/u1'), {
      kind: 'pod',
      key: 'c/u1',
      name: 'web-5f6d-x',
      cluster: 'c',
      namespace: 'c/a',
      group: 'c/a/deployment/web',
      node: 'c/node-1',
      since: Date.parse('2026-11-01T10:00:05Z') / 1000,
      addresses: ['10.0.0.5', 'fd00::5'],
      containers: ['c-web-5f6d-x'],
      labels: [
        ['app', 'web'],
        ['pod-template-hash', '5f6d'],
      ],
      annotations: [['team', 'blue']],
      environment: [['TIER', 'front']],
    });
    assert.deepEqual(find('pod_group', 'c/a/deployment/web'), {
      kind: 'pod_group',
      key: 'c/a/deployment/web',
      name: 'web',
      type: 'deployment',
      cluster: 'c',
      namespace: 'c/a',
    });
    assert.equal(find('pod_group', 'c/a/replicaset/web-5f6d'), undefined);
    assert.deepEqual(find('pod_cluster', 'c'), { kind: 'pod_cluster', key: 'c', name: 'shop', vpc: '7' });
  });

  test('a pod whose replica set is not known, is known later, or has no deployment', () => {
    const { objects, put, find } = open(webPod);
    assert.equal((find('pod', 'c/u1') as { group?: string }).group, 'c/a/deployment/web');
    const id = put('ReplicaSet', workload({ name: 'web-5f6d', namespace: 'a' }));
    assert.equal((find('pod', 'c/u1') as { group?: string }).group, 'c/a/replicaset/web-5f6d');
    assert.equal(find('pod_group', 'c/a/deployment/web'), undefined);
    objects.remove(id);
    assert.equal((find('pod', 'c/u1') as { group?: string }).group, 'c/a/deployment/web');
  });

  test('pods in the network of their node and pods that have ended have no addresses', () => {
    const ips = ['192.168.0.1'];
    const { find } = open(
      ['Pod', pod({ name: 'p1', namespace: 'a', uid: '1', ips, hostNetwork: true })],
      ['Pod', pod({ name: 'p2', namespace: 'a', uid: '2', ips })],
      ['Pod', pod({ name: 'p3', namespace: 'a', uid: '3', ips: ['10.0.0.9'], phase: 'Succeeded' })],
    );
    for (const uid of ['1', '2', '3']) assert.ok(!('addresses' in (find('pod', `c/${uid}`) ?? { addresses: 0 })), uid);
  });

  test('a node stands in a zone of a region; its outer addresses are not those of its VPC', () => {
    const labels = { 'topology.kubernetes.io/region': 'eu', 'topology.kubernetes.io/zone': 'eu-1' };
    const { objects, put, find } = open();
    const id = put(
      'Node',
      node({ name: 'n', internal: ['10.1.0.1', 'fd01::1'], external: ['203.0.113.7', '10.1.0.1'], labels }),
    );
    assert.deepEqual(find('pod_node', 'c/n'), {
      kind: 'pod_node',
      key: 'c/n',
      name: 'n',
      cluster: 'c',
      region: 'eu',
      az: 'eu-1',
      since: Date.parse('2026-11-01T10:00:00Z') / 1000,
      addresses: ['10.1.0.1', 'fd01::1'],
      interfaces: [{ isWan: true, addresses: [{ ip: '203.0.113.7' }] }],
    });
    assert.deepEqual(find('az', 'eu-1'), { kind: 'az', key: 'eu-1', name: 'eu-1', region: 'eu' });
    assert.equal(objects.nodeWith('fd01::1'), 'n');
    objects.remove(id);
    for (const kind of ['az', 'region', 'pod_node'] as const) {
      assert.deepEqual(
        [...objects.resources()].filter((one) => one.kind === kind),
        [],
      );
    }
  });

  test('named target ports are looked up in the pods that a service selects', () => {
    const { put, find } = open(webPod, set, [
      'Service',
      service({
        name: 'web',
        namespace: 'a',
        clusterIps: ['10.96.0.9', 'fd96::9'],
        selector: { app: 'web' },
        balancer: ['203.0.113.9', '192.168.7.7'],
        ports: [
          { name: 'http', port: 80, targetPort: 'http', nodePort: 30080, protocol: 'TCP' },
          { name: 'dns', port: 53, protocol: 'UDP' },
          { name: 'x', port: 9, targetPort: 'nowhere', protocol: 'SCTP' },
          { name: 'm', port: 90, targetPort: 9090 },
        ],
      }),
    ]);
    const found = find('pod_service', 'c/a/web') as Extract<Resource, { kind: 'pod_service' }>;
    assert.deepEqual(found.ports, [
      { protocol: 'tcp', port: 80, targetPorts: [8080], nodePort: 30080 },
      { protocol: 'udp', port: 53 },
      { protocol: 'any', port: 9, targetPorts: [] },
      { protocol: 'tcp', port: 90, targetPorts: [9090] },
    ]);
    assert.deepEqual(found.podGroups, ['c/a/deployment/web']);
    assert.deepEqual(found.addresses, ['10.96.0.9', 'fd96::9']);
    assert.deepEqual(found.interfaces, [
      { isWan: true, addresses: [{ ip: '203.0.113.9' }] },
      { addresses: [{ ip: '192.168.7.7' }] },
    ]);
    // Another pod of it listens elsewhere; one of another namespace does not count.
    put('Pod', pod({ name: 'old', namespace: 'a', uid: 'u2', labels: { app: 'web' }, ports: [['http', 80]] }));
    put('Pod', pod({ name: 'other', namespace: 'b', uid: 'u3', labels: { app: 'web' }, ports: [['http', 81]] }));
    const again = find('pod_service', 'c/a/web') as typeof found;
    assert.deepEqual(again.ports?.[0]?.targetPorts, [80, 8080]);
  });

  test('a service without pods has the workload whose pods it would select', () => {
    const { find } = open(deployment, [
      'Service',
      service({ name: 'web', namespace: 'a', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] }),
    ]);
    const found = find('pod_service', 'c/a/web') as Extract<Resource, { kind: 'pod_service' }>;
    assert.deepEqual(found.podGroups, ['c/a/deployment/web']);
    assert.deepEqual(found.ports, [{ protocol: 'tcp', port: 80, targetPorts: [8080] }]);
  });

  test('a service without a selector has the endpoints that somebody wrote', () => {
    const { objects, put, find } = open([
      'Service',
      service({ name: 'db', namespace: 'a', clusterIps: ['10.96.0.3'], ports: [{ name: 'pg', port: 5432 }] }),
    ]);
    const id = put(
      'EndpointSlice',
      slice({ name: 'db-1', namespace: 'a', service: 'db', pods: ['pg-0'], ports: [['pg', 6432]] }),
    );
    const podId = put(
      'Pod',
      pod({ name: 'pg-0', namespace: 'a', uid: 'u', owner: { kind: 'StatefulSet', name: 'pg' } }),
    );
    const found = find('pod_service', 'c/a/db') as Extract<Resource, { kind: 'pod_service' }>;
    assert.deepEqual(
      [found.podGroups, found.ports],
      [['c/a/statefulset/pg'], [{ protocol: 'tcp', port: 5432, targetPorts: [6432] }]],
    );
    objects.remove(podId);
    assert.equal((find('pod_service', 'c/a/db') as typeof found).podGroups, undefined);
    objects.remove(id);
    const then = find('pod_service', 'c/a/db') as typeof found;
    assert.deepEqual([then.podGroups, then.ports], [undefined, [{ protocol: 'tcp', port: 5432, targetPorts: [5432] }]]);
  });

  test('a pod of the same name with another uid is another pod', () => {
    const { objects, put } = open(['Pod', pod({ name: 'pg-0', namespace: 'a', uid: 'first', ips: ['10.0.0.1'] })]);
    objects.take();
    put('Pod', pod({ name: 'pg-0', namespace: 'a', uid: 'second', ips: ['10.0.0.1'], node: 'node-2' }));
    const { changed, gone } = objects.take();
    assert.deepEqual(gone, [{ kind: 'pod', key: 'c/first' }]);
    assert.deepEqual(
      changed.filter(({ kind }) => kind === 'pod').map(({ key }) => key),
      ['c/second'],
    );
  });

  test('what is said again without anything new changes nothing; beyond the limit nothing is taken', () => {
    const { objects, put } = open(webPod, set, deployment);
    objects.take();
    for (const one of [webPod, set, deployment]) put(...one);
    assert.deepEqual(objects.take(), { changed: [], gone: [] });
    const small = new ClusterObjects({ clusterId: 'c', name: '', vpc: undefined, mostObjects: 1 });
    const read = (name: string) => readObject('Pod', pod({ name, namespace: 'a' }), { environment: new Set() })!;
    assert.deepEqual([small.put(read('a')), small.put(read('b')), small.put(read('a'))], [true, false, true]);
  });

  test('objects that are none are told from those that are', () => {
    const settings = { environment: new Set<string>() };
    for (const value of [null, 3, [], {}, { metadata: [] }, { metadata: { name: 5 } }, { metadata: { name: '' } }]) {
      assert.equal(readObject('Pod', value, settings), undefined);
      assert.equal(readObject('Node', value, settings), undefined);
    }
    assert.equal(readObject('Pod', { metadata: { name: 'p', namespace: 'a' } }, settings), undefined);
    const odd = {
      metadata: { name: 'p', namespace: 'a', uid: 'u', labels: 'x' },
      spec: [],
      status: { podIPs: [1, { ip: 2 }] },
    };
    assert.deepEqual((readObject('Pod', odd, settings) as { addresses: unknown }).addresses, []);
  });
});

test('the inventory finds pods, nodes and services by what is described', async () => {
  const { objects } = open(
    webPod,
    set,
    ['Node', node({ name: 'node-1', internal: ['192.168.0.1'] })],
    [
      'Service',
      service({
        name: 'web',
        namespace: 'a',
        clusterIps: ['10.96.0.9'],
        selector: { app: 'web' },
        ports: [{ port: 80, targetPort: 'http' }],
      }),
    ],
  );
  objects.take();
  const all = [...objects.resources()];
  const { inventory, close } = await described([new ToldSource(all, 'kubernetes')]);
  try {
    const { live, ids } = inventory;
    const key = new AddressKey();
    key.version = live.versionAt(1_700_000_000);
    key.vpc = 7;
    const wordsAt = (ip: string) => {
      const address = new ParsedAddress();
      assert.ok(address.read(ip));
      Object.assign(key, { isIpv4: address.isIpv4, ip4: address.ip4 });
      key.ip6.set(address.ip6);
      const row = live.address(key);
      return (name: keyof typeof word) => live.resources.words[row * WORDS + word[name]];
    };
    const keyOf = (kind: Resource['kind'], id = 0) => ids.keyOf(kind, id);
    let group = 0;
    for (const ip of ['10.0.0.5', 'fd00::5']) {
      const found = wordsAt(ip);
      assert.deepEqual(
        [
          keyOf('pod', found('pod')),
          keyOf('pod_group', (group = found('podGroup') ?? 0)),
          found('podGroupType'),
          keyOf('pod_node', found('podNode')),
          keyOf('pod_ns', found('podNamespace')),
        ],
        ['c/u1', 'c/a/deployment/web', 130, 'c/node-1', 'c/a'],
      );
    }
    assert.equal(keyOf('pod_node', wordsAt('192.168.0.1')('device')), 'c/node-1');
    assert.equal(keyOf('pod_service', wordsAt('10.96.0.9')('device')), 'c/a/web');
    const behind = live.services?.ofPodGroup(key.version, group, { protocol: 6, port: 8080 });
    assert.equal(keyOf('pod_service', behind), 'c/a/web');
  } finally {
    await close();
  }
});

/** A small cluster in which everything may refer to everything else. */
const someObject: fc.Arbitrary<Told> = (() => {
  const of = <T>(...values: T[]) => fc.constantFrom(...values);
  const namespace = of('a', 'a', 'a', 'b');
  const name = of('x', 'y');
  const labels = fc.dictionary(of('app', 'tier'), of('x', 'long-value'), { maxKeys: 2 });
  const port = fc.constantFrom<(readonly [string, number])[]>(['http', 80], ['http', 81], ['m', 9]);
  const owner = fc.option(fc.record({ kind: of('ReplicaSet', 'StatefulSet', 'Job', 'Deployment'), name }), {
    nil: undefined,
  });
  const defined = <T extends { owner?: unknown }>(meta: T) =>
    meta.owner === undefined ? { ...meta, owner: undefined } : meta;
  return fc.oneof(
    fc
      .record({ namespace, name, labels, owner, uid: of('1', '2'), ports: fc.array(port, { maxLength: 2 }) })
      .map((one): Told => ['Pod', pod({ ...one, uid: `${one.namespace}-${one.name}-${one.uid}` } as never)]),
    fc.record({ namespace, name, owner }).map((one): Told => ['ReplicaSet', workload(defined(one) as never)]),
    fc
      .record({ namespace, name, labels })
      .map(({ labels: own, ...one }): Told => ['Deployment', workload(one, { labels: own, ports: [['http', 82]] })]),
    fc
      .record({ namespace, name, selector: fc.oneof(labels, fc.constant(undefined)) })
      .map((one): Told => [
        'Service',
        service({ ...one, ports: [{ name: 'http', port: 1, targetPort: 'http' }] } as never),
      ]),
    fc
      .record({ namespace, name, service: name, pods: fc.array(name, { maxLength: 2 }) })
      .map((one): Told => ['EndpointSlice', slice({ ...one, ports: [['http', 8]] })]),
    fc
      .record({ name, zone: of('z1', 'z2'), region: of('r1', 'r2') })
      .map(({ name: own, zone, region }): Told => [
        'Node',
        node({ name: own, labels: { 'topology.kubernetes.io/zone': zone, 'topology.kubernetes.io/region': region } }),
      ]),
    namespace.map((own): Told => ['Namespace', workload({ name: own })]),
  );
})();

test('whatever came and went in whatever order: the same as what is there, learned anew', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ does: fc.constant('put' as const), told: someObject }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('remove' as const), told: someObject }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('take' as const), told: someObject }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { objects, put } = open();
      const there = new Map<string, Told>();
      const followed = new Map<string, Resource>();
      const follow = () => {
        const { changed, gone } = objects.take();
        for (const { kind, key } of gone) followed.delete(`${kind} ${key}`);
        for (const one of changed) followed.set(`${one.kind} ${one.key}`, one);
      };
      for (const { does, told } of steps) {
        if (does === 'take') follow();
        else if (does === 'put') there.set(put(...told), told);
        else {
          const read = readObject(...told, { environment: new Set() });
          if (read === undefined) continue;
          objects.remove(objectId(read));
          there.delete(objectId(read));
        }
      }
      follow();
      const fresh = open(...[...there.values()].toReversed());
      fresh.objects.take();
      const sorted = (all: Iterable<Resource>) =>
        [...all].toSorted((left, right) => (`${left.kind} ${left.key}` < `${right.kind} ${right.key}` ? -1 : 1));
      assert.deepEqual(sorted(objects.resources()), sorted(fresh.objects.resources()));
      assert.deepEqual(sorted(followed.values()), sorted(objects.resources()));
    }),
    { numRuns: 300 },
  );
});
