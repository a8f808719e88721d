/** An exporter whose endpoint hangs holds up neither storage nor another exporter; what it loses is counted. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ExportingHub, exporterKeys, PATIENCE_MS } from './exporting-hub.ts';
import { Arrivals, NumberedWriter } from './numbered-rows.ts';
import { Scratch, until } from './processes.ts';
import { SampleSink } from './sample-sink.ts';

it(
  'storage and others go on while an endpoint hangs; beyond max-backlog-bytes the oldest rows are lost and counted',
  { timeout: 240_000 },
  async (t) => {
    using scratch = new Scratch();
    await using dead = await SampleSink.start();
    await using alive = await SampleSink.start();
    dead.hangs = true;
    const common = { protocol: 'prometheus', 'data-sources': ['prometheus.samples'] };
    await using exporting = await ExportingHub.start(
      scratch,
      [
        exporterKeys({
          ...common,
          name: 'dead',
          endpoints: [dead.url],
          'max-backlog-bytes': '1MiB',
          'queue-size': 2000,
        }),
        exporterKeys({ ...common, name: 'alive', endpoints: [alive.url] }),
      ],
      { engine: 'chdb' },
    );
    const { hub } = exporting;
    await hub.ready(PATIENCE_MS);
    const writer = new NumberedWriter({ rowsPerRequest: 1000 });
    await writer.some(hub, 120_000);

    await until(
      () => (Arrivals.missing(writer, alive.arrivals).length === 0 ? true : undefined),
      PATIENCE_MS,
      () => `all rows at the exporter that works\n${hub.output()}`,
    );
    assert.equal(alive.arrivals.doubled, 0);
    await until(
      async () =>
        (await exporting.count('sluice_journal_backlog_bytes', 'reader="storage"')) < 50_000 ? true : undefined,
      PATIENCE_MS,
      () => `storage to take what is in the journal\n${hub.output()}`,
    );
    const lost = (listing: { counters: { rows_lost: Readonly<Record<string, number>> } }) =>
      listing.counters.rows_lost['overflow'] ?? 0;
    const overflowing = await exporting.untilExporter('dead', (one) => lost(one) > 0, 'loses what is too much');
    assert.ok(overflowing.lag.bytes <= 3 * 2 ** 20, `it holds back ${overflowing.lag.bytes} bytes`);
    assert.equal(dead.arrivals.rows, 0);

    dead.hangs = false;
    const mended = await exporting.untilExporter(
      'dead',
      ({ lag, state }) => lag.rows === 0 && state === 'running',
      'sends',
    );
    const missing = Arrivals.missing(writer, dead.arrivals).length;
    t.diagnostic(
      `${writer.rows} rows in, ${dead.arrivals.distinct} out, ${missing} missing, ${lost(mended)} counted as lost`,
    );
    assert.ok(missing > 0, 'everything fitted into the backlog: the test shows nothing');
    assert.ok(missing <= lost(mended), `${missing} rows are missing, but ${lost(mended)} were counted`);
    assert.equal(await exporting.count('sluice_journal_overflow_rows_total', 'reader="dead"'), lost(mended));
    assert.equal(lost(await exporting.exporter('alive')), 0);
    // It goes on with what comes in, in every lane.
    await writer.some(hub, 1000 * writer.lanes);
    const newest = [...writer.acknowledged.entries()].map(([lane, numbers]) => [lane, Math.max(...numbers)] as const);
    await until(
      () => (newest.every(([lane, number]) => dead.arrivals.has(lane, number)) ? true : undefined),
      PATIENCE_MS,
      () => `the newest rows at the exporter that hung\n${hub.output()}`,
    );
    assert.equal(await hub.end(), 0, hub.output());
  },
);
