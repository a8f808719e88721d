/**
 * Loss and doubling over outages of hub and sinks: numbered samples are written without a pause while, at random, the hub, a receiver of remote write or
 * a Kafka broker is killed and comes back. In the end every acknowledged row must have come to every sink.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { arrivalsIn } from '../test/e2e/consumed-rows.ts';
import { ExportingHub, exporterKeys } from '../test/e2e/exporting-hub.ts';
import { Arrivals, NumberedWriter } from '../test/e2e/numbered-rows.ts';
import { Scratch, until } from '../test/e2e/processes.ts';
import { SampleSink } from '../test/e2e/sample-sink.ts';
import { consume, KafkaBroker, needsKafka } from '../test/peers/kafka/broker.ts';

/** How long a sink may take to get what was written meanwhile. */
const DRAIN_MS = 300_000;
const TOPIC = 'soak';

/** What came of it, one line a sink. */
export interface OutageReport {
  readonly outages: Readonly<Record<string, number>>;
  readonly rowsIn: number;
  readonly sinks: readonly {
    readonly sink: string;
    readonly out: number;
    readonly doubled: number;
    readonly lost: number;
  }[];
}

/** Runs so many outages, a few seconds apart. `tell` is given a line for each. */
export async function exportOutages(outages: number, tell: (line: string) => void): Promise<OutageReport> {
  using scratch = new Scratch();
  await using receiver = await SampleSink.start();
  const { skip } = needsKafka();
  if (skip !== undefined) tell(`without Kafka: ${skip}`);
  await using broker = skip === undefined ? await KafkaBroker.start() : undefined;
  const common = { 'data-sources': ['prometheus.samples'], timeout: '5s' };
  const exporters = [exporterKeys({ ...common, name: 'receiver', protocol: 'prometheus', endpoints: [receiver.url] })];
  if (broker !== undefined) {
    const endpoints = [broker.addresses.plaintext];
    exporters.push(exporterKeys({ ...common, name: 'kafka', protocol: 'kafka', endpoints, topic: TOPIC }));
  }
  await using exporting = await ExportingHub.start(scratch, exporters);
  const writer = new NumberedWriter({ pauseMs: 100 });
  const writing = writer.start(exporting);

  const kinds = broker === undefined ? ['hub', 'receiver'] : ['hub', 'receiver', 'kafka'];
  const done: Record<string, number> = Object.fromEntries(kinds.map((kind) => [kind, 0]));
  for (let outage = 1; outage <= outages; outage++) {
    // Each at least once in as many outages as there are kinds, then as it comes.
    const kind = outage <= kinds.length ? kinds[outage - 1]! : kinds[Math.floor(Math.random() * kinds.length)]!;
    await sleep(500 + Math.random() * 3000);
    const awayMs = Math.random() * 4000;
    if (kind === 'hub') {
      await exporting.hub.end('SIGKILL');
      await sleep(awayMs / 4);
      await exporting.restart();
    } else if (kind === 'receiver') {
      await receiver.kill();
      await sleep(awayMs);
      await receiver.listen();
    } else {
      await broker!.kill();
      await sleep(awayMs);
      await broker!.restart();
    }
    done[kind]!++;
    tell(`outage ${outage} of ${outages}: ${kind}, ${writer.rows} rows acknowledged so far`);
  }
  await sleep(2000);
  await writing.stop();
  for (const { name } of await exporting.exporters()) {
    await until(
      async () => ((await exporting.exporter(name)).lag.rows === 0 ? true : undefined),
      DRAIN_MS,
      () => `${name} to send everything\n${exporting.hub.output()}`,
    );
  }
  assert.equal(await exporting.hub.end(), 0, exporting.hub.output());

  const arrivals = new Map([['remote write', receiver.arrivals]]);
  if (broker !== undefined) arrivals.set('kafka', arrivalsIn(await consume(broker.addresses.plaintext, TOPIC)));
  const sinks = [...arrivals].map(([sink, came]) => ({
    sink,
    out: came.distinct,
    doubled: came.doubled,
    lost: Arrivals.missing(writer, came).length,
  }));
  return { outages: done, rowsIn: writer.rows, sinks };
}

export function outageText({ outages, rowsIn, sinks }: OutageReport): string {
  const kinds = Object.entries(outages).map(([kind, count]) => `${count} of ${kind}`);
  return [
    `outages: ${kinds.join(', ')}`,
    ...sinks.map(
      ({ sink, out, doubled, lost }) =>
        `${sink}: rows in ${rowsIn}, rows out ${out}, duplicates ${doubled}, lost ${lost}`,
    ),
  ].join('\n');
}
