import assert from 'node:assert/strict';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Metadata, status } from '@grpc/grpc-js';
import { Secret } from '../../../../src/base/secret.ts';
import { grpcReceiver, httpReceiver, retryInfo, tlsFile } from './receivers.ts';
import { exporterOf, itemsOf, rows, send } from './sending.ts';

const NO_TLS_NEEDED = { otlp: { compression: 'none' } };

describe('requests over gRPC', () => {
  test('spans arrive, those of equal resources together, with credentials and headers', async (t) => {
    const receiver = await grpcReceiver(t);
    const { exporter } = exporterOf(t, [`127.0.0.1:${receiver.port}`], {
      'extra-headers': { 'X-Scope-OrgID': 'tenant-1' },
      auth: { basic: { username: 'hub', password: Secret.of('secret-word') } },
    });
    const made = rows(5).map((row, index) => ({ ...row, app_service: index % 2 === 0 ? 'even' : 'odd' }));
    assert.deepEqual(await send(exporter, itemsOf(made, ['app_service'])), { kind: 'sent' });
    const [{ request, headers } = { request: {}, headers: {} }] = receiver.received;
    const groups = request.resourceSpans!.map(({ resource, scopeSpans }) => ({
      service: resource!.attributes![0]!.value!['stringValue'],
      spans: scopeSpans![0]!.spans!.map(({ spanId }) => spanId[7]),
    }));
    assert.deepEqual(groups, [
      { service: 'even', spans: [1, 3, 5] },
      { service: 'odd', spans: [2, 4] },
    ]);
    assert.equal(headers['x-scope-orgid'], 'tenant-1');
    assert.equal(headers['authorization'], `Basic ${Buffer.from('hub:secret-word').toString('base64')}`);
    assert.match(headers['user-agent']!, /^sluice\//);
  });

  test('one span more than resources are compared is still sent', async (t) => {
    const receiver = await grpcReceiver(t);
    const { exporter } = exporterOf(t, [`127.0.0.1:${receiver.port}`]);
    assert.deepEqual(await send(exporter, itemsOf(rows(300))), { kind: 'sent' });
    const spans = receiver.received[0]!.request.resourceSpans!.flatMap(({ scopeSpans }) =>
      scopeSpans!.flatMap(({ spans: some = [] }) => some),
    );
    assert.equal(new Set(spans.map(({ spanId }) => Buffer.from(spanId).toString('hex'))).size, 300);
  });

  test('a request above what a receiver takes is refused, so that it is halved', async (t) => {
    const receiver = await grpcReceiver(t);
    const { exporter } = exporterOf(t, [`127.0.0.1:${receiver.port}`], NO_TLS_NEEDED);
    const outcome = await send(exporter, itemsOf([{ ...rows(1)[0]!, endpoint: 'x'.repeat(5 * 2 ** 20) }]));
    assert.equal(outcome.kind, 'refused');
    assert.equal(receiver.received.length, 0);
    assert.deepEqual(await send(exporter, itemsOf(rows(1))), { kind: 'sent' });
  });
});

describe('statuses of gRPC', () => {
  const meanings: readonly (readonly [status, string])[] = [
    [status.CANCELLED, 'retry'],
    [status.UNKNOWN, 'retry'],
    [status.INVALID_ARGUMENT, 'refused'],
    [status.DEADLINE_EXCEEDED, 'retry'],
    [status.NOT_FOUND, 'misconfigured'],
    [status.ALREADY_EXISTS, 'refused'],
    [status.PERMISSION_DENIED, 'misconfigured'],
    [status.RESOURCE_EXHAUSTED, 'retry'],
    [status.FAILED_PRECONDITION, 'refused'],
    [status.ABORTED, 'retry'],
    [status.OUT_OF_RANGE, 'retry'],
    [status.UNIMPLEMENTED, 'misconfigured'],
    [status.INTERNAL, 'retry'],
    [status.UNAVAILABLE, 'retry'],
    [status.DATA_LOSS, 'retry'],
    [status.UNAUTHENTICATED, 'misconfigured'],
  ];

  test('each has its meaning, and its text is told', async (t) => {
    const receiver = await grpcReceiver(t);
    const { exporter } = exporterOf(t, [`127.0.0.1:${receiver.port}`]);
    for (const [code, kind] of meanings) {
      receiver.answers.push({ kind: 'status', code, details: `because of ${status[code]}` });
      const outcome = await send(exporter, itemsOf(rows(2)));
      assert.equal(outcome.kind, kind, status[code]);
      if (code !== status.DEADLINE_EXCEEDED) assert.match('why' in outcome ? outcome.why : '', /because of/);
    }
    assert.equal(receiver.received.length, meanings.length);
  });

  test('what OTLP takes for lasting is believed after some tries', async (t) => {
    const receiver = await grpcReceiver(t);
    const { exporter } = exporterOf(t, [`127.0.0.1:${receiver.port}`]);
    for (const [attempt, kind] of [
      [7, 'retry'],
      [8, 'refused'],
    ] as const) {
      receiver.answers.push({ kind: 'status', code: status.INTERNAL, details: 'broken' });
      assert.equal((await send(exporter, itemsOf(rows(1)), { attempt })).kind, kind);
    }
  });

  test('a receiver says when to come back', async (t) => {
    const receiver = await grpcReceiver(t);
    const { exporter } = exporterOf(t, [`127.0.0.1:${receiver.port}`]);
    const answer = async (metadata: Metadata) => {
      receiver.answers.push({ kind: 'status', code: status.RESOURCE_EXHAUSTED, details: 'slowly', metadata });
      const outcome = await send(exporter, itemsOf(rows(1)));
      return outcome.kind === 'retry' ? outcome.afterMs : outcome;
    };
    assert.equal(await answer(retryInfo(2, 500_000_000)), 2500);
    assert.equal(await answer(retryInfo(100_000, 0)), 300_000);
    const broken = new Metadata();
    broken.set('grpc-status-details-bin', Buffer.of(0xff, 0xff, 0x01));
    assert.equal(await answer(broken), undefined);
  });

  test('a size passes if the receiver says so, and an answer that is too large is no matter of the batch', async (t) => {
    const receiver = await grpcReceiver(t);
    const { exporter } = exporterOf(t, [`127.0.0.1:${receiver.port}`]);
    const answer = async (details: string, metadata?: Metadata) => {
      receiver.answers.push({
        kind: 'status',
        code: status.RESOURCE_EXHAUSTED,
        details,
        ...(metadata === undefined ? {} : { metadata }),
      });
      return (await send(exporter, itemsOf(rows(2)))).kind;
    };
    assert.equal(await answer('received message larger than max (5000000 vs. 4194304)'), 'refused');
    assert.equal(await answer('the queue is too large', retryInfo(1, 0)), 'retry');
    receiver.answers.push({ kind: 'response', message: { partialSuccess: { errorMessage: 'x'.repeat(100_000) } } });
    const outcome = await send(exporter, itemsOf(rows(2)));
    assert.equal(outcome.kind, 'misconfigured');
    assert.match(outcome.kind === 'misconfigured' ? outcome.why : '', /the answer has more than 65536 bytes/);
    assert.deepEqual(await send(exporter, itemsOf(rows(2))), { kind: 'sent' });
  });

  test('spans that a receiver leaves out are counted and told, and not sent again', async (t) => {
    const receiver = await grpcReceiver(t);
    const { exporter, metrics, lines } = exporterOf(t, [`127.0.0.1:${receiver.port}`]);
    receiver.answers.push(
      { kind: 'response', message: { partialSuccess: { rejectedSpans: 2, errorMessage: 'two are too old' } } },
      { kind: 'response', message: { partialSuccess: { rejectedSpans: 3, errorMessage: 'all are too old' } } },
      { kind: 'response', message: { partialSuccess: { errorMessage: 'a warning' } } },
    );
    assert.deepEqual(await send(exporter, itemsOf(rows(3))), { kind: 'sent' });
    const { values } = await metrics.exporterUntakenSpans.get();
    assert.deepEqual(values, [{ value: 2, labels: { exporter: 'opentelemetry' } }]);
    assert.match(lines.join(''), /two are too old/);
    // When all are meant, it is known which ones: they are kept.
    const outcome = await send(exporter, itemsOf(rows(3)));
    assert.deepEqual(outcome, { kind: 'rejected', items: [0, 1, 2], why: 'all are too old' });
    assert.deepEqual(await send(exporter, itemsOf(rows(3))), { kind: 'sent' });
  });

  test('what a receiver repeats of the credentials is not told', async (t) => {
    const receiver = await grpcReceiver(t);
    const { exporter } = exporterOf(t, [`127.0.0.1:${receiver.port}`], {
      auth: { bearer: { token: Secret.of('secret-word') } },
      'extra-headers': { 'x-key': 'other-secret' },
    });
    const details = 'no user for Bearer secret-word and other-secret';
    receiver.answers.push({ kind: 'status', code: status.UNAUTHENTICATED, details });
    assert.deepEqual(await send(exporter, itemsOf(rows(1))), {
      kind: 'misconfigured',
      why: 'UNAUTHENTICATED: no user for Bearer [secret] and [secret]',
    });
  });
});

describe('connections of gRPC', () => {
  test('a receiver that says nothing is given up in time, and the next request goes another way', async (t) => {
    const receiver = await grpcReceiver(t);
    const { exporter } = exporterOf(t, [`127.0.0.1:${receiver.port}`]);
    receiver.answers.push({ kind: 'hang' });
    const outcome = await send(exporter, itemsOf(rows(1)), { timeoutMs: 300 });
    assert.deepEqual(outcome, { kind: 'retry', why: 'no answer in time' });
    assert.deepEqual(await send(exporter, itemsOf(rows(1))), { kind: 'sent' });
  });

  test('an address where nobody listens is tried again, and used when somebody does', async (t) => {
    const first = await grpcReceiver(t);
    await first.stop();
    const { exporter } = exporterOf(t, [`127.0.0.1:${first.port}`]);
    assert.equal((await send(exporter, itemsOf(rows(1)))).kind, 'retry');
    const second = await grpcReceiver(t, { port: first.port });
    let outcome = await send(exporter, itemsOf(rows(1)));
    for (let tries = 0; outcome.kind === 'retry' && tries < 100; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      outcome = await send(exporter, itemsOf(rows(1)));
    }
    assert.deepEqual(outcome, { kind: 'sent' });
    assert.equal(second.received.length, 1);
  });

  test('TLS with an authority, a client certificate and a name of its own', async (t) => {
    const receiver = await grpcReceiver(t, { tls: true, asksClients: true });
    const tls = {
      'ca-file': tlsFile('ca.pem'),
      'cert-file': tlsFile('client.pem'),
      'key-file': tlsFile('client-key.pem'),
      'server-name': 'localhost',
    };
    const { exporter } = exporterOf(t, [`127.0.0.1:${receiver.port}`], { tls });
    assert.deepEqual(await send(exporter, itemsOf(rows(1))), { kind: 'sent' });
  });

  test('a certificate that cannot be trusted is a wrong configuration, and is taken when that is asked for', async (t) => {
    const receiver = await grpcReceiver(t, { tls: true });
    const endpoint = `127.0.0.1:${receiver.port}`;
    const kindWith = async (tls: Readonly<Record<string, unknown>>) =>
      send(exporterOf(t, [endpoint], { tls }).exporter, itemsOf(rows(1)));
    for (const [tls, place] of [
      [{}, 'tls.ca-file'],
      [{ 'ca-file': tlsFile('ca.pem'), 'server-name': 'elsewhere.example' }, 'tls.server-name'],
    ] as const) {
      const outcome = await kindWith(tls);
      assert.equal(outcome.kind, 'misconfigured', JSON.stringify(outcome));
      assert.ok(JSON.stringify(outcome).includes(place), JSON.stringify(outcome));
    }
    assert.equal((await kindWith({ 'insecure-skip-verify': true })).kind, 'sent');
    assert.equal((await kindWith({ 'ca-file': tlsFile('ca.pem') })).kind, 'sent');
  });

  test('TLS with a server that is none of gRPC is a wrong configuration', async (t) => {
    // It knows no HTTP/2, and says so with an alert.
    const receiver = await httpReceiver(t, { tls: true });
    const tls = { 'insecure-skip-verify': true };
    const outcome = await send(exporterOf(t, [`127.0.0.1:${receiver.port}`], { tls }).exporter, itemsOf(rows(1)));
    assert.equal(outcome.kind, 'misconfigured', JSON.stringify(outcome));
    assert.match(JSON.stringify(outcome), /no application protocol/);
    assert.doesNotMatch(JSON.stringify(outcome), /Resolution note|openssl/);
  });

  test('files that are missing are a wrong configuration until they are there', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-otlp-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const receiver = await grpcReceiver(t);
    const file = join(folder, 'token');
    const { exporter } = exporterOf(t, [`127.0.0.1:${receiver.port}`], { auth: { bearer: { 'token-file': file } } });
    const outcome = await send(exporter, itemsOf(rows(1)));
    assert.equal(outcome.kind, 'misconfigured');
    assert.match('why' in outcome ? outcome.why : '', /token/);
    writeFileSync(file, 'first-token\n');
    assert.deepEqual(await send(exporter, itemsOf(rows(1))), { kind: 'sent' });
    assert.equal(receiver.received[0]!.headers['authorization'], 'Bearer first-token');
  });
});

test('items are shown as one line of JSON', async (t) => {
  const { exporter } = exporterOf(t, ['127.0.0.1:1']);
  const row = {
    ...rows(1)[0]!,
    app_service: 'shop',
    response_exception: 'no',
    metrics_names: ['m'],
    metrics_values: [0.5],
  };
  const items = itemsOf([row], ['app_service', 'metrics_names']);
  const shown = JSON.parse(exporter.show('flow_log.l7_flow_log', items.head(0), items.body(0))) as object;
  assert.deepEqual(shown, {
    resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
    span: {
      traceId: '00000000000000010000000000000000',
      spanId: '0000000000000001',
      name: 'GET ',
      startTimeUnixNano: '1700000000000000000',
      endTimeUnixNano: '1700000000000000000',
      attributes: [
        { key: 'df.span.type', value: { stringValue: 'request' } },
        { key: 'df.span.endpoint', value: { stringValue: '/1' } },
        { key: 'm', value: { doubleValue: 0.5 } },
      ],
      events: [{ timeUnixNano: '1700000000000000000', name: 'no' }],
      status: { code: 1 },
    },
  });
});
