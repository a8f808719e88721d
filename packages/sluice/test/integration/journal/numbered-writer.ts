/**
 * A process for kill tests: takes the data directory, appends numbered rows without pause and writes each acknowledged range `from-to`, one a line,
 * to a file (a pipe that is full would lose some). With `lock` in place of the sync mode it only holds the directory.
 * Arguments: data directory, sync, first number, file.
 */
import { openSync, writeSync } from 'node:fs';
import { openJournal } from '../../../src/journal/journal.ts';
import { lockDataDirectory } from '../../../src/journal/lock.ts';
import { CATALOG_VERSION, findDataSource } from '../../../src/catalog/catalog.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { sampleBatch } from '../../unit/journal/fixture.ts';

const [dataDir = '', sync, first, acknowledged = ''] = process.argv.slice(2);
await lockDataDirectory(dataDir);
writeSync(1, 'locked\n');
if (sync === 'lock') setInterval(() => undefined, 1000);
else {
  const journal = await openJournal({
    dataDir,
    sync: sync === 'always' ? 'always' : 'interval',
    syncIntervalMs: 50,
    segmentAgeMs: 30,
    maxBytes: 2 ** 30,
    minFreeBytes: 0,
    catalog: { version: CATALOG_VERSION, find: findDataSource },
    metrics: createMetrics(),
    log: createLog({ level: 'silent' }),
  });
  const report = openSync(acknowledged, 'a');
  let next = Number(first);
  for (let turn = 0; ; turn++) {
    const inputs = Array.from({ length: 1 + (turn % 3) }, async () => {
      const from = next;
      const to = from + 1 + (turn % 50);
      next = to;
      await journal.append([sampleBatch(Array.from({ length: to - from }, (_, index) => from + index))]);
      writeSync(report, `${from}-${to}\n`);
    });
    await Promise.all(inputs);
  }
}
