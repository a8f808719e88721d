import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { consumeAll, KafkaBroker, needsKafka, produce, users } from '../../../peers/kafka/broker.ts';
import { FIRST_MS, exporter, itemBatch, numbered, sendOnce, sendUntilDecided } from './harness.ts';

/** Sending to a real broker; what it has is read by kcat. */

describe('a real Kafka broker', { ...needsKafka(), timeout: 180_000 }, () => {
  let broker: KafkaBroker;
  before(async () => {
    broker = await KafkaBroker.start({ extra: 'message.max.bytes=200000' });
  });
  after(async () => {
    await broker[Symbol.asyncDispose]();
  });

  const numbersOf = (messages: readonly { readonly payload: string }[]) =>
    messages.map(({ payload }) => (JSON.parse(payload) as { n: number }).n).toSorted((a, b) => a - b);

  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    for (const idempotent of [true, false]) {
      it(`takes batches compressed with ${compression}, ${idempotent ? '' : 'not '}idempotent`, async () => {
        const topic = `codec-${compression}-${idempotent}`;
        await using kafka = exporter([broker.addresses.plaintext], { kafka: { compression, idempotent } });
        for (const from of [0, 500]) {
          const { outcome } = await sendUntilDecided(kafka, itemBatch(numbered(500, from), topic, from));
          assert.deepEqual(outcome, { kind: 'sent' });
        }
        await kafka.close();
        const messages = await consumeAll(broker.addresses.plaintext, topic, 1000);
        assert.deepEqual(
          numbersOf(messages),
          Array.from({ length: 1000 }, (_, i) => i),
        );
        const [first] = messages.filter(({ payload }) => payload === '{"n":7}');
        assert.equal(first?.ts, FIRST_MS + 7);
        assert.deepEqual(first.headers, ['datasource', 'flow_log.l7_flow_log']);
        // Each batch went to one partition, and the second to another.
        const partitionsOf = (from: number) =>
          new Set(
            messages
              .filter(({ ts }) => ts >= FIRST_MS + from && ts < FIRST_MS + 500 + from)
              .map(({ partition }) => partition),
          );
        assert.equal(partitionsOf(0).size, 1);
        assert.equal(partitionsOf(500).size, 1);
        assert.notDeepEqual(partitionsOf(0), partitionsOf(500));
      });
    }
  }

  it('takes batches with acks: leader, and with acks: none', async () => {
    const topic = 'acks';
    await broker.createTopic(topic);
    // In this order, and to each partition: without answers nobody learns that one of a new topic has no leader yet.
    for (const [acks, starts] of [
      ['leader', [0, 500, 1000]],
      ['none', [1500, 2000]],
    ] as const) {
      await using kafka = exporter([broker.addresses.plaintext], { kafka: { acks } });
      for (const from of starts) {
        const { outcome } = await sendUntilDecided(kafka, itemBatch(numbered(500, from), topic, from));
        assert.deepEqual(outcome, { kind: 'sent' });
      }
      await kafka.close();
    }
    const messages = await consumeAll(broker.addresses.plaintext, topic, 2500);
    assert.deepEqual(
      numbersOf(messages),
      Array.from({ length: 2500 }, (_, i) => i),
    );
  });

  it('says what may be wrong where a broker closes the connection of who does not log in', async () => {
    await using silent = exporter([broker.addresses.saslPlaintext]);
    const outcome = await sendOnce(silent, itemBatch(numbered(1), 'never'), { timeoutMs: 6000 });
    assert.match(JSON.stringify(outcome), /wants a login \(sasl\)/);
    await silent.close();
  });

  for (const protocol of ['SASL_PLAINTEXT', 'SASL_SSL']) {
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      it(`logs in with ${mechanism} over ${protocol}`, async () => {
        const topic = `login-${protocol}-${mechanism}`;
        await using kafka = exporter([addressOf(protocol)], login(protocol, mechanism));
        const { outcome } = await sendUntilDecided(kafka, itemBatch(numbered(10), topic));
        assert.deepEqual(outcome, { kind: 'sent' });
        await kafka.close();
        assert.equal((await consumeAll(broker.addresses.plaintext, topic, 10)).length, 10);
      });

      it(`tells a wrong password with ${mechanism} over ${protocol} at once`, async () => {
        await using kafka = exporter([addressOf(protocol)], login(protocol, mechanism, 'wrong'));
        const started = performance.now();
        const outcome = await sendOnce(kafka, itemBatch(numbered(1), 'never'));
        assert.equal(outcome.kind, 'misconfigured');
        assert.match(outcome.why, /[Aa]uthentication failed|invalid credentials/);
        assert.ok(performance.now() - started < 5000);
        await kafka.close();
      });
    }
  }

  const addressOf = (protocol: string) =>
    protocol === 'SASL_SSL' ? broker.addresses.saslSsl : broker.addresses.saslPlaintext;

  function login(protocol: string, mechanism: string, password: string = users.tester.password) {
    return {
      sasl: {
        enabled: true,
        'security-protocol': protocol,
        'sasl-mechanism': mechanism,
        username: users.tester.username,
        password,
      },
      ...(protocol === 'SASL_SSL' ? { tls: { 'ca-file': broker.tlsFile('ca.pem') } } : {}),
    };
  }

  it('shows its own certificate', async () => {
    const files = { 'cert-file': broker.tlsFile('client.crt'), 'key-file': broker.tlsFile('client.key') };
    await using kafka = exporter([broker.addresses.ssl], { tls: { 'ca-file': broker.tlsFile('ca.pem'), ...files } });
    const { outcome } = await sendUntilDecided(kafka, itemBatch(numbered(10), 'mutual'));
    assert.deepEqual(outcome, { kind: 'sent' });
    await kafka.close();
    assert.equal((await consumeAll(broker.addresses.plaintext, 'mutual', 10)).length, 10);
  });

  it('takes a certificate by another name, and any at all, when told so', async () => {
    const [, port] = broker.addresses.ssl.split(':');
    const ca = broker.tlsFile('ca.pem');
    const settings = [{ 'ca-file': ca, 'server-name': 'localhost' }, { 'insecure-skip-verify': true }];
    for (const tls of settings) {
      await using kafka = exporter([`127.0.0.1:${port}`], { tls });
      const { outcome } = await sendUntilDecided(kafka, itemBatch(numbered(1), 'names'));
      assert.deepEqual(outcome, { kind: 'sent' });
      await kafka.close();
    }
  });

  const wrong: readonly [string, () => { endpoints: string[]; keys: Record<string, unknown>; why: RegExp }][] = [
    [
      'a certificate of another authority',
      () => ({
        endpoints: [broker.addresses.ssl],
        keys: { tls: { 'ca-file': broker.tlsFile('other-ca.pem') } },
        why: /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY/,
      }),
    ],
    [
      'a file of certificates that is not there',
      () => ({
        endpoints: [broker.addresses.ssl],
        keys: { tls: { 'ca-file': '/nowhere/ca.pem' } },
        why: /cannot use credentials or certificates: ENOENT.*\/nowhere\/ca\.pem/,
      }),
    ],
    [
      'a certificate for another name',
      () => ({
        endpoints: [broker.addresses.ssl],
        keys: { tls: { 'ca-file': broker.tlsFile('ca.pem'), 'server-name': 'kafka.example' } },
        why: /ERR_TLS_CERT_ALTNAME_INVALID/,
      }),
    ],
    ['no TLS where the broker wants it', () => ({ endpoints: [broker.addresses.ssl], keys: {}, why: /requires TLS/ })],
    [
      'TLS where the broker has none',
      () => ({
        endpoints: [broker.addresses.plaintext],
        keys: { tls: { 'ca-file': broker.tlsFile('ca.pem') } },
        why: /TLS/,
      }),
    ],
    [
      'a login where none is wanted',
      () => ({
        endpoints: [broker.addresses.plaintext],
        keys: login('SASL_PLAINTEXT', 'PLAIN'),
        why: /ILLEGAL_SASL_STATE/,
      }),
    ],
  ];
  for (const [name, settings] of wrong) {
    it(`tells ${name}`, async () => {
      const { endpoints, keys, why } = settings();
      await using kafka = exporter(endpoints, keys);
      const outcome = await sendOnce(kafka, itemBatch(numbered(1), 'never'));
      assert.equal(outcome.kind, 'misconfigured', JSON.stringify(outcome));
      assert.match(outcome.why, why);
      if (!outcome.why.includes('ENOENT')) assert.ok(outcome.why.includes(endpoints[0]!), outcome.why);
      await kafka.close();
    });
  }

  it('tells a missing right, and goes on when it is given', async () => {
    await broker.createTopic('closed');
    await broker.allow('somebody', 'closed', ['WRITE']);
    await using kafka = exporter([broker.addresses.saslPlaintext], login('SASL_PLAINTEXT', 'PLAIN'));
    const items = itemBatch(numbered(5), 'closed');
    const outcome = await sendOnce(kafka, items);
    assert.equal(outcome.kind, 'misconfigured');
    assert.match(outcome.why, /TOPIC_AUTHORIZATION_FAILED/);
    await broker.allow('tester', 'closed', ['WRITE', 'DESCRIBE']);
    assert.deepEqual((await sendUntilDecided(kafka, items)).outcome, { kind: 'sent' });
    await kafka.close();
    assert.deepEqual(numbersOf(await consumeAll(broker.addresses.plaintext, 'closed', 5)), [0, 1, 2, 3, 4]);
  });

  it('puts what is larger than a message may be aside, and sends the rest', async () => {
    await using kafka = exporter([broker.addresses.plaintext], {
      kafka: { 'max-message-bytes': '10KiB', 'dead-letter-topic': 'dead', headers: { env: 'test' } },
    });
    const items = [...numbered(2), { body: `{"n":2,"text":"${'x'.repeat(20_000)}"}`, key: 'k' }, ...numbered(2, 3)];
    const outcome = await sendOnce(kafka, itemBatch(items, 'sizes'));
    assert.deepEqual(outcome, { kind: 'rejected', items: [2], why: 'larger than max-message-bytes (10240)' });
    await kafka.close();
    assert.deepEqual(numbersOf(await consumeAll(broker.addresses.plaintext, 'sizes', 4)), [0, 1, 3, 4]);
    const [letter] = await consumeAll(broker.addresses.plaintext, 'dead', 1);
    assert.match(letter!.payload, /^\{"n":2,"text":"x+$/);
    const headers = new Map(
      Array.from(
        { length: letter!.headers!.length / 2 },
        (_, i) => letter!.headers!.slice(i * 2, i * 2 + 2) as [string, string],
      ),
    );
    assert.deepEqual(Object.fromEntries(headers), {
      env: 'test',
      datasource: 'flow_log.l7_flow_log',
      'sluice-reason': 'larger than max-message-bytes (10240)',
      'sluice-topic': 'sizes',
      'sluice-org': '1',
      'sluice-row': '2',
      'sluice-cut-from': String(items[2]!.body.length),
    });
  });

  it('lets a batch that is too large for the broker be halved, and one message be set aside', async () => {
    await using kafka = exporter([broker.addresses.plaintext], {
      kafka: { compression: 'none', 'dead-letter-topic': 'dead-large' },
    });
    const items = itemBatch(
      [{ body: `{"n":0,"text":"${'x'.repeat(150_000)}"}` }, { body: `{"n":1,"text":"${'x'.repeat(250_000)}"}` }],
      'halves',
    );
    const refused = await sendOnce(kafka, items);
    assert.equal(refused.kind, 'refused');
    assert.match(refused.why, /MESSAGE_TOO_LARGE/);
    assert.deepEqual(await sendOnce(kafka, items.slice(0, 1)), { kind: 'sent' });
    const rejected = await sendOnce(kafka, items.slice(1, 2));
    assert.equal(rejected.kind, 'rejected');
    assert.deepEqual('items' in rejected && rejected.items, [0]);
    await kafka.close();
    assert.deepEqual(numbersOf(await consumeAll(broker.addresses.plaintext, 'halves', 1)), [0]);
  });

  it('makes topics with as many partitions as configured, and sends each key to the partition of other clients', async () => {
    await using kafka = exporter([broker.addresses.plaintext], { kafka: { partitions: 7 } });
    const keyed = Array.from({ length: 200 }, (_, n) => ({ body: JSON.stringify({ n }), key: `key-${n % 50}` }));
    assert.deepEqual((await sendUntilDecided(kafka, itemBatch(keyed, 'keyed'))).outcome, { kind: 'sent' });
    await kafka.close();
    const ours = await consumeAll(broker.addresses.plaintext, 'keyed', 200);
    await broker.createTopic('keyed-by-kcat', 7);
    await produce(broker.addresses.plaintext, 'keyed-by-kcat', keyed);
    const theirs = await consumeAll(broker.addresses.plaintext, 'keyed-by-kcat', 200);
    const partitions = (messages: readonly { key: string | null; partition: number }[]) =>
      Object.fromEntries(messages.map(({ key, partition }) => [key ?? '', partition] as const));
    assert.equal(new Set(Object.values(partitions(ours))).size, 7);
    assert.deepEqual(partitions(ours), partitions(theirs));
    // Rows of a key are in order.
    for (let key = 0; key < 50; key++) {
      const numbers = ours
        .filter((one) => one.key === `key-${key}`)
        .map(({ payload }) => JSON.parse(payload).n as number);
      assert.deepEqual(numbers, [key, key + 50, key + 100, key + 150]);
    }
  });
});
