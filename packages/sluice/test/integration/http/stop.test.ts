import assert from 'node:assert/strict';
import { pbkdf2 } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { HttpRoute } from '../../../src/base/ports.ts';
import { isSluiceError, SluiceError } from '../../../src/base/errors.ts';
import { RawClient, eventually, serve } from './harness.ts';

const derive = promisify(pbkdf2);
const GET = 'GET /work HTTP/1.1\r\nhost: x\r\n\r\n';

function work(handle: HttpRoute['handle']): HttpRoute {
  return { method: 'GET', path: '/work', scope: 'read', handle };
}

test('stop lets running requests end and closes idle connections', async (t) => {
  let started = false;
  const { server, port } = await serve(t, {
    routes: [
      work(async () => {
        started = true;
        await delay(150);
        return { status: 200, body: 'done' };
      }),
    ],
  });
  const [busy, idle] = [await RawClient.open(t, port), await RawClient.open(t, port)];
  busy.send(GET);
  await eventually(() => started);
  const stopped = server.stop(5000);
  await idle.closed();
  await assert.rejects(RawClient.open(t, port), /ECONNREFUSED/);
  assert.match(await busy.closed(), /^HTTP\/1\.1 200 [^]*connection: close[^]*done$/i);
  const start = performance.now();
  await stopped;
  assert.ok(performance.now() - start < 1000);
});

test('at the deadline running requests are aborted and may still say so', async (t) => {
  let reason: unknown;
  const { server, port } = await serve(t, {
    routes: [
      work(async ({ signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        reason = signal.reason;
        throw new SluiceError('stopping', 'the hub is stopping');
      }),
    ],
  });
  const client = await RawClient.open(t, port);
  client.send(GET);
  await delay(50);
  const start = performance.now();
  await server.stop(100);
  assert.ok(performance.now() - start < 2000);
  assert.ok(reason instanceof SluiceError && reason.code === 'stopping');
  assert.match(await client.closed(), /^HTTP\/1\.1 503 [^]*the hub is stopping/);
});

test('a handler that does not listen cannot hold up the stop', async (t) => {
  const { server, port } = await serve(t, { routes: [work(() => new Promise(() => undefined))] });
  const client = await RawClient.open(t, port);
  client.send(GET);
  await delay(50);
  const start = performance.now();
  await server.stop(50);
  assert.ok(performance.now() - start < 2000);
  assert.equal(await client.closed(), '');
});

test('what was sent ahead is not begun any more', async (t) => {
  let begun = 0;
  const { server, port } = await serve(t, {
    routes: [
      work(async () => {
        begun++;
        await delay(100);
        return { status: 200 };
      }),
    ],
  });
  const client = await RawClient.open(t, port);
  client.send(GET + GET);
  await eventually(() => begun === 1);
  await server.stop(2000);
  await client.closed();
  assert.equal(begun, 1);
});

test('a start that fails does not wait for those who found the first address open', async (t) => {
  const { server, port } = await serve(t);
  await server.stop(0);
  // While these run, the second address waits for a thread to look its name up.
  const jobs = 2 * Number(process.env['UV_THREADPOOL_SIZE'] ?? '4');
  const busy = Promise.all(Array.from({ length: jobs }, () => derive('a', 'b', 200_000, 32, 'sha256')));
  const listener = {
    addresses: [
      { host: '127.0.0.1', port },
      { host: 'no-such-name.invalid', port: 0 },
    ],
  };
  const failed = assert.rejects(serve(t, { listener }), (error) => isSluiceError(error, 'listen_failed'));
  let client: RawClient | undefined;
  await eventually(async () => (client = await RawClient.open(t, port).catch(() => undefined)) !== undefined);
  client?.send('GET /-/healthy HTTP/1.1\r\nhost: x\r\n');
  await busy;
  const late = delay(5000, 'late', { ref: false });
  assert.notEqual(await Promise.race([failed, late]), 'late');
});
