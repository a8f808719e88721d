import assert from 'node:assert/strict';
import { connect as connectHttp2, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { framed } from '../../../src/control/grpc-messages.ts';
import { GrpcSessions } from '../../../src/control/grpc-sessions.ts';
import { changed, recorded } from './agent-client.ts';
import { eventually, serve } from './harness.ts';

/** Calls a method with a body that no gRPC library would make; the status, headers and trailers together. */
async function call(
  session: ClientHttp2Session,
  body: readonly Buffer[],
  headers: OutgoingHttpHeaders = {},
): Promise<Record<string, unknown>> {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/agent.Synchronizer/Sync',
    'content-type': 'application/grpc',
    ...headers,
  });
  const got: Record<string, unknown> = {};
  for (const event of ['response', 'trailers'] as const) {
    stream.on(event, (more: object) => Object.assign(got, more));
  }
  for (const piece of body) {
    stream.write(piece);
    // A frame each.
    await new Promise((resolve) => setImmediate(resolve));
  }
  stream.end();
  let length = 0;
  stream.on('data', (bytes: Buffer) => (length += bytes.length));
  await new Promise((resolve) => stream.once('close', resolve));
  return { ...got, length };
}

function connected(t: TestContext, port: number): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  return session;
}

const sync = recorded('04-Sync-request-steady');

test('streams: a first message that cannot be read and one that is too large are refused and counted', async (t) => {
  const { agent, value } = await serve(t, { agents: { 'max-message': '64KiB' } });
  const client = agent();
  await client.sync();
  await assert.rejects(client.push(Buffer.from([0x0b])), { code: 3 });
  await assert.rejects(client.push(Buffer.alloc(65_537)), { code: 8 });
  for (const [bytes, code, outcome] of [
    [Buffer.from([0x0b]), 3, 'malformed'],
    [Buffer.alloc(65_537), 8, 'too_large'],
  ] as const) {
    const stream = client.remoteExecute();
    const { promise, resolve } = Promise.withResolvers<number>();
    stream.on('data', () => undefined);
    stream.once('error', (error: Error & { code: number }) => resolve(error.code));
    stream.write(bytes);
    assert.equal(await promise, code);
    assert.equal(await value('sluice_control_requests_total', { method: 'Push', outcome }), 1);
    assert.equal(await value('sluice_control_requests_total', { method: 'RemoteExecute', outcome }), 1);
  }
  assert.equal((await client.sync()).dynamic_config.agent_id, 1);
});

test('bodies in any pieces, and compressed ones, are answered', async (t) => {
  const { port } = await serve(t);
  const session = connected(t, port);
  const body = framed(sync);
  const compressed = gzipSync(sync);
  const head = Buffer.from([1, 0, 0, 0, 0]);
  head.writeUInt32BE(compressed.length, 1);
  const answers = [
    await call(session, [body]),
    await call(session, [body.subarray(0, 3), body.subarray(3, 5), body.subarray(5, 100), body.subarray(100)]),
    await call(session, [head, compressed], { 'grpc-encoding': 'gzip' }),
  ];
  for (const answer of answers) {
    assert.equal(answer['grpc-status'], '0');
    assert.equal(answer['content-type'], 'application/grpc+proto');
    assert.equal(answer['length'], answers[0]?.['length']);
  }
});

test('what gRPC itself cannot take apart is refused and counted', async (t) => {
  const { agent, port, value } = await serve(t);
  const session = connected(t, port);
  const gzip = { 'grpc-encoding': 'gzip' };
  const cases: readonly (readonly [body: readonly Buffer[], headers: OutgoingHttpHeaders, status: string])[] = [
    [[Buffer.from([1, 0, 0, 0, 2, 9, 9])], gzip, '3'],
    [[Buffer.from([1, 0, 0, 0, 0])], gzip, '3'],
    [[Buffer.from([1, 0, 0, 0, 0])], { 'grpc-encoding': 'snappy' }, '12'],
    [[], {}, '3'],
    [[framed(sync), framed(sync)], {}, '3'],
    [[framed(sync).subarray(0, 50)], {}, '3'],
    [[Buffer.from('GET / HTTP/1.1')], {}, '3'],
  ];
  for (const [body, headers, status] of cases) {
    const { 'grpc-status': got } = await call(session, body, headers);
    assert.equal(got, status, Buffer.concat(body).toString('hex', 0, 20));
  }
  const method = 'Sync';
  assert.equal(await value('sluice_control_requests_total', { method, outcome: 'malformed' }), cases.length);
  const other = await call(session, [framed(sync)], { 'content-type': 'application/json' });
  assert.equal(other[':status'], 415);
  assert.equal(await value('sluice_control_requests_total', { method, outcome: 'not_grpc' }), 1);
  assert.equal((await agent().sync()).dynamic_config.agent_id, 1);
});

test('a caller that goes away in the middle of a call harms nobody', async (t) => {
  const { agent, port } = await serve(t);
  for (const bytes of [framed(sync), framed(sync).subarray(0, 50)]) {
    for (const end of ['cancel', 'destroy'] as const) {
      const session = connected(t, port);
      for (const path of ['Sync', 'Push', 'RemoteExecute', 'Plugin', 'Unheard']) {
        const stream = session.request({
          ':method': 'POST',
          ':path': `/agent.Synchronizer/${path}`,
          'content-type': 'application/grpc',
        });
        stream.on('error', () => undefined);
        stream.write(bytes);
        if (end === 'cancel') stream.close(8);
      }
      await new Promise((resolve) => session.ping(resolve));
      session.destroy();
    }
  }
  assert.equal((await agent().sync()).dynamic_config.agent_id, 1);
});

test('Push streams close with the hub', async (t) => {
  const { agent, control } = await serve(t);
  const client = agent();
  const streams = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      client.push(changed('06-Push-request', 'SyncRequest', { ctrl_ip: `10.9.0.${index}` })),
    ),
  );
  await control.stop();
  await eventually(() => streams.every(({ ended }) => ended), 'all streams to end');
});

test('a connection whose far end answers no ping is closed; one that does stays', async (t) => {
  const sessions = new GrpcSessions({ serve: (stream) => stream.close(), pingEveryMs: 200, pingTimeoutMs: 50 });
  const server = createServer((socket) => sessions.add(socket, { local: '', remote: '' }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    sessions.closeAll();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const living = connected(t, port);
  await new Promise((resolve) => living.once('connect', resolve));
  const dead: Socket = connect(port, '127.0.0.1');
  t.after(() => dead.destroy());
  dead.on('error', () => undefined);
  dead.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
  const closed = new Promise<void>((resolve) => dead.once('close', () => resolve()));
  dead.resume();
  await closed;
  assert.equal(living.destroyed, false);
});
