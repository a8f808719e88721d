import { after, before } from 'node:test';
import { createClickHouse, type ClickHouseStore } from '../../../src/storage/clickhouse.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { startChdbFront, type ChdbFront } from './chdb-front.ts';
import { derivedContract } from './derived-contract.ts';
import { tempFolder } from './temp-folder.ts';

let front: ChdbFront;
let store: ClickHouseStore;
let remove: () => Promise<void>;

before(async () => {
  const folder = await tempFolder('derived-front');
  ({ remove } = folder);
  front = await startChdbFront(folder.path);
  store = createClickHouse({ urls: [front.url], log: createLog({ level: 'silent' }) });
});
after(async () => {
  await store.close();
  await front.close();
  await remove();
});

derivedContract('over HTTP', () => store);
