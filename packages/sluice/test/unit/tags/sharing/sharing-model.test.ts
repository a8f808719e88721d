import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Resource } from '../../../../src/tags/description.ts';
import { pass, SharedTables, SharingHub } from './hubs.ts';

/**
 * Whatever several hubs describe and let go, and in whatever order they read, publish, crash, lose their data directories and are cut off: no number
 * ever means two resources, and when peace returns every resource has the same number on all hubs that describe it, and its name on all hubs.
 */

type Step =
  | { readonly do: 'put'; readonly hub: number; readonly resource: number; readonly name: string }
  | { readonly do: 'remove'; readonly hub: number; readonly resource: number }
  | { readonly do: 'load'; readonly hub: number; readonly count: number }
  | { readonly do: 'work' | 'crash' | 'lose' | 'cut' | 'mend'; readonly hub: number }
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'rounds'; readonly seconds: number }
  | { readonly do: 'merge' };

const HUBS = ['a', 'b', 'c'];
const KEYS = Array.from({ length: 40 }, (_, i) => `k${i}`);

function resourceOf(number: number, name: string): Resource {
  const key = KEYS[number % KEYS.length]!;
  return number < KEYS.length
    ? { kind: 'pod', key, name, cluster: 'k' }
    : { kind: 'subnet', key, name, cidrs: [`10.0.${number}.0/24`] };
}

const hub = fc.nat(HUBS.length - 1);
const resource = fc.nat(2 * KEYS.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('put' as const), hub, resource, name: fc.constantFrom('x', 'y') }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), hub, resource }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('work' as const), hub }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('load' as const), hub, count: fc.constantFrom(1, 5, 25, 1000) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.constantFrom(1, 3, 10, 60, 200) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('rounds' as const), seconds: fc.constantFrom(6, 30, 400) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), hub }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('cut' as const, 'cut' as const, 'mend' as const), hub }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('merge' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const), hub }) },
);

async function run(mayGive: readonly boolean[], steps: readonly Step[]): Promise<void> {
  const tables = new SharedTables();
  const hubs = HUBS.map((name, i) => new SharingHub(tables, name, mayGive[i]!));
  /** What a number has meant, ever. */
  const meant = new Map<string, string>();
  const check = () => {
    for (const one of hubs) {
      for (let i = 0; i < 2 * KEYS.length; i++) {
        const { kind, key } = resourceOf(i, '');
        const id = one.idOf(kind, key) ?? 0;
        if (id === 0) continue;
        const before = meant.get(`${kind} ${id}`) ?? key;
        assert.equal(before, key, `${kind} ${id} on ${one.name}`);
        meant.set(`${kind} ${id}`, key);
      }
    }
  };
  try {
    for (const one of steps) {
      if (one.do === 'wait') tables.nowMs += one.seconds * 1000;
      else if (one.do === 'rounds') await pass(tables, hubs, one.seconds, one.seconds > 100 ? 20 : 3);
      else if (one.do === 'merge') tables.merge();
      else await act(hubs[one.hub]!, one);
      check();
    }
    for (const one of hubs) one.isCut = false;
    await pass(tables, hubs, 1500, 15);
    check();
    assert.equal(hubs.filter(({ shared }) => shared.gives).length, 1);
    for (let i = 0; i < 2 * KEYS.length; i++) {
      const { kind, key } = resourceOf(i, '');
      const ids = new Set(hubs.map((one) => one.idOf(kind, key)).filter((id) => id !== undefined));
      assert.ok(ids.size <= 1 && !ids.has(0), `${kind} ${key}: ${[...ids].join(' ')}`);
      for (const id of ids)
        for (const one of hubs) assert.notEqual(one.nameOf(kind, id), '', `${kind} ${id} on ${one.name}`);
    }
  } finally {
    for (const one of hubs) await one.close();
  }
}

async function act(one: SharingHub, what: Exclude<Step, { readonly do: 'wait' | 'rounds' | 'merge' }>): Promise<void> {
  switch (what.do) {
    case 'put':
      return one.put(resourceOf(what.resource, what.name));
    case 'remove': {
      const { kind, key } = resourceOf(what.resource, '');
      return one.remove(kind, key);
    }
    case 'load':
      return one.load(what.count);
    case 'work':
      return one.work();
    case 'crash':
    case 'lose':
      return one.crash(what.do === 'lose');
    case 'cut':
    case 'mend':
      one.isCut = what.do === 'cut';
  }
}

test('one hub gives ids and others follow', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 80 }), (steps) => run([true, false, false], steps)),
    { numRuns: 15 },
  );
});

test('any hub may give ids', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 80 }), (steps) => run([true, true, true], steps)),
    { numRuns: 15 },
  );
});
