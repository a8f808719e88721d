import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { RowBlock } from '../../../src/batch/row-block.ts';
import { dataSources, findDataSource } from '../../../src/catalog/catalog.ts';
import { emptyInventory } from '../../../src/tags/empty-inventory.ts';
import type { Inventory } from '../../../src/tags/inventory.ts';
import { createTagger } from '../../../src/tags/tagger.ts';
import { described, overlay, ToldSource } from './described.ts';
import { describePlatform, type Platform } from './platform-description.ts';
import { tagged, type Written, writeRow } from './tagged-rows.ts';

const path = new URL('../../fixtures/golden/platform.json', import.meta.url);
const platform = JSON.parse(readFileSync(path, 'utf8')) as Platform;
const known = await described([new ToldSource(describePlatform(platform))]);
after(() => known.close());
const { inventory } = known.inventory;

test('every table with keys is tagged, and no other', () => {
  for (const source of dataSources.filter(({ database }) => database !== 'prometheus')) {
    const block = new RowBlock(source);
    block.setNumber(block.column(source.time.column), 1_700_000_000);
    block.commit(1_700_000_000_000);
    createTagger({ inventory: () => inventory })(block, 1);
    const types = ['', '_0', '_1'].map((suffix) => block.findColumn(`auto_instance_type${suffix}`));
    const written = types.filter((column) => column >= 0).map((column) => block.fixed[column]!.u8[0]);
    const isTagged = source.keys !== undefined;
    assert.ok(!isTagged || written.length > 0, source.id);
    for (const type of written) assert.equal(type, isTagged ? 255 : 0, source.id);
    if (isTagged) assert.equal(source.time.unit, 's', source.id);
  }
});

/** Rows with few different values, so that rules meet each other. */
const address = fc.constantFrom(
  '0.0.0.0',
  '127.0.0.1',
  '10.1.0.9',
  '10.1.0.10',
  '10.1.5.7',
  '224.0.0.1',
  '169.254.1.1',
);
const end = (suffix: string) => ({
  [`l3_epc_id${suffix}`]: fc.constantFrom(-2, -1, 0, 7, 8),
  [`ip4${suffix}`]: address,
  [`gprocess_id${suffix}`]: fc.constantFrom(0, 0, 1001, 1002, 9),
  [`pod_key${suffix}`]: fc.constantFrom(0, 0, 101, 9999),
  [`mac${suffix}`]: fc.constantFrom(0, 11_375_960_129_801, 1),
});
const shared = {
  time: fc.integer({ min: 1_700_000_000, max: 1_700_000_005 }),
  agent_id: fc.constantFrom(0, 12, 99),
  is_ipv4: fc.constantFrom(0, 1),
  protocol: fc.constantFrom(1, 6, 17),
  server_port: fc.constantFrom(0, 8080, 9090, 30_080),
  signal_source: fc.constantFrom(0, 3, 4),
  observation_point_number: fc.constantFrom(0, 1, 4, 41, 42, 49, 50, 255),
};
const pathRow = fc.record({ ...shared, ...end('_0'), ...end('_1') }) as fc.Arbitrary<Written>;
const spanRow = fc.record({
  ...shared,
  ...end('_0'),
  ...end('_1'),
  is_imported: fc.constantFrom(0, 1),
  vip_1: fc.constantFrom(0, 1),
  process_id_0: fc.constantFrom(0, 555),
}) as fc.Arbitrary<Written>;
const singleRow = fc.record({ ...shared, ...end('') }) as fc.Arbitrary<Written>;
const tables: readonly (readonly [string, fc.Arbitrary<Written>])[] = [
  ['flow_metrics.network.1s', singleRow],
  ['flow_metrics.application_map.1m', pathRow],
  ['flow_log.l4_flow_log', pathRow],
  ['flow_log.l7_flow_log', spanRow],
];

describe('rows of any kind', () => {
  for (const [source, rows] of tables) {
    test(`${source}: an empty inventory need not be asked`, () => {
      const asked: Inventory = { ...emptyInventory, isEmpty: false };
      fc.assert(
        fc.property(fc.array(rows, { minLength: 1, maxLength: 8 }), (written) => {
          assert.deepEqual(tagged(emptyInventory, source, written), tagged(asked, source, written));
        }),
        { numRuns: 50 },
      );
    });

    test(`${source}: a row's tags do not depend on the rows around it`, () => {
      fc.assert(
        fc.property(fc.array(rows, { minLength: 1, maxLength: 8 }), (written) => {
          const alone = written.map((one) => tagged(inventory, source, [one])[0]);
          assert.deepEqual(tagged(inventory, source, written), alone);
        }),
        { numRuns: 50 },
      );
    });
  }
});

describe('time', () => {
  /** Until 1,700,000,003 the address of pod 101 was that of VM 21. */
  const moved = overlay(inventory, {
    versionAt: (seconds) => (seconds < 1_700_000_003 ? 1 : 2),
    address: (key) => {
      if (key.version === 2 || key.ip4 !== 0x0a01_0009) return inventory.address(key);
      const before = Object.assign(Object.create(key) as typeof key, { ip4: 0x0a01_0005 });
      return inventory.address(before);
    },
  });

  test('a row is tagged by what was true at its own time, whatever the order of rows', () => {
    const written = [5, 2, 3, 0].map((second) => ({
      time: 1_700_000_000 + second,
      is_ipv4: 1,
      ip4: '10.1.0.9',
      l3_epc_id: 7,
    }));
    const rows = tagged(moved, 'flow_metrics.network.1s', written);
    assert.deepEqual(
      rows.map(({ l3_device_id: device, pod_id: pod }) => [device, pod]),
      [
        [101, 101],
        [21, 0],
        [101, 101],
        [21, 0],
      ],
    );
  });
});

describe('asking', () => {
  function counting(): { asked: () => number; inventory: Inventory } {
    let count = 0;
    return {
      asked: () => count,
      inventory: overlay(inventory, {
        address: (key) => {
          count++;
          return inventory.address(key);
        },
      }),
    };
  }

  const source = findDataSource('flow_metrics.network.1s')!;
  const written = { time: 1_700_000_000, is_ipv4: 1, ip4: '10.1.200.1', l3_epc_id: 7 };

  test('an address is asked for once while nothing changes, also over blocks', () => {
    const { asked, inventory: counted } = counting();
    const tag = createTagger({ inventory: () => counted });
    for (let block = 0; block < 3; block++) {
      const rows = new RowBlock(source);
      for (let row = 0; row < 10; row++) writeRow(rows, written);
      tag(rows, 1);
      assert.equal(rows.fixed[rows.column('subnet_id')]!.u16[9], 70);
    }
    assert.equal(asked(), 1);
  });

  test('organisations have inventories of their own, and a new one is asked anew', () => {
    const { asked, inventory: counted } = counting();
    let current = counted;
    const tag = createTagger({ inventory: (org) => (org === 1 ? current : emptyInventory) });
    const subnetOf = (org: number) => {
      const rows = new RowBlock(source);
      writeRow(rows, written);
      tag(rows, org);
      return rows.fixed[rows.column('subnet_id')]!.u16[0];
    };
    assert.deepEqual([subnetOf(1), subnetOf(2), subnetOf(1)], [70, 0, 70]);
    assert.equal(asked(), 1);
    current = overlay(counted, {});
    assert.equal(subnetOf(1), 70);
    assert.equal(asked(), 2);
  });

  test('IPv4 and IPv6 addresses of equal words are told apart', () => {
    const rows = tagged(inventory, source.id, [
      { is_ipv4: 1, ip4: '10.1.0.9', l3_epc_id: 7 },
      // The first four bytes of this one are those of 10.1.0.9 in memory.
      { is_ipv4: 0, ip6: '900:10a::', l3_epc_id: 7 },
    ]);
    assert.deepEqual(
      rows.map(({ pod_id: pod, region_id: region }) => [pod, region]),
      [
        [101, 1],
        [0, 1],
      ],
    );
  });
});
