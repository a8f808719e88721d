import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { Secret } from '../../../../src/base/secret.ts';
import { goldenBatch, goldenExports } from '../../../unit/exporters/golden-batch.ts';
import { ScriptedReceiver, type Behaviour, type Received } from './scripted-receiver.ts';
import { Sending, until } from './sending.ts';

/** Receivers in trouble, and what a sender needs to get past their doors. Whatever happens, every sample arrives or is kept. */

const metric = (name: string) => ({ __name__: name, job: 'test' });
const names = (requests: readonly Received[]) =>
  requests.flatMap(({ request }) =>
    request.timeseries.map(({ labels }) => labels.find(({ name }) => name === '__name__')!.value),
  );
const sent = (sending: Sending, items: number) =>
  until(async () => ((await sending.state()).counters.items_sent === items ? true : undefined), `${items} sent items`);

describe('a receiver that', () => {
  const troubles: Readonly<Record<string, Behaviour>> = {
    'closes the connection': 'close',
    'closes it in the middle of the status': 'half a status',
    'closes it in the middle of an error': { status: 503, cutBody: 'we are' },
    'speaks no HTTP': 'nonsense',
    'says nothing': 'hang',
    'is in trouble': { status: 500, body: 'oops' },
    'is restarting': { status: 503, headers: { 'Retry-After': '0' } },
    'wants a redirect back to itself for ever': { status: 308, headers: { location: '/api/v1/write' } },
  };
  for (const [what, behaviour] of Object.entries(troubles)) {
    test(`${what} gets the same samples again`, async () => {
      const wrong = what.includes('for ever') ? 4 : 3;
      await using receiver = await ScriptedReceiver.start((_, index) => (index < wrong ? behaviour : undefined));
      await using sending = await Sending.start({ endpoints: [receiver.url], timeout: '200ms' });
      await sending.write({ labels: metric('a') }, { labels: metric('b') });
      if (wrong === 4) {
        await until(async () => ((await sending.state()).state === 'misconfigured' ? true : undefined), 'the state');
        assert.equal(receiver.requests.length, 4);
        return;
      }
      await sent(sending, 2);
      assert.equal(receiver.requests.length, 4);
      assert.deepEqual(names(receiver.requests.slice(-1)), ['a', 'b']);
    });
  }

  test('is closed after it said 2xx has taken the samples', async () => {
    await using receiver = await ScriptedReceiver.start(() => ({ status: 200, cutBody: 'o' }));
    await using sending = await Sending.start({ endpoints: [receiver.url] });
    await sending.write({ labels: metric('a') });
    await sent(sending, 1);
    assert.equal(receiver.requests.length, 1);
  });

  test('is not there gets its samples when it comes', async () => {
    const gone = await ScriptedReceiver.start();
    const { port, url } = gone;
    await gone[Symbol.asyncDispose]();
    await using sending = await Sending.start({ endpoints: [url] });
    await sending.write({ labels: metric('a') });
    await until(async () => ((await sending.state()).counters.retries > 2 ? true : undefined), 'retries');
    const state = await sending.state();
    assert.equal(state.state, 'retrying');
    assert.match(state.last_error?.text ?? '', /ECONNREFUSED/);
    await using receiver = await ScriptedReceiver.start(undefined, { port });
    await sent(sending, 1);
    assert.deepEqual(names(receiver.requests), ['a']);
  });

  test('has no name, or is far from any HTTP, is tried again', async () => {
    await using sending = await Sending.start({ endpoints: ['http://receiver.invalid/write'], timeout: '2s' });
    await sending.write({ labels: metric('a') });
    await until(async () => ((await sending.state()).last_error === undefined ? undefined : true), 'an error');
    assert.equal((await sending.state()).state, 'retrying');
  });

  test('closes kept connections between requests costs no retry', async () => {
    await using receiver = await ScriptedReceiver.start(({ socket }) => {
      setTimeout(() => socket.destroy(), 20);
      return { status: 204 };
    });
    await using sending = await Sending.start({ endpoints: [receiver.url] });
    for (let i = 1; i <= 5; i++) {
      await sending.write({ labels: metric(`m${i}`) });
      await sent(sending, i);
      await sleep(40);
    }
    assert.equal((await sending.state()).counters.retries, 0);
  });

  test('is left in peace: one connection a lane, kept', async () => {
    const sockets = new Set<unknown>();
    await using receiver = await ScriptedReceiver.start(({ socket }) => {
      sockets.add(socket);
      return { status: 200, body: 'x'.repeat(5000) };
    });
    await using sending = await Sending.start({ endpoints: [receiver.url], 'queue-count': 3, 'batch-size': 2 });
    for (let round = 0; round < 5; round++) {
      await sending.write(...Array.from({ length: 30 }, (_, i) => ({ labels: metric(`m${i}`), time: 1000 + round })));
    }
    await sent(sending, 150);
    assert.ok(sockets.size <= 3, `${sockets.size} connections`);
  });
});

describe('refused items', () => {
  for (const status of [400, 409, 413, 422]) {
    test(`are found one by one when the receiver says ${status}; the others go on, in order`, async () => {
      const isBad = ({ request }: Received) =>
        status === 413
          ? request.timeseries.some(({ labels }) => labels.some(({ value }) => value.length > 1000))
          : request.timeseries.some(({ labels }) => labels.some(({ value }) => value.startsWith('bad')));
      await using receiver = await ScriptedReceiver.start((received) =>
        isBad(received) ? { status, body: 'not this' } : undefined,
      );
      await using sending = await Sending.start({ endpoints: [receiver.url] });
      const bad = status === 413 ? `bad${'x'.repeat(1000)}` : 'bad';
      const all = Array.from({ length: 100 }, (_, i) => (i % 37 === 5 ? `${bad}${i}` : `m${i}`));
      await sending.write(...all.map((name) => ({ labels: metric(name) })));
      await sent(sending, 97);
      const taken = names(receiver.requests.filter((received) => !isBad(received)));
      assert.deepEqual(
        taken,
        all.filter((name) => name.startsWith('m')),
      );
      const rejected = await sending.rejected();
      assert.deepEqual(
        rejected.map(({ row }) => row).toSorted((a, b) => a - b),
        [5, 42, 79],
      );
      assert.ok(rejected.every(({ reason }) => reason === `the receiver answered ${status}: not this`));
    });
  }

  test('429 is dropped where that is configured, and kept as rejected', async () => {
    await using receiver = await ScriptedReceiver.start((_, index) => (index === 0 ? { status: 429 } : undefined));
    const retry = { 'on-429': 'drop' };
    await using sending = await Sending.start({ endpoints: [receiver.url], retry, 'batch-size': 2 });
    await sending.write({ labels: metric('a') }, { labels: metric('b') }, { labels: metric('c') });
    await sent(sending, 1);
    assert.equal(receiver.requests.length, 2);
    assert.equal((await sending.rejected()).length, 2);
  });

  test('samples of series that nobody knows are rejected with their ids', async () => {
    await using receiver = await ScriptedReceiver.start();
    await using sending = await Sending.start({ endpoints: [receiver.url] });
    await sending.writeUnknown();
    const rejected = await until(
      async () => ((await sending.rejected()).length > 0 ? sending.rejected() : undefined),
      'a rejected row',
    );
    assert.equal(rejected[0]!.reason, 'unknown_series');
  });
});

describe('several endpoints', () => {
  test('the next one gets the batch that failed', async () => {
    let isDown = false;
    await using one = await ScriptedReceiver.start(() => (isDown ? { status: 503 } : undefined));
    await using other = await ScriptedReceiver.start();
    await using sending = await Sending.start({ endpoints: [one.url, other.url] });
    isDown = true;
    for (let i = 0; i < 6; i++) {
      await sending.write({ labels: metric(`m${i}`) });
      await sent(sending, i + 1);
    }
    assert.deepEqual(names(other.requests), ['m0', 'm1', 'm2', 'm3', 'm4', 'm5']);
    assert.ok(one.requests.length <= 1);
  });
});

describe('redirects', () => {
  test('307 and 308 are followed at the same server, with body and credentials', async () => {
    await using receiver = await ScriptedReceiver.start(({ path }) =>
      path === '/api/v1/write' ? { status: 307, headers: { location: '/other?x=1' } } : undefined,
    );
    await using sending = await Sending.start({
      endpoints: [receiver.url],
      auth: { bearer: { token: Secret.of('abcdef') } },
    });
    await sending.write({ labels: metric('a') });
    await sent(sending, 1);
    assert.deepEqual(
      receiver.requests.map(({ path, headers }) => [path, headers.authorization]),
      [
        ['/api/v1/write', 'Bearer abcdef'],
        ['/other?x=1', 'Bearer abcdef'],
      ],
    );
  });

  for (const status of [301, 302, 303, 307]) {
    test(`${status} to another server is not: nothing leaves for it`, async () => {
      await using other = await ScriptedReceiver.start();
      await using receiver = await ScriptedReceiver.start(() => ({ status, headers: { location: other.url } }));
      await using sending = await Sending.start({ endpoints: [receiver.url] });
      await sending.write({ labels: metric('a') });
      await until(async () => ((await sending.state()).state === 'misconfigured' ? true : undefined), 'the state');
      assert.match(
        (await sending.state()).last_error?.text ?? '',
        /which is not followed; put the final address into endpoints/,
      );
      assert.equal(other.requests.length + other.metadata.length, 0);
    });
  }
});

describe('credentials', () => {
  test('wrong ones are a state, not a loss, and are never shown', async () => {
    await using receiver = await ScriptedReceiver.start(({ headers }) => ({
      status: 401,
      body: `who is ${headers.authorization}?`,
    }));
    const folder = mkdtempSync(join(tmpdir(), 'sluice-token-'));
    try {
      const file = join(folder, 'token');
      writeFileSync(file, 'first-token\n');
      await using sending = await Sending.start({
        endpoints: [receiver.url],
        auth: { bearer: { 'token-file': file } },
      });
      await sending.write({ labels: metric('a') });
      const state = await until(async () => {
        const found = await sending.state();
        return found.state === 'misconfigured' ? found : undefined;
      }, 'the state');
      assert.match(state.last_error?.text ?? '', /401: who is \[secret\]\?|401: who is Bearer \[secret\]\?/);
      assert.doesNotMatch(JSON.stringify([state, sending.lines]), /first-token/);
      assert.equal(receiver.requests.length, 1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a token file is read again when it changes', async () => {
    await using receiver = await ScriptedReceiver.start();
    const folder = mkdtempSync(join(tmpdir(), 'sluice-token-'));
    try {
      const file = join(folder, 'token');
      writeFileSync(file, 'first-token\n');
      await using sending = await Sending.start({
        endpoints: [receiver.url],
        auth: { bearer: { 'token-file': file } },
      });
      await sending.write({ labels: metric('a') });
      await sent(sending, 1);
      writeFileSync(file, 'second-token');
      utimesSync(file, 1, 1);
      await sleep(1050);
      await sending.write({ labels: metric('b') });
      await sent(sending, 2);
      assert.deepEqual(
        receiver.requests.map(({ headers }) => headers.authorization),
        ['Bearer first-token', 'Bearer second-token'],
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('headers of the user go along', async () => {
    await using receiver = await ScriptedReceiver.start();
    await using sending = await Sending.start({
      endpoints: [`${receiver.url}?token=in-query`],
      'extra-headers': { 'X-Scope-OrgID': 'tenant-1' },
      auth: { basic: { username: 'jo', password: Secret.of('pw') } },
    });
    await sending.write({ labels: metric('a') });
    await sent(sending, 1);
    const [{ headers, path }] = receiver.requests as [Received];
    assert.equal(headers['x-scope-orgid'], 'tenant-1');
    assert.equal(headers.authorization, `Basic ${Buffer.from('jo:pw').toString('base64')}`);
    assert.equal(path, '/api/v1/write?token=in-query');
    assert.doesNotMatch(JSON.stringify([await sending.state(), sending.lines]), /in-query/);
  });
});

describe('TLS', () => {
  const folder = fileURLToPath(new URL('../../../fixtures/tls/', import.meta.url));
  const pem = (name: string) => readFileSync(`${folder}${name}.pem`);
  const tls = { cert: pem('server'), key: pem('server-key') };
  const mutual = { ...tls, ca: pem('ca'), requestCert: true, rejectUnauthorized: true };
  const ours = {
    'ca-file': `${folder}ca.pem`,
    'cert-file': `${folder}client.pem`,
    'key-file': `${folder}client-key.pem`,
  };

  const cases: readonly {
    readonly what: string;
    readonly server: object;
    readonly settings: object;
    readonly wrong?: RegExp;
  }[] = [
    { what: 'a certificate of a known authority', server: tls, settings: { 'ca-file': `${folder}ca.pem` } },
    { what: 'a certificate of an unknown authority', server: tls, settings: {}, wrong: /no TLS connection/ },
    { what: 'any certificate, where that is asked for', server: tls, settings: { 'insecure-skip-verify': true } },
    {
      what: 'a certificate for another name',
      server: tls,
      settings: { ...ours, 'server-name': 'other.example' },
      wrong: /no TLS connection/,
    },
    {
      what: 'a certificate for the name that is asked for',
      server: tls,
      settings: { ...ours, 'server-name': 'localhost' },
    },
    { what: 'a receiver that wants to see a certificate', server: mutual, settings: ours },
    { what: 'a receiver that sees none', server: mutual, settings: { 'ca-file': `${folder}ca.pem` }, wrong: /./ },
  ];
  for (const { what, server, settings, wrong } of cases) {
    test(what, async () => {
      await using receiver = await ScriptedReceiver.start(undefined, { tls: server });
      await using sending = await Sending.start({ endpoints: [receiver.url], tls: settings });
      await sending.write({ labels: metric('a') });
      if (wrong === undefined) {
        await sent(sending, 1);
        return;
      }
      const state = await until(async () => {
        const found = await sending.state();
        return found.last_error === undefined ? undefined : found;
      }, 'an error');
      assert.match(state.last_error!.text, wrong);
      assert.equal(receiver.requests.length, 0);
      if (wrong.source !== '.') assert.equal(state.state, 'misconfigured');
    });
  }
});

describe('rows of flow_metrics', () => {
  const cases = goldenExports('flow_metrics.application_map.1s').filter(({ org_id }) => org_id === 1);
  const settings = { 'data-sources': ['flow_metrics.application_map.1s'] };

  test('arrive as series, with prefix and external labels', async () => {
    await using receiver = await ScriptedReceiver.start();
    await using sending = await Sending.start({
      ...settings,
      endpoints: [receiver.url],
      'metric-prefix': 'deepflow_',
      'external-labels': { cluster: 'c1' },
    });
    await sending.append(goldenBatch(cases));
    await sent(sending, cases.length * 9);
    const found = receiver.requests.flatMap(({ request }) => request.timeseries);
    assert.equal(found.length, cases.length * 9);
    for (const { labels } of found) {
      const of = new Map(labels.map(({ name, value }) => [name, value]));
      assert.equal(of.get('cluster'), 'c1');
      assert.match(of.get('__name__')!, /^deepflow_/);
    }
  });

  test('metadata goes in a request of its own, once in a while', async () => {
    await using receiver = await ScriptedReceiver.start();
    await using sending = await Sending.start({ ...settings, endpoints: [receiver.url], 'on-duplicate': 'keep' });
    for (let i = 0; i < 3; i++) await sending.append(goldenBatch(cases));
    await sent(sending, cases.length * 9 * 3);
    await until(() => receiver.metadata[0], 'metadata');
    assert.equal(receiver.metadata.length, 1);
    const { metadata } = receiver.metadata[0]!.request;
    assert.equal(metadata.length, 9);
    assert.deepEqual(
      { ...metadata.find(({ name }) => name === 'rrt_max') },
      {
        name: 'rrt_max',
        type: 'gauge',
        help: 'Greatest response delay, in one interval',
        unit: 'us',
      },
    );
  });

  test('metadata is not sent where it is not wanted', async () => {
    await using receiver = await ScriptedReceiver.start();
    await using sending = await Sending.start({ ...settings, endpoints: [receiver.url], 'send-metadata': false });
    await sending.append(goldenBatch(cases));
    await sent(sending, cases.length * 9);
    assert.equal(receiver.metadata.length, 0);
  });
});
