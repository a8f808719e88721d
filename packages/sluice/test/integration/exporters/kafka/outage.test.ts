import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { consumeAll, KafkaBroker, needsKafka } from '../../../peers/kafka/broker.ts';
import { exporter, itemBatch, numbered, sendOnce, sendUntilDecided } from './harness.ts';

/** A broker that goes away in the middle of sending; every row is there afterwards, once. */

const BATCH = 200;

describe('a Kafka broker that goes away', { ...needsKafka(), timeout: 240_000 }, () => {
  /** Sends batch after batch through two lanes until told to stop; the number of rows sent, and what was told on the way. */
  function sender(to: ReturnType<typeof exporter>, topic: string) {
    const retries: string[] = [];
    let next = 0;
    const stopping = new AbortController();
    const lane = async (number: number) => {
      while (!stopping.signal.aborted) {
        const from = next;
        next += BATCH;
        const batch = itemBatch(numbered(BATCH, from), topic, from);
        const sent = await sendUntilDecided(to, batch, { lane: number, timeoutMs: 5000, deadlineMs: 120_000 });
        assert.deepEqual(sent.outcome, { kind: 'sent' });
        retries.push(...sent.retries);
        await sleep(10);
      }
    };
    const lanes = [lane(0), lane(1)];
    return {
      retries,
      stop: async () => {
        stopping.abort();
        await Promise.all(lanes);
        return next;
      },
    };
  }

  async function assertAllOnce(broker: KafkaBroker, topic: string, rows: number) {
    const messages = await consumeAll(broker.addresses.plaintext, topic, rows);
    const seen = new Set(messages.map(({ payload }) => (JSON.parse(payload) as { n: number }).n));
    assert.equal(seen.size, rows);
    // Sent again, but never stored twice: the client goes on with a batch for as long as it takes.
    assert.equal(messages.length, rows);
  }

  let broker: KafkaBroker;
  before(async () => {
    broker = await KafkaBroker.start({ autoCreate: false });
  });
  after(async () => {
    await broker[Symbol.asyncDispose]();
  });

  it('by SIGKILL', async () => {
    await broker.createTopic('killed');
    await using kafka = exporter([broker.addresses.plaintext]);
    const sending = sender(kafka, 'killed');
    await sleep(1000);
    await broker.kill();
    await sleep(5000);
    await broker.restart();
    await sleep(3000);
    const rows = await sending.stop();
    assert.ok(
      sending.retries.some((why) => why.includes('ECONNREFUSED')),
      `told: ${[...new Set(sending.retries)].join('; ')}`,
    );
    await assertAllOnce(broker, 'killed', rows);
  });

  it('by a pause longer than a request may take', async () => {
    await broker.createTopic('paused');
    await using kafka = exporter([broker.addresses.plaintext], { timeout: '4s' });
    const sending = sender(kafka, 'paused');
    await sleep(1000);
    broker.pause();
    await sleep(10_000);
    broker.resume();
    await sleep(3000);
    const rows = await sending.stop();
    assert.ok(sending.retries.length > 0);
    await assertAllOnce(broker, 'paused', rows);
  });

  it('with a topic that is deleted, and made again', async () => {
    await using kafka = exporter([broker.addresses.plaintext], { kafka: { partitions: 2 } });
    const first = await sendUntilDecided(kafka, itemBatch(numbered(BATCH), 'deleted'));
    assert.deepEqual(first.outcome, { kind: 'sent' });
    await broker.deleteTopic('deleted');
    const again = await sendUntilDecided(kafka, itemBatch(numbered(BATCH, BATCH), 'deleted', BATCH));
    assert.deepEqual(again.outcome, { kind: 'sent' });
    await assertAllOnce(broker, 'deleted', BATCH);
  });

  it('with a topic that nobody makes', async () => {
    await using kafka = exporter([broker.addresses.plaintext]);
    const batch = itemBatch(numbered(BATCH), 'missing');
    const { outcome } = await sendUntilDecided(kafka, batch);
    assert.deepEqual(outcome, {
      kind: 'misconfigured',
      why: 'there is no such topic, and the broker does not make topics by itself: missing',
    });
    await broker.createTopic('missing');
    assert.deepEqual((await sendUntilDecided(kafka, batch)).outcome, { kind: 'sent' });
    await assertAllOnce(broker, 'missing', BATCH);
  });

  it('before the first message', async () => {
    const kafka = exporter(['127.0.0.1:1']);
    const outcome = await sendOnce(kafka, itemBatch(numbered(1), 'nowhere'));
    assert.equal(outcome.kind, 'retry');
    assert.match(outcome.why, /ECONNREFUSED/);
    const started = performance.now();
    await kafka.close();
    assert.ok(performance.now() - started < 3000);
  });

  it('and another batch takes its place', async () => {
    await broker.createTopic('replaced');
    await using kafka = exporter([broker.addresses.plaintext]);
    assert.deepEqual(await sendOnce(kafka, itemBatch(numbered(1), 'replaced')), { kind: 'sent' });
    await broker.kill();
    assert.equal(
      (await sendOnce(kafka, itemBatch(numbered(1, 100), 'replaced', 100), { timeoutMs: 500 })).kind,
      'retry',
    );
    // The first one was given up: it must not come after all, and not over the second one's memory.
    const second = itemBatch(numbered(1, 200), 'replaced', 200);
    assert.equal((await sendOnce(kafka, second, { timeoutMs: 500 })).kind, 'retry');
    await broker.restart();
    assert.deepEqual((await sendUntilDecided(kafka, second)).outcome, { kind: 'sent' });
    const messages = await consumeAll(broker.addresses.plaintext, 'replaced', 2);
    assert.deepEqual(messages.map(({ payload }) => payload).toSorted(), ['{"n":0}', '{"n":200}']);
  });
});
