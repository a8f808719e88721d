import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { dataSources } from '../../../src/catalog/catalog.ts';
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
  assert.deepEqual(Object.keys((JSON.parse(readFileSync(path, 'utf8')) as { tables: object }).tables), [one.id]);
});

test('files of a newer format and damaged ones are refused by name', () => {
  const path = join(folder, 'other.json');
  const open = () => openRowIds({ path, hubId: 0, log: silent });
  writeFileSync(path, '{"version":2,"tables":{}}');
  assert.throws(open, {
    code: 'format_too_new',
    message: `cannot read ${path}: its format is 2; this version knows 1`,
  });
  writeFileSync(path, '{"version":1');
  assert.throws(open, { code: 'data_dir_unusable' });
  writeFileSync(path, '[]');
  assert.throws(open, { code: 'data_dir_unusable', message: /expected tables/ });
  writeFileSync(path, `{"version":1,"tables":{"${two.id}":"x"}}`);
  assert.ok(open());
});
