import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Admission, HttpReply, HttpRequest, HttpRoute } from '../../../src/base/ports.ts';
import { SluiceError, isSluiceError } from '../../../src/base/errors.ts';
import type { HttpListener } from '../../../src/http/listener.ts';
import { startHttp } from '../../../src/http/server.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { RawClient, echo, serve } from './harness.ts';

function json(path: string, show: (request: HttpRequest) => unknown, changes: Partial<HttpRoute> = {}): HttpRoute {
  const handle = (request: HttpRequest) => ({
    status: 200,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(show(request)),
  });
  return { method: 'GET', path, scope: 'read', handle, ...changes };
}

function fields({ query }: HttpRequest): unknown {
  return [...query];
}

function protobufOnly(headers: HttpRequest['headers']): HttpReply | undefined {
  if (headers['content-type'] === 'application/x-protobuf') return undefined;
  return { status: 415, body: 'expected application/x-protobuf' };
}

function failing(path: string, error: unknown): HttpRoute {
  return { method: 'GET', path, scope: 'read', handle: () => Promise.reject(error) };
}

function nobody(): Admission {
  return { kind: 'unauthorized', challenge: 'Basic' };
}

const SMALL = {
  memory: 1 << 20,
  connections: 10,
  headerTimeoutMs: 1000,
  bodyTimeoutMs: 1000,
  replyTimeoutMs: 1000,
  keepAliveMs: 1000,
};

function start(listeners: readonly HttpListener[], routes: readonly HttpRoute[] = []) {
  const log = createLog({ level: 'silent' });
  return startHttp({
    listeners,
    routes,
    limits: SMALL,
    readiness: () => [],
    metrics: createMetrics(),
    log,
    organisations: [1],
  });
}

const ANY = { host: '127.0.0.1', port: 0 };

test('a body comes to the handler byte for byte, in every size and framing', async (t) => {
  const { url, memory } = await serve(t, { routes: [echo({ bodyLimit: 4 << 20 })] });
  for (const size of [0, 1, 100, 65_535, 65_536, 65_537, 170_000, 3_000_000]) {
    const body = Buffer.from(Array.from({ length: Math.min(size, 997) }, (_, i) => i % 251));
    const whole = Buffer.alloc(size, body.length === 0 ? 0 : body);
    const plain = await fetch(`${url}/echo`, { method: 'POST', body: whole });
    assert.deepEqual(Buffer.from(await plain.arrayBuffer()), whole, `content-length ${size}`);
    const stream = new Blob([whole]).stream();
    const chunked = await fetch(`${url}/echo`, { method: 'POST', body: stream, duplex: 'half' });
    assert.deepEqual(Buffer.from(await chunked.arrayBuffer()), whole, `chunked ${size}`);
  }
  assert.equal(await memory(), 0, 'all memory is returned');
});

test('many bodies at once do not get into each other', async (t) => {
  const { url } = await serve(t, { routes: [echo({ bodyLimit: 1 << 20 })] });
  await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const body = Buffer.alloc(70_000 + i * 3000, i + 1);
      const reply = await fetch(`${url}/echo`, { method: 'POST', body });
      assert.ok(Buffer.from(await reply.arrayBuffer()).equals(body), `body ${i}`);
    }),
  );
});

test('wildcards stand for one decoded segment each', async (t) => {
  const { url } = await serve(t, { routes: [json('/a/*/b/*', ({ wildcards, path }) => ({ wildcards, path }))] });
  const reply = await fetch(`${url}/a/x%2Fy%20z/b/${'l'.repeat(300)}?q=1`);
  assert.deepEqual(await reply.json(), {
    wildcards: ['x/y z', 'l'.repeat(300)],
    path: `/a/x%2Fy%20z/b/${'l'.repeat(300)}`,
  });
  assert.equal((await fetch(`${url}/a/x/b/y/c`)).status, 404);
  assert.equal((await fetch(`${url}/a//b/y`)).status, 404);
});

test('a path that cannot be decoded is not found', async (t) => {
  const { port } = await serve(t, { routes: [json('/a/*', () => ({}))] });
  const client = await RawClient.open(t, port);
  client.send('GET /a/%zz HTTP/1.1\r\nhost: x\r\n\r\n');
  assert.match(await client.until(/\r\n\r\n.*\n/), /^HTTP\/1\.1 404 [^]*there is no route \/a\/%zz/);
});

test('an unknown path gets 404 and the routes there are', async (t) => {
  const { url, refused, requests } = await serve(t, { routes: [echo()] });
  const reply = await fetch(`${url}/api/v1/wrte`);
  assert.equal(reply.status, 404);
  assert.equal(reply.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(reply.headers.get('x-powered-by'), null);
  assert.match(await reply.text(), /there is no route \/api\/v1\/wrte; there are: GET \/-\/healthy, .*POST \/echo/);
  assert.equal(await refused('not_found'), 1);
  assert.equal(await requests('other', 404), 1);
});

test('a very long unknown path is not repeated in full', async (t) => {
  const { url } = await serve(t);
  const text = await (await fetch(`${url}/${'x'.repeat(8000)}`)).text();
  assert.ok(text.length < 500, `${text.length} characters`);
});

test('a wrong method gets 405 with Allow', async (t) => {
  const { url, refused } = await serve(t, {
    routes: [echo(), json('/both', () => ({})), json('/both', () => ({}), { method: 'POST' })],
  });
  const put = await fetch(`${url}/echo`, { method: 'PUT', body: 'x' });
  assert.deepEqual([put.status, put.headers.get('allow')], [405, 'POST']);
  assert.match(await put.text(), /expected POST for \/echo; got PUT/);
  const odd = await fetch(`${url}/both`, { method: 'PROPFIND' });
  assert.deepEqual([odd.status, odd.headers.get('allow')], [405, 'GET, HEAD, POST']);
  assert.equal((await fetch(`${url}/echo`)).status, 405);
  assert.equal(await refused('method'), 3);
});

test('HEAD answers like GET without the body', async (t) => {
  const { port } = await serve(t, { routes: [json('/a', () => [1, 2, 3])] });
  const client = await RawClient.open(t, port);
  client.send('HEAD /a HTTP/1.1\r\nhost: x\r\n\r\nGET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  const [head, second] = (await client.closed()).split(/(?=HTTP\/1\.1)/);
  assert.match(head ?? '', /^HTTP\/1\.1 200 [^]*content-length: 7\r\n[^]*\r\n\r\n$/i);
  assert.match(second ?? '', /\[1,2,3\]$/);
});

test('204 has neither body nor length', async (t) => {
  const { port } = await serve(t, {
    routes: [echo({ handle: () => ({ status: 204, headers: { 'X-Written': '3' } }) })],
  });
  const client = await RawClient.open(t, port);
  client.send('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nab');
  const text = await client.closed();
  assert.match(text, /^HTTP\/1\.1 204 No Content\r\nx-written: 3\r\n/i);
  assert.doesNotMatch(text, /content-length|content-type/i);
  assert.ok(text.endsWith('\r\n\r\n'));
});

test('the query comes from the address and, for form posts, from the form', async (t) => {
  const { url } = await serve(t, { routes: [json('/labels', fields), json('/labels', fields, { method: 'POST' })] });
  assert.deepEqual(await (await fetch(`${url}/labels?match[]=a%2Bb&match[]=c+d`)).json(), [
    ['match[]', 'a+b'],
    ['match[]', 'c d'],
  ]);
  const form = new URLSearchParams([
    ['match[]', '{a="ü"}'],
    ['start', '1'],
  ]);
  assert.deepEqual(await (await fetch(`${url}/labels?limit=5`, { method: 'POST', body: form })).json(), [
    ['limit', '5'],
    ['match[]', '{a="ü"}'],
    ['start', '1'],
  ]);
  const other = await fetch(`${url}/labels`, {
    method: 'POST',
    body: 'a=1',
    headers: { 'content-type': 'text/plain' },
  });
  assert.deepEqual(await other.json(), []);
});

test('the organisation comes from X-Org-Id and must be a configured one', async (t) => {
  const { url, refused } = await serve(t, { routes: [json('/org', ({ org }) => org)], organisations: [1, 20] });
  const ask = (header?: string) => fetch(`${url}/org`, header === undefined ? {} : { headers: { 'x-org-id': header } });
  assert.equal(await (await ask()).json(), 1);
  assert.equal(await (await ask('20')).json(), 20);
  for (const header of ['2', '0', '-1', '1.0', 'x', '1, 20', '99999999']) {
    const reply = await ask(header);
    assert.equal(reply.status, 400, header);
    assert.match(await reply.text(), /expected X-Org-Id to be one of the configured organisations; got "/);
  }
  assert.equal(await refused('organisation'), 7);
});

test('without organisation 1 the header is needed, but not for metrics', async (t) => {
  const { url } = await serve(t, { routes: [json('/org', ({ org }) => org)], organisations: [7] });
  assert.match(await (await fetch(`${url}/org`)).text(), /got none, which means 1/);
  assert.equal((await fetch(`${url}/metrics`)).status, 200);
});

test("a route's own check answers before the body is read", async (t) => {
  let handled = 0;
  const handle = () => ({ status: 200, body: String(++handled) });
  const { port, refused } = await serve(t, { routes: [echo({ check: protobufOnly, handle })] });
  const client = await RawClient.open(t, port);
  client.send('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: text/html\r\ncontent-length: 1000\r\n\r\nabc');
  const text = await client.until(/x-protobuf/);
  assert.match(text, /^HTTP\/1\.1 415 [^]*connection: close/i);
  assert.equal(handled, 0);
  assert.equal(await refused('check'), 1);
});

test('errors: expected ones by their code, unexpected ones without a word, both counted', async (t) => {
  const { url, logged, requests } = await serve(t, {
    routes: [
      failing('/full', new SluiceError('journal_full', 'cannot take more: wait', { retryAfterMs: 2500 })),
      failing('/bug', new Error('secret detail')),
      {
        method: 'GET',
        path: '/throws',
        scope: 'read',
        handle: () => {
          throw new SluiceError('bad_request', 'expected a\u0000b');
        },
      },
      { method: 'GET', path: '/header', scope: 'read', handle: () => ({ status: 200, headers: { bad: 'a\r\nb' } }) },
    ],
  });
  const full = await fetch(`${url}/full`);
  assert.deepEqual(
    [full.status, full.headers.get('retry-after'), await full.text()],
    [503, '3', 'cannot take more: wait\n'],
  );
  const bug = await fetch(`${url}/bug`);
  assert.equal(bug.status, 500);
  assert.doesNotMatch(await bug.text(), /secret/);
  assert.match(logged.join(''), /"level":"error".*secret detail.*"route":"\/bug"/);
  assert.match(logged.join(''), /routes\.test\.ts/, 'with its stack');
  assert.equal(await (await fetch(`${url}/throws`)).text(), 'expected a\u{FFFD}b\n');
  assert.equal((await fetch(`${url}/header`)).status, 500, 'a header that would split the answer');
  assert.deepEqual(
    [await requests('/full', 503), await requests('/bug', 500), await requests('/throws', 400)],
    [1, 1, 1],
  );
});

test('health is open, readiness tells every part, metrics in both formats', async (t) => {
  let ready = false;
  const readiness = () => [
    { part: 'journal', ready: true },
    { part: 'storage', ready, detail: 'cannot open\nthe database' },
  ];
  const closed = await serve(t, { readiness, listener: { admit: nobody } });
  const healthy = await fetch(`${closed.url}/-/healthy`);
  assert.deepEqual([healthy.status, await healthy.text()], [200, 'healthy\n']);
  const notYet = await fetch(`${closed.url}/-/ready`);
  assert.equal(notYet.status, 503);
  assert.equal(await notYet.text(), 'not ready\njournal: ready\nstorage: not ready: cannot open the database\n');
  ready = true;
  assert.equal((await fetch(`${closed.url}/-/ready`)).status, 200);
  assert.equal((await fetch(`${closed.url}/metrics`)).status, 401, 'metrics follow auth');

  const open = await serve(t);
  await fetch(`${open.url}/-/healthy`);
  const plain = await fetch(`${open.url}/metrics`);
  assert.equal(plain.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  assert.match(await plain.text(), /^sluice_http_requests_total\{route="\/-\/healthy",status="200"\} 1$/m);
  const modern = await fetch(`${open.url}/metrics`, {
    headers: { accept: 'application/openmetrics-text; version=1.0.0' },
  });
  assert.equal(modern.headers.get('content-type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  const text = await modern.text();
  assert.match(text, /^# TYPE sluice_http_requests counter$/m);
  assert.ok(text.endsWith('# EOF\n'));
  assert.match(
    await (await fetch(`${open.url}/metrics`)).text(),
    /^# TYPE sluice_http_requests_total counter$/m,
    'not changed by it',
  );
});

test('several listeners serve the same routes', async () => {
  const server = await start(
    [
      { name: 'http', addresses: [ANY, ANY] },
      { name: 'integration', addresses: [ANY] },
    ],
    [echo()],
  );
  try {
    assert.deepEqual(
      server.addresses.map((address) => address.listener),
      ['http', 'http', 'integration'],
    );
    for (const { url } of server.addresses) {
      assert.equal(await (await fetch(`${url}/echo`, { method: 'POST', body: 'hi' })).text(), 'hi');
    }
  } finally {
    await server.stop(0);
  }
});

function startOn(host: string, port: number) {
  return start([{ name: 'integration', addresses: [ANY, { host, port }] }]);
}

test('an address that cannot be listened on is named with advice, and nothing stays open', async (t) => {
  const { port } = await serve(t);
  await assert.rejects(startOn('127.0.0.1', port), (error: Error) => {
    assert.ok(isSluiceError(error, 'listen_failed'));
    assert.equal(
      error.message,
      `cannot listen on 127.0.0.1:${port} (listen.integration): another program listens there; stop it, or choose another port (0 = any free one)`,
    );
    return true;
  });
  await assert.rejects(
    startOn('192.0.2.1', 0),
    /cannot listen on 192\.0\.2\.1:0 \(listen\.integration\): this machine has no such address/,
  );
});
