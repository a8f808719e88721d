import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  exposureProblem,
  httpLimitsSchema,
  httpListenSchema,
  toHttpLimits,
  type ListenOptions,
} from '../../../src/http/config.ts';

function listen(input: unknown): ListenOptions {
  const parsed = httpListenSchema.parse(input);
  assert.ok(parsed);
  return parsed;
}

test('listen: an address, several with rules of their own, or off', () => {
  assert.deepEqual(listen('127.0.0.1:0').addresses, [{ host: '127.0.0.1', port: 0 }]);
  assert.deepEqual(listen('[::1]:20416').addresses, [{ host: '::1', port: 20_416 }]);
  assert.equal(httpListenSchema.parse(null), null);
  const full = listen({
    addresses: ['127.0.0.1:1', '[::1]:2'],
    auth: 'none',
    tls: { 'cert-file': 'c', 'key-file': 'k' },
    allow: ['10.0.0.0/8'],
  });
  assert.equal(full.addresses.length, 2);
  assert.equal(full.auth, 'none');
  assert.equal(full.tls?.certFile, 'c');
  assert.deepEqual(full.allow, [{ address: '10.0.0.0', prefix: 8, family: 'ipv4' }]);
});

for (const input of [
  {},
  { address: '127.0.0.1:1', addresses: ['127.0.0.1:2'] },
  { address: 'nowhere' },
  'x:99999',
  5,
  { adress: '127.0.0.1:1' },
]) {
  test(`listen refuses ${JSON.stringify(input)}`, () => {
    assert.equal(httpListenSchema.safeParse(input).success, false);
  });
}

test('a listener that others can reach needs auth, or none written out', () => {
  const auth = { users: [], tokens: [], certificates: [] };
  for (const address of ['127.0.0.1:1', '[::1]:1', 'localhost:1']) {
    assert.equal(exposureProblem('listen.http', listen(address), undefined), undefined, address);
  }
  for (const address of ['0.0.0.0:1', ':1', '10.0.0.1:1', 'hub.example:1']) {
    const problem = exposureProblem('listen.http', listen(address), undefined);
    assert.match(
      problem ?? '',
      /cannot open listen\.http on .*:1 .*without credentials: write an `auth` section, or `auth: none`/,
    );
    assert.equal(exposureProblem('listen.http', listen(address), 'none'), undefined);
    assert.equal(exposureProblem('listen.http', listen(address), auth), undefined);
    assert.equal(exposureProblem('listen.http', listen({ address, auth: 'none' }), undefined), undefined);
  }
  assert.match(
    exposureProblem('listen.http', listen({ addresses: ['127.0.0.1:1', '[::]:2'] }), undefined) ?? '',
    /\[::\]:2/,
  );
});

test('limits have defaults and units', () => {
  assert.deepEqual(toHttpLimits(httpLimitsSchema.parse({ memory: '1MiB', 'body-timeout': '5s' })), {
    memory: 1 << 20,
    connections: 4096,
    headerTimeoutMs: 10_000,
    bodyTimeoutMs: 5000,
    replyTimeoutMs: 60_000,
    keepAliveMs: 360_000,
  });
});
