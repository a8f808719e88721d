import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Batch } from '../../../src/batch/batch.ts';
import { parentMap, PARENTS } from '../../../src/catalog/flow-tags.ts';
import type { Pod, Resource } from '../../../src/tags/description.ts';
import { DictionaryWriter } from '../../../src/tags/dictionary-writer.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { rowsOf } from '../receivers/prometheus/harness.ts';
import { described, type Described, ToldSource } from './described.ts';

const open: Described[] = [];
after(async () => {
  for (const one of open) await one.close();
});

const pod: Pod = {
  kind: 'pod',
  key: 'k/u1',
  name: 'web-1',
  id: 101,
  cluster: 'k',
  labels: [
    ['app', 'shop'],
    ['tier', 'front'],
  ],
};
const RESOURCES: readonly Resource[] = [
  { kind: 'pod_cluster', key: 'k', name: 'k8s', id: 5 },
  { kind: 'pod_group', key: 'k/prod/deployment/web', name: 'web', id: 81, cluster: 'k', type: 'deployment' },
  pod,
];

async function bench() {
  const source = new ToldSource(RESOURCES);
  const platform = await described([source]);
  open.push(platform);
  const names = { version: 1 };
  const batches: Batch[] = [];
  const state = { now: 1_700_000_000_000, failure: undefined as Error | undefined };
  const told: string[] = [];
  const parents: string[] = [];
  const writer = new DictionaryWriter({
    org: platform.inventory,
    names,
    append: async (list) => {
      await Promise.resolve();
      if (state.failure !== undefined) throw state.failure;
      for (const batch of list) {
        batches.push(batch);
        for (const row of rowsOf(batch)) {
          if (batch.source === parentMap) {
            parents.push([row['kind'], row['id'], ...PARENTS.map((column) => row[column])].join(' '));
            continue;
          }
          const { kind, id, family, name, value, is_deleted: gone, device_type: type } = row;
          told.push(
            [kind, id, type ?? family, name, value, gone === 1 ? 'gone' : undefined]
              .filter((one) => one !== undefined)
              .join(' '),
          );
        }
      }
    },
    log: createLog({ level: 'silent' }),
    now: () => state.now,
  });
  const look = async () => {
    told.length = 0;
    parents.length = 0;
    state.now += 5000;
    await writer.look();
    return told.toSorted();
  };
  return { source, platform, names, state, parents, look };
}

describe('dictionaries', () => {
  test('say everything once, then what changes, with what is gone', async () => {
    const { source, platform, names, look } = await bench();
    assert.deepEqual(await look(), [
      'pod 101 10 web-1',
      'pod 101 k8s.label app shop',
      'pod 101 k8s.label tier front',
      'pod_cluster 5 103 k8s',
      'pod_group 81 130 web',
    ]);
    names.version++;
    assert.deepEqual(await look(), []);
    source.put({ ...pod, name: 'web-2', labels: [['app', 'store']] });
    await platform.inventory.settle();
    assert.deepEqual(await look(), []);
    names.version++;
    assert.deepEqual(await look(), ['pod 101 10 web-2', 'pod 101 k8s.label app store', 'pod 101 k8s.label tier  gone']);
    source.remove({ kind: 'pod', key: 'k/u1' });
    await platform.inventory.settle();
    names.version++;
    assert.deepEqual(await look(), ['pod 101 10 web-2 gone', 'pod 101 k8s.label app  gone']);
  });

  test('what the journal refuses is said with the next look, and everything again after a day', async () => {
    const { state, look } = await bench();
    state.failure = new Error('full');
    assert.deepEqual(await look(), []);
    state.failure = undefined;
    assert.equal((await look()).length, 5);
    assert.deepEqual(await look(), []);
    state.now += 24 * 3_600_000;
    assert.equal((await look()).length, 5);
  });

  test('say what resources are part of, again when that changes, also because of others', async () => {
    const { source, platform, names, state, parents, look } = await bench();
    const change = async () => {
      await platform.inventory.settle();
      names.version++;
      await look();
      return parents.toSorted();
    };
    await look();
    // VPC, subnet, host, chost, cluster, node, namespace, workload.
    assert.deepEqual(parents.toSorted(), ['pod 101 0 0 0 0 5 0 0 0', 'pod_group 81 0 0 0 0 5 0 0 0']);
    source.put(
      { ...pod, group: 'k/prod/deployment/web', namespace: 'k/prod', node: 'k/n', addresses: ['10.0.0.1'] },
      { kind: 'subnet', key: '7/net', name: 'net', id: 3, vpc: '7', cidrs: ['10.0.0.0/24'] },
      { kind: 'pod_node', key: 'k/n', name: 'n', id: 41, cluster: 'k', host: 'h', vpc: '7' },
    );
    assert.deepEqual(await change(), [
      'pod 101 7 3 0 0 5 41 0 81',
      'pod_node 41 7 0 0 0 5 0 0 0',
      'subnet 3 7 0 0 0 0 0 0 0',
    ]);
    source.put({ kind: 'host', key: 'h', name: 'h', id: 6 });
    assert.deepEqual(await change(), ['pod 101 7 3 6 0 5 41 0 81', 'pod_node 41 7 0 6 0 5 0 0 0']);
    source.put({ kind: 'pod_ns', key: 'k/prod', name: 'prod', id: 9, cluster: 'k' });
    state.failure = new Error('full');
    assert.deepEqual(await change(), []);
    state.failure = undefined;
    await look();
    assert.deepEqual(parents.toSorted(), ['pod 101 7 3 6 0 5 41 9 81', 'pod_ns 9 0 0 0 0 5 0 0 0']);
    source.remove({ kind: 'pod', key: pod.key });
    assert.deepEqual(await change(), []);
    source.put({ ...pod, labels: [] });
    assert.deepEqual(await change(), ['pod 101 0 0 0 0 5 0 0 0']);
    source.put({ ...pod, labels: [['app', 'shop']] });
    assert.deepEqual(await change(), []);
  });

  test('say what agents and processes run on', async () => {
    const { source, platform, names, parents, look } = await bench();
    const change = async (...resources: readonly Resource[]) => {
      source.put(...resources);
      await platform.inventory.settle();
      names.version++;
      await look();
      return parents.toSorted();
    };
    await look();
    const box = { kind: 'chost', key: 'box' } as const;
    assert.deepEqual(
      await change(
        { kind: 'agent', key: '2', name: 'on-box', id: 2, vpc: '7', machine: box },
        { kind: 'gprocess', key: '900', name: 'redis', id: 900, agent: 2, pid: 5, machine: box },
        { kind: 'agent', key: '4', name: 'on-node', id: 4, machine: { kind: 'pod_node', key: 'k/n' } },
      ),
      ['agent 2 0 0 0 0 0 0 0 0', 'agent 4 0 0 0 0 0 0 0 0', 'gprocess 900 0 0 0 0 0 0 0 0'],
    );
    assert.deepEqual(await change({ ...box, name: 'box', id: 70, vpc: '7' }), [
      'agent 2 7 0 0 70 0 0 0 0',
      'chost 70 7 0 0 0 0 0 0 0',
      'gprocess 900 7 0 0 70 0 0 0 0',
    ]);
    assert.deepEqual(await change({ kind: 'pod_node', key: 'k/n', name: 'n', id: 41, cluster: 'k' }), [
      'agent 4 1 0 0 0 5 41 0 0',
      'pod_node 41 1 0 0 0 5 0 0 0',
    ]);
  });
});
