import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAuthorization } from '../../../src/access/credentials.ts';
import { equalSecrets, secretDigest, secretKey } from '../../../src/access/secret-compare.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

test('basic credentials are read as UTF-8 and split at the first colon', () => {
  assert.deepEqual(parseAuthorization(`Basic ${base64('jürgen:a:b')}`), {
    kind: 'basic',
    user: 'jürgen',
    password: 'a:b',
  });
  assert.deepEqual(parseAuthorization(`bAsIc   ${base64('a:')}`), { kind: 'basic', user: 'a', password: '' });
});

test('bearer tokens are read', () => {
  assert.deepEqual(parseAuthorization('bearer abc.def-'), { kind: 'bearer', token: 'abc.def-' });
});

for (const header of [
  '',
  'Basic',
  'Basic ',
  'Basic !!!',
  `Basic ${base64('nocolon')}`,
  'Digest a=b',
  'Bearer',
  'Bearer a b',
  `Bearer ${'x'.repeat(5000)}`,
]) {
  test(`${JSON.stringify(header.slice(0, 20))} is nobody's`, () => {
    assert.deepEqual(parseAuthorization(header), { kind: 'unknown' });
  });
}

test('secrets are compared by digests of one length, whatever the lengths of the texts', () => {
  assert.equal(equalSecrets('a', 'a'), true);
  assert.equal(equalSecrets('a', 'b'), false);
  assert.equal(equalSecrets('a', 'a'.repeat(1000)), false);
  assert.equal(secretDigest('').length, 32);
  assert.equal(secretDigest('x'.repeat(10_000)).length, 32);
  assert.notEqual(secretKey('abc'), secretKey('abd'));
  assert.ok(!secretKey('abc').includes('abc'));
});
