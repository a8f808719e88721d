import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TagNames } from '../../../src/tags/tag-names.ts';
import { described, ToldSource } from './described.ts';

test('the type of a workload outlives it, whatever its cluster is called', async (context) => {
  const cluster = 'arn:aws:eks:eu-west-1:1:cluster/shop';
  const key = `${cluster}/prod/statefulset/db`;
  const source = new ToldSource([
    { kind: 'pod_cluster', key: cluster, name: 'shop' },
    { kind: 'pod_group', key, id: 7, name: 'db', type: 'statefulset', cluster },
  ]);
  const { inventory, close } = await described([source]);
  context.after(close);
  const names = new TagNames(() => inventory);
  assert.equal(names.podGroupType(1, 7), 131);
  source.remove({ kind: 'pod_group', key });
  await inventory.settle();
  assert.equal(inventory.builder.find('pod_group', key), undefined);
  assert.equal(names.podGroupType(1, 7), 131);
});
