import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openChdb, type ChdbStore } from '../../../src/storage/chdb.ts';
import { DictionaryReload } from '../../../src/storage/reload-dictionaries.ts';
import { sql } from '../../../src/storage/sql.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { derivedContract, makeTables, rowsOf } from './derived-contract.ts';
import { tempFolder } from './temp-folder.ts';

let store: ChdbStore;
let remove: () => Promise<void>;

before(async () => {
  const folder = await tempFolder('derived');
  ({ remove } = folder);
  store = await openChdb({ path: folder.path, maxMemory: 500e6 });
});
after(async () => {
  await store.close();
  await remove();
});

derivedContract('embedded', () => store);

describe('dictionaries of the embedded engine', () => {
  it('are loaded again when rows have come', async () => {
    await makeTables(store);
    const reload = new DictionaryReload({ store, log: createLog({ level: 'silent' }), gatherMs: 1 });
    const name = async () =>
      (await rowsOf(store, `SELECT dictGet('flow_tag.region_map', 'name', toUInt64(3)) AS name`))[0]!;
    assert.equal(await name(), '');
    await store.command(
      sql`INSERT INTO flow_tag.name_map (kind, id, name, time) VALUES ('region', 3, 'eu-west', now64(3))`,
    );
    reload.changed({ table: 'flow_tag.name_map' });
    const until = Date.now() + 30_000;
    while ((await name()) === '' && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(await name(), 'eu-west');
    await reload.stop();
  });
});
