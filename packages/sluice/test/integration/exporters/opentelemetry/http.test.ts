import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Secret } from '../../../../src/base/secret.ts';
import { encode } from '../../../unit/exporters/opentelemetry/otlp-messages.ts';
import { type HttpAnswer, httpReceiver, tlsFile } from './receivers.ts';
import { exporterOf, itemsOf, rows, send } from './sending.ts';

const HTTP = { otlp: { transport: 'http' } };
const PROTOBUF = { 'content-type': 'application/x-protobuf' };

function answer(
  status: number,
  headers: Readonly<Record<string, string>> = {},
  body: string | Buffer = '',
): HttpAnswer {
  return { kind: 'answer', status, headers, body };
}

describe('requests over HTTP', () => {
  test('spans arrive at /v1/traces, compressed, with credentials and headers, over one connection', async (t) => {
    const receiver = await httpReceiver(t);
    const { exporter } = exporterOf(t, [`http://127.0.0.1:${receiver.port}`], {
      ...HTTP,
      'extra-headers': { 'X-Scope-OrgID': 'tenant-1' },
      auth: { bearer: { token: Secret.of('secret-word') } },
    });
    for (let i = 0; i < 3; i++) assert.deepEqual(await send(exporter, itemsOf(rows(40))), { kind: 'sent' });
    assert.deepEqual(
      receiver.paths,
      Array.from({ length: 3 }, () => 'POST /v1/traces'),
    );
    assert.equal(receiver.connections(), 1);
    const { request, headers } = receiver.received[0]!;
    assert.equal(request.resourceSpans!.length, 40);
    assert.equal(headers['content-type'], 'application/x-protobuf');
    assert.equal(headers['content-encoding'], 'gzip');
    assert.equal(headers['x-scope-orgid'], 'tenant-1');
    assert.equal(headers['authorization'], 'Bearer secret-word');
    assert.match(headers['user-agent']!, /^sluice\//);
  });

  test('without compression, at a path of its own; the query is not shown', async (t) => {
    const receiver = await httpReceiver(t);
    const { exporter } = exporterOf(t, [`http://127.0.0.1:${receiver.port}/otlp/traces?key=k`], {
      otlp: { transport: 'http', compression: 'none' },
    });
    assert.deepEqual(await send(exporter, itemsOf(rows(1))), { kind: 'sent' });
    assert.deepEqual(receiver.paths, ['POST /otlp/traces?key=k']);
    assert.equal(receiver.received[0]!.headers['content-encoding'], undefined);
    assert.deepEqual(exporter.endpoints, [`http://127.0.0.1:${receiver.port}/otlp/traces`]);
  });
});

describe('answers of HTTP', () => {
  const meanings: readonly (readonly [number, string])[] = [
    [200, 'sent'],
    [202, 'sent'],
    [204, 'sent'],
    [302, 'misconfigured'],
    [308, 'misconfigured'],
    [400, 'refused'],
    [401, 'misconfigured'],
    [403, 'misconfigured'],
    [404, 'misconfigured'],
    [405, 'misconfigured'],
    [408, 'retry'],
    [413, 'refused'],
    [415, 'misconfigured'],
    [422, 'refused'],
    [429, 'retry'],
    [500, 'retry'],
    [502, 'retry'],
    [503, 'retry'],
    [504, 'retry'],
  ];

  test('each has its meaning', async (t) => {
    const receiver = await httpReceiver(t);
    const { exporter } = exporterOf(t, [`http://127.0.0.1:${receiver.port}`], HTTP);
    for (const [status, kind] of meanings) {
      receiver.answers.push(answer(status));
      assert.equal((await send(exporter, itemsOf(rows(2)))).kind, kind, String(status));
    }
    assert.equal(receiver.received.length, meanings.length, 'no request is repeated, no redirect followed');
    receiver.answers.push(answer(500));
    assert.equal((await send(exporter, itemsOf(rows(2)), { attempt: 8 })).kind, 'refused');
    receiver.answers.push(answer(503));
    assert.equal((await send(exporter, itemsOf(rows(2)), { attempt: 1000 })).kind, 'retry');
  });

  test('429 drops the batch when that is asked for', async (t) => {
    const receiver = await httpReceiver(t);
    const { exporter } = exporterOf(t, [`http://127.0.0.1:${receiver.port}`], { ...HTTP, retry: { 'on-429': 'drop' } });
    receiver.answers.push(answer(429, {}, 'enough'));
    const outcome = await send(exporter, itemsOf(rows(2)));
    assert.deepEqual(outcome, { kind: 'rejected', items: [0, 1], why: 'the receiver answered 429: enough' });
  });

  test('Retry-After is kept, in seconds and as a date', async (t) => {
    const receiver = await httpReceiver(t);
    const { exporter } = exporterOf(t, [`http://127.0.0.1:${receiver.port}`], HTTP);
    const waitFor = async (value: string) => {
      receiver.answers.push(answer(503, { 'retry-after': value }));
      const outcome = await send(exporter, itemsOf(rows(1)));
      return outcome.kind === 'retry' ? outcome.afterMs : outcome;
    };
    assert.equal(await waitFor('7'), 7000);
    assert.equal(await waitFor('100000'), 300_000);
    const atDate = await waitFor(new Date(Date.now() + 60_000).toUTCString());
    assert.ok(typeof atDate === 'number' && atDate > 50_000 && atDate <= 60_000, String(atDate));
    for (const value of ['0', '-1', 'soon', new Date(0).toUTCString()])
      assert.equal(await waitFor(value), undefined, value);
  });

  test('why is told, from a Status message or text, in short and without credentials', async (t) => {
    const receiver = await httpReceiver(t);
    const { exporter } = exporterOf(t, [`http://127.0.0.1:${receiver.port}`], {
      ...HTTP,
      auth: { bearer: { token: Secret.of('secret-word') } },
    });
    const why = async (one: HttpAnswer) => {
      receiver.answers.push(one);
      const outcome = await send(exporter, itemsOf(rows(1)));
      return 'why' in outcome ? outcome.why : '';
    };
    const message = encode('RpcStatus', { code: 3, message: 'span 1 is bad' });
    assert.equal(await why(answer(400, PROTOBUF, message)), 'the receiver answered 400: span 1 is bad');
    assert.equal(
      await why(answer(401, {}, 'no secret-word\n here')),
      'the receiver answered 401: no [secret] here; look at auth and extra-headers',
    );
    assert.ok((await why(answer(400, {}, 'x'.repeat(200_000)))).length < 1200);
    const redirect = await why(answer(307, { location: 'https://user:word@elsewhere/x?key=1' }));
    assert.match(redirect, /a redirect to https:\/\/elsewhere\/x, which is not followed/);
  });

  test('spans that a receiver leaves out are counted, told in protobuf or JSON', async (t) => {
    const receiver = await httpReceiver(t);
    const { exporter, metrics } = exporterOf(t, [`http://127.0.0.1:${receiver.port}`], HTTP);
    const partialSuccess = { rejectedSpans: 1, errorMessage: 'one is bad' };
    receiver.answers.push(
      answer(200, PROTOBUF, encode('ExportTraceServiceResponse', { partialSuccess })),
      answer(
        200,
        { 'content-type': 'application/json' },
        JSON.stringify({ partialSuccess: { ...partialSuccess, rejectedSpans: '1' } }),
      ),
      answer(200, { 'content-type': 'application/json' }, 'not JSON'),
    );
    for (let i = 0; i < 3; i++) assert.deepEqual(await send(exporter, itemsOf(rows(2))), { kind: 'sent' });
    assert.equal((await metrics.exporterUntakenSpans.get()).values[0]?.value, 2);
    assert.deepEqual(exporter.state?.(), { transport: 'http', compression: 'gzip', untakenSpans: 2 });
  });
});

describe('connections of HTTP', () => {
  test('what ends without an answer is sent again', async (t) => {
    const receiver = await httpReceiver(t);
    const { exporter } = exporterOf(t, [`http://127.0.0.1:${receiver.port}`], HTTP);
    receiver.answers.push({ kind: 'close' }, { kind: 'close in the answer' }, { kind: 'hang' });
    assert.equal((await send(exporter, itemsOf(rows(1)))).kind, 'retry');
    assert.equal((await send(exporter, itemsOf(rows(1)))).kind, 'retry');
    const outcome = await send(exporter, itemsOf(rows(1)), { timeoutMs: 300 });
    assert.deepEqual(outcome, { kind: 'retry', why: 'no answer in time' });
    assert.deepEqual(await send(exporter, itemsOf(rows(1))), { kind: 'sent' });
    await receiver.stop();
    assert.equal((await send(exporter, itemsOf(rows(1)))).kind, 'retry');
  });

  test('TLS with an authority, a client certificate and a name; what cannot be trusted is a wrong configuration', async (t) => {
    const receiver = await httpReceiver(t, { tls: true, asksClients: true });
    const endpoint = `https://127.0.0.1:${receiver.port}`;
    const client = { 'cert-file': tlsFile('client.pem'), 'key-file': tlsFile('client-key.pem') };
    const outcomeWith = (tls: Readonly<Record<string, unknown>>) =>
      send(exporterOf(t, [endpoint], { ...HTTP, tls }).exporter, itemsOf(rows(1)));
    assert.deepEqual(await outcomeWith({ ...client, 'ca-file': tlsFile('ca.pem'), 'server-name': 'localhost' }), {
      kind: 'sent',
    });
    assert.deepEqual(await outcomeWith({ ...client, 'insecure-skip-verify': true }), { kind: 'sent' });
    for (const tls of [client, { ...client, 'ca-file': tlsFile('ca.pem'), 'server-name': 'elsewhere.example' }]) {
      const outcome = await outcomeWith(tls);
      assert.equal(outcome.kind, 'misconfigured', JSON.stringify(outcome));
    }
  });
});
