import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { REQUEST_V2, WRITE_REQUEST, isValidLabelName, isValidMetricName } from 'promwrite/wire';
import { ScriptedReceiver, written, type Behaviour, type Received } from './scripted-receiver.ts';
import { Sending, until, type SampleOf } from './sending.ts';

/**
 * The cases of the sender suite of prometheus/compliance (remotewrite/sender) for this sender. There, a sender scrapes a page; here, the page's samples come
 * out of the journal, as those of any Prometheus sender do.
 */

const V2 = { 'protobuf-message': REQUEST_V2 } as const;
const versions = [
  { name: 'remote write 1.0', settings: {}, accepted: { status: 204 } as Behaviour | undefined, isV2: false },
  { name: 'remote write 2.0', settings: V2, accepted: undefined, isV2: true },
] as const;

const takeAll = ({ request, message }: Received): Behaviour =>
  message === REQUEST_V2 ? written(request.timeseries.length) : { status: 204 };

/** The first request that has samples. */
async function sent(samples: readonly SampleOf[], settings: Readonly<Record<string, unknown>> = {}): Promise<Received> {
  await using receiver = await ScriptedReceiver.start(takeAll);
  await using sending = await Sending.start({ endpoints: [receiver.url], ...settings });
  await sending.write(...samples);
  return until(() => receiver.requests[0], 'a request');
}

function labelsOf(received: Received): Record<string, string>[] {
  return received.request.timeseries.map(({ labels }) =>
    Object.fromEntries(labels.map(({ name, value }) => [name, value])),
  );
}

const metric = (name: string, labels: Record<string, string> = {}) => ({
  __name__: name,
  job: 'test',
  instance: 'a:1',
  ...labels,
});

for (const { name, settings, isV2 } of versions) {
  describe(`sender, ${name}`, () => {
    test('protocol: method, headers, Snappy block format, a message that can be parsed', async () => {
      const { method, headers, raw, message, request } = await sent([{ labels: metric('m') }], settings);
      assert.equal(method, 'POST');
      assert.equal(headers['content-encoding'], 'snappy');
      assert.equal(
        headers['content-type'],
        isV2 ? 'application/x-protobuf;proto=io.prometheus.write.v2.Request' : 'application/x-protobuf',
      );
      assert.equal(headers['x-prometheus-remote-write-version'], isV2 ? '2.0.0' : '0.1.0');
      assert.match(headers['user-agent'] ?? '', /^sluice\/\d/);
      assert.equal(headers['content-length'], String(raw.length));
      assert.equal(headers['retry-attempt'], undefined);
      assert.notEqual(raw.subarray(0, 10).toString('latin1'), '\xff\x06\0\0sNaPpY');
      assert.equal(message, isV2 ? REQUEST_V2 : WRITE_REQUEST);
      assert.equal(request.timeseries.length, 1);
    });

    test('values are encoded exactly', async () => {
      const values = [123.45, 42, 0, -15.5, Infinity, -Infinity, NaN, 1.7e308, 4e-320, 1.23e-4, 0.1 + 0.2, -0];
      const { request } = await sent(
        values.map((value, index) => ({ labels: metric(`m${String(index).padStart(2, '0')}`), value })),
        settings,
      );
      assert.deepEqual(
        request.timeseries.map(({ samples }) => samples[0]!.value),
        values,
      );
    });

    test('a stale marker stays one, an ordinary NaN does not become one', async () => {
      const { request } = await sent(
        [
          { labels: metric('a'), value: 0x7ff0000000000002n },
          { labels: metric('b'), value: 0x7ff8000000000001n },
        ],
        settings,
      );
      assert.deepEqual(
        request.timeseries.map(({ samples }) => samples[0]!.stale),
        [true, false],
      );
    });

    test('times are whole milliseconds, of 1970 and of the future too, without start times', async () => {
      const now = Date.now();
      const times = [now, 0, 1, -1, now + 86_400_000];
      const { request } = await sent(
        times.map((time, index) => ({ labels: metric(`m${index}`), time })),
        settings,
      );
      assert.deepEqual(
        request.timeseries.map(({ samples }) => [samples[0]!.timestamp, samples[0]!.startTimestamp]),
        times.map((time) => [time, 0]),
      );
    });

    test('samples of a series stay in order', async () => {
      const start = Date.now();
      await using receiver = await ScriptedReceiver.start(takeAll);
      await using sending = await Sending.start({
        endpoints: [receiver.url],
        ...settings,
        'batch-size': 7,
        'queue-count': 3,
      });
      for (let round = 0; round < 10; round++) {
        await sending.write(
          ...Array.from({ length: 20 }, (_, i) => ({ labels: metric(`m${i % 5}`), time: start + round * 20 + i })),
        );
      }
      await until(
        () => (receiver.requests.flatMap(({ request }) => request.timeseries).length === 200 ? true : undefined),
        'all samples',
      );
      const last = new Map<string, number>();
      for (const { labels, samples } of receiver.requests.flatMap(({ request }) => request.timeseries)) {
        const key = JSON.stringify(labels);
        for (const { timestamp } of samples) {
          assert.ok(Number(timestamp) > (last.get(key) ?? 0));
          last.set(key, Number(timestamp));
        }
      }
      assert.equal(last.size, 5);
    });

    test('labels are sorted, each once, none empty, and their values are kept whatever they are', async () => {
      const labels = metric('http_requests:rate5m', {
        Zebra: '1',
        _x: '2',
        unicode: '你好, мир, 🎉, ñ',
        special: 'quote " backslash \\ newline \n tab \t equals = comma ,',
        long: 'x'.repeat(10_240),
        ['l'.repeat(150)]: 'y',
        ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`label_${i}`, `value_${i}`])),
      });
      const received = await sent([{ labels }], settings);
      const [found] = received.request.timeseries;
      const names = found!.labels.map((label) => label.name);
      assert.deepEqual(names, [...new Set(names)].toSorted());
      assert.deepEqual(labelsOf(received)[0], labels);
      for (const label of found!.labels) {
        assert.notEqual(label.value, '');
        assert.ok(
          label.name === '__name__' ? isValidMetricName(label.value, 'legacy') : isValidLabelName(label.name, 'legacy'),
        );
        assert.ok(label.name === '__name__' || !label.name.startsWith('__'));
      }
    });

    test('many series go in requests of no more than batch-size', async () => {
      await using receiver = await ScriptedReceiver.start(takeAll);
      await using sending = await Sending.start({ endpoints: [receiver.url], ...settings, 'batch-size': 500 });
      await sending.write(
        ...Array.from({ length: 1200 }, (_, i) => ({ labels: metric(`m${i % 12}`, { i: String(i) }) })),
      );
      const sizes = () => receiver.requests.map(({ request }) => request.timeseries.length);
      await until(() => (sizes().reduce((sum, size) => sum + size, 0) === 1200 ? true : undefined), 'all series');
      assert.deepEqual(sizes(), [500, 500, 200]);
    });

    describe('retries', () => {
      for (const status of [400, 401, 404, 413]) {
        test(`none of ${status} within seconds`, async () => {
          await using receiver = await ScriptedReceiver.start(() => ({ status, body: 'no' }));
          await using sending = await Sending.start({ endpoints: [receiver.url], ...settings });
          await sending.write({ labels: metric('m') });
          await until(() => receiver.requests[0], 'a request');
          await sleep(500);
          // With 2.0 an answer of 400 that counts nothing may be one to the version: then 1.0 is tried, once.
          const most = isV2 && status === 400 ? 2 : 1;
          assert.equal(receiver.requests.length, most);
        });
      }

      for (const status of [500, 502, 503, 504, 429]) {
        test(`of ${status}, with growing pauses, until it is taken`, async () => {
          await using receiver = await ScriptedReceiver.start((received, index) =>
            index < 5 ? { status, body: 'later' } : takeAll(received),
          );
          const retry = { initial: '20ms', max: '10s', jitter: false };
          await using sending = await Sending.start({ endpoints: [receiver.url], ...settings, retry });
          await sending.write({ labels: metric('m'), time: 1234 });
          await until(() => (receiver.requests.length === 6 ? true : undefined), 'six requests');
          const gaps = receiver.requests.slice(1).map(({ at }, index) => at - receiver.requests[index]!.at);
          for (const [index, gap] of gaps.entries()) assert.ok(gap >= 20 * 2 ** index * 0.95, `${gaps}`);
          assert.deepEqual(
            receiver.requests.map(({ headers }) => headers['retry-attempt']),
            [undefined, '1', '2', '3', '4', '5'],
          );
          for (const { raw } of receiver.requests) assert.deepEqual(raw, receiver.requests[0]!.raw);
          await until(async () => ((await sending.state()).counters.items_sent === 1 ? true : undefined), 'the sample');
        });
      }

      test('with jitter pauses vary, and none is longer than retry.max', async () => {
        await using receiver = await ScriptedReceiver.start((received, index) =>
          index < 12 ? { status: 503 } : takeAll(received),
        );
        await using sending = await Sending.start({
          endpoints: [receiver.url],
          ...settings,
          retry: { initial: '10ms', max: '60ms' },
        });
        await sending.write({ labels: metric('m') });
        await until(() => (receiver.requests.length === 13 ? true : undefined), 'the last request');
        const gaps = receiver.requests.slice(1).map(({ at }, index) => at - receiver.requests[index]!.at);
        assert.ok(Math.max(...gaps) < 1000, `${gaps}`);
      });

      test('wait as long as the receiver asks', async () => {
        await using receiver = await ScriptedReceiver.start((received, index) =>
          index === 0 ? { status: 429, headers: { 'Retry-After': '1' } } : takeAll(received),
        );
        await using sending = await Sending.start({ endpoints: [receiver.url], ...settings });
        await sending.write({ labels: metric('m') });
        await until(() => receiver.requests[1], 'a second request');
        assert.ok(receiver.requests[1]!.at - receiver.requests[0]!.at >= 950);
      });
    });

    describe('answers', () => {
      const answers: Readonly<Record<string, (received: Received) => Behaviour>> = {
        '200': ({ request }) => ({ ...written(request.timeseries.length, 200), body: 'OK' }),
        '204': takeAll,
        'a body that is not for us': ({ request }) => ({
          ...written(request.timeseries.length, 200),
          body: '{"error": "not really"}',
        }),
        'a body of 1 MiB': ({ request }) => ({
          ...written(request.timeseries.length, 202),
          body: 'x'.repeat(2 ** 20),
        }),
      };
      for (const [what, answer] of Object.entries(answers)) {
        test(`taken: ${what}`, async () => {
          await using receiver = await ScriptedReceiver.start(answer);
          await using sending = await Sending.start({ endpoints: [receiver.url], ...settings, 'batch-size': 1 });
          await sending.write({ labels: metric('a') }, { labels: metric('b') });
          await until(
            async () => ((await sending.state()).counters.items_sent === 2 ? true : undefined),
            'both samples',
          );
          assert.equal(receiver.requests.length, 2);
        });
      }

      test('the text of an error is kept as it is, and no more of it than 1 KiB', async () => {
        const text = `out of order sample in series {a="b"} ${'x'.repeat(2 ** 20)}`;
        await using receiver = await ScriptedReceiver.start(() => ({ ...written(0), status: 400, body: text }));
        await using sending = await Sending.start({ endpoints: [receiver.url], ...settings });
        await sending.write({ labels: metric('m') });
        const [rejected] = await until(async () => {
          const found = await sending.rejected();
          return found.length > 0 ? found : undefined;
        }, 'a rejected item');
        assert.ok(rejected!.reason.startsWith(`the receiver answered 400: ${text.slice(0, 100)}`), rejected!.reason);
        assert.ok(rejected!.reason.length < 1100);
      });

      for (const status of [600, 999]) {
        test(`a status of ${status} is no answer`, async () => {
          await using receiver = await ScriptedReceiver.start((received, index) =>
            index === 0 ? { status } : takeAll(received),
          );
          await using sending = await Sending.start({ endpoints: [receiver.url], ...settings });
          await sending.write({ labels: metric('m') });
          await until(async () => ((await sending.state()).counters.items_sent === 1 ? true : undefined), 'the sample');
        });
      }
    });
  });
}

describe('symbols', () => {
  test('the empty one first, each once, references in pairs and within', async () => {
    const { body } = await sent(
      ['a', 'b', 'c', 'd'].map((name) => ({ labels: metric(name) })),
      V2,
    );
    // 22 length text, all of them at the beginning.
    const symbols: string[] = [];
    let at = 0;
    for (; body[at] === 0x22; at += 2 + body[at + 1]!)
      symbols.push(Buffer.from(body.subarray(at + 2, at + 2 + body[at + 1]!)).toString());
    assert.deepEqual(symbols.toSorted(), ['', '__name__', 'a', 'a:1', 'b', 'c', 'd', 'instance', 'job', 'test']);
    assert.equal(symbols[0], '');
    assert.equal(body[at], 0x2a);
    const references = body.subarray(at + 4, at + 4 + body[at + 3]!);
    assert.equal(references.length % 2, 0);
    assert.ok(references.every((reference) => reference < symbols.length));
  });
});

describe('negotiation', () => {
  const only1 = ({ message }: Received): Behaviour =>
    message === REQUEST_V2 ? { status: 415, body: 'what?' } : { status: 204 };
  const cases: Readonly<Record<string, (received: Received) => Behaviour>> = {
    'answers 415': only1,
    'says that all is well and counts nothing': () => ({ status: 204 }),
    'finds no series in it': ({ message }) =>
      message === REQUEST_V2 ? { status: 400, body: 'empty request' } : { status: 204 },
  };
  for (const [what, answer] of Object.entries(cases)) {
    test(`a receiver that ${what} gets 1.0, at once and from then on`, async () => {
      await using receiver = await ScriptedReceiver.start(answer);
      await using sending = await Sending.start({ endpoints: [receiver.url], ...V2, 'batch-size': 1 });
      await sending.write({ labels: metric('a') }, { labels: metric('b') }, { labels: metric('c') });
      await until(async () => ((await sending.state()).counters.items_sent === 3 ? true : undefined), 'all samples');
      assert.deepEqual(
        receiver.requests.map(({ headers, message }) => [
          headers['x-prometheus-remote-write-version'],
          message === REQUEST_V2,
        ]),
        [
          ['2.0.0', true],
          ['0.1.0', false],
          ['0.1.0', false],
          ['0.1.0', false],
        ],
      );
      const state = await sending.state();
      assert.deepEqual(state.protocol_state, { protobufMessages: { [receiver.url]: WRITE_REQUEST } });
      assert.equal(state.counters.retries, 0);
      assert.equal(sending.lines.filter((line) => line.includes('does not take remote write 2.0')).length, 1);
    });
  }

  test('each endpoint for itself', async () => {
    await using old = await ScriptedReceiver.start((received, index) =>
      index < 3 ? only1(received) : { status: 503 },
    );
    await using recent = await ScriptedReceiver.start((received) =>
      old.requests.length > 3 ? takeAll(received) : { status: 503 },
    );
    await using sending = await Sending.start({ endpoints: [old.url, recent.url], ...V2, 'batch-size': 1 });
    await sending.write({ labels: metric('a') }, { labels: metric('b') });
    await until(() => (old.requests.length >= 3 ? true : undefined), 'the first receiver to have all');
    await sending.write({ labels: metric('c') });
    await until(async () => ((await sending.state()).counters.items_sent === 3 ? true : undefined), 'all samples');
    assert.equal(recent.requests.at(-1)!.message, REQUEST_V2);
    assert.deepEqual((await sending.state()).protocol_state, {
      protobufMessages: { [old.url]: WRITE_REQUEST, [recent.url]: REQUEST_V2 },
    });
  });

  test('a receiver of 2.0 that is in trouble still gets 2.0', async () => {
    const script: Behaviour[] = [{ status: 503 }, written(1), { status: 500 }, written(1)];
    await using receiver = await ScriptedReceiver.start((_, index) => script[index]);
    await using sending = await Sending.start({ endpoints: [receiver.url], ...V2, 'batch-size': 1 });
    await sending.write({ labels: metric('a') }, { labels: metric('b') });
    await until(async () => ((await sending.state()).counters.items_sent === 2 ? true : undefined), 'both samples');
    assert.ok(receiver.requests.every(({ message }) => message === REQUEST_V2));
  });

  test('a receiver that takes neither is a matter of configuration', async () => {
    await using receiver = await ScriptedReceiver.start(() => ({ status: 415 }));
    await using sending = await Sending.start({ endpoints: [receiver.url], ...V2 });
    await sending.write({ labels: metric('a') });
    await until(async () => ((await sending.state()).state === 'misconfigured' ? true : undefined), 'the state');
    assert.equal(receiver.requests.length, 2);
  });

  test('1.0 stays 1.0 with receivers of 2.0', async () => {
    await using receiver = await ScriptedReceiver.start(({ request }) => written(request.timeseries.length));
    await using sending = await Sending.start({ endpoints: [receiver.url], 'batch-size': 1 });
    await sending.write({ labels: metric('a') }, { labels: metric('b') });
    await until(() => receiver.requests[1], 'both');
    assert.ok(receiver.requests.every(({ headers }) => headers['x-prometheus-remote-write-version'] === '0.1.0'));
  });
});

describe('counts of a receiver of 2.0', () => {
  test('fewer than were sent: nothing is sent again, and it is counted', async () => {
    await using receiver = await ScriptedReceiver.start(() => written(2));
    await using sending = await Sending.start({ endpoints: [receiver.url], ...V2 });
    await sending.write({ labels: metric('a') }, { labels: metric('b') }, { labels: metric('c') });
    await until(async () => ((await sending.state()).counters.items_sent === 3 ? true : undefined), 'the samples');
    assert.equal(receiver.requests.length, 1);
    assert.equal(await sending.count('sluice_exporter_unwritten_samples_total'), 1);
  });

  test('none at all: what the receiver left is kept', async () => {
    await using receiver = await ScriptedReceiver.start(({ request }) =>
      request.timeseries.some(({ labels }) => labels.some(({ value }) => value === 'bad'))
        ? written(0)
        : written(request.timeseries.length),
    );
    await using sending = await Sending.start({ endpoints: [receiver.url], ...V2 });
    await sending.write({ labels: metric('a') }, { labels: metric('bad') }, { labels: metric('c') });
    const rejected = await until(async () => {
      const found = await sending.rejected();
      return found.length > 0 && (await sending.state()).counters.items_sent === 2 ? found : undefined;
    }, 'a rejected item');
    assert.deepEqual(
      rejected.map(({ reason }) => reason),
      ['the receiver answered 2xx and counted 0 of 1 samples as written'],
    );
  });
});
