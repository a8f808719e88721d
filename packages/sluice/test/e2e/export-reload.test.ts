/** SIGHUP changes the exporters of a running hub, and a hub without storage forwards; counted by numbered rows at receivers that the test can kill. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExportingHub, exporterKeys, PATIENCE_MS, type ExporterKeys } from './exporting-hub.ts';
import { Arrivals, NumberedWriter } from './numbered-rows.ts';
import { Scratch, until } from './processes.ts';
import { SampleSink } from './sample-sink.ts';

const SAMPLES = 'prometheus.samples';

function toSink(name: string, sink: SampleSink, keys: ExporterKeys = {}): ExporterKeys {
  return exporterKeys({
    name,
    protocol: 'prometheus',
    endpoints: [sink.url],
    'data-sources': [SAMPLES],
    'export-fields': ['$tag', '$metrics'],
    ...keys,
  });
}

/** Waits until all acknowledged rows are in one of the sinks. */
async function untilAll(
  exporting: ExportingHub,
  writer: NumberedWriter,
  ...sinks: readonly SampleSink[]
): Promise<void> {
  const arrivals = sinks.map((sink) => sink.arrivals);
  await until(
    () => (Arrivals.missing(writer, ...arrivals).length === 0 ? true : undefined),
    PATIENCE_MS,
    () =>
      `${Arrivals.missing(writer, ...arrivals)
        .slice(0, 5)
        .join(', ')} of ${writer.rows}\n${exporting.hub.output()}`,
  );
}

/** Rows that came are a run without gaps: an exporter that was there for a while has missed nothing in between. */
function assertWithoutGaps({ acknowledged, firstLane }: NumberedWriter, arrivals: Arrivals): void {
  for (const [index, numbers] of acknowledged.entries()) {
    const came = new Set(arrivals.numbers(firstLane + index));
    assert.ok(came.size > 0, `nothing of lane ${firstLane + index} came`);
    const [first, last] = [Math.min(...came), Math.max(...came)];
    const gaps = [...numbers].filter((value) => value > first && value < last && !came.has(value));
    assert.deepEqual(gaps, [], `lane ${firstLane + index}`);
  }
}

describe('exporters while the hub runs', { timeout: 240_000 }, () => {
  it('SIGHUP adds, changes and removes exporters, and no row is lost', async (t) => {
    using scratch = new Scratch();
    await using one = await SampleSink.start();
    await using two = await SampleSink.start();
    await using other = await SampleSink.start();
    await using late = await SampleSink.start();
    await using exporting = await ExportingHub.start(scratch, [toSink('stays', one), toSink('moves', two)]);
    const names = async () => (await exporting.exporters()).map(({ name }) => name);
    const writer = new NumberedWriter({ pauseMs: 5 });
    const writing = writer.start(exporting);
    const passes = async (sink: SampleSink) => {
      const { rows } = sink.arrivals;
      await until(
        () => (sink.arrivals.rows > rows + 400 ? true : undefined),
        PATIENCE_MS,
        () => `rows to come\n${exporting.hub.output()}`,
      );
    };
    await Promise.all([passes(one), passes(two)]);

    const added = toSink('added', late);
    assert.equal(await exporting.reload([toSink('stays', one), toSink('moves', two), added]), 'reloaded');
    assert.deepEqual(await names(), ['added', 'moves', 'stays']);
    await passes(late);

    const moved = toSink('moves', other, { 'batch-size': 100, 'queue-count': 3 });
    assert.equal(await exporting.reload([toSink('stays', one), moved, added]), 'reloaded');
    await passes(other);
    assert.equal((await exporting.exporter('moves')).lanes.length, 3);

    const broken = [
      'exporters:',
      '  - protocol: prometheus',
      '    name: stays',
      `    endpoints: [${one.url}]`,
      '    data-sources: [prometheus.samples]',
      '    batch-sise: 100',
    ];
    assert.equal(await exporting.reload(broken.join('\n')), 'refused');
    const told = exporting.hub.lines.find((line) => line.includes('the configuration has mistakes')) ?? '';
    assert.ok(told.includes(`${exporting.configFile}:6:5: `), told);
    assert.ok(told.includes('batch-size'), told);
    assert.deepEqual(await names(), ['added', 'moves', 'stays']);
    await Promise.all([passes(one), passes(other), passes(late)]);

    assert.equal(await exporting.reload([toSink('stays', one), moved]), 'reloaded');
    assert.deepEqual(await names(), ['moves', 'stays']);
    const { rows: atEnd } = late.arrivals;
    await passes(other);
    await writing.stop();
    await untilAll(exporting, writer, one);
    await untilAll(exporting, writer, two, other);
    assertWithoutGaps(writer, late.arrivals);
    assert.equal(late.arrivals.rows, atEnd, 'an exporter that was removed sends no more');
    t.diagnostic(
      `${writer.rows} rows in; ${one.arrivals.distinct} at the one that stays, ${two.arrivals.distinct} and ${other.arrivals.distinct} where it moved; twice: ` +
        [one, two, other, late].map(({ arrivals }) => arrivals.doubled).join(', '),
    );
    // Nobody was cut off in the middle of a request.
    for (const sink of [one, two, other, late]) assert.equal(sink.arrivals.doubled, 0);
    assert.equal(await exporting.hub.end(), 0, exporting.hub.output());
  });

  it('what one exporter leaves unsent when it is changed, the next one sends', async () => {
    using scratch = new Scratch();
    await using gone = await SampleSink.start();
    await using there = await SampleSink.start();
    await gone.kill();
    await using exporting = await ExportingHub.start(scratch, [toSink('out', gone)]);
    const writer = new NumberedWriter();
    await writer.some(exporting.hub, 2000);
    await exporting.untilExporter('out', ({ state }) => state === 'retrying', 'nobody is there');
    assert.equal(await exporting.reload([toSink('out', there)]), 'reloaded');
    await untilAll(exporting, writer, there);
    assert.equal(await exporting.hub.end(), 0, exporting.hub.output());
  });

  it('a hub with storage.engine none forwards: nothing is lost over a restart and a kill, and the journal does not grow', async (t) => {
    using scratch = new Scratch();
    await using sink = await SampleSink.start();
    await using exporting = await ExportingHub.start(scratch, [toSink('out', sink)]);
    const writer = new NumberedWriter({ rowsPerRequest: 1000 });
    await writer.some(exporting.hub, 8000);
    await untilAll(exporting, writer, sink);
    await sink.kill();
    await writer.some(exporting.hub, 20_000);
    let bytes = 0;
    const untilJournal = (what: string, is: () => boolean) =>
      until(
        async () => {
          bytes = await exporting.hub.metric('sluice_journal_bytes');
          return is() ? true : undefined;
        },
        PATIENCE_MS,
        () => `the journal to ${what}; it has ${bytes} bytes\n${exporting.hub.output()}`,
      );
    await untilJournal('keep what is not sent', () => bytes > 400_000);
    // Nobody is there who would take it.
    assert.equal(await exporting.hub.end(), 0, exporting.hub.output());
    await exporting.restart();
    await writer.some(exporting.hub, 4000);
    await exporting.crash();
    await sink.listen();
    await untilAll(exporting, writer, sink);
    await untilJournal('shrink after everything was sent', () => bytes < 100_000);
    await writer.some(exporting.hub, 20_000);
    await untilAll(exporting, writer, sink);
    await untilJournal('shrink once more', () => bytes < 100_000);
    t.diagnostic(
      `${writer.rows} rows in, ${sink.arrivals.distinct} out, ${sink.arrivals.doubled} twice; the journal has ${bytes} bytes`,
    );
    assert.equal(await exporting.hub.end(), 0, exporting.hub.output());
  });
});
