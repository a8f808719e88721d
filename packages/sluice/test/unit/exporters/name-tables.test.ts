import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Names } from '../../../src/base/ports.ts';
import { nameTablesOf, NameTables } from '../../../src/exporters/name-tables.ts';

/** Names that say what was asked, and count it. */
function namesOfAll(): { names: Names; asked: () => number; changed: () => void } {
  let asked = 0;
  let version = 1;
  const count = (name: string) => {
    asked++;
    return name;
  };
  return {
    asked: () => asked,
    changed: () => version++,
    names: {
      get version() {
        return version;
      },
      name: (org, kind, id) => count(id === 0 ? '' : `${kind} ${id} of ${org}, ${version}`),
      device: (org, type, id) => count(`device ${type}/${id} of ${org}`),
      podGroupType: (_, id) => (count(''), id % 200),
      podLabels: () => [],
    },
  };
}

const decoder = new TextDecoder();

function namesIn(tables: NameTables, org: number, kind: string, ids: readonly number[]): string[] {
  const known = tables.of(org, kind);
  const index = new Uint32Array(ids.length);
  known.ofIds(Uint32Array.from(ids), index);
  return [...index].map((at) => {
    assert.equal(JSON.parse(decoder.decode(known.table.json[at])), decoder.decode(known.table.texts[at]));
    return decoder.decode(known.table.texts[at]);
  });
}

describe('tables of names', () => {
  test('small and large ids have their names, each asked for once', () => {
    const { names, asked } = namesOfAll();
    const tables = new NameTables(names);
    const ids = [0, 1, 2, 1, 70_000, 262_143, 262_144, 4_294_967_295, 262_144, 2];
    const expected = ids.map((id) => (id === 0 ? '' : `pod ${id} of 3, 1`));
    assert.deepEqual(namesIn(tables, 3, 'pod', ids), expected);
    assert.deepEqual(namesIn(tables, 3, 'pod', ids), expected);
    assert.equal(asked(), 7);
    assert.deepEqual(namesIn(tables, 4, 'pod', [1]), ['pod 1 of 4, 1']);
    assert.deepEqual(namesIn(tables, 3, 'az', [1]), ['az 1 of 3, 1']);
  });

  test('VPCs are counted from the least', () => {
    const tables = new NameTables(namesOfAll().names);
    const names = namesIn(tables, 1, 'l3_epc', [0, 1, 2, 9]);
    assert.deepEqual(names, ['l3_epc -2 of 1, 1', 'l3_epc -1 of 1, 1', '', 'l3_epc 7 of 1, 1']);
  });

  test('devices go by kind and id', () => {
    const tables = new NameTables(namesOfAll().names);
    const known = tables.of(1, 'device');
    const index = new Uint32Array(4);
    known.ofTypedIds(Uint8Array.of(1, 10, 255, 1), Uint32Array.of(7, 7, 4_000_000_000, 7), index);
    assert.deepEqual(
      [...index].map((at) => decoder.decode(known.table.texts[at])),
      ['device 1/7 of 1', 'device 10/7 of 1', 'device 255/4000000000 of 1', 'device 1/7 of 1'],
    );
  });

  test('are made anew when the names change; what was handed out stays as it is', () => {
    const { names, changed } = namesOfAll();
    const tables = new NameTables(names);
    const before = tables.of(1, 'pod');
    const index = new Uint32Array(1);
    before.ofIds(Uint32Array.of(5), index);
    changed();
    assert.deepEqual(namesIn(tables, 1, 'pod', [5]), ['pod 5 of 1, 2']);
    assert.equal(decoder.decode(before.table.texts[index[0]!]), 'pod 5 of 1, 1');
  });

  test('are shared by those who have the same names', () => {
    const { names } = namesOfAll();
    assert.equal(nameTablesOf(names).of(1, 'pod'), nameTablesOf(names).of(1, 'pod'));
    assert.notEqual(nameTablesOf(names), nameTablesOf({ ...names }));
  });

  test('made-up ids of made-up kinds do not fill the memory', () => {
    const tables = new NameTables({ ...namesOfAll().names, device: () => '', name: () => 'same' });
    const ids = Uint32Array.from({ length: 256 * 4 }, (_, i) => 262_143 - i);
    const types = Uint8Array.from(ids, (_, i) => i % 256);
    const before = process.memoryUsage().arrayBuffers;
    const known = tables.of(1, 'device');
    known.ofTypedIds(types, ids, new Uint32Array(ids.length));
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < 32 * 1024 * 1024, `${grown} bytes`);
    const huge = Uint32Array.from({ length: 300_000 }, (_, i) => 1_000_000 + i);
    tables.of(1, 'pod').ofIds(huge, new Uint32Array(huge.length));
    assert.equal(tables.of(1, 'pod').table.texts.length, 1, 'a full table is begun anew');
  });

  test('kinds of workloads', () => {
    const { names, asked } = namesOfAll();
    const tables = new NameTables(names);
    assert.deepEqual([...tables.podGroupTypes(1, Uint32Array.of(1, 130, 300_001, 1))], [1, 130, 1, 1]);
    assert.equal(asked(), 3);
  });
});
