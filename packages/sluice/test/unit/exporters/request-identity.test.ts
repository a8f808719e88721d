import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Secret } from '../../../src/base/secret.ts';
import type { ClientTls } from '../../../src/exporters/config-client.ts';
import { identityReader, type IdentityOptions } from '../../../src/exporters/request-identity.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-identity-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const log = createLog({ level: 'silent' });
const certificates = fileURLToPath(new URL('../../fixtures/tls/', import.meta.url));

function readerOf(options: Partial<IdentityOptions>) {
  return identityReader({ exporter: 'out', extraHeaders: new Map(), auth: undefined, tls: undefined, log, ...options });
}

function tlsOf(files: Partial<ClientTls>): ClientTls {
  return {
    enabled: true,
    caFile: undefined,
    certFile: undefined,
    keyFile: undefined,
    serverName: undefined,
    insecureSkipVerify: false,
    ...files,
  };
}

describe('headers of the user', () => {
  test('have names in lower case', async () => {
    const { headers, tls } = await readerOf({ extraHeaders: new Map([['X-Scope-OrgID', Secret.of('tenant')]]) })();
    assert.deepEqual(headers, { 'x-scope-orgid': 'tenant' });
    assert.equal(tls, undefined);
  });

  test('log in with a name and a password, in UTF-8', async () => {
    const auth = { kind: 'basic', username: 'jo', password: { kind: 'value', secret: Secret.of('pässword') } } as const;
    const { headers } = await readerOf({ auth })();
    assert.equal(headers['authorization'], `Basic ${Buffer.from('jo:pässword').toString('base64')}`);
  });

  test('log in with the token of a file, one line break at its end left out', async () => {
    const path = join(folder, 'token');
    const identity = readerOf({ auth: { kind: 'bearer', token: { kind: 'file', path } } });
    await assert.rejects(identity(), { code: 'config_invalid', message: /credentials or certificates: ENOENT.*token/ });
    writeFileSync(path, '\n');
    await assert.rejects(identity(), /token is empty; expected a password or token/);
    writeFileSync(path, 'third\n');
    assert.equal((await identity()).headers['authorization'], 'Bearer third');
  });

  test("do not come back in a receiver's text", async () => {
    const auth = {
      kind: 'basic',
      username: 'jo',
      password: { kind: 'value', secret: Secret.of('hidden-word') },
    } as const;
    const { withoutSecrets } = await readerOf({
      auth,
      extraHeaders: new Map([['X-Api-Key', Secret.of('Key abcdef')]]),
    })();
    const base64 = Buffer.from('jo:hidden-word').toString('base64');
    assert.equal(
      withoutSecrets(`no ${base64}, no hidden-word, no Key abcdef, no abcdef, but this`),
      'no [secret], no [secret], no [secret], no [secret], but this',
    );
  });
});

describe('certificates', () => {
  test('are the same object until their files change', async () => {
    const caFile = `${certificates}ca.pem`;
    const identity = readerOf({ tls: tlsOf({ caFile, serverName: 'localhost' }) });
    const { tls } = await identity();
    assert.deepEqual(tls?.ca, readFileSync(caFile));
    assert.equal(tls?.serverName, 'localhost');
    assert.equal((await identity()).tls, tls);
  });

  test('are tried before they are used: which file is at fault is told', async () => {
    const noPem = join(folder, 'no.pem');
    writeFileSync(noPem, 'no certificate');
    const [certFile, keyFile] = [`${certificates}client.pem`, `${certificates}client-key.pem`];
    await assert.rejects(readerOf({ tls: tlsOf({ caFile: noPem }) })(), /authorities in .*no\.pem: .*; expected PEM/);
    await assert.rejects(readerOf({ tls: tlsOf({ certFile: noPem, keyFile }) })(), /certificate in .*no\.pem/);
    await assert.rejects(readerOf({ tls: tlsOf({ certFile, keyFile: noPem }) })(), /key in .*no\.pem/);
    const other = `${certificates}server-key.pem`;
    await assert.rejects(readerOf({ tls: tlsOf({ certFile, keyFile: other }) })(), /key in .*server-key\.pem/);
    assert.ok((await readerOf({ tls: tlsOf({ certFile, keyFile }) })()).tls);
  });
});
