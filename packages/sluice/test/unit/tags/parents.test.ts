import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { PARENTS } from '../../../src/catalog/flow-tags.ts';
import type { ResourceKind } from '../../../src/tags/description.ts';
import { parentsOf } from '../../../src/tags/parents.ts';
import { described, ToldSource } from './described.ts';
import { describePlatform, type Platform } from './platform-description.ts';
import { pick, tagged } from './tagged-rows.ts';

const path = new URL('../../fixtures/golden/platform.json', import.meta.url);
const known = await described([new ToldSource(describePlatform(JSON.parse(readFileSync(path, 'utf8')) as Platform))]);
after(() => known.close());
const { live, builder } = known.inventory;
const whole = { find: builder.lookup, words: live.resources.words };

/** Column with the id of a resource in rows about it, or of the device where it has none of its own. */
const OWN = { pod: 'pod_id', pod_node: 'pod_node_id', chost: 'l3_device_id', pod_service: 'service_id' } as const;

for (const kind of ['pod', 'pod_node', 'chost', 'pod_service'] as const) {
  test(`what a ${kind} is part of is what rows at its address say`, () => {
    let compared = 0;
    for (const held of builder.all(kind).values()) {
      const { resource, id } = held;
      assert(resource.kind === kind);
      const inner = resource.interfaces?.at(-1)?.addresses.map((one) => one.ip) ?? [];
      const ip = [...(resource.addresses ?? []), ...inner].find((one) => !one.includes(':'));
      if (ip === undefined) continue;
      const { chost_id: chost, ...parents } = named(parentsOf(whole, held));
      const row = { is_ipv4: 1, ip4: ip, l3_epc_id: parents['l3_epc_id']! };
      const [about] = tagged(live, 'flow_metrics.network.1s', [row]);
      // Another resource may have the address as well.
      if (about![OWN[kind]] !== id) continue;
      compared++;
      assert.equal(chost, 0);
      assert.deepEqual(pick(about!, parents), { ...parents, ...(kind === 'pod_node' ? { pod_node_id: id } : {}) });
    }
    assert(compared > 0, 'the platform has one with an address');
  });
}

test('what has no address is part of what its description says', () => {
  const of = (kind: ResourceKind) => {
    const [first] = builder.all(kind).values();
    const parents = Object.entries(named(parentsOf(whole, first!)));
    return Object.fromEntries(parents.filter(([, id]) => id !== 0));
  };
  assert.deepEqual(of('pod_group'), { pod_cluster_id: 5 });
  assert.deepEqual(of('pod_ns'), { pod_cluster_id: 5 });
  assert.deepEqual(of('subnet'), { l3_epc_id: 7 });
});

function named(parents: readonly number[]): Record<string, number> {
  return Object.fromEntries(parents.map((id, place) => [PARENTS[place]!, id]));
}
