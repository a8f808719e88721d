import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from 'node:net';
import { createAdmit } from '../../../src/access/admit.ts';
import { tryParseNetwork, type AuthOptions } from '../../../src/access/config.ts';
import { createNetworkTest } from '../../../src/access/networks.ts';
import { SluiceError } from '../../../src/base/errors.ts';
import { Secret } from '../../../src/base/secret.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { RawClient, echo, serve } from './harness.ts';

const AUTH: AuthOptions = {
  users: [
    { name: 'writer', scopes: ['write'], source: { kind: 'password', password: Secret.of('w') } },
    { name: 'reader', scopes: ['read'], source: { kind: 'password', password: Secret.of('r') } },
  ],
  tokens: [{ name: 'operator', scopes: ['admin'], token: Secret.of('t') }],
  certificates: [],
};
const access = await createAdmit({ auth: AUTH, log: createLog({ level: 'silent' }) });
const listener = { admit: access.admit };
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

test('credentials decide: 401 with a challenge, 403 by scope, else the handler', async (t) => {
  const { url, refused, logged } = await serve(t, { routes: [echo()], listener });
  const post = (headers: Record<string, string>) => fetch(`${url}/echo`, { method: 'POST', body: 'hi', headers });
  const wrong = await post(basic('writer', 'hunter2'));
  assert.equal(wrong.status, 401);
  assert.equal(wrong.headers.get('www-authenticate'), 'Basic realm="sluice", charset="UTF-8"');
  assert.doesNotMatch(await wrong.text(), /hunter2|writer/);
  assert.equal((await post({})).status, 401);
  const reader = await post(basic('reader', 'r'));
  assert.deepEqual(
    [reader.status, await reader.text()],
    [403, 'expected credentials with the scope write; reader does not have it\n'],
  );
  assert.equal(await (await post(basic('writer', 'w'))).text(), 'hi');
  assert.equal(await (await post({ authorization: 'Bearer t' })).text(), 'hi');
  assert.equal((await fetch(`${url}/metrics`, { headers: basic('reader', 'r') })).status, 200);
  assert.deepEqual([await refused('unauthorized'), await refused('forbidden')], [2, 1]);
  assert.deepEqual(logged, []);
});

test('wrong credentials are answered before the body is read or continued', async (t) => {
  const { port } = await serve(t, { routes: [echo()], listener });
  const client = await RawClient.open(t, port);
  client.send('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\nexpect: 100-continue\r\n\r\n');
  assert.match(await client.closed(900), /^HTTP\/1\.1 401 /);
});

function tooMany() {
  return Promise.reject(new SluiceError('too_many_requests', 'too many wrong passwords', { retryAfterMs: 3000 }));
}

test('too many attempts get 429 with Retry-After', async (t) => {
  const { url, refused } = await serve(t, { routes: [echo()], listener: { admit: tooMany } });
  const reply = await fetch(`${url}/echo`, { method: 'POST', body: 'x' });
  assert.deepEqual([reply.status, reply.headers.get('retry-after')], [429, '3']);
  assert.equal(await refused('attempts'), 1);
});

test('other networks than the allowed ones are cut off at once', async (t) => {
  const network = tryParseNetwork('10.0.0.0/8');
  assert.ok(network);
  const { port, refused } = await serve(t, { listener: { allows: createNetworkTest([network]) } });
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('close', resolve));
  assert.equal(await refused('network'), 1);
});
