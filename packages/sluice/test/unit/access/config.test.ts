import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { z } from 'zod';
import { allowSchema, authSchema, isLoopback, tlsSchema, tryParseNetwork } from '../../../src/access/config.ts';

function messages(schema: z.ZodType, input: unknown): string {
  const result = schema.safeParse(input);
  assert.equal(result.success, false, 'expected a complaint');
  return JSON.stringify(result.error?.issues);
}

test('auth: users, tokens and certificates with their scopes', () => {
  const auth = authSchema.parse({
    'password-file': '/etc/passwords',
    users: [
      { name: 'prometheus', scopes: ['write'] },
      { name: 'grafana', scopes: ['read'], 'password-file': '/etc/grafana' },
      { name: 'backup', scopes: ['read', 'write'], password: '${BACKUP_PASSWORD}' },
    ],
    tokens: [{ name: 'collector', scopes: ['write'], 'token-file': '/run/token' }],
    certificates: [{ subject: 'CN=agent-1,O=Acme', scopes: ['admin'] }],
  });
  assert.ok(auth !== 'none');
  assert.deepEqual(
    auth.users.map(({ name, scopes, source }) => [name, scopes, source.kind, 'path' in source ? source.path : '']),
    [
      ['prometheus', ['write'], 'password-file', '/etc/passwords'],
      ['grafana', ['read'], 'password-file', '/etc/grafana'],
      ['backup', ['read', 'write'], 'password', ''],
    ],
  );
  assert.deepEqual(auth.tokens[0]?.token.source, { kind: 'file', path: '/run/token' });
  assert.deepEqual(auth.certificates, [{ subject: 'CN=agent-1,O=Acme', scopes: ['admin'] }]);
  assert.equal(authSchema.parse('none'), 'none');
});

for (const [what, input, expected] of [
  ['a user without a password', { users: [{ name: 'a', scopes: ['read'] }] }, /expected a password-file or password/],
  [
    'a password in plain text',
    { users: [{ name: 'a', scopes: ['read'], password: 'hunter2' }] },
    /secrets are not written/,
  ],
  [
    'one user twice',
    {
      'password-file': '/p',
      users: [
        { name: 'a', scopes: ['read'] },
        { name: 'a', scopes: ['write'] },
      ],
    },
    /expected each user once/,
  ],
  ['a token without a file', { tokens: [{ name: 'a', scopes: ['read'] }] }, /expected one of token-file and token/],
  ['no scopes', { 'password-file': '/p', users: [{ name: 'a', scopes: [] }] }, /at least one of write, read, admin/],
  ['an unknown scope', { 'password-file': '/p', users: [{ name: 'a', scopes: ['all'] }] }, /invalid_value/],
  ['a colon in a user name', { 'password-file': '/p', users: [{ name: 'a:b', scopes: ['read'] }] }, /without a colon/],
  [
    'an unknown key',
    { 'password-file': '/p', users: [{ name: 'a', scopes: ['read'], role: 'x' }] },
    /unrecognized_keys/,
  ],
  ['nobody at all', { users: [] }, /write `auth: none` to let everybody in/],
] as const) {
  test(`auth refuses ${what}`, () => {
    const text = messages(authSchema, input);
    assert.match(text, expected);
    assert.doesNotMatch(text, /hunter2/);
  });
}

test('tls: paths, version and what is asked of clients', () => {
  assert.deepEqual(tlsSchema.parse({ 'cert-file': 'c', 'key-file': 'k' }), {
    certFile: 'c',
    keyFile: 'k',
    clientCaFile: undefined,
    clientCertificates: 'required',
    minVersion: '1.2',
  });
  assert.match(messages(tlsSchema, { 'cert-file': 'c', 'key-file': 'k', 'min-version': '1.1' }), /invalid_value/);
  assert.match(messages(tlsSchema, { 'cert-file': 'c' }), /key-file/);
});

test('networks are read with and without a prefix', () => {
  assert.deepEqual(tryParseNetwork('10.0.0.0/8'), { address: '10.0.0.0', prefix: 8, family: 'ipv4' });
  assert.deepEqual(tryParseNetwork('fd00::/8'), { address: 'fd00::', prefix: 8, family: 'ipv6' });
  assert.deepEqual(tryParseNetwork('192.0.2.7'), { address: '192.0.2.7', prefix: 32, family: 'ipv4' });
  assert.equal(tryParseNetwork('::1')?.prefix, 128);
  for (const text of [
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0/8',
    'host/8',
    '',
    '1.2.3.4/-1',
    'fe80::1%eth0/64',
  ]) {
    assert.equal(tryParseNetwork(text), undefined, text);
  }
  assert.match(messages(allowSchema, ['10.0.0.0/40']), /expected a network such as 10\.0\.0\.0\/8/);
  assert.match(messages(allowSchema, []), /at least one network/);
});

test('loopback is what only this machine can reach', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1'])
    assert.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'hub.local', '127.0.0.1.example', ''])
    assert.ok(!isLoopback(host), host);
});
