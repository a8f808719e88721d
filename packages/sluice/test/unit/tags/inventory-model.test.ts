import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AddressKey } from '../../../src/tags/address-key.ts';
import { ParsedAddress } from '../../../src/base/address.ts';
import type { Resource } from '../../../src/tags/description.ts';
import type { Inventory } from '../../../src/tags/inventory.ts';
import { WORDS } from '../../../src/tags/resource-table.ts';
import { described, ToldSource } from './described.ts';

/**
 * Any order of changes leads to the answers that an inventory made at once from the same description gives, for each time that is remembered. Numbers
 * are given, so that both have the same; no address has two owners.
 */

const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.1.1', 'fd00::1', 'fd00:1::2'];
const pick = (...keys: string[]) => fc.option(fc.constantFrom(...keys), { nil: undefined });
const given = (fields: Readonly<Record<string, string | undefined>>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** One resource of the small world, there or not. */
const places = fc.record({ region: pick('r1', 'r2'), az: pick('z1', 'z2') });
const world: readonly fc.Arbitrary<Resource>[] = [
  ...['r1', 'r2'].map((key, i) =>
    fc.boolean().map((isOwn): Resource => ({ kind: 'region', key, name: key, id: i + 1, isOwn: isOwn && i === 0 })),
  ),
  ...['z1', 'z2'].map((key, i) =>
    pick('r1', 'r2').map((region): Resource => ({ kind: 'az', key, name: key, id: i + 11, ...given({ region }) })),
  ),
  ...['1', '2'].map((key) =>
    pick('r1', 'r2').map((region): Resource => ({
      kind: 'vpc',
      key,
      name: `vpc ${key}`,
      peers: [key === '1' ? '2' : '1'],
      ...given({ region }),
    })),
  ),
  fc.tuple(places, pick('1', '2')).map(([place, vpc]): Resource => ({
    kind: 'subnet',
    key: 's1',
    name: 's1',
    id: 71,
    cidrs: ['10.0.0.0/16', 'fd00::/32'],
    ...given({ ...place, vpc }),
  })),
  fc.tuple(places, pick('1', '2')).map(([place, vpc]): Resource => ({
    kind: 'subnet',
    key: 's2',
    name: 's2',
    id: 72,
    cidrs: ['10.0.0.0/24'],
    ...given({ ...place, vpc }),
  })),
  fc.tuple(places, pick('1', '2')).map(([place, vpc]): Resource => ({
    kind: 'pod_cluster',
    key: 'k',
    name: 'k',
    id: 5,
    ...given({ ...place, vpc }),
  })),
  places.map((place): Resource => ({ kind: 'host', key: 'h', name: 'h', id: 3, ...given(place) })),
  ...['n1', 'n2'].map((key, i) =>
    fc.tuple(places, pick('h'), pick('1', '2')).map(([place, host, vpc]): Resource => ({
      kind: 'pod_node',
      key,
      name: key,
      id: 41 + i,
      cluster: 'k',
      addresses: [`10.9.0.${i}`],
      ...given({ ...place, host, vpc }),
    })),
  ),
  fc
    .constantFrom('deployment' as const, 'daemonset' as const)
    .map((type): Resource => ({ kind: 'pod_group', key: 'g', name: 'g', id: 201, cluster: 'k', type })),
  fc.constant<Resource>({ kind: 'pod_ns', key: 'ns', name: 'ns', id: 61, cluster: 'k' }),
];

/** Who has each address: pod 1, 2, 3 or nobody. */
const pods = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 3 }), { minLength: ADDRESSES.length, maxLength: ADDRESSES.length }),
    pick('n1', 'n2'),
    pick('g'),
    pick('ns'),
  )
  .map(([owners, node, group, namespace]): Resource[] =>
    [1, 2, 3].map((id) => ({
      kind: 'pod',
      key: `p${id}`,
      name: `pod-${id}`,
      id,
      cluster: 'k',
      addresses: ADDRESSES.filter((_, i) => owners[i] === id),
      ...given({ node, group, namespace }),
    })),
  );

const step = fc.record({
  seconds: fc.integer({ min: 1, max: 60 }),
  // Few at a time: more would have everything worked out anew.
  told: fc.array(fc.oneof(...world), { maxLength: 2 }),
  gone: fc.subarray(['pod p1', 'pod p2', 'pod_node n1', 'subnet s2', 'vpc 1', 'pod_cluster k', 'az z1', 'host h'], {
    maxLength: 1,
  }),
  pods: fc.option(pods, { nil: undefined, freq: 2 }),
  isWhole: fc.boolean(),
});

function answers(from: Inventory, seconds: number): unknown {
  const version = from.versionAt(seconds);
  const words = (row: number) => [...from.resources.words.subarray(row * WORDS, (row + 1) * WORDS)];
  const key = new AddressKey();
  const address = new ParsedAddress();
  const byAddress = [...ADDRESSES, '10.9.0.0', '10.9.0.1', '10.0.7.7'].flatMap((ip) =>
    [0, 1, 2].map((vpc) => {
      address.read(ip);
      Object.assign(key, { version, vpc, isIpv4: address.isIpv4, ip4: address.ip4 });
      key.ip6.set(address.ip6);
      return [ip, vpc, words(from.address(key)), words(from.network(key))];
    }),
  );
  const pod = [1, 2, 3].map((id) => words(from.pod(version, id)));
  const vpcs = [0, 1, 2].map((vpc) => [words(from.vpc(version, vpc)), [...from.peerVpcs(version, vpc)]]);
  return { byAddress, pod, vpcs };
}

test('changes one after the other give what all at once gives, at each time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.tuple(...world), fc.array(step, { minLength: 1, maxLength: 8 }), async (first, steps) => {
      const source = new ToldSource(first);
      const start = 1_700_000_000;
      const incremental = await described([source], start);
      const states: { at: number; resources: Resource[] }[] = [];
      try {
        let now = start;
        for (const { seconds, told, gone, pods: ownedNow, isWhole } of steps) {
          now += seconds;
          incremental.setTime(now);
          const changed = [...told, ...(ownedNow ?? [])];
          const left = gone.filter(
            (place) => source.resources.has(place) && !changed.some((one) => `${one.kind} ${one.key}` === place),
          );
          const refs = left.map((place) => source.resources.get(place)!);
          if (isWhole) {
            for (const one of changed) source.resources.set(`${one.kind} ${one.key}`, one);
            for (const place of left) source.resources.delete(place);
            source.tell({ kind: 'all' });
          } else {
            source.put(...changed);
            source.remove(...refs);
          }
          await incremental.inventory.settle();
          states.push({ at: now, resources: [...source.resources.values()] });
        }
        for (const { at, resources } of states) {
          const whole = await described([new ToldSource(resources)], start);
          try {
            assert.deepEqual(answers(incremental.inventory.live, at), answers(whole.inventory.live, at));
          } finally {
            await whole.close();
          }
        }
      } finally {
        await incremental.close();
      }
    }),
    { numRuns: 60 },
  );
});
