import assert from 'node:assert/strict';
import { after, describe, mock, test } from 'node:test';
import { AddressKey } from '../../../src/tags/address-key.ts';
import { ParsedAddress } from '../../../src/base/address.ts';
import type { Pod, Resource } from '../../../src/tags/description.ts';
import type { Inventory } from '../../../src/tags/inventory.ts';
import { WORDS, word } from '../../../src/tags/resource-table.ts';
import { type Described, described, ToldSource } from './described.ts';

const open: Described[] = [];
after(async () => {
  for (const one of open) await one.close();
});

async function inventoryOf(...sources: ToldSource[]): Promise<Described> {
  const one = await described(sources);
  open.push(one);
  return one;
}

const START = 1_700_000_000;

/** A value of what owns an address at a time. */
function at(from: Inventory, seconds: number, ip: string, name: keyof typeof word = 'pod', vpc = 1): number {
  const address = new ParsedAddress();
  assert.ok(address.read(ip));
  const key = new AddressKey();
  Object.assign(key, { version: from.versionAt(seconds), vpc, isIpv4: address.isIpv4, ip4: address.ip4 });
  key.ip6.set(address.ip6);
  const row = from.address(key) || from.network(key);
  return from.resources.words[row * WORDS + word[name]]!;
}

const cluster: Resource = { kind: 'pod_cluster', key: 'k', name: 'k8s', id: 5 };
const namespaces: Resource[] = ['prod', 'stage'].map((name, i) => ({
  kind: 'pod_ns',
  key: `k/${name}`,
  name,
  id: 61 + i,
  cluster: 'k',
}));
const pod = (id: number, more: Partial<Pod>): Pod => ({
  kind: 'pod',
  key: `k/${id}`,
  id,
  name: `pod-${id}`,
  cluster: 'k',
  namespace: 'k/prod',
  ...more,
});

describe('time', () => {
  test('an address that is used again means what it meant at each time', async () => {
    const source = new ToldSource([cluster, pod(1, { addresses: ['10.0.0.1'] })]);
    const { inventory, setTime } = await inventoryOf(source);
    setTime(START + 60);
    source.remove({ kind: 'pod', key: 'k/1' });
    setTime(START + 90);
    source.put(pod(2, { addresses: ['10.0.0.1'] }));
    await inventory.settle();
    const from = inventory.inventory;
    assert.deepEqual(
      [-100, 0, 59, 60, 89, 90, 1000].map((seconds) => at(from, START + seconds, '10.0.0.1')),
      [1, 1, 1, 0, 0, 2, 2],
    );
  });

  test('a pod that says since when it has its address has it from then on, though it is heard of late', async () => {
    const source = new ToldSource([cluster, pod(1, { addresses: ['10.0.0.1'] })]);
    const { inventory, setTime } = await inventoryOf(source);
    setTime(START + 100);
    source.put(pod(2, { addresses: ['10.0.0.1'], since: START + 70 }));
    await inventory.settle();
    const from = inventory.inventory;
    assert.deepEqual(
      [69, 70, 100].map((seconds) => at(from, START + seconds, '10.0.0.1')),
      [1, 2, 2],
    );
    // The older one is found to be gone later; nothing changes by that.
    setTime(START + 110);
    source.remove({ kind: 'pod', key: 'k/1' });
    await inventory.settle();
    assert.deepEqual(
      [69, 70, 110].map((seconds) => at(from, START + seconds, '10.0.0.1')),
      [1, 2, 2],
    );
  });

  test('a number of answers never gets another meaning, and stays while nothing changes', async () => {
    const source = new ToldSource([cluster, pod(1, { addresses: ['10.0.0.1'] })]);
    const { inventory, setTime } = await inventoryOf(source);
    const from = inventory.inventory;
    const first = from.versionAt(START + 100);
    setTime(START + 50);
    source.put(pod(1, { addresses: ['10.0.0.1'], labels: [['app', 'shop']] }));
    await inventory.settle();
    assert.equal(from.versionAt(START + 100), first, 'labels are no part of answers');
    source.put(pod(1, { addresses: ['10.0.0.2'] }));
    await inventory.settle();
    assert.equal(from.versionAt(START + 49), first);
    assert.notEqual(from.versionAt(START + 50), first);
  });

  test('15 minutes are remembered; tables do not grow for ever', async () => {
    const source = new ToldSource([cluster]);
    const { inventory, setTime } = await inventoryOf(source);
    const rows: number[] = [];
    for (let i = 0; i < 200; i++) {
      setTime(START + i * 20);
      source.put(pod(1, { addresses: [`10.0.${i}.1`] }));
      await inventory.settle();
      if (i > 100) rows.push(inventory.live.resources.count);
    }
    assert.ok(new Set(rows).size === 1, `${rows}`);
    const from = inventory.inventory;
    const now = START + 199 * 20;
    assert.equal(at(from, now - 890, '10.0.154.1'), 1);
    assert.equal(at(from, now - 890, '10.0.199.1'), 0);
    assert.equal(at(from, START, '10.0.1.1'), 0, 'forgotten');
  });

  test('lists of peers that change stay for 15 minutes, too, and then make room for others', async () => {
    const source = new ToldSource([]);
    const { inventory, setTime } = await inventoryOf(source);
    const { live } = inventory;
    const counts: number[] = [];
    for (let i = 0; i < 120; i++) {
      const now = START + i * 20;
      setTime(now);
      source.put({ kind: 'vpc', key: '7', name: 'prod', peers: [`${100 + i}`, '9'] });
      await inventory.settle();
      for (let before = 0; before <= Math.min(i, 44); before++) {
        assert.deepEqual([...live.peerVpcs(live.versionAt(now - before * 20), 7)], [100 + i - before, 9]);
      }
      if (i > 60) counts.push(live.peerLists.count);
    }
    assert.ok(new Set(counts).size === 1, `${counts}`);
  });
});

describe('resources together', () => {
  test('what a pod belongs to may be told before or after it', async () => {
    const own: Resource[] = [
      pod(1, { addresses: ['10.0.0.1', 'fd00::1'], node: 'k/n', group: 'k/prod/deployment/shop' }),
      { kind: 'pod_group', key: 'k/prod/deployment/shop', name: 'shop', id: 201, cluster: 'k', type: 'deployment' },
      { kind: 'pod_node', key: 'k/n', name: 'n', id: 41, cluster: 'k', host: 'h', addresses: ['10.9.0.1'] },
      { kind: 'host', key: 'h', name: 'h', id: 3, az: 'az' },
      { kind: 'az', key: 'az', name: 'az', id: 11, region: 'r' },
      { kind: 'region', key: 'r', name: 'r', id: 1 },
      { kind: 'subnet', key: '1/net', name: 'net', id: 71, vpc: '1', cidrs: ['10.0.0.0/24', 'fd00::/64'] },
      cluster,
      ...namespaces,
    ];
    const expected = {
      pod: 1,
      podNode: 41,
      podGroup: 201,
      podGroupType: 130,
      podNamespace: 61,
      podCluster: 5,
      host: 3,
      zone: 11,
      region: 1,
      subnet: 71,
      deviceType: 10,
      device: 1,
      vpc: 1,
    };
    for (const order of [own, own.toReversed()]) {
      const source = new ToldSource([]);
      const { inventory } = await inventoryOf(source);
      for (const one of order) {
        source.put(one);
        await inventory.settle();
      }
      for (const ip of ['10.0.0.1', 'fd00::1']) {
        const found = Object.keys(expected).map((name) => [
          name,
          at(inventory.inventory, START, ip, name as keyof typeof word),
        ]);
        assert.deepEqual(Object.fromEntries(found), expected, ip);
      }
    }
  });

  test('a pod of the network of its node is at its node', async () => {
    const node: Resource = { kind: 'pod_node', key: 'k/n', name: 'n', id: 41, cluster: 'k', addresses: ['10.9.0.1'] };
    const source = new ToldSource([cluster, ...namespaces, node, pod(1, { node: 'k/n' })]);
    const { inventory } = await inventoryOf(source);
    const { live } = inventory;
    const words = (row: number) =>
      [word.pod, word.podNode, word.deviceType].map((i) => live.resources.words[row * WORDS + i]);
    assert.deepEqual(words(live.pod(live.versionAt(START), 1)), [1, 41, 14]);
    assert.equal(at(live, START, '10.9.0.1'), 0, 'the address is still the node');
  });

  test('pods of one name in two namespaces are told apart, and without a namespace it is neither', async () => {
    const twin = (id: number, namespace: string) =>
      pod(id, { name: 'web', namespace: `k/${namespace}`, addresses: [`10.0.0.${id}`] });
    const agent: Resource = { kind: 'agent', key: '12', id: 12, name: 'a', vpc: '1', cluster: 'k' };
    const source = new ToldSource([cluster, ...namespaces, agent, twin(1, 'prod'), twin(2, 'stage')]);
    const { inventory } = await inventoryOf(source);
    const { live } = inventory;
    const version = live.versionAt(START);
    const name = Buffer.from('web');
    const podOf = (row: number) => live.resources.words[row * WORDS + word.pod];
    assert.equal(live.podNamed(version, 12, name), 0);
    assert.deepEqual(
      [61, 62, 63].map((ns) => podOf(live.podIn(version, 5, name, ns))),
      [1, 2, 0],
    );
    source.remove({ kind: 'pod', key: 'k/2' });
    await inventory.settle();
    assert.equal(podOf(live.podNamed(live.versionAt(START + 1), 12, name)), 1);
  });

  test('a MAC address that two machines have is none; two interfaces of one machine may share it', async () => {
    const mac = 0x0a58_0a01_0009;
    const host = (name: string, id: number, ...ips: string[]): Resource => ({
      kind: 'host',
      key: name,
      name,
      id,
      interfaces: ips.map((ip) => ({ mac, addresses: [{ ip }] })),
    });
    const source = new ToldSource([host('a', 1, '10.0.0.1', '10.0.0.2')]);
    const { inventory, setTime } = await inventoryOf(source);
    const { live } = inventory;
    const ask = (seconds: number) =>
      live.resources.words[
        live.mac(live.versionAt(seconds), { vpc: 1, high: 0x0a58, low: 0x0a01_0009 }) * WORDS + word.device
      ];
    assert.equal(ask(START), 1);
    setTime(START + 10);
    source.put(host('b', 2, '10.0.0.3'));
    await inventory.settle();
    assert.deepEqual([ask(START + 9), ask(START + 10)], [1, 0]);
  });

  test('services are found by workload, node port and address', async () => {
    const service: Resource = {
      kind: 'pod_service',
      key: 'k/prod/shop',
      name: 'shop',
      id: 301,
      cluster: 'k',
      namespace: 'k/prod',
      addresses: ['10.96.0.1', 'fd96::1'],
      ports: [{ protocol: 'tcp', port: 80, targetPorts: [8080, 8081], nodePort: 30_080 }],
      pods: ['k/1'],
    };
    const group: Resource = { kind: 'pod_group', key: 'g', name: 'shop', id: 201, cluster: 'k', type: 'deployment' };
    const source = new ToldSource([cluster, ...namespaces, service]);
    const { inventory } = await inventoryOf(source);
    source.put(pod(1, { group: 'g' }), group);
    await inventory.settle();
    const { live } = inventory;
    const version = live.versionAt(START);
    const services = live.services!;
    const ports = [
      { protocol: 6, port: 8081 },
      { protocol: 6, port: 80 },
      { protocol: 17, port: 8080 },
      { protocol: 0, port: 0 },
    ];
    assert.deepEqual(
      ports.map((port) => services.ofPodGroup(version, 201, port)),
      [301, 0, 0, 301],
    );
    assert.equal(services.ofPodCluster(version, 5, { protocol: 6, port: 30_080 }), 301);
    const key = new AddressKey();
    Object.assign(key, { version, vpc: 1, ip4: 0x0a60_0001 });
    assert.deepEqual(
      ports.map((port) => services.ofAddress(key, port)),
      [0, 301, 0, 301],
    );
    source.remove({ kind: 'pod', key: 'k/1' });
    await inventory.settle();
    assert.equal(services.ofPodGroup(live.versionAt(START + 1), 201, ports[0]!), 0);
  });

  test('a process is in the pod of its container, whoever is told of first', async () => {
    const process: Resource = { kind: 'gprocess', key: '9', id: 9, name: 'nginx', agent: 12, pid: 77, container: 'c1' };
    const source = new ToldSource([process]);
    const { inventory } = await inventoryOf(source);
    const { live } = inventory;
    source.put(cluster, pod(1, { containers: ['c1'], addresses: ['10.0.0.1'] }));
    await inventory.settle();
    const version = live.versionAt(START);
    assert.deepEqual(
      [live.process(version, 12, 77), live.podOfProcess(version, 12, 9), live.podOfProcess(version, 13, 9)],
      [9, 1, 0],
    );
    source.put(pod(1, { containers: [], addresses: ['10.0.0.1'] }));
    await inventory.settle();
    assert.equal(live.podOfProcess(live.versionAt(START), 12, 9), 0);
  });

  test('peers and addresses towards the Internet', async () => {
    const source = new ToldSource([
      { kind: 'vpc', key: '7', name: 'prod', peers: ['dev', '9'] },
      { kind: 'vpc', key: 'dev', name: 'dev', id: 8 },
      {
        kind: 'natgw',
        key: 'gw',
        name: 'gw',
        id: 5,
        vpc: '7',
        interfaces: [{ isWan: true, addresses: [{ ip: '198.51.100.7' }, { ip: '2001:db8::7' }] }],
      },
    ]);
    const { inventory } = await inventoryOf(source);
    const { live } = inventory;
    assert.deepEqual([...live.peerVpcs(live.versionAt(START), 7)], [8, 9]);
    assert.deepEqual([...live.peerVpcs(live.versionAt(START), 8)], []);
    const key = new AddressKey();
    Object.assign(key, { version: live.versionAt(START), ip4: 0xc633_6407 });
    assert.equal(live.wideAreaVpc(key), 7);
  });
});

describe('several sources', () => {
  test('a pod has the MAC address that the agent of its node knows for its address', async () => {
    const node = (more: object): Resource => ({
      kind: 'pod_node',
      key: 'k/n',
      name: 'n',
      id: 41,
      cluster: 'k',
      ...more,
    });
    const web = pod(1, { addresses: ['10.0.0.1', 'fd00::1'], node: 'k/n' });
    const cloud = new ToldSource([cluster, ...namespaces, node({}), web], 'kubernetes');
    const inside = (mac: number, ...ips: string[]) => ({ mac, addresses: ips.map((ip) => ({ ip })) });
    const agents = new ToldSource([], 'agents');
    const { inventory, setTime } = await inventoryOf(cloud, agents);
    const podAt = (seconds: number, mac: number) => {
      const { live } = inventory;
      const key = { vpc: 1, high: Math.floor(mac / 2 ** 32), low: mac >>> 0 };
      return live.resources.words[live.mac(live.versionAt(seconds), key) * WORDS + word.pod]!;
    };
    const [first, second] = [0x0a58_0a00_0001, 0x0a58_0a00_0002];
    assert.equal(podAt(START, first), 0);
    setTime(START + 10);
    agents.put(node({ podInterfaces: [inside(first, '10.0.0.1', 'fd00::1'), inside(second, '10.0.0.9')] }));
    await inventory.settle();
    assert.deepEqual([podAt(START + 10, first), podAt(START + 10, second)], [1, 0]);
    setTime(START + 20);
    cloud.put(pod(2, { addresses: ['10.0.0.9'], node: 'k/n' }));
    await inventory.settle();
    assert.deepEqual([podAt(START + 20, first), podAt(START + 20, second)], [1, 2]);
    setTime(START + 30);
    agents.put(node({ podInterfaces: [inside(second, '10.0.0.9')] }));
    await inventory.settle();
    assert.deepEqual([podAt(START + 20, first), podAt(START + 30, first), podAt(START + 30, second)], [1, 0, 2]);
  });

  const owner = (name: string, id: number): Resource => ({
    kind: 'host',
    key: name,
    name,
    id,
    addresses: ['10.0.0.1'],
  });

  test('the better one has an address that two claim, and its fields win', async () => {
    const file = new ToldSource([owner('file', 1)], 'static');
    const agents = new ToldSource(
      [
        owner('agent', 2),
        {
          kind: 'host',
          key: 'file',
          name: 'other name',
          az: 'z',
          interfaces: [{ mac: 5, addresses: [{ ip: '10.0.0.1' }] }],
        },
        { kind: 'az', key: 'z', name: 'z', id: 11 },
      ],
      'agents',
    );
    for (const order of [
      [file, agents],
      [agents, file],
    ]) {
      const { inventory, ids } = await inventoryOf(...order);
      const from = inventory.inventory;
      assert.deepEqual([at(from, START, '10.0.0.1', 'device'), at(from, START, '10.0.0.1', 'zone')], [1, 11]);
      assert.equal(ids.nameOf('host', 1), 'file');
      assert.deepEqual(inventory.describedBy('host', 'file'), ['static', 'agents']);
      assert.equal(from.mac(from.versionAt(START), { vpc: 1, high: 0, low: 5 }) !== 0, true);
    }
  });

  test('what only one of them told goes with it; what it had hidden comes back', async () => {
    const file = new ToldSource([owner('file', 1)], 'static');
    const agents = new ToldSource([owner('agent', 2)], 'agents');
    const { inventory, setTime } = await inventoryOf(file, agents);
    setTime(START + 10);
    file.remove({ kind: 'host', key: 'file' });
    await inventory.settle();
    assert.deepEqual(
      [9, 10].map((seconds) => at(inventory.inventory, START + seconds, '10.0.0.1', 'device')),
      [1, 2],
    );
  });

  test('a source that knows nothing takes nothing away, and told anew the same changes nothing', async () => {
    const file = new ToldSource([owner('file', 1)]);
    const { inventory } = await inventoryOf(file);
    const version = inventory.inventory.versionAt(START + 1000);
    file.isKnown = false;
    file.tell({ kind: 'all' });
    await inventory.settle();
    file.isKnown = true;
    file.resources.set('host file', owner('file', 1));
    file.tell({ kind: 'all' });
    await inventory.settle();
    assert.equal(inventory.inventory.versionAt(START + 1000), version);
    assert.equal(at(inventory.inventory, START, '10.0.0.1', 'device'), 1);
    file.resources.clear();
    file.tell({ kind: 'all' });
    await inventory.settle();
    assert.equal(at(inventory.inventory, START + 1, '10.0.0.1', 'device'), 0);
  });
});

test('what went while nobody looked is let go, but not before every source has told something', async () => {
  const source = new ToldSource([cluster, pod(1, {}), pod(2, {})]);
  const { inventory, ids } = await inventoryOf(source);
  ids.idOf('pod', 'k/before', 'of an earlier life');
  const silent = new ToldSource([], 'kubernetes');
  silent.isKnown = false;
  inventory.add(silent);
  await inventory.settle();
  await inventory.letGo();
  assert.equal(ids.recordOf('pod', 'k/before')?.goneS, 0);
  silent.isKnown = true;
  silent.tell({ kind: 'all' });
  await inventory.settle();
  await inventory.letGo();
  assert.equal(ids.recordOf('pod', 'k/before')?.goneS, START);
  assert.equal(ids.recordOf('pod', 'k/1')?.goneS, 0);
  assert.equal(ids.nameOf('pod', ids.recordOf('pod', 'k/before')!.id), 'of an earlier life');
});

describe('a source that is taken away', () => {
  test('what it alone described is gone as if it had said so; what another one knows stays, as that one says it', async () => {
    const file = new ToldSource([
      cluster,
      pod(1, { name: 'file', addresses: ['10.0.0.1'] }),
      pod(2, { addresses: ['10.0.0.2'] }),
    ]);
    const other = new ToldSource([cluster, pod(1, { name: 'api' })], 'kubernetes');
    const { inventory, ids, setTime } = await inventoryOf(file, other);
    setTime(START + 60);
    inventory.remove(file);
    assert.deepEqual(inventory.sources, [other]);
    setTime(START + 90);
    file.put(pod(3, {}));
    await inventory.settle();
    const from = inventory.inventory;
    assert.deepEqual(
      [59, 60, 1000].map((seconds) => [at(from, START + seconds, '10.0.0.1'), at(from, START + seconds, '10.0.0.2')]),
      [
        [1, 2],
        [0, 0],
        [0, 0],
      ],
    );
    assert.equal(ids.nameOf('pod', 1), 'api');
    assert.deepEqual(
      [1, 2].map((id) => ids.recordOf('pod', `k/${id}`)?.goneS),
      [0, START + 60],
    );
    assert.equal(ids.recordOf('pod', 'k/3'), undefined, 'nobody listens to it any more');
    assert.deepEqual(inventory.describedBy('pod', 'k/1'), ['kubernetes']);
    assert.deepEqual(inventory.sizes(file), []);
    inventory.add(file);
    await inventory.settle();
    assert.deepEqual(inventory.describedBy('pod', 'k/3'), ['static']);
  });

  test('while what it told is taken in: all of that goes again', async () => {
    const file = new ToldSource([cluster]);
    const { inventory } = await inventoryOf(file);
    const many = new ToldSource(
      Array.from({ length: 5000 }, (_, i) => pod(1 + i, {})),
      'kubernetes',
    );
    inventory.add(many);
    const settled = inventory.settle();
    await new Promise((resolve) => setImmediate(resolve));
    inventory.remove(many);
    await settled;
    assert.equal(inventory.builder.all('pod').size, 0);
  });

  test('without having said anything: nobody waits for it any more', async () => {
    const file = new ToldSource([cluster]);
    const silent = new ToldSource([], 'kubernetes');
    silent.isKnown = false;
    const { inventory, ids } = await inventoryOf(file, silent);
    ids.idOf('pod', 'k/before', 'of an earlier life');
    inventory.remove(silent);
    await inventory.settle();
    await inventory.letGo();
    assert.equal(ids.recordOf('pod', 'k/before')?.goneS, START);
  });
});

test('what fails in looking after the inventory ends nothing, and is done again', async (context) => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  context.after(() => mock.timers.reset());
  const source = new ToldSource([cluster]);
  const { inventory, ids, setTime } = await inventoryOf(source);
  const pass = async () => {
    mock.timers.tick(5000);
    await new Promise((resolve) => setImmediate(resolve));
  };
  let asked = 0;
  source.state = () => (asked++, assert.fail('no luck'));
  await pass();
  await pass();
  assert.equal(asked, 2);
  source.state = () => ({ kind: 'up' });
  let listed = 0;
  ids.records = () => (listed++, assert.fail('no luck'));
  setTime(START + 3600);
  await pass();
  setTime(START + 7200);
  await pass();
  assert.equal(listed, 2);
  assert.equal(inventory.inventory.isEmpty, false);
});

test('a change that is being taken in when the hub stops is saved before the file of ids is closed', async () => {
  const source = new ToldSource([cluster]);
  const { inventory, ids, close } = await described([source]);
  source.put(...Array.from({ length: 5000 }, (_, i) => pod(1 + i, { addresses: [`10.0.${i >> 8}.${i & 255}`] })));
  void inventory.settle();
  await inventory.stop();
  assert.equal(ids.keyOf('pod', 5000), 'k/5000');
  assert.equal(inventory.live.resources.count, 5001);
  await close();
});
