import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { hashSync } from 'bcryptjs';
import { createAdmit } from '../../../src/access/admit.ts';
import type { AuthOptions, UserOptions } from '../../../src/access/config.ts';
import type { Admission, Scope } from '../../../src/base/ports.ts';
import { isSluiceError } from '../../../src/base/errors.ts';
import { Secret } from '../../../src/base/secret.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const directory = await mkdtemp(join(tmpdir(), 'sluice-access-'));
after(() => rm(directory, { recursive: true }));
const path = join(directory, 'passwords');

const fileUser = (name: string, ...scopes: Scope[]): UserOptions => ({
  name,
  scopes,
  source: { kind: 'password-file', path },
});
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const admitted = (name: string): Admission => ({ kind: 'admitted', name });
const UNAUTHORIZED: Admission = { kind: 'unauthorized', challenge: 'Basic realm="sluice", charset="UTF-8"' };

interface Setup extends Partial<AuthOptions> {
  readonly lines?: readonly string[];
  readonly now?: () => number;
}

async function setUp(t: TestContext, { lines = [], now, ...auth }: Setup) {
  await writeFile(path, lines.join('\n'));
  const written: string[] = [];
  const log = createLog({ destination: { write: (line) => void written.push(line) } });
  const access = await createAdmit({
    auth: { users: [], tokens: [], certificates: [], ...auth },
    log,
    ...(now === undefined ? {} : { now }),
  });
  t.after(() => access.close());
  const ask = (authorization: string | undefined, scope: Scope = 'write', certificate?: string) =>
    Promise.resolve(access.admit({ authorization, certificate }, scope));
  return { access, ask, written };
}

test('a user of the password file is admitted for its scopes only', async (t) => {
  const { ask } = await setUp(t, {
    lines: ['# users', '', `anna:${hashSync('pw', 4)}`],
    users: [fileUser('anna', 'write')],
  });
  assert.deepEqual(await ask(basic('anna', 'pw')), admitted('anna'));
  assert.deepEqual(await ask(basic('anna', 'pw'), 'read'), { kind: 'forbidden', name: 'anna' });
  assert.deepEqual(await ask(basic('anna', 'pw '), 'write'), UNAUTHORIZED);
  assert.deepEqual(await ask(basic('berta', 'pw')), UNAUTHORIZED);
  assert.deepEqual(await ask(undefined), UNAUTHORIZED);
  assert.deepEqual(await ask('Basic ???'), UNAUTHORIZED);
});

test('admin may do everything', async (t) => {
  const { ask } = await setUp(t, { lines: [`root:${hashSync('pw', 4)}`], users: [fileUser('root', 'admin')] });
  for (const scope of ['write', 'read', 'admin'] as const)
    assert.deepEqual(await ask(basic('root', 'pw'), scope), admitted('root'));
});

test('a user of the file whom the configuration does not name has no access', async (t) => {
  const hash = hashSync('pw', 4);
  const { ask } = await setUp(t, { lines: [`anna:${hash}`, `berta:${hash}`], users: [fileUser('anna', 'write')] });
  assert.deepEqual(await ask(basic('berta', 'pw')), UNAUTHORIZED);
});

test('a password from the environment is compared without a hash', async (t) => {
  const { ask } = await setUp(t, {
    users: [{ name: 'grafana', scopes: ['read'], source: { kind: 'password', password: Secret.of('s3cret') } }],
  });
  assert.deepEqual(await ask(basic('grafana', 's3cret'), 'read'), admitted('grafana'));
  assert.deepEqual(await ask(basic('grafana', 'S3cret'), 'read'), UNAUTHORIZED);
  assert.deepEqual(await ask(basic('nobody', 's3cret'), 'read'), UNAUTHORIZED);
});

test('an empty secret is refused at the start', async (t) => {
  const users: UserOptions[] = [{ name: 'a', scopes: ['read'], source: { kind: 'password', password: Secret.of('') } }];
  await assert.rejects(setUp(t, { users }), /cannot use the password of a: it is empty/);
});

test('bearer tokens', async (t) => {
  const { ask } = await setUp(t, {
    tokens: [
      { name: 'collector', scopes: ['write'], token: Secret.of('t0ken') },
      { name: 'reader', scopes: ['read'], token: Secret.of('other') },
    ],
  });
  assert.deepEqual(await ask('Bearer t0ken'), admitted('collector'));
  assert.deepEqual(await ask('Bearer other', 'read'), admitted('reader'));
  assert.deepEqual(await ask('Bearer other', 'write'), { kind: 'forbidden', name: 'reader' });
  assert.deepEqual(await ask('Bearer t0ke'), { kind: 'unauthorized', challenge: 'Bearer realm="sluice"' });
});

test('a client certificate counts when no other credentials are sent', async (t) => {
  const { ask } = await setUp(t, {
    lines: [`anna:${hashSync('pw', 4)}`],
    users: [fileUser('anna', 'write')],
    certificates: [{ subject: 'CN=agent-1,O=Acme', scopes: ['write'] }],
  });
  assert.deepEqual(await ask(undefined, 'write', 'CN=agent-1,O=Acme'), admitted('CN=agent-1,O=Acme'));
  assert.deepEqual(await ask(undefined, 'write', 'CN=agent-2,O=Acme'), UNAUTHORIZED);
  assert.deepEqual(await ask(basic('anna', 'wrong'), 'write', 'CN=agent-1,O=Acme'), UNAUTHORIZED);
});

test('a password is hashed once: the second answer comes at once', async (t) => {
  const { access, ask } = await setUp(t, { lines: [`anna:${hashSync('pw', 4)}`], users: [fileUser('anna', 'write')] });
  const credentials = { authorization: basic('anna', 'pw'), certificate: undefined };
  const first = access.admit(credentials, 'write');
  assert.ok(first instanceof Promise);
  await first;
  assert.deepEqual(access.admit(credentials, 'write'), admitted('anna'), 'no promise: nothing is computed any more');
  await ask(basic('anna', 'wrong'));
  assert.deepEqual(access.admit({ ...credentials, authorization: basic('anna', 'wrong') }, 'write'), UNAUTHORIZED);
});

test('verified credentials are forgotten when they are not used', async (t) => {
  let now = 0;
  const { access } = await setUp(t, {
    lines: [`anna:${hashSync('pw', 4)}`],
    users: [fileUser('anna', 'write')],
    now: () => now,
  });
  const credentials = { authorization: basic('anna', 'pw'), certificate: undefined };
  await access.admit(credentials, 'write');
  now += 9 * 60_000;
  assert.deepEqual(access.admit(credentials, 'write'), admitted('anna'));
  now += 11 * 60_000;
  const again = access.admit(credentials, 'write');
  assert.ok(again instanceof Promise);
  assert.deepEqual(await again, admitted('anna'));
});

test('connections that start together share one comparison', async (t) => {
  const { ask } = await setUp(t, { lines: [`anna:${hashSync('pw', 6)}`], users: [fileUser('anna', 'write')] });
  // More than may wait for a comparison of their own.
  const all = await Promise.all(Array.from({ length: 200 }, () => ask(basic('anna', 'pw'))));
  assert.ok(all.every((one) => one.kind === 'admitted'));
});

test('guessing is slowed down: 429 after some computing time, known users unaffected', async (t) => {
  const { access, ask } = await setUp(t, { lines: [`anna:${hashSync('pw', 4)}`], users: [fileUser('anna', 'write')] });
  await ask(basic('anna', 'pw'));
  const guesses = await Promise.allSettled(Array.from({ length: 100 }, (_, i) => ask(basic('anna', `guess ${i}`))));
  const refused = guesses.filter((one) => one.status === 'rejected');
  assert.ok(refused.length >= 60, `${refused.length} of 100 refused`);
  for (const one of refused) assert.ok(isSluiceError(one.reason, 'too_many_requests'));
  assert.deepEqual(
    access.admit({ authorization: basic('anna', 'pw'), certificate: undefined }, 'write'),
    admitted('anna'),
  );
});

test('an unknown user takes as long as a wrong password', async (t) => {
  const { ask } = await setUp(t, { lines: [`anna:${hashSync('pw', 9)}`], users: [fileUser('anna', 'write')] });
  await ask(basic('anna', 'warm up'));
  const time = async (user: string, password: string) => {
    const start = performance.now();
    await ask(basic(user, password));
    return performance.now() - start;
  };
  const [known, unknown] = [await time('anna', 'wrong'), await time('berta', 'wrong')];
  assert.ok(unknown > known / 4, `unknown ${unknown} ms, known ${known} ms`);
});

test('reload takes up a changed file and forgets old verdicts', async (t) => {
  const { access, ask } = await setUp(t, { lines: [`anna:${hashSync('old', 4)}`], users: [fileUser('anna', 'write')] });
  assert.deepEqual(await ask(basic('anna', 'old')), admitted('anna'));
  assert.deepEqual(await ask(basic('anna', 'new')), UNAUTHORIZED);
  await writeFile(path, `anna:${hashSync('new', 4)}`);
  assert.equal(await access.reload(), true);
  assert.deepEqual(await ask(basic('anna', 'old')), UNAUTHORIZED);
  assert.deepEqual(await ask(basic('anna', 'new')), admitted('anna'));
});

test('reload of a broken file keeps the old one and says so', async (t) => {
  const { access, ask, written } = await setUp(t, {
    lines: [`anna:${hashSync('pw', 4)}`],
    users: [fileUser('anna', 'write')],
  });
  await writeFile(path, 'anna:plaintext');
  assert.equal(await access.reload(), false);
  assert.deepEqual(await ask(basic('anna', 'pw')), admitted('anna'));
  assert.match(written.join(''), /passwords:1: expected a bcrypt/);
  assert.doesNotMatch(written.join(''), /plaintext/);
});

for (const [what, lines, expected] of [
  ['a line without a colon', ['# x', 'hunter2'], /passwords:2: expected user:hash/],
  ['one user twice', [`a:${hashSync('x', 4)}`, `a:${hashSync('y', 4)}`], /passwords:2: expected each user once/],
  ['a missing user', [`b:${hashSync('x', 4)}`], /expected a line for the user a; got none/],
] as const) {
  test(`the start fails for ${what}`, async (t) => {
    await assert.rejects(setUp(t, { lines, users: [fileUser('a', 'read')] }), (error: Error) => {
      assert.ok(isSluiceError(error, 'config_invalid'));
      assert.match(error.message, expected);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  });
}

test('the start fails for a file that is not there', async (t) => {
  const users: UserOptions[] = [
    { name: 'a', scopes: ['read'], source: { kind: 'password-file', path: join(directory, 'none') } },
  ];
  await assert.rejects(setUp(t, { users }), /cannot read the password file: ENOENT/);
});
