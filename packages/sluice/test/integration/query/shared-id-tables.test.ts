import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isSluiceError } from '../../../src/base/errors.ts';
import type { SharedIdTables } from '../../../src/base/shared-ids.ts';
import { nameMap } from '../../../src/catalog/flow-tags.ts';
import { idMessage } from '../../../src/catalog/id-messages.ts';
import { createSharedIdTables } from '../../../src/query/shared-id-tables.ts';
import { createClickHouse, type ClickHouseStore } from '../../../src/storage/clickhouse.ts';
import { ensureTables } from '../../../src/storage/ensure-tables.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { startChdbFront, type ChdbFront } from '../storage/chdb-front.ts';
import { tempFolder } from '../storage/temp-folder.ts';

const log = createLog({ level: 'silent' });
const { signal } = new AbortController();
const START = 1_700_000_000_000;
let folder: Awaited<ReturnType<typeof tempFolder>>;
let front: ChdbFront;
let store: ClickHouseStore;
let tables: SharedIdTables;

before(async () => {
  folder = await tempFolder('shared-ids');
  front = await startChdbFront(folder.path);
  store = createClickHouse({ urls: [front.url], log });
  tables = createSharedIdTables(store);
  await ensureTables({ store, sources: [nameMap, idMessage], organisations: [1, 7], retention: 'forever', log });
});
after(async () => {
  await store.close();
  await front.close();
  await folder.remove();
});

const at = (ms: number) => `fromUnixTimestamp64Milli(toInt64(${START + ms}), 'UTC')`;

async function all<T>(blocks: AsyncIterable<readonly T[]>): Promise<T[]> {
  const found: T[] = [];
  for await (const block of blocks) found.push(...block);
  return found;
}

test('ids are read in order of term and time, from a time on, of one organisation, without those that are not shared', async () => {
  const insert = (database: string, ...rows: string[]) =>
    front.ask(
      `INSERT INTO ${database}.name_map (kind, id, name, key, term, is_deleted, time) VALUES ${rows.join(', ')}`,
    );
  await insert(
    'flow_tag',
    `('pod', 4294967295, 'ü''\\\\', 'k/1', 2, 0, ${at(0)})`,
    `('pod', 2, 'b', 'k/2', 1, 1, ${at(9)})`,
  );
  await insert('flow_tag', `('az', 3, 'c', 'k/3', 2, 0, ${at(-5)})`, `('agent', 4, 'd', '4', 0, 0, ${at(1)})`);
  await insert('`0007_flow_tag`', `('pod', 9, 'other', 'k/9', 1, 0, ${at(0)})`);
  const c = { kind: 'az', id: 3, key: 'k/3', name: 'c', isGone: false, term: 2, timeMs: START - 5 };
  const b = { kind: 'pod', id: 2, key: 'k/2', name: 'b', isGone: true, term: 1, timeMs: START + 9 };
  const first = { kind: 'pod', id: 4_294_967_295, key: 'k/1', name: "ü'\\", isGone: false, term: 2, timeMs: START };
  assert.deepEqual(await all(tables.published(1, 0, signal)), [b, c, first]);
  assert.deepEqual(await all(tables.published(1, START, signal)), [b, first]);
  assert.deepEqual(
    (await all(tables.published(7, 0, signal))).map(({ id }) => id),
    [9],
  );
});

test('messages are read in order of time, requests only for who may answer them, and nothing that is not understood', async () => {
  const rows = [
    `('h1', 'request', 'pod', 'k/1', 'web', 0, 0, ${at(2)})`,
    `('h2', 'hub', '', '', 'second', 3, 1, ${at(1)})`,
    `('h1', 'reserved', 'az', '', '', 1025, 0, ${at(3)})`,
    `('h3', 'from the future', 'az', '', '', 1, 0, ${at(4)})`,
  ];
  await front.ask(
    `INSERT INTO flow_tag.id_message (hub, record, kind, key, name, id, is_deleted, time) VALUES ${rows.join(', ')}`,
  );
  const hub = { hub: 'h2', record: 'hub', kind: '', key: '', name: 'second', id: 3, isGone: true, timeMs: START + 1 };
  const request = { hub: 'h1', record: 'request', kind: 'pod', key: 'k/1', name: 'web', id: 0, isGone: false };
  const reserved = { hub: 'h1', record: 'reserved', kind: 'az', key: '', name: '', id: 1025, isGone: false };
  assert.deepEqual(await all(tables.messages(1, 0, true, signal)), [
    hub,
    { ...request, timeMs: START + 2 },
    { ...reserved, timeMs: START + 3 },
  ]);
  assert.deepEqual(await all(tables.messages(1, 0, false, signal)), [hub]);
});

test('a server that is not there is an error that says so', async () => {
  await front.stopListening();
  await assert.rejects(all(tables.published(1, 0, signal)), (error) => isSluiceError(error, 'storage_unavailable'));
  await front.listen();
});
