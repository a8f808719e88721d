import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverProblem, serversOfGroup, serverUrl, SERVERS_KEY } from '../../../src/tags/config-servers.ts';

test('the address of a Prometheus server', () => {
  for (const [given, url] of [
    ['http://10.96.1.8:9090', 'http://10.96.1.8:9090'],
    ['https://prometheus.example/path/', 'https://prometheus.example/path'],
    ['prometheus.monitoring:9090', 'http://prometheus.monitoring:9090'],
    ['[fd00::1]:9090', 'http://[fd00::1]:9090'],
    ['ftp://x', undefined],
    ['http://', undefined],
    ['', undefined],
    ['http://user:word@b:1', undefined],
    ['user:word@b:1', undefined],
    [5, undefined],
    [null, undefined],
  ] as const) {
    assert.equal(serverUrl(given), url, String(given));
  }
});

test('what is said of another one does not show its password', () => {
  for (const address of ['http://user:word@b:1', 'user:word@b:1', 'ftp://user:word@b']) {
    assert.doesNotMatch(serverProblem(address), /word@|user:/);
    assert.match(serverProblem(address), /\*\*\*@b/);
  }
});

test('a group has a list of them, one, or none', () => {
  const of = (value: unknown) => serversOfGroup({ config: new Map([[SERVERS_KEY, value]]) });
  assert.deepEqual(of(['a:1', 'b:2']), ['a:1', 'b:2']);
  assert.deepEqual(of('a:1'), ['a:1']);
  assert.deepEqual(of(null), []);
  assert.deepEqual(serversOfGroup({ config: new Map() }), []);
});
