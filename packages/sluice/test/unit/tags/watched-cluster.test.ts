import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tagsSchema } from '../../../src/tags/config.ts';

test('a cluster is watched whole, without any environment, unless it says otherwise', () => {
  const [plain, narrow] = tagsSchema.parse({
    kubernetes: [
      { 'cluster-id': 'd-1' },
      {
        'cluster-id': 'd-2',
        name: 'shop',
        kubeconfig: './k',
        context: 'x',
        vpc: 7,
        namespaces: ['a'],
        environment: ['TIER'],
      },
    ],
  }).kubernetes;
  assert.deepEqual([plain?.name, plain?.vpc, plain?.namespaces, plain?.environment], ['d-1', '1', [], []]);
  assert.deepEqual(
    [narrow?.name, narrow?.vpc, narrow?.namespaces, narrow?.environment],
    ['shop', '7', ['a'], ['TIER']],
  );
  for (const namespaces of [['../nodes'], ['A'], [''], 'a']) {
    assert.equal(
      tagsSchema.safeParse({ kubernetes: [{ 'cluster-id': 'c', namespaces }] }).success,
      false,
      String(namespaces),
    );
  }
});
