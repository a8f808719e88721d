import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Secret } from '../../../../src/base/secret.ts';
import { VERSION } from '../../../../src/base/version.ts';
import { ChangingFiles } from '../../../../src/exporters/prometheus/changing-files.ts';
import { RequestHeaders } from '../../../../src/exporters/prometheus/request-headers.ts';
import { createLog } from '../../../../src/telemetry/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-headers-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const log = createLog({ level: 'silent' });
const none = new Map<string, Secret>();

describe('headers of a request', () => {
  test('are those of the protocol', async () => {
    const headers = new RequestHeaders({ extraHeaders: none, auth: undefined, log });
    assert.deepEqual(await headers.of('prometheus.WriteRequest', 0), {
      'content-encoding': 'snappy',
      'content-type': 'application/x-protobuf',
      'user-agent': `sluice/${VERSION}`,
      'x-prometheus-remote-write-version': '0.1.0',
    });
    assert.deepEqual(await headers.of('io.prometheus.write.v2.Request', 2), {
      'content-encoding': 'snappy',
      'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
      'retry-attempt': '2',
      'user-agent': `sluice/${VERSION}`,
      'x-prometheus-remote-write-version': '2.0.0',
    });
  });

  test("have the user's beside them, which cannot take the place of others", async () => {
    const extraHeaders = new Map([
      ['X-Scope-OrgID', Secret.of('tenant')],
      ['Content-Type', Secret.of('text/plain')],
    ]);
    const headers = await new RequestHeaders({ extraHeaders, auth: undefined, log }).of('prometheus.WriteRequest', 0);
    assert.equal(headers['x-scope-orgid'], 'tenant');
    assert.equal(headers['content-type'], 'application/x-protobuf');
    assert.equal(Object.keys(headers).length, 5);
  });

  test('log in with a name and a password, in UTF-8', async () => {
    const auth = { kind: 'basic', username: 'jo', password: { kind: 'value', secret: Secret.of('pässword') } } as const;
    const { authorization } = await new RequestHeaders({ extraHeaders: none, auth, log }).of(
      'prometheus.WriteRequest',
      0,
    );
    assert.equal(authorization, `Basic ${Buffer.from('jo:pässword').toString('base64')}`);
  });

  test('follow a token file', async () => {
    const path = join(folder, 'token');
    writeFileSync(path, 'first-token\n');
    let now = 0;
    const files = new ChangingFiles({ paths: [path], make: ([content]) => String(content), log, now: () => now });
    assert.equal(await files.current(), 'first-token\n');
    writeFileSync(path, 'second-token, a longer one\n');
    assert.equal(await files.current(), 'first-token\n');
    now = 1001;
    assert.equal(await files.current(), 'second-token, a longer one\n');
    rmSync(path);
    now = 3000;
    assert.equal(await files.current(), 'second-token, a longer one\n');
    const auth = { kind: 'bearer', token: { kind: 'file', path } } as const;
    const headers = new RequestHeaders({ extraHeaders: none, auth, log });
    await assert.rejects(headers.of('prometheus.WriteRequest', 0), /ENOENT/);
    writeFileSync(path, '\n');
    await assert.rejects(headers.of('prometheus.WriteRequest', 0), /token is empty; expected a password or token/);
    writeFileSync(path, 'third\n');
    assert.equal((await headers.of('prometheus.WriteRequest', 0))['authorization'], 'Bearer third');
  });

  test("do not come back in a receiver's text", async () => {
    const auth = {
      kind: 'basic',
      username: 'jo',
      password: { kind: 'value', secret: Secret.of('hidden-word') },
    } as const;
    const extraHeaders = new Map([['X-Api-Key', Secret.of('Key abcdef')]]);
    const headers = new RequestHeaders({ extraHeaders, auth, log });
    const base64 = Buffer.from('jo:hidden-word').toString('base64');
    const shown = await headers.withoutSecrets(`no ${base64}, no hidden-word, no Key abcdef, no abcdef, but this`);
    assert.equal(shown, 'no [secret], no [secret], no [secret], no [secret], but this');
  });
});
