import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { HttpRequest, HttpRoute } from '../../../src/base/ports.ts';
import { SluiceError } from '../../../src/base/errors.ts';
import { RawClient, echo, eventually, serve } from './harness.ts';

function stream(parts: (request: HttpRequest) => AsyncIterable<Uint8Array>): HttpRoute {
  return {
    method: 'GET',
    path: '/stream',
    scope: 'read',
    handle: (request) => ({ status: 200, headers: { 'content-type': 'application/x' }, body: parts(request) }),
  };
}

const GET = 'GET /stream HTTP/1.1\r\nhost: x\r\n\r\n';

test('an iterable is sent part by part, and the connection lives on', async (t) => {
  const { port, requests } = await serve(t, {
    routes: [
      stream(async function* () {
        for (const part of ['one,', 'two,', 'three']) yield await Promise.resolve(Buffer.from(part));
      }),
    ],
  });
  const client = await RawClient.open(t, port);
  for (const round of [1, 2]) {
    client.send(GET);
    await eventually(() => client.text.split('three\r\n0\r\n\r\n').length === round + 1);
  }
  assert.match(client.text, /transfer-encoding: chunked/i);
  assert.equal(await requests('/stream', 200), 2);
});

test('a slow reader holds the producer back', async (t) => {
  const part = Buffer.alloc(64 * 1024);
  let produced = 0;
  const { port } = await serve(t, {
    routes: [
      stream(async function* () {
        for (let i = 0; i < 4096; i++) {
          produced++;
          yield await Promise.resolve(part);
        }
      }),
    ],
  });
  const client = await RawClient.open(t, port);
  client.socket.pause();
  client.send(GET);
  await eventually(() => produced > 0);
  await delay(300);
  const held = produced;
  await delay(200);
  assert.equal(produced, held, 'nothing is made while nobody reads');
  assert.ok(held < 400, `${held} parts of 64 KiB lie between producer and reader`);
  const before = process.memoryUsage().arrayBuffers;
  client.socket.removeAllListeners('data');
  let received = 0;
  client.socket.on('data', (text: string) => (received += text.length));
  client.socket.resume();
  await eventually(() => received > 4096 * part.length, 20_000);
  assert.ok(process.memoryUsage().arrayBuffers - before < 64 << 20, 'memory stays flat');
});

test('a reader that stops for good is cut off', async (t) => {
  let returned = false;
  const { port, refused } = await serve(t, {
    limits: { replyTimeoutMs: 150 },
    routes: [
      stream(async function* () {
        try {
          for (;;) yield await Promise.resolve(Buffer.alloc(64 * 1024));
        } finally {
          returned = true;
        }
      }),
      echo({ path: '/whole', method: 'GET', handle: () => ({ status: 200, body: Buffer.alloc(32 << 20) }) }),
    ],
  });
  for (const [path, count] of [
    ['/stream', 1],
    ['/whole', 2],
  ] as const) {
    const client = await RawClient.open(t, port);
    client.socket.pause();
    client.send(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await eventually(
      async () => (await refused('slow_reader')) === count,
      5000,
      () => path,
    );
  }
  assert.equal(returned, true);
});

test('a failure before the first part becomes a proper answer', async (t) => {
  const { url, requests } = await serve(t, {
    routes: [
      // oxlint-disable-next-line require-yield
      stream(async function* () {
        await delay(1);
        throw new SluiceError('storage_unavailable', 'cannot read: the database is down');
      }),
    ],
  });
  const reply = await fetch(`${url}/stream`);
  assert.deepEqual([reply.status, await reply.text()], [503, 'cannot read: the database is down\n']);
  assert.equal(await requests('/stream', 503), 1);
});

test('a failure after it cuts the transfer, so that nobody takes it for complete', async (t) => {
  const { url, port, logged } = await serve(t, {
    routes: [
      stream(async function* () {
        yield Buffer.from('begin');
        await delay(10);
        throw new Error('broken in the middle');
      }),
    ],
  });
  const client = await RawClient.open(t, port);
  client.send(GET);
  const text = await client.closed();
  assert.match(text, /begin/);
  assert.ok(!text.endsWith('0\r\n\r\n'));
  await assert.rejects(async () => (await fetch(`${url}/stream`)).text());
  assert.match(logged.join(''), /broken in the middle/);
});

test('HEAD on an iterable returns it unread', async (t) => {
  let read = 0;
  let returned = 0;
  const body: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: false, value: Buffer.from(String(++read)) }),
      return: () => Promise.resolve({ done: true, value: ++returned }),
    }),
  };
  const { url } = await serve(t, { routes: [stream(() => body)] });
  const reply = await fetch(`${url}/stream`, { method: 'HEAD' });
  assert.deepEqual([reply.status, reply.headers.get('content-type'), read, returned], [200, 'application/x', 0, 1]);
});

test('the client goes away: the signal aborts and the iterator is returned', async (t) => {
  let reason: unknown;
  let returned = false;
  const { port, requests, logged } = await serve(t, {
    routes: [
      stream(async function* ({ signal }) {
        signal.addEventListener('abort', () => (reason = signal.reason));
        try {
          for (;;) {
            yield Buffer.from('tick');
            await delay(5);
          }
        } finally {
          returned = true;
        }
      }),
    ],
  });
  const client = await RawClient.open(t, port);
  client.send(GET);
  await client.until(/tick/);
  client.socket.destroy();
  await eventually(() => returned && reason instanceof SluiceError && reason.code === 'cancelled');
  await eventually(async () => (await requests('/stream', 499)) === 1);
  assert.deepEqual(logged, []);
});

test('an iterator that waits for something else is returned, too', async (t) => {
  let returned = false;
  const body: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => undefined),
      return: () => {
        returned = true;
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
  const { port, memory } = await serve(t, { routes: [{ ...stream(() => body), memory: 5000 }] });
  const client = await RawClient.open(t, port);
  client.send(GET);
  await eventually(async () => (await memory()) === 5000);
  client.socket.destroy();
  await eventually(() => returned);
  await eventually(async () => (await memory()) === 0);
});

test('the client goes away while the handler works: memory is kept until the handler is done', async (t) => {
  const gate = Promise.withResolvers<void>();
  let signal: AbortSignal | undefined;
  const handle: HttpRoute['handle'] = async (request) => {
    ({ signal } = request);
    await gate.promise;
    return { status: 200 };
  };
  const { port, memory, requests } = await serve(t, { routes: [echo({ handle, memory: 700 })] });
  const client = await RawClient.open(t, port);
  client.send('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc');
  await eventually(() => signal !== undefined);
  client.socket.destroy();
  await eventually(() => signal?.aborted === true);
  assert.equal(await memory(), 703);
  gate.resolve();
  await eventually(async () => (await memory()) === 0);
  assert.equal(await requests('/echo', 499), 1);
});

test('the client goes away in the middle of its body', async (t) => {
  let handled = false;
  const { port, refused, memory } = await serve(t, {
    routes: [echo({ handle: () => ((handled = true), { status: 200 }) })],
  });
  const client = await RawClient.open(t, port);
  client.send('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\nabc');
  await eventually(async () => (await memory()) > 0);
  client.socket.destroy();
  await eventually(async () => (await refused('gone')) === 1);
  assert.deepEqual([handled, await memory()], [false, 0]);
});
