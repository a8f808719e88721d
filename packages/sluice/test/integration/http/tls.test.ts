import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { createAdmit } from '../../../src/access/admit.ts';
import type { TlsOptions } from '../../../src/access/config.ts';
import { TlsFiles } from '../../../src/access/tls-files.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { eventually, serve } from './harness.ts';

const fixtures = join(import.meta.dirname, '../../fixtures/tls');
const pem = (name: string) => readFile(join(fixtures, `${name}.pem`));
const log = createLog({ level: 'silent' });
const directory = await mkdtemp(join(tmpdir(), 'sluice-https-'));
after(() => rm(directory, { recursive: true }));
const [ca, clientCert, clientKey, strangerCert, strangerKey] = await Promise.all(
  ['ca', 'client', 'client-key', 'stranger', 'stranger-key'].map(pem),
);
const OPTIONS: TlsOptions = {
  certFile: join(fixtures, 'server.pem'),
  keyFile: join(fixtures, 'server-key.pem'),
  clientCaFile: undefined,
  clientCertificates: 'required',
  minVersion: '1.2',
};

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly server: string;
}

function get(port: number, path: string, options: RequestOptions = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const request = httpsRequest({ host: '127.0.0.1', port, path, ca, agent: false, ...options }, (response) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- https gives TLS sockets
    const server = String((response.socket as TLSSocket).getPeerCertificate().subject.CN);
    let text = '';
    response.on('data', (part: Buffer) => (text += part.toString()));
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text, server }));
    response.on('error', reject);
  });
  request.on('error', reject);
  request.end();
  return promise;
}

test('a listener with TLS', async (t) => {
  const { port, url, connections, refused } = await serve(t, { listener: { tls: await TlsFiles.open(OPTIONS, log) } });
  assert.match(url, /^https:/);
  assert.deepEqual(await get(port, '/-/healthy'), { status: 200, text: 'healthy\n', server: 'first' });
  await eventually(
    async () => (await connections()) === 0,
    3000,
    () => 'no connections left',
  );
  await assert.rejects(get(port, '/-/healthy', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' }));
  const plain = connectTcp(port, '127.0.0.1', () => plain.write('GET / HTTP/1.1\r\n\r\n'));
  plain.on('error', () => undefined);
  await new Promise((resolve) => plain.once('close', resolve));
  await eventually(async () => (await refused('tls')) >= 1);
  await eventually(async () => (await connections()) === 0);
});

test('a handshake that does not go on is cut off', async (t) => {
  const { port, connections } = await serve(t, {
    listener: { tls: await TlsFiles.open(OPTIONS, log) },
    limits: { headerTimeoutMs: 200 },
  });
  const silent = connectTcp(port, '127.0.0.1');
  silent.on('error', () => undefined);
  await eventually(async () => (await connections()) === 1);
  await new Promise((resolve) => silent.once('close', resolve));
  await eventually(async () => (await connections()) === 0);
});

test('new certificates are used without dropping the listener or its connections', async (t) => {
  const certFile = join(directory, 'cert.pem');
  const keyFile = join(directory, 'key.pem');
  await copyFile(join(fixtures, 'server.pem'), certFile);
  await copyFile(join(fixtures, 'server-key.pem'), keyFile);
  const tls = await TlsFiles.open({ ...OPTIONS, certFile, keyFile }, log);
  const { port } = await serve(t, { listener: { tls } });
  assert.equal((await get(port, '/-/healthy')).server, 'first');
  await copyFile(join(fixtures, 'server-2.pem'), certFile);
  await copyFile(join(fixtures, 'server-2-key.pem'), keyFile);
  assert.equal(await tls.reload(), true);
  assert.equal((await get(port, '/-/healthy')).server, 'second');
  await rm(certFile);
  assert.equal(await tls.reload(), false);
  assert.equal((await get(port, '/-/healthy')).server, 'second');
});

test('mutual TLS: the certificate is the credential', async (t) => {
  const access = await createAdmit({
    auth: {
      users: [],
      tokens: [],
      certificates: [{ subject: String.raw`CN=agent-1,O=Acme\, Inc.`, scopes: ['read'] }],
    },
    log,
  });
  const tls = await TlsFiles.open({ ...OPTIONS, clientCaFile: join(fixtures, 'ca.pem') }, log);
  const { port, refused } = await serve(t, { listener: { tls, admit: access.admit } });
  assert.equal((await get(port, '/metrics', { cert: clientCert, key: clientKey })).status, 200);
  await assert.rejects(get(port, '/-/healthy'), 'no certificate, no connection');
  await assert.rejects(
    get(port, '/metrics', { cert: strangerCert, key: strangerKey }),
    'the same name by another authority',
  );
  await eventually(async () => (await refused('tls')) === 2);
});

test('mutual TLS, optional: health without a certificate, the rest with one', async (t) => {
  const access = await createAdmit({
    auth: {
      users: [],
      tokens: [],
      certificates: [{ subject: String.raw`CN=agent-1,O=Acme\, Inc.`, scopes: ['read'] }],
    },
    log,
  });
  const clientCaFile = join(fixtures, 'ca.pem');
  const tls = await TlsFiles.open({ ...OPTIONS, clientCaFile, clientCertificates: 'optional' }, log);
  const { port } = await serve(t, { listener: { tls, admit: access.admit } });
  assert.equal((await get(port, '/-/healthy')).status, 200);
  assert.equal((await get(port, '/metrics')).status, 401);
  assert.equal((await get(port, '/metrics', { cert: clientCert, key: clientKey })).status, 200);
  assert.equal((await get(port, '/metrics', { cert: strangerCert, key: strangerKey })).status, 401);
});
