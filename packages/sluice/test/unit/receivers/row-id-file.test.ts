import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { dataSources } from '../../../src/catalog/catalog.ts';
import { replaceStateFileSync } from '../../../src/base/state-file.ts';
import { openRowIds } from '../../../src/receivers/row-id-file.ts';
import { silent } from './agent/intake-parts.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-row-ids-'));
after(() => rmSync(folder, { recursive: true }));
const [one, two] = dataSources;
assert.ok(one !== undefined && two !== undefined);

test('ids go on after a restart, also after a sudden one', () => {
  const path = join(folder, 'state', 'row-ids.json');
  const seen = new Set<number>();
  const ids = new Uint32Array(2);
  for (let start = 0; start < 5; start++) {
    const rowIds = openRowIds({ path, hubId: 5, log: silent });
    for (let count = 0; count < 100; count++) {
      rowIds.next(one, 1_700_000_000, ids);
      assert.equal(ids[1], 1_700_000_000);
      assert.equal(ids[0]! >>> 22, 5);
      assert.ok(!seen.has(ids[0]!), `${ids[0]} a second time`);
      seen.add(ids[0]!);
    }
  }
  const [line = ''] = readFileSync(path, 'utf8').split('\n');
  assert.deepEqual(Object.keys((JSON.parse(line) as { tables: object }).tables), [one.id]);
});

test('a file of a newer format is refused by name', () => {
  const path = join(folder, 'newer.json');
  replaceStateFileSync(path, { version: 2, tables: {} });
  assert.throws(() => openRowIds({ path, hubId: 0, log: silent }), {
    code: 'format_too_new',
    message: `cannot read ${path}: expected format 1; got 2, written by a newer Sluice; start that version`,
  });
});

test('damaged files are moved aside, and what is no number is left out', () => {
  const path = join(folder, 'damaged.json');
  const open = () => openRowIds({ path, hubId: 0, log: silent });
  for (const content of ['', '{"version":1', '[]', 'null']) {
    writeFileSync(path, content);
    const ids = new Uint32Array(2);
    open().next(one, 1, ids);
    assert.deepEqual([...ids], [1, 1]);
    assert.equal(readFileSync(`${path}.damaged`, 'utf8'), content);
  }
  replaceStateFileSync(path, { version: 1, tables: { [two.id]: 'x' } });
  assert.ok(open());
});
