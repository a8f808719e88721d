import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { HttpRoute } from '../../../src/base/ports.ts';
import { RawClient, echo, eventually, serve } from './harness.ts';

const POST = 'POST /echo HTTP/1.1\r\nhost: x\r\n';

test('a declared length over the limit is refused before a byte of it is read, and the connection closed', async (t) => {
  const { port, refused, requests } = await serve(t, { routes: [echo({ bodyLimit: 1000 })] });
  const client = await RawClient.open(t, port);
  client.send(`${POST}content-length: 1001\r\n\r\n`);
  assert.match(
    await client.until(/\n$/),
    /^HTTP\/1\.1 413 [^]*connection: close[^]*expected a body of at most 1000 bytes; got 1001/i,
  );
  await client.closed();
  assert.equal(await refused('body_size'), 1);
  assert.equal(await requests('/echo', 413), 1);
});

test('a client that is still sending gets to read why it was refused', async (t) => {
  const { port } = await serve(t, { routes: [echo({ bodyLimit: 1000 })] });
  const client = await RawClient.open(t, port);
  client.send(`${POST}content-length: 3000000\r\n\r\n`);
  client.send(Buffer.alloc(3_000_000));
  assert.match(await client.closed(), /^HTTP\/1\.1 413 [^]*got 3000000\n$/);
});

test('a chunked body is counted while it is read', async (t) => {
  const { port, refused, memory } = await serve(t, { routes: [echo({ bodyLimit: 1000 })] });
  const exact = await RawClient.open(t, port);
  exact.send(`${POST}transfer-encoding: chunked\r\nconnection: close\r\n\r\n`);
  exact.send(`3e8\r\n${'a'.repeat(1000)}\r\n0\r\n\r\n`);
  assert.match(await exact.closed(), /^HTTP\/1\.1 200 [^]*a{1000}$/);
  const over = await RawClient.open(t, port);
  over.send(`${POST}transfer-encoding: chunked\r\n\r\n3e8\r\n${'a'.repeat(1000)}\r\n1\r\nb`);
  assert.match(await over.closed(), /^HTTP\/1\.1 413 [^]*got more\n$/);
  assert.equal(await refused('body_size'), 1);
  await eventually(async () => (await memory()) === 0);
});

test('Expect: the client is told to continue only when its body is wanted', async (t) => {
  const { port } = await serve(t, { routes: [echo({ bodyLimit: 1000 })] });
  const wanted = await RawClient.open(t, port);
  wanted.send(`${POST}content-length: 3\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n`);
  await wanted.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  wanted.send('abc');
  assert.match(await wanted.closed(), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 [^]*abc$/);
  const refusedOne = await RawClient.open(t, port);
  refusedOne.send(`${POST}content-length: 1001\r\nexpect: 100-continue\r\n\r\n`);
  const text = await refusedOne.closed(900);
  assert.match(text, /^HTTP\/1\.1 413 /);
});

test('a byte a second: the body is cut off after its time', async (t) => {
  const { port, refused, memory } = await serve(t, { routes: [echo()], limits: { bodyTimeoutMs: 200 } });
  const client = await RawClient.open(t, port);
  client.send(`${POST}content-length: 1000\r\n\r\n`);
  const drip = setInterval(() => client.send('x'), 20);
  t.after(() => clearInterval(drip));
  const start = performance.now();
  assert.match(await client.until(/slowly/), /^HTTP\/1\.1 408 [^]*expected the body within 200 ms/);
  assert.ok(performance.now() - start < 1500);
  assert.equal(await refused('slow_body'), 1);
  await client.closed();
  await eventually(async () => (await memory()) === 0);
});

test('a large body that keeps coming may take longer than the body timeout', async (t) => {
  const { port } = await serve(t, { routes: [echo({ bodyLimit: 1 << 20 })], limits: { bodyTimeoutMs: 100 } });
  const client = await RawClient.open(t, port);
  client.send(`${POST}content-length: 200000\r\nconnection: close\r\n\r\n`);
  for (let i = 0; i < 20; i++) {
    client.send(Buffer.alloc(10_000, 0x61));
    await delay(20);
  }
  const text = await client.closed();
  assert.match(text, /^HTTP\/1\.1 200 /);
  assert.ok(text.endsWith('a'.repeat(200_000)));
});

test('a byte a second: headers are cut off after their time', async (t) => {
  const { port, refused } = await serve(t, { limits: { headerTimeoutMs: 200 } });
  const client = await RawClient.open(t, port);
  const silent = await RawClient.open(t, port);
  client.send('GET /-/healthy HTTP/1.1\r\nhost: x\r\n');
  const drip = setInterval(() => client.send('x'), 20);
  t.after(() => clearInterval(drip));
  assert.match(await client.closed(2000), /^HTTP\/1\.1 408 /);
  await silent.closed(2000);
  assert.equal(await refused('slow_header'), 2);
});

test('headers that are too large get 431, bytes that are not HTTP 400', async (t) => {
  const { port, refused } = await serve(t);
  const large = await RawClient.open(t, port);
  large.send(`GET / HTTP/1.1\r\nhost: x\r\na: ${'x'.repeat(20_000)}\r\n\r\n`);
  assert.match(await large.closed(), /^HTTP\/1\.1 431 /);
  const garbage = await RawClient.open(t, port);
  garbage.send('\u0016\u0003\u0001 hello\r\n\r\n');
  assert.match(await garbage.closed(), /^HTTP\/1\.1 400 /);
  assert.deepEqual([await refused('header_size'), await refused('malformed')], [1, 1]);
});

for (const [what, headers] of [
  ['two different lengths', 'content-length: 3\r\ncontent-length: 4\r\n'],
  ['a length and chunks', 'content-length: 3\r\ntransfer-encoding: chunked\r\n'],
  ['a length that is no number', 'content-length: 1e3\r\n'],
] as const) {
  test(`a request with ${what} is refused`, async (t) => {
    const { port } = await serve(t, { routes: [echo()] });
    const client = await RawClient.open(t, port);
    client.send(`${POST}${headers}\r\nabc`);
    assert.match(await client.closed(), /^HTTP\/1\.1 400 /);
  });
}

for (const [what, pieces] of [
  ['at once', ['zz\r\n']],
  ['after good ones', ['5\r\nhello\r\n', 'zz\r\nmore\r\n', 'and more']],
  ['without the end of a piece', ['5\r\nhelloworld\r\n']],
] as const) {
  test(`a chunk that is not one, ${what}, is answered with 400`, async (t) => {
    const { port, refused, requests, memory } = await serve(t, { routes: [echo()] });
    const client = await RawClient.open(t, port);
    client.send(`${POST}transfer-encoding: chunked\r\n\r\n`);
    for (const piece of pieces) {
      client.send(piece);
      await delay(20);
    }
    assert.match(await client.closed(), /^HTTP\/1\.1 400 [^]*connection: close[^]*expected a body in the chunks[^]*$/i);
    assert.equal(client.text.split(/HTTP.1.1 \d/).length, 2, 'one answer');
    await eventually(async () => (await requests('/echo', 400)) === 1 && (await memory()) === 0);
    assert.equal(await refused('malformed'), 1);
  });
}

test('a broken chunk that comes while the credentials are checked is answered after them', async (t) => {
  const verdict = Promise.withResolvers<{ kind: 'admitted'; name: string }>();
  const { port } = await serve(t, { routes: [echo()], listener: { admit: () => verdict.promise } });
  const client = await RawClient.open(t, port);
  client.send(`${POST}transfer-encoding: chunked\r\n\r\nzz\r\n`);
  await delay(50);
  assert.equal(client.text, '');
  verdict.resolve({ kind: 'admitted', name: 'x' });
  assert.match(await client.closed(), /^HTTP\/1\.1 400 [^]*expected a body in the chunks/);
});

test('an answer that the server gives has what the route promises, one of the handler has its own', async (t) => {
  const promised: HttpRoute['refusalHeaders'] = (headers) => ({ 'x-written': `0 of ${headers['x-sent']}` });
  const handle: HttpRoute['handle'] = ({ body }) => {
    if (body.toString() === 'fail') throw new Error('unexpected');
    return { status: 400, headers: { 'x-own': '1' } };
  };
  const released = Promise.withResolvers<void>();
  const large: HttpRoute['handle'] = async ({ body }) => {
    if (body.toString() === 'hold') await released.promise;
    return { status: 204 };
  };
  const limited = echo({ path: '/large', memory: 1 << 20, refusalHeaders: promised, handle: large });
  const { url, port, memory } = await serve(t, {
    routes: [echo({ bodyLimit: 10, refusalHeaders: promised, handle }), limited],
    limits: { bodyTimeoutMs: 100, memory: 1 << 19 },
  });
  const post = async (path: string, body: string, more: Record<string, string> = {}) => {
    const reply = await fetch(`${url}${path}`, { method: 'POST', body, headers: { 'x-sent': '7', ...more } });
    return [reply.status, reply.headers.get('x-written'), reply.headers.get('x-own')];
  };
  assert.deepEqual(await post('/echo', 'x'.repeat(11)), [413, '0 of 7', null]);
  assert.deepEqual(await post('/echo', 'x', { 'x-org-id': '9' }), [400, '0 of 7', null]);
  // More than the whole limit: one at a time.
  const holding = post('/large', 'hold');
  await eventually(async () => (await memory()) > 1 << 18);
  assert.deepEqual(await post('/large', 'x'), [503, '0 of 7', null]);
  released.resolve();
  assert.deepEqual(await holding, [204, null, null]);
  assert.deepEqual(await post('/echo', 'fail'), [500, '0 of 7', null]);
  assert.deepEqual(await post('/echo', 'x'), [400, null, '1']);
  const slow = await RawClient.open(t, port);
  slow.send(`${POST}x-sent: 3\r\ncontent-length: 9\r\n\r\na`);
  assert.match(await slow.until(/slowly/), /^HTTP\/1\.1 408 [^]*x-written: 0 of 3\r\n/);
});

test('idle connections are bounded: the oldest give way, requests still get through', async (t) => {
  const { port, url, refused, connections } = await serve(t, { limits: { connections: 50 } });
  const idle: RawClient[] = [];
  for (let i = 0; i < 50; i++) idle.push(await RawClient.open(t, port));
  await eventually(async () => (await connections()) === 50);
  const early = await RawClient.open(t, port);
  await early.closed();
  assert.equal(await refused('connections'), 1, 'none is old enough yet');
  await delay(1100);
  for (let i = 0; i < 100; i++)
    assert.equal((await fetch(`${url}/-/healthy`, { headers: { connection: 'close' } })).status, 200);
  assert.ok((await refused('idle')) >= 1);
  assert.ok((await connections()) <= 50);
  await idle[0]?.closed();
  assert.equal(idle.at(-1)?.socket.destroyed, false);
});

test('keep-alive connections end after their time', async (t) => {
  const { port } = await serve(t, { limits: { keepAliveMs: 50 } });
  const client = await RawClient.open(t, port);
  client.send('GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n');
  await client.until(/healthy\n$/);
  await client.closed(3000);
});

function slowPost(text: string): string {
  return `POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
}

test('requests sent ahead are answered in order, one at a time', async (t) => {
  let running = 0;
  let most = 0;
  const order: string[] = [];
  const slow: HttpRoute = {
    method: 'POST',
    path: '/slow',
    scope: 'write',
    handle: async ({ body }) => {
      most = Math.max(most, ++running);
      await delay(Number(body.toString()));
      running--;
      order.push(body.toString());
      return { status: 200, body: `<${body.toString()}>` };
    },
  };
  const { port } = await serve(t, { routes: [slow] });
  const client = await RawClient.open(t, port);
  client.send(slowPost('60') + slowPost('1') + slowPost('30') + slowPost('2'));
  const text = await client.until(/<2>/);
  assert.deepEqual(text.match(/<\d+>/g), ['<60>', '<1>', '<30>', '<2>']);
  assert.deepEqual(order, ['60', '1', '30', '2']);
  assert.equal(most, 1);
});

test('hundreds of requests sent ahead end the connection', async (t) => {
  const never = Promise.withResolvers<{ status: number }>();
  const { port, refused } = await serve(t, {
    routes: [{ method: 'GET', path: '/wait', scope: 'read', handle: () => never.promise }],
  });
  const client = await RawClient.open(t, port);
  client.send('GET /wait HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(300));
  await client.closed();
  never.resolve({ status: 200 });
  assert.equal(await refused('pipelined'), 1);
});

test('memory: what does not fit waits briefly, then gets 503 with Retry-After', async (t) => {
  const gate = Promise.withResolvers<void>();
  const handle: HttpRoute['handle'] = async () => {
    await gate.promise;
    return { status: 204 };
  };
  const route = echo({ handle, memory: 900, bodyLimit: 1000 });
  const { url, refused, memory } = await serve(t, { routes: [route], limits: { memory: 2000 } });
  const post = () => fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(100) });
  const [first, second] = [post(), post()];
  await eventually(async () => (await memory()) === 2000);
  const third = await post();
  assert.equal(third.status, 503, 'a stock Prometheus throws away what is answered with 429');
  assert.match(third.headers.get('retry-after') ?? '', /^[1-4]$/);
  assert.match(await third.text(), /limits\.memory/);
  assert.equal(await refused('memory'), 1);
  const fourth = post();
  await delay(100);
  gate.resolve();
  assert.deepEqual(
    (await Promise.all([first, second, fourth])).map((reply) => reply.status),
    [204, 204, 204],
  );
  await eventually(async () => (await memory()) === 0);
});

test('memory: a body is charged as it comes, not as it is declared', async (t) => {
  const gate = Promise.withResolvers<void>();
  const handle: HttpRoute['handle'] = async () => {
    await gate.promise;
    return { status: 204 };
  };
  const { port, memory } = await serve(t, { routes: [echo({ handle, bodyLimit: 1 << 20, memory: 100 })] });
  const chunked = await RawClient.open(t, port);
  chunked.send(`${POST}transfer-encoding: chunked\r\n\r\n5\r\n`);
  const long = await RawClient.open(t, port);
  long.send(`${POST}content-length: 1000000\r\n\r\n`);
  await delay(50);
  assert.equal(await memory(), 0);
  long.send(Buffer.alloc(10_000));
  await eventually(async () => (await memory()) > 0);
  assert.ok((await memory()) <= 20_000);
  chunked.send('hello\r\n0\r\n\r\n');
  long.send(Buffer.alloc(990_000));
  await eventually(async () => (await memory()) > 1_000_000);
  gate.resolve();
  await chunked.until(/204/);
  await long.until(/204/);
  await eventually(async () => (await memory()) === 0);
});

test('memory: clients that declare much and send little do not keep others out', async (t) => {
  const { port, url, refused, memory } = await serve(t, {
    routes: [echo({ bodyLimit: 1 << 20, memory: 400_000 })],
    limits: { memory: 1 << 20 },
  });
  for (let i = 0; i < 100; i++) {
    const client = await RawClient.open(t, port);
    client.send(`${POST}${i % 2 === 0 ? 'content-length: 1000000' : 'transfer-encoding: chunked'}\r\n\r\n`);
    if (i % 2 === 0) client.send('xx');
  }
  for (let i = 0; i < 10; i++) {
    const reply = await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(1000) });
    assert.equal(reply.status, 200);
    assert.equal((await reply.text()).length, 1000);
  }
  assert.equal(await refused('memory'), 0);
  assert.ok((await memory()) <= 1 << 18);
});

test('memory: a body that stopped coming gives way to one that comes', async (t) => {
  const { port, url, refused, memory } = await serve(t, {
    routes: [echo({ bodyLimit: 1 << 20, memory: 1000 })],
    limits: { memory: 1 << 20 },
  });
  const stopped = await RawClient.open(t, port);
  stopped.send(`${POST}content-length: 300000\r\n\r\n`);
  stopped.send(Buffer.alloc(250_000));
  await eventually(async () => (await memory()) >= 250_000);
  await delay(500);
  const reply = await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(100_000) });
  assert.equal(reply.status, 200);
  assert.equal((await reply.text()).length, 100_000);
  assert.match(await stopped.until(/limits\.memory\n$/), /^HTTP\/1\.1 503 [^]*retry-after: [1-4]\r\n/i);
  assert.equal(await refused('memory'), 1);
  await eventually(async () => (await memory()) === 0);
});

test('memory: slow readers do not keep writes out', async (t) => {
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  const read: HttpRoute = {
    method: 'POST',
    path: '/read',
    scope: 'read',
    memory: 1000,
    handle: async () => {
      await gate.promise;
      return { status: 200 };
    },
  };
  const { url, memory } = await serve(t, { routes: [read, echo({ memory: 1000 })], limits: { memory: 4000 } });
  const readers = Array.from({ length: 6 }, () => fetch(`${url}/read`, { method: 'POST' }));
  await eventually(async () => (await memory()) === 2000);
  assert.equal((await fetch(`${url}/echo`, { method: 'POST', body: 'x' })).status, 200);
  await delay(1100);
  gate.resolve();
  const statuses = (await Promise.all(readers)).map((reply) => reply.status);
  assert.equal(statuses.filter((status) => status === 200).length, 2);
  assert.equal(statuses.filter((status) => status === 503).length, 4);
});

test('garbage of every kind leaves nothing behind', async (t) => {
  const { port, url, memory, connections, logged } = await serve(t, {
    routes: [echo({ bodyLimit: 5000, memory: 10 })],
    limits: { headerTimeoutMs: 200, bodyTimeoutMs: 100, keepAliveMs: 100 },
  });
  // A small generator with a fixed seed: the same garbage in every run.
  let state = 42;
  const random = (below: number) => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) % below;
  const pieces = [
    POST,
    'GET /-/ready HTTP/1.1\r\nhost: x\r\n\r\n',
    'content-length: 5\r\n\r\nhello',
    'content-length: 99999\r\n\r\n',
    'transfer-encoding: chunked\r\n\r\n',
    'expect: 100-continue\r\n',
    '5\r\nhello\r\n',
    'ffffffffffffffff\r\n',
    '0\r\n\r\n',
    'x-org-id: 9\r\n\r\n',
    'connection: upgrade\r\nupgrade: websocket\r\n\r\n',
    'CONNECT x:1 HTTP/1.1\r\n\r\n',
    'GET * HTTP/1.0\r\n\r\n',
    '\u0000\u0001\u00FF',
    '\r\n\r\n',
  ];
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      Array.from({ length: 30 }, async () => {
        const client = await RawClient.open(t, port);
        for (let i = random(8); i >= 0; i--) client.send(Buffer.from(pieces[random(pieces.length)] ?? '', 'latin1'));
        if (random(3) === 0) client.socket.destroy();
        else if (random(2) === 0) client.socket.end();
      }),
    );
  }
  await eventually(
    async () => (await connections()) === 0,
    10_000,
    () => 'all connections to end',
  );
  assert.equal(await memory(), 0);
  assert.deepEqual(logged, []);
  assert.equal((await fetch(`${url}/-/healthy`)).status, 200);
});
