import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { samples, series } from '../../../src/catalog/prometheus.ts';
import { storageConfig } from '../../../src/storage/config.ts';
import { keptMs, retentionMs } from '../../../src/storage/retention.ts';

const DAY = 86_400_000;

function complaints(section: unknown): string[] {
  const result = storageConfig.safeParse(section);
  return result.success ? [] : result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
}

describe('storage configuration', () => {
  it('is complete without a word', () => {
    const parsed = storageConfig.parse(undefined);
    assert.equal(parsed.engine, 'chdb');
    assert.equal(parsed.retention, 'default');
    assert.equal(parsed['max-memory'], 400 * 2 ** 20);
  });

  it('takes a retention per table, for ever, or the default', () => {
    const { retention } = storageConfig.parse({ retention: { 'prometheus.samples': '36h' } });
    assert.equal(retentionMs(samples, retention), 1.5 * DAY);
    assert.equal(retentionMs(series, retention), 15 * DAY);
    assert.equal(keptMs(series, retention), 17 * DAY);
    assert.equal(retentionMs(samples, storageConfig.parse({ retention: 'forever' }).retention), undefined);
    assert.equal(keptMs(samples, 'forever'), undefined);
  });

  it('takes skip indexes for some tables, all, or none', () => {
    assert.equal(storageConfig.parse({})['skip-indexes'], 'none');
    assert.equal(storageConfig.parse({ 'skip-indexes': 'all' })['skip-indexes'], 'all');
    const some = ['flow_log.l7_flow_log', 'flow_metrics.network_map.1m'];
    assert.deepEqual(storageConfig.parse({ 'skip-indexes': some })['skip-indexes'], new Set(some));
    assert.match(complaints({ 'skip-indexes': ['flow_log.l8'] })[0]!, /^skip-indexes.*expected none, all, or a list/);
  });

  it('takes a cluster', () => {
    const parsed = storageConfig.parse({
      engine: 'clickhouse',
      urls: ['http://a:8123', 'https://b:8443'],
      cluster: 'c',
      username: 'u',
      'password-file': '/run/secret',
      tls: { 'ca-file': '/ca.pem', 'cert-file': '/cert.pem', 'key-file': '/key.pem' },
    });
    assert.deepEqual(parsed.urls, ['http://a:8123', 'https://b:8443']);
    assert.doesNotMatch(JSON.stringify(parsed), /run\/secret/);
  });

  it('complains where it cannot work', () => {
    assert.deepEqual(complaints({ engine: 'clickhouse' }), [
      'urls: expected at least one address for engine: clickhouse',
    ]);
    assert.match(complaints({ urls: ['http://a:8123'] })[0]!, /^urls: addresses have no effect with engine: chdb/);
    assert.match(complaints({ engine: 'clickhouse', urls: ['http://a', 'http://b'] })[0]!, /^cluster: several servers/);
    assert.match(complaints({ engine: 'clickhouse', urls: ['a:8123'] })[0]!, /^urls\.0: expected an address such as/);
    assert.match(complaints({ engine: 'clickhouse', urls: ['http://u:p@a'] })[0]!, /without a login/);
    assert.match(complaints({ retention: { 'prometheus.nothing': '1d' } })[0]!, /^retention/);
    assert.match(complaints({ retention: { 'prometheus.samples': '0' } })[0]!, /^retention/);
    assert.match(complaints({ retention: 'eternal' })[0]!, /expected default, forever/);
    assert.match(complaints({ tls: { 'cert-file': '/c' } })[0]!, /^tls: cert-file and key-file/);
    assert.match(complaints({ 'max-memory': '10MiB' })[0]!, /^max-memory/);
    assert.match(complaints({ retension: 'default' })[0]!, /retension/);
  });
});
