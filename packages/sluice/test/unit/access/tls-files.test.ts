import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TlsOptions } from '../../../src/access/config.ts';
import { TlsFiles, certificateSubject } from '../../../src/access/tls-files.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const fixtures = join(import.meta.dirname, '../../fixtures/tls');
const directory = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
after(() => rm(directory, { recursive: true }));
const certFile = join(directory, 'cert.pem');
const keyFile = join(directory, 'key.pem');
const options: TlsOptions = {
  certFile,
  keyFile,
  clientCaFile: undefined,
  clientCertificates: 'required',
  minVersion: '1.2',
};

async function use(name: string): Promise<void> {
  await copyFile(join(fixtures, `${name}.pem`), certFile);
  await copyFile(join(fixtures, `${name}-key.pem`), keyFile);
}

test('reload hands new certificates to those who use them', async () => {
  await use('server');
  const files = await TlsFiles.open(options, createLog({ level: 'silent' }));
  const seen: string[] = [];
  const stop = files.subscribe((material) => seen.push(new X509Certificate(material.cert).subject));
  await use('server-2');
  assert.equal(await files.reload(), true);
  stop();
  await files.reload();
  assert.deepEqual(seen, ['CN=second']);
});

test('reload of broken files keeps the old ones and says so', async () => {
  await use('server');
  const written: string[] = [];
  const files = await TlsFiles.open(options, createLog({ destination: { write: (line) => void written.push(line) } }));
  const before = files.material;
  await writeFile(certFile, 'not a certificate');
  assert.equal(await files.reload(), false);
  assert.match(written.at(-1) ?? '', /cannot use the certificate file .*cert\.pem/);
  await copyFile(join(fixtures, 'server-2.pem'), certFile);
  assert.equal(await files.reload(), false, 'the key does not belong to the certificate');
  assert.match(written.at(-1) ?? '', /cannot use the key file .*key\.pem/);
  await rm(keyFile);
  assert.equal(await files.reload(), false);
  assert.match(written.at(-1) ?? '', /cannot read the key file/);
  assert.doesNotMatch(written.join(''), /PRIVATE KEY/);
  assert.equal(files.material, before);
});

test('client certificates are asked for only when an authority is configured', async () => {
  await use('server');
  const log = createLog({ level: 'silent' });
  const asked = async (changes: Partial<TlsOptions>) =>
    (await TlsFiles.open({ ...options, ...changes }, log)).clientCertificates;
  const clientCaFile = join(fixtures, 'ca.pem');
  assert.deepEqual(await asked({}), { requestCert: false, rejectUnauthorized: false });
  assert.deepEqual(await asked({ clientCaFile }), { requestCert: true, rejectUnauthorized: true });
  const optional = await asked({ clientCaFile, clientCertificates: 'optional' });
  assert.deepEqual(optional, { requestCert: true, rejectUnauthorized: false });
});

test('the subject is written as openssl writes it in the manner of RFC 2253', async () => {
  const certificate = new X509Certificate(await readFile(join(fixtures, 'client.pem')));
  assert.equal(certificateSubject(certificate), String.raw`CN=agent-1,O=Acme\, Inc.`);
});
