/**
 * Child process of the roll-up tests: three loaders over copies of the same segments, for the minutes, the hours and the days. Prints rows and sums of each
 * table. It may be killed at any moment by an injected fault.
 */
import { join } from 'node:path';
import { valuesOf } from '../../../src/batch/read.ts';
import { network1m } from '../../../src/catalog/network.ts';
import { networkByDay, networkByHour } from '../../../src/catalog/roll-ups.ts';
import { createChdbTarget } from '../../../src/storage/chdb-target.ts';
import { openChdb } from '../../../src/storage/chdb.ts';
import { ensureTables } from '../../../src/storage/ensure-tables.ts';
import { startLoader } from '../../../src/storage/loader.ts';
import { rollUpReaders } from '../../../src/storage/roll-up-query.ts';
import { identifier, sql } from '../../../src/storage/sql.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { SegmentFiles } from './segment-files.ts';

const folder = process.argv[2]!;
const log = createLog({ level: 'silent' });
const metrics = createMetrics();
const store = await openChdb({ path: join(folder, 'chdb'), maxMemory: 400e6 });
const sources = [network1m, networkByHour.to, networkByDay.to];
await ensureTables({ store, sources, organisations: [1], retention: 'forever', log });
const target = await createChdbTarget(store, join(folder, 'ingest'));
const common = { journalUuid: 'u', target, organisations: [1], log, metrics, backoff: { minMs: 5, maxMs: 20 } };
for (const name of ['minutes', ...rollUpReaders.keys()]) {
  const journal = new SegmentFiles(join(folder, name));
  const rollUps = rollUpReaders.get(name);
  const loader = startLoader({ ...common, journal, name, ...(rollUps === undefined ? {} : { rollUps }) });
  await journal.drained(10_000).catch((error: unknown) => {
    console.log(String(error), loader.state().detail);
    process.exit(1);
  });
  await loader.stop(1000);
  if (journal.quarantined.length > 0) console.log('quarantined', journal.quarantined[0]!.why);
}
for (const { database, table } of sources) {
  const rows = table.endsWith('1m') ? sql`count()` : sql`sum(_rows)`;
  const found = await store.select(
    sql`SELECT toFloat64(${rows}), toFloat64(sum(byte_tx)), toFloat64(sum(rtt_sum)), toFloat64(uniqExact(time)) FROM ${identifier(database, table)}`,
  );
  console.log(table, ...found[0]!.columns.map((column) => valuesOf(column.data, Float64Array)[0]));
}
await store.close();
