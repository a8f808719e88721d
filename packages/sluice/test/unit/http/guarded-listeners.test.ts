import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { authSchema, tlsSchema, type AuthOptions, type TlsOptions } from '../../../src/access/config.ts';
import { Secret } from '../../../src/base/secret.ts';
import { guardListeners, type GuardOptions } from '../../../src/http/guarded-listeners.ts';
import type { HttpListener } from '../../../src/http/listener.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const fixtures = join(import.meta.dirname, '../../fixtures/tls');
const folder = await mkdtemp(join(tmpdir(), 'sluice-guarded-'));
after(() => rm(folder, { recursive: true }));

/** "swordfish", cheap to compare. */
const SWORDFISH = '$2b$04$JNodnu4Ga60xrHxMSwDMyumDcDNL/UAyj1h6AqC7hEqzCl0r81gVe';

function parsed(auth: unknown): AuthOptions {
  const options = authSchema.parse(auth);
  assert.ok(options !== 'none');
  return options;
}

const tokens = (...all: readonly string[]): AuthOptions =>
  parsed({ tokens: all.map((token) => ({ name: token, scopes: ['read'], token: Secret.of(token) })) });

const passwords = (path: string): AuthOptions =>
  parsed({ 'password-file': path, users: [{ name: 'jo', scopes: ['read'] }] });

function certificate(name: string): TlsOptions {
  return tlsSchema.parse({
    'cert-file': join(fixtures, `${name}.pem`),
    'key-file': join(fixtures, `${name}-key.pem`),
  });
}

type Listen = NonNullable<GuardOptions['listen'][string]>;

function listen(own: Partial<Pick<Listen, 'auth' | 'tls'>> = {}): Listen {
  return {
    addresses: [{ host: '127.0.0.1', port: 0 }],
    auth: undefined,
    tls: undefined,
    allow: undefined,
    ...own,
  };
}

/** The guarded listeners of a hub, which are closed after the test, and what was logged. */
async function guard(t: TestContext, options: Omit<GuardOptions, 'log'>) {
  const lines: string[] = [];
  const log = createLog({ destination: { write: (line: string) => void lines.push(line) } });
  const guarded = await guardListeners({ ...options, log });
  t.after(() => guarded.close());
  const listener = (name: string): HttpListener => guarded.listeners.find((one) => one.name === name)!;
  return { guarded, listener, lines };
}

/** Whether a token may read; `open` where nobody is asked. */
async function asks({ admit }: HttpListener, authorization: string): Promise<string> {
  if (admit === undefined) return 'open';
  return (await admit({ authorization, certificate: undefined, peer: '127.0.0.1' }, 'read')).kind;
}

const subject = ({ tls }: HttpListener): string => new X509Certificate(tls!.material.cert).subject;

describe('credentials of running listeners are exchanged', () => {
  test('for those that share them and for those with their own', async (t) => {
    const { guarded, listener } = await guard(t, {
      listen: { http: listen(), integration: listen({ auth: tokens('inner-1') }) },
      auth: tokens('outer-1'),
      tls: undefined,
    });
    assert.equal(await asks(listener('http'), 'Bearer outer-1'), 'admitted');
    const next = { http: listen(), integration: listen({ auth: tokens('inner-2') }) };
    assert.equal(await guarded.exchange({ listen: next, auth: tokens('outer-2'), tls: undefined }), true);
    const answers = ['outer-1', 'outer-2', 'inner-1', 'inner-2'].map(async (token) => [
      await asks(listener('http'), `Bearer ${token}`),
      await asks(listener('integration'), `Bearer ${token}`),
    ]);
    assert.deepEqual(await Promise.all(answers), [
      ['unauthorized', 'unauthorized'],
      ['admitted', 'unauthorized'],
      ['unauthorized', 'unauthorized'],
      ['unauthorized', 'admitted'],
    ]);
  });

  test('a listener gets credentials that it had not, and loses them', async (t) => {
    const { guarded, listener } = await guard(t, { listen: { http: listen() }, auth: undefined, tls: undefined });
    assert.equal(await asks(listener('http'), 'Bearer first'), 'open');
    await guarded.exchange({ listen: { http: listen() }, auth: tokens('first'), tls: undefined });
    assert.equal(await asks(listener('http'), 'Bearer first'), 'admitted');
    assert.equal(await asks(listener('http'), 'Bearer other'), 'unauthorized');
    await guarded.exchange({ listen: { http: listen({ auth: 'none' }) }, auth: tokens('first'), tls: undefined });
    assert.equal(await asks(listener('http'), 'Bearer other'), 'open');
  });

  test('a broken password file keeps all the old ones, and the next attempt can succeed', async (t) => {
    const path = join(folder, 'passwords');
    await writeFile(path, 'somebody-else:$2b$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234\n');
    const { guarded, listener, lines } = await guard(t, {
      listen: { http: listen(), integration: listen({ auth: tokens('inner-1') }) },
      auth: tokens('outer-1'),
      tls: undefined,
    });
    const next = {
      listen: { http: listen(), integration: listen({ auth: tokens('inner-2') }) },
      auth: passwords(path),
      tls: undefined,
    };
    assert.equal(await guarded.exchange(next), false);
    assert.match(lines.at(-1)!, /"level":"error".*passwords: expected a line for the user jo.*not exchanged/);
    assert.equal(await asks(listener('http'), 'Bearer outer-1'), 'admitted');
    assert.equal(await asks(listener('integration'), 'Bearer inner-1'), 'admitted');
    assert.equal(await asks(listener('integration'), 'Bearer inner-2'), 'unauthorized');
    assert.equal(await guarded.reload(), true);
    await writeFile(path, `jo:${SWORDFISH}\n`);
    assert.equal(await guarded.exchange(next), true);
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    assert.equal(await asks(listener('http'), basic('jo:swordfish')), 'admitted');
    assert.equal(await asks(listener('http'), basic('jo:other')), 'unauthorized');
    assert.equal(await asks(listener('http'), 'Bearer outer-1'), 'unauthorized');
  });
});

describe('certificates of running listeners are exchanged', () => {
  test('those who use them are told', async (t) => {
    const { guarded, listener } = await guard(t, {
      listen: { http: listen(), integration: listen({ tls: certificate('server') }) },
      auth: undefined,
      tls: certificate('server'),
    });
    const used: string[] = [];
    listener('http').tls!.subscribe(({ cert }) => used.push(new X509Certificate(cert).subject));
    const before = subject(listener('integration'));
    const next = { http: listen(), integration: listen({ tls: certificate('server') }) };
    assert.equal(await guarded.exchange({ listen: next, auth: undefined, tls: certificate('server-2') }), true);
    assert.deepEqual(used, ['CN=second']);
    assert.equal(subject(listener('http')), 'CN=second');
    assert.equal(subject(listener('integration')), before);
  });

  test('broken ones keep the old ones; what else is good is exchanged all the same', async (t) => {
    const { guarded, listener, lines } = await guard(t, {
      listen: { http: listen(), integration: listen({ tls: certificate('server') }) },
      auth: tokens('first'),
      tls: certificate('server'),
    });
    const before = subject(listener('http'));
    const keyFile = join(folder, 'key.pem');
    await copyFile(join(fixtures, 'stranger-key.pem'), keyFile);
    const broken: TlsOptions = { ...certificate('server-2'), keyFile };
    const next = {
      listen: { http: listen(), integration: listen({ tls: certificate('server-2') }) },
      auth: tokens('second'),
      tls: broken,
    };
    assert.equal(await guarded.exchange(next), false);
    assert.match(lines.at(-1)!, /cannot use the key file .*key\.pem.*the old ones stay in use/);
    assert.doesNotMatch(lines.join(''), /PRIVATE KEY/);
    assert.equal(subject(listener('http')), before);
    assert.equal(subject(listener('integration')), 'CN=second');
    assert.equal(await asks(listener('http'), 'Bearer second'), 'admitted');
    await copyFile(join(fixtures, 'server-2-key.pem'), keyFile);
    assert.equal(await guarded.exchange(next), true);
    assert.equal(subject(listener('http')), 'CN=second');
  });
});
