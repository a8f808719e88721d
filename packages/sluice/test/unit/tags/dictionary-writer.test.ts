import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Batch } from '../../../src/batch/batch.ts';
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
  const writer = new DictionaryWriter({
    org: platform.inventory,
    names,
    append: async (list) => {
      await Promise.resolve();
      if (state.failure !== undefined) throw state.failure;
      for (const batch of list) {
        batches.push(batch);
        for (const row of rowsOf(batch)) {
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
    state.now += 5000;
    await writer.look();
    return told.toSorted();
  };
  return { source, platform, names, state, look };
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
});
