import assert from 'node:assert/strict';
import { copyFile, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { PeerCertificate } from 'node:tls';
import { test } from 'node:test';
import { credentials } from '@grpc/grpc-js';
import { guardListener } from '../../../src/access/guard-listener.ts';
import { createNetworkTest } from '../../../src/access/networks.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { AgentClient } from './agent-client.ts';
import { eventually, folder, serve } from './harness.ts';

const fixtures = join(import.meta.dirname, '../../fixtures/tls');
const pem = (name: string) => readFile(join(fixtures, `${name}.pem`));
const log = createLog({ level: 'silent' });

test('agents are told the address on which they reached a hub that listens everywhere', async (t) => {
  const { agent } = await serve(t, { listen: { addresses: [{ host: '0.0.0.0', port: 0 }] } });
  for (const address of ['127.0.0.1', '127.0.0.2']) {
    const { user_config: config } = await agent(address).sync();
    assert.match(config, new RegExp(`ingester_ip: ${address.replaceAll('.', '\\.')}\n`));
    assert.match(config, new RegExp(`proxy_controller_ip: ${address.replaceAll('.', '\\.')}\n`));
  }
});

test('a name in agents.advertise is told as its address', async (t) => {
  const { agent } = await serve(t, { agents: { advertise: 'localhost' } });
  assert.match((await agent().sync()).user_config, /ingester_ip: (?:127\.0\.0\.1|::1)\n/);
});

test('without a data port agents are told to send nothing, and the log says so', async (t) => {
  const { agent, logged } = await serve(t, { listen: { dataPort: undefined } });
  const { user_config: config } = await agent().sync();
  assert.doesNotMatch(config, /ingester_ip/);
  assert.match(config, /proxy_controller_ip: 127\.0\.0\.1/);
  assert.ok(logged.some((line) => line.includes('told to send no data')));
});

test('a network that is not allowed is cut off before anything is read', async (t) => {
  const allows = createNetworkTest([{ address: '127.0.0.1', prefix: 32, family: 'ipv4' }]);
  const { agent, port, value } = await serve(t, { listen: { allows } });
  assert.equal((await agent().sync()).status, 0);
  const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.9' });
  const { promise, resolve } = Promise.withResolvers<void>();
  let received = 0;
  socket.on('data', (bytes) => (received += bytes.length));
  socket.on('error', () => undefined);
  socket.once('close', () => resolve());
  await promise;
  assert.equal(received, 0);
  assert.equal(await value('sluice_control_refused_total', { reason: 'network' }), 1);
});

test('connections are bounded, counted, and forgotten when they close', async (t) => {
  const { agent, value } = await serve(t, { agents: { 'max-connections': 2 } });
  const [first, second] = [agent(), agent()];
  await first.sync();
  await second.sync();
  assert.equal(await value('sluice_control_connections'), 2);
  await assert.rejects(agent().sync(), { code: 14 });
  assert.ok((await value('sluice_control_refused_total', { reason: 'connections' })) >= 1);
  second.close();
  await eventually(async () => (await value('sluice_control_connections')) < 2, 'the connection to be forgotten');
});

test('a port in use is an error that says what to do', async (t) => {
  const { port } = await serve(t);
  await assert.rejects(serve(t, { listen: { addresses: [{ host: '127.0.0.1', port }] } }), {
    code: 'listen_failed',
    message: `cannot listen on 127.0.0.1:${port} (listen.control): another program listens there; stop it, or choose another port (0 = any free one)`,
  });
});

test('bytes that are not HTTP/2 harm nobody', async (t) => {
  const { agent, port } = await serve(t);
  for (const junk of [
    'GET / HTTP/1.1\r\n\r\n',
    '\0'.repeat(5000),
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff',
  ]) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.end(junk, 'latin1');
    await new Promise<void>((resolve) => socket.once('close', () => resolve()).resume());
  }
  assert.equal((await agent().sync()).dynamic_config.agent_id, 1);
});

test('TLS, with client certificates and with certificates that are exchanged', async (t) => {
  const dir = folder(t);
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const install = async (name: string) => {
    await copyFile(join(fixtures, `${name}.pem`), certFile);
    await copyFile(join(fixtures, `${name}-key.pem`), keyFile);
  };
  await install('server');
  const clientCaFile = join(fixtures, 'ca.pem');
  const guard = await guardListener(
    { tls: { certFile, keyFile, clientCaFile, clientCertificates: 'required', minVersion: '1.2' }, allow: undefined },
    log,
  );
  const { port, value } = await serve(t, { listen: { tls: guard.tls, allows: guard.allows } });
  const [ca, key, cert, strangerKey, strangerCert] = await Promise.all(
    ['ca', 'client-key', 'client', 'stranger-key', 'stranger'].map(pem),
  );
  const using = async (...material: Parameters<typeof credentials.createSsl>) => {
    const client = new AgentClient(`127.0.0.1:${port}`, credentials.createSsl(...material));
    try {
      return await client.sync();
    } finally {
      client.close();
    }
  };
  assert.match((await using(ca, key, cert)).user_config, /ingester_ip: 127\.0\.0\.1/);
  await assert.rejects(using(ca), { code: 14 });
  await assert.rejects(using(ca, strangerKey, strangerCert), { code: 14 });
  assert.ok((await value('sluice_control_refused_total', { reason: 'tls' })) >= 2);
  const seen: string[] = [];
  const checkServerIdentity = (_host: string, { subject }: PeerCertificate) => {
    seen.push(String(subject.CN));
    return undefined;
  };
  await using(ca, key, cert, { checkServerIdentity });
  await install('server-2');
  assert.equal(await guard.reload(), true);
  await using(ca, key, cert, { checkServerIdentity });
  assert.deepEqual(seen, ['first', 'second']);
});
