/** Rows of agents and of remote write, through the real command into a real Kafka broker, read back by an independent client (kcat). */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileSync } from 'node:fs';
import { consume, consumeAll, KafkaBroker, needsKafka, users, type Consumed } from '../peers/kafka/broker.ts';
import { arrivalsIn, numberedIn } from './consumed-rows.ts';
import { ExportingHub, exporterKeys, PATIENCE_MS, type ExporterKeys } from './exporting-hub.ts';
import { Arrivals, flowFrames, NumberedWriter, SERVICES } from './numbered-rows.ts';
import { Scratch, until } from './processes.ts';

const FLOWS = 'flow_log.l7_flow_log';
const SAMPLES = 'prometheus.samples';
/** Longer than a request may take (`timeout`); the full length only where it was asked for. */
const PAUSE_MS = process.env['SLUICE_LONG_TESTS'] === 'true' ? 30_000 : 7_000;

function toKafka(name: string, endpoint: string, keys: ExporterKeys = {}): ExporterKeys {
  return exporterKeys({
    name,
    protocol: 'kafka',
    endpoints: [endpoint],
    'data-sources': [SAMPLES],
    'export-fields': ['$tag', '$metrics'],
    topic: name,
    timeout: '4s',
    kafka: { key: 'series-hash' },
    ...keys,
  });
}

function login(protocol: 'SASL_PLAINTEXT' | 'SASL_SSL', mechanism: string): ExporterKeys {
  return { enabled: true, 'security-protocol': protocol, 'sasl-mechanism': mechanism, ...users.tester };
}

/** First arrivals of each lane come in the order of its numbers, in one partition. */
function assertInOrder(messages: readonly Consumed[]): void {
  const lanes = new Map<number, { readonly partition: number; readonly seen: Set<number>; highest: number }>();
  const byPlace = messages.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset);
  for (const { lane, value, partition } of numberedIn(byPlace)) {
    let known = lanes.get(lane);
    if (known === undefined) lanes.set(lane, (known = { partition, seen: new Set(), highest: -1 }));
    assert.equal(known.partition, partition, `lane ${lane} is in two partitions`);
    if (known.seen.has(value)) continue;
    known.seen.add(value);
    assert.ok(value > known.highest, `row ${value} of lane ${lane} is behind ${known.highest}`);
    known.highest = value;
  }
}

describe('export to Kafka', { ...needsKafka(), timeout: 300_000 }, () => {
  let broker: KafkaBroker;
  before(async () => {
    broker = await KafkaBroker.start();
  });
  after(async () => {
    await broker?.[Symbol.asyncDispose]();
  });

  /** Waits until the exporter has sent what there is; its topic then. */
  async function drained(exporting: ExportingHub, name: string, topic = name): Promise<Consumed[]> {
    await exporting.untilExporter(name, ({ lag, state }) => lag.rows === 0 && state === 'running', 'sends everything');
    return consume(broker.addresses.plaintext, topic);
  }

  it('flows of an agent over PLAINTEXT, SASL_PLAINTEXT and SASL_SSL: each row once, in the order of its key', async () => {
    using scratch = new Scratch();
    const { plaintext, saslPlaintext, saslSsl } = broker.addresses;
    const flows = { 'data-sources': [FLOWS] };
    const byService = { key: 'app_service' };
    await using exporting = await ExportingHub.start(scratch, [
      toKafka('plain', plaintext, { ...flows, kafka: { ...byService, partitions: 4 } }),
      toKafka('sasl', saslPlaintext, { ...flows, kafka: byService, sasl: login('SASL_PLAINTEXT', 'SCRAM-SHA-256') }),
      toKafka('tls', saslSsl, {
        ...flows,
        kafka: { ...byService, compression: 'zstd' },
        sasl: login('SASL_SSL', 'PLAIN'),
        tls: { 'ca-file': broker.tlsFile('ca.pem') },
      }),
    ]);
    const rows = 5000;
    await exporting.replay(flowFrames(1, rows + 1), rows);
    for (const name of ['plain', 'sasl', 'tls']) {
      const messages = await drained(exporting, name);
      assert.equal(messages.length, rows, name);
      const next = new Map<string, number>();
      const partitions = new Map<string, number>();
      for (const { key, partition, payload } of messages.toSorted((a, b) => a.offset - b.offset)) {
        const row = JSON.parse(payload) as { request_id: number; app_service: string; datasource: string };
        const service = `service-${row.request_id % SERVICES}`;
        assert.deepEqual([row.datasource, row.app_service, key], [FLOWS, service, service]);
        assert.equal(partitions.get(service) ?? partition, partition);
        partitions.set(service, partition);
        // The next one of its key, without a gap: all are there.
        assert.equal(row.request_id, next.get(service) ?? (row.request_id % SERVICES || SERVICES));
        next.set(service, row.request_id + SERVICES);
      }
      assert.equal(partitions.size, SERVICES);
      const { counters, rejected } = await exporting.exporter(name);
      assert.deepEqual([counters.rows_received, counters.items_sent, rejected.items], [rows, rows, 0]);
    }
    assert.equal(await exporting.hub.end(), 0, exporting.hub.output());
  });

  it('a broker that is killed, paused and loses the topic: rows acknowledged by the hub are there once', async (t) => {
    using scratch = new Scratch();
    await using exporting = await ExportingHub.start(scratch, [toKafka('faults', broker.addresses.plaintext)]);
    const writer = new NumberedWriter();
    const writing = writer.start(exporting);
    const isOut = (state: string) => state === 'retrying';
    try {
      await exporting.untilExporter('faults', ({ counters }) => counters.items_sent > 500, 'sends');
      await broker.kill();
      await exporting.untilExporter('faults', ({ state }) => isOut(state), 'notices that the broker is gone');
      await broker.restart();
      await exporting.untilExporter('faults', ({ state }) => state === 'running', 'goes on');
      broker.pause();
      await sleep(PAUSE_MS);
      broker.resume();
      await sleep(500);
    } finally {
      broker.resume();
      await writing.stop();
    }
    const sent = await drained(exporting, 'faults');
    const arrivals = arrivalsIn(sent);
    assert.deepEqual(Arrivals.missing(writer, arrivals), []);
    assertInOrder(sent);
    const { counters } = await exporting.exporter('faults');
    t.diagnostic(
      `${writer.rows} rows in, ${arrivals.distinct} out, ${arrivals.doubled} twice; requests ${JSON.stringify(counters.requests)}`,
    );
    // The broker knows the batches that it is sent again, as long as the hub lives.
    assert.equal(arrivals.doubled, 0);

    await broker.deleteTopic('faults');
    const later = new NumberedWriter({ lanes: 2, firstLane: 10 });
    await later.some(exporting.hub, 1000);
    await drained(exporting, 'faults');
    let again = new Arrivals();
    await until(
      async () => {
        again = arrivalsIn(await consume(broker.addresses.plaintext, 'faults').catch(() => []));
        return Arrivals.missing(later, again).length === 0 ? true : undefined;
      },
      PATIENCE_MS,
      () => `the rows after the topic was deleted; there are ${again.distinct} of ${later.rows}`,
    );
    assert.equal(await exporting.hub.end(), 0, exporting.hub.output());
  });

  it('a hub that is killed in the middle: rows 1 to N arrive, and only unconfirmed ones come twice', async (t) => {
    using scratch = new Scratch();
    await using exporting = await ExportingHub.start(scratch, [toKafka('hub-killed', broker.addresses.plaintext)]);
    const early = new NumberedWriter();
    await early.some(exporting.hub, 2000);
    await drained(exporting, 'hub-killed');
    await until(
      () => (exporting.cursor('hub-killed', SAMPLES) >= early.rows ? true : undefined),
      PATIENCE_MS,
      () => 'the cursor to be written',
    );
    const sent = await consume(broker.addresses.plaintext, 'hub-killed');
    assert.deepEqual(Arrivals.missing(early, arrivalsIn(sent)), []);

    // Four more lanes, so that nothing of what is confirmed has their numbers.
    const writer = new NumberedWriter({ lanes: 4, firstLane: 4 });
    const kills = 3;
    for (let kill = 0; kill < kills; kill++) {
      const writing = writer.start(exporting);
      const { counters } = await exporting.exporter('hub-killed');
      await exporting.untilExporter(
        'hub-killed',
        (now) => now.counters.items_sent > counters.items_sent + 300,
        'sends',
      );
      await exporting.hub.end('SIGKILL');
      await writing.stop();
      await exporting.restart();
    }
    await writer.some(exporting.hub, 400);
    const messages = await drained(exporting, 'hub-killed');
    const arrivals = arrivalsIn(messages);
    assert.deepEqual(Arrivals.missing(early, arrivals), []);
    assert.deepEqual(Arrivals.missing(writer, arrivals), []);
    assertInOrder(messages);
    for (let lane = 0; lane < early.lanes; lane++) assert.deepEqual(arrivals.repeated(lane), [], `lane ${lane}`);
    t.diagnostic(
      `${early.rows + writer.rows} rows in, ${arrivals.distinct} out, ${arrivals.doubled} twice by ${kills} kills`,
    );
    assert.equal(await exporting.hub.end(), 0, exporting.hub.output());
  });

  it('a wrong password and a missing right are told, and nothing is lost once they are mended and SIGHUP comes', async () => {
    using scratch = new Scratch();
    const { saslPlaintext, plaintext } = broker.addresses;
    const passwordFile = scratch.file('password', 'wrong\n');
    await broker.createTopic('not-allowed');
    await broker.allow('admin', 'not-allowed', ['WRITE', 'DESCRIBE']);
    const { password, ...user } = login('SASL_PLAINTEXT', 'SCRAM-SHA-512');
    assert.equal(password, users.tester.password);
    await using exporting = await ExportingHub.start(scratch, [
      toKafka('wrong-password', saslPlaintext, { sasl: { ...user, 'password-file': passwordFile } }),
      toKafka('not-allowed', saslPlaintext, { sasl: { ...user, password } }),
      toKafka('healthy', plaintext),
    ]);
    const writer = new NumberedWriter({ lanes: 2 });
    await writer.some(exporting.hub, 500);
    for (const [name, why] of [
      ['wrong-password', 'SASL_AUTHENTICATION_FAILED'],
      ['not-allowed', 'TOPIC_AUTHORIZATION_FAILED'],
    ] as const) {
      const told = await exporting.untilExporter(name, ({ state }) => state === 'misconfigured', 'is told');
      assert.ok(told.last_error?.text.includes(why), told.last_error?.text);
      assert.equal(told.endpoints[0]?.up, false);
    }
    await writer.some(exporting.hub, 500);
    await drained(exporting, 'healthy');
    assert.equal((await exporting.exporter('wrong-password')).counters.items_sent, 0);

    writeFileSync(passwordFile, `${users.tester.password}\n`);
    await broker.allow('tester', 'not-allowed', ['WRITE', 'DESCRIBE']);
    assert.equal(await exporting.reload(), 'reloaded');
    for (const name of ['wrong-password', 'not-allowed', 'healthy']) {
      await exporting.untilExporter(name, ({ lag }) => lag.rows === 0, 'sends everything');
      const arrivals = arrivalsIn(await consumeAll(plaintext, name, writer.rows, PATIENCE_MS));
      assert.deepEqual(Arrivals.missing(writer, arrivals), [], name);
      assert.equal(arrivals.doubled, 0, name);
      assert.equal((await exporting.exporter(name)).rejected.items, 0);
    }
    assert.equal(await exporting.hub.end(), 0, exporting.hub.output());
  });
});
