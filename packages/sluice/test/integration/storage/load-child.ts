/** Child process of the exactly-once tests: loads what the folder holds, prints `loaded` and ends. It may be killed at any moment by an injected fault. */
import { join } from 'node:path';
import { valuesOf } from '../../../src/batch/read.ts';
import { dataSources } from '../../../src/catalog/catalog.ts';
import { createChdbTarget } from '../../../src/storage/chdb-target.ts';
import { openChdb } from '../../../src/storage/chdb.ts';
import { ensureTables } from '../../../src/storage/ensure-tables.ts';
import { startLoader } from '../../../src/storage/loader.ts';
import { sql } from '../../../src/storage/sql.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { SegmentFiles } from './segment-files.ts';

const folder = process.argv[2]!;
const log = createLog({ level: 'silent' });
const store = await openChdb({ path: join(folder, 'chdb'), maxMemory: 400e6 });
const sources = dataSources.filter(({ database }) => database === 'prometheus');
await ensureTables({ store, sources, organisations: [1], retention: 'forever', log });
const journal = new SegmentFiles(join(folder, 'journal'));
const target = await createChdbTarget(store, join(folder, 'ingest'));
const loader = startLoader({
  journal,
  journalUuid: 'u',
  target,
  organisations: [1],
  log,
  metrics: createMetrics(),
  backoff: { minMs: 5, maxMs: 20 },
});
await journal.drained(10_000).catch((error: unknown) => {
  console.log(String(error), loader.state().detail);
  process.exit(1);
});
await loader.stop(1000);
if (journal.quarantined.length > 0) console.log('quarantined', journal.quarantined[0]!.why);
// Distinct rows, rows, greatest number: what the parent compares.
const found = await store.select(
  sql`SELECT toUInt32(uniqExact(series_id)) AS different, toUInt32(count()) AS rows, toUInt32(max(series_id)) AS last FROM prometheus.samples`,
);
const numbers = found[0]!.columns.map((column) => valuesOf(column.data, Uint32Array)[0]);
console.log('loaded', ...numbers);
await store.close();
