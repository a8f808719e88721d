import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { hashSync } from 'bcryptjs';
import { BcryptWorker } from '../../../src/access/bcrypt-worker.ts';
import { decoyHash, parsePasswordHash, scryptHash, verifyPassword } from '../../../src/access/password-hash.ts';

const worker = new BcryptWorker(50);
after(() => worker.close());

test('bcrypt hashes of every spelling are verified', async () => {
  const hash = hashSync('pässwörd', 4);
  for (const spelling of ['$2a$', '$2b$', '$2y$']) {
    const parsed = parsePasswordHash(spelling + hash.slice(4));
    assert.equal(await verifyPassword('pässwörd', parsed, worker), true, spelling);
    assert.equal(await verifyPassword('passwort', parsed, worker), false, spelling);
  }
});

test('scrypt hashes are verified', async () => {
  const text = await scryptHash('secret', 10);
  assert.match(text, /^\$scrypt\$ln=10,r=8,p=1\$/);
  const parsed = parsePasswordHash(text);
  assert.equal(await verifyPassword('secret', parsed, worker), true);
  assert.equal(await verifyPassword('Secret', parsed, worker), false);
});

test('a scrypt hash made elsewhere is verified', async () => {
  // The second vector of RFC 7914 section 12 is outside the bounds (r=8, p=16); this one is Node's scryptSync('x', 'saltsalt', 32, N=1024).
  const { scryptSync } = await import('node:crypto');
  const key = scryptSync('x', 'saltsalt', 32, { N: 1024, r: 8, p: 1 }).toString('base64').replace(/=+$/, '');
  const parsed = parsePasswordHash(`$scrypt$ln=10,r=8,p=1$${Buffer.from('saltsalt').toString('base64')}$${key}`);
  assert.equal(await verifyPassword('x', parsed, worker), true);
});

for (const [what, text] of [
  ['plain text', 'hunter2'],
  ['MD5', '$apr1$hunter2$DmYEgFrDYmC0Fq9lnRcnb.'],
  ['SHA-1', '{SHA}hunter2hunter2hunter2hunter2='],
  ['a bcrypt hash that is too short', '$2y$10$hunter2'],
  ['a bcrypt cost that takes minutes', `$2y$20$${'a'.repeat(53)}`],
  ['scrypt that takes gigabytes', `$scrypt$ln=24,r=8,p=1$c2FsdHNhbHQ=$${'A'.repeat(43)}=`],
  ['an empty text', ''],
] as const) {
  test(`${what} is refused without repeating it`, () => {
    assert.throws(
      () => parsePasswordHash(text),
      (error: Error) => error.message.startsWith('expected ') && !error.message.includes('hunter2'),
    );
  });
}

test('the decoy costs what the costliest hash costs and fits no password', async () => {
  const cheap = parsePasswordHash(hashSync('a', 4));
  const dear = parsePasswordHash(hashSync('a', 5));
  const decoy = decoyHash([cheap, dear]);
  assert.ok(decoy?.kind === 'bcrypt');
  assert.equal(decoy.cost, 5);
  assert.equal(parsePasswordHash(decoy.text).kind, 'bcrypt', 'it is a well-formed hash');
  assert.equal(await verifyPassword('a', decoy, worker), false);
  const scrypt = parsePasswordHash(await scryptHash('a', 12));
  const other = decoyHash([cheap, scrypt]);
  assert.ok(other?.kind === 'scrypt' && scrypt.kind === 'scrypt');
  assert.equal(other.logN, 12);
  assert.notDeepEqual(other.hash, scrypt.hash);
  assert.equal(decoyHash([]), undefined);
});

test('a password that comes while the idle bcrypt thread ends is compared by another one', async () => {
  const restless = new BcryptWorker(0);
  const hash = hashSync('a', 4);
  for (let round = 0; round < 10; round++) {
    assert.equal(await restless.compare('a', hash), true);
    // The timer of the thread is due now, and the thread takes some milliseconds to end.
    await new Promise((resolve) => setTimeout(resolve, round % 4));
  }
  await restless.close();
});

test('the bcrypt thread ends when idle and starts again', async () => {
  const hash = parsePasswordHash(hashSync('a', 4));
  assert.equal(await verifyPassword('a', hash, worker), true);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(await verifyPassword('a', hash, worker), true);
  const both = await Promise.all([verifyPassword('a', hash, worker), verifyPassword('b', hash, worker)]);
  assert.deepEqual(both, [true, false]);
});

test('a closed bcrypt thread rejects what was waiting', async () => {
  const own = new BcryptWorker();
  const waiting = own.compare('a', `$2b$12$${'a'.repeat(53)}`);
  const rejected = assert.rejects(waiting, /cannot compare a password: its thread has ended/);
  await own.close();
  await rejected;
});
