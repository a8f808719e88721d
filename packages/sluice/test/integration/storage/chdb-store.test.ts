import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { textAt } from '../../../src/batch/read.ts';
import { openChdb, type ChdbStore } from '../../../src/storage/chdb.ts';
import { sql } from '../../../src/storage/sql.ts';
import { hostileTexts, storeContract } from './store-contract.ts';
import { tempFolder } from './temp-folder.ts';

let store: ChdbStore;
let remove: () => Promise<void>;

before(async () => {
  const folder = await tempFolder('chdb');
  ({ remove } = folder);
  store = await openChdb({ path: folder.path, maxMemory: 400e6 });
});
after(async () => {
  await store.close();
  await remove();
});

storeContract({ name: 'the embedded database', store: () => store });

describe('the embedded database', () => {
  it('carries 2,400 hostile texts through literals unchanged', async () => {
    const texts = hostileTexts(2400);
    for (let at = 0; at < texts.length; at += 200) {
      const some = texts.slice(at, at + 200);
      const blocks = await store.select(sql`SELECT arrayJoin([${some}]) AS text`);
      const back = blocks.flatMap((block) =>
        Array.from({ length: block.rows }, (_, row) => textAt(block.columns[0]!.data, row)),
      );
      assert.deepEqual(back, some);
    }
  });

  it('works in UTC', async () => {
    const blocks = await store.select(sql`SELECT toString(toDateTime(${1732064523})) AS text`);
    assert.equal(textAt(blocks[0]!.columns[0]!.data, 0), '2024-11-20 01:02:03');
  });

  it('does not hold up the event loop while it computes', async () => {
    let longest = 0;
    let last = performance.now();
    const ticking = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    await store.select(sql`SELECT sum(sipHash64(number)) AS s FROM numbers(100000000)`);
    for await (const block of store.stream(sql`SELECT sipHash64(number) AS h FROM numbers(2000000) ORDER BY h`)) {
      assert.ok(block.rows > 0);
    }
    clearInterval(ticking);
    assert.ok(longest < 500, `it stood still for ${longest} ms`);
  });
});
