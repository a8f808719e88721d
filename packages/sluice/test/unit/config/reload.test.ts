import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadConfig, type LoadedConfig } from '../../../src/config/load.ts';
import { compare, type Reload } from '../../../src/config/reload.ts';
import type { SluiceConfig } from '../../../src/config/schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-reload-'));
after(() => rmSync(folder, { recursive: true }));
for (const name of ['cert.pem', 'key.pem', 'ca.pem', 'other.pem']) writeFileSync(join(folder, name), '');

function load(text: string, env: Record<string, string> = {}): LoadedConfig {
  const path = join(folder, 'sluice.yml');
  writeFileSync(path, text);
  return loadConfig({ path, env });
}

function running(text: string, env: Record<string, string> = {}): SluiceConfig {
  const { config, problems } = load(text, env);
  assert.deepEqual(problems, []);
  assert.ok(config !== undefined);
  return config;
}

function accepted(before: SluiceConfig, next: LoadedConfig): Extract<Reload, { kind: 'accepted' }> {
  const outcome = compare(before, next);
  assert.ok(outcome.kind === 'accepted', JSON.stringify(outcome));
  return outcome;
}

const NOTHING = { exporters: undefined, access: false, groups: false, prometheusServers: false };
const KAFKA = 'protocol: kafka, endpoints: [a:9092], data-sources: [flow_log.l7_flow_log]';
const OTLP = 'protocol: opentelemetry, endpoints: [a:4317], data-sources: [flow_log.l7_flow_log]';

test('the same file again changes nothing', () => {
  const text = `hub-id: 3
auth: { tokens: [{ name: a, scopes: [read], token: '\${A}' }] }
storage: { retention: { prometheus.samples: 1d }, skip-indexes: [flow_log.l7_flow_log] }
agents: { groups: [{ name: web, match: { host: 'web-*' }, config: { a: [1, { b: c }] } }] }
exporters:
  - { ${KAFKA}, extra-headers: {}, sasl: { enabled: true, username: u, password: '\${A}' } }
`;
  const env = { A: 'secret' };
  const before = running(text, env);
  const outcome = accepted(before, load(text, env));
  assert.deepEqual(outcome.changes, NOTHING);
  assert.deepEqual(outcome.restart, []);
  assert.equal(outcome.warning, undefined);
  assert.deepEqual(outcome.config, before);
});

test('a broken file is refused with its problems', () => {
  const outcome = compare(running('hub-id: 1\n'), load('hub-id: x\nexporters: [{}]\n'));
  assert.ok(outcome.kind === 'refused');
  assert.equal(outcome.problems.length, 2);
  assert.match(outcome.problems[0] ?? '', /:1:9: hub-id: expected a number; got "x"$/);
});

test('exporters that came, went and changed', () => {
  const before = running(`exporters:
  - { ${KAFKA}, name: stays }
  - { ${KAFKA}, name: changes }
  - { ${KAFKA}, name: goes }
  - { ${KAFKA}, name: off }
`);
  const next = load(`exporters:
  - { ${OTLP}, name: comes }
  - { ${KAFKA}, name: changes, batch-size: 7 }
  - { ${KAFKA}, name: stays }
  - { ${KAFKA}, name: off, enabled: false }
`);
  const outcome = accepted(before, next);
  assert.deepEqual(outcome.changes, {
    ...NOTHING,
    exporters: { added: ['comes'], changed: ['changes'], removed: ['goes', 'off'] },
  });
  assert.deepEqual(outcome.restart, []);
  assert.deepEqual(
    outcome.config.exporters.map(({ name, batchSize }) => [name, batchSize]),
    [
      ['comes', 32],
      ['changes', 7],
      ['stays', 1024],
    ],
  );
});

test('another password is a change, though it does not show', () => {
  const text = `auth: { tokens: [{ name: a, scopes: [read], token: '\${A}' }] }
exporters: [{ ${KAFKA}, sasl: { enabled: true, username: u, password: '\${B}' } }]
`;
  const before = running(text, { A: 'one', B: 'one' });
  assert.deepEqual(accepted(before, load(text, { A: 'two', B: 'one' })).changes, { ...NOTHING, access: true });
  assert.deepEqual(accepted(before, load(text, { A: 'one', B: 'two' })).changes, {
    ...NOTHING,
    exporters: { added: [], changed: ['kafka'], removed: [] },
  });
});

test('groups of agents', () => {
  const before = running('agents: { groups: [{ name: a, config: { x: 1 } }] }\n');
  const outcome = accepted(before, load('agents: { groups: [{ name: a, config: { x: 2 } }], advertise: 192.0.2.1 }\n'));
  assert.deepEqual(outcome.changes, { ...NOTHING, groups: true });
  assert.deepEqual(outcome.restart, ['agents.advertise']);
  assert.equal(outcome.config.agents.advertise, undefined);
  assert.deepEqual(outcome.config.agents.groups[0]?.config, new Map([['x', 2]]));
});

test('Prometheus servers under tags; the rest of tags waits for a restart', () => {
  const before = running('tags: { prometheus_http_api_addresses: ["http://a:9090", "http://b:9090"] }\n');
  const outcome = accepted(
    before,
    load('tags: { prometheus_http_api_addresses: ["http://b:9090"], auto-tagging-prefix: df_, allocator: off }\n'),
  );
  assert.deepEqual(outcome.changes, { ...NOTHING, prometheusServers: true });
  assert.deepEqual(outcome.config.tags, { ...before.tags, prometheusAddresses: ['http://b:9090'] });
  assert.deepEqual(outcome.restart, ['tags.allocator', 'tags.auto-tagging-prefix']);
});

test('what needs a restart is named, also the next time, and not applied', () => {
  const before = running('hub-id: 1\n');
  const next = load('hub-id: 2\nlisten: { http: 127.0.0.1:1 }\njournal: { sync: always }\ndata-dir: elsewhere\n');
  const first = accepted(before, next);
  assert.equal(
    first.warning,
    'changed in the configuration, but only in effect after a restart: data-dir, listen.http, hub-id, journal.sync',
  );
  assert.deepEqual(first.config, before);
  assert.deepEqual(accepted(first.config, next).restart, first.restart);
  assert.deepEqual(accepted(first.config, load('hub-id: 1\n')).restart, []);
});

describe('credentials and certificates', () => {
  const TLS = '{ cert-file: cert.pem, key-file: key.pem }';
  const NONE = 'listen: { http: { address: 0.0.0.0:1 } }\nauth: none\n';

  test('other files are taken, at the top and of a listener', () => {
    const before = running(`tls: ${TLS}\nlisten: { control: { address: 127.0.0.1:2, tls: ${TLS} } }\n`);
    const next = load(
      `tls: ${TLS.replace('cert', 'other')}\nlisten: { control: { address: 127.0.0.1:2, tls: ${TLS.replace('cert', 'other')} } }\n`.replaceAll(
        'other-file: cert.pem',
        'cert-file: other.pem',
      ),
    );
    const outcome = accepted(before, next);
    assert.deepEqual(outcome.changes, { ...NOTHING, access: true });
    assert.deepEqual(outcome.restart, []);
    assert.equal(outcome.config.tls?.certFile, join(folder, 'other.pem'));
    assert.equal(outcome.config.listen.control?.tls?.certFile, join(folder, 'other.pem'));
  });

  test('TLS itself, or asking for client certificates, waits for a restart', () => {
    const plain = running('hub-id: 0\n');
    const outcome = accepted(plain, load(`tls: ${TLS}\n`));
    assert.deepEqual([outcome.changes, outcome.restart], [NOTHING, ['tls']]);
    const tls = running(`listen: { http: { address: 127.0.0.1:1, tls: ${TLS} } }\n`);
    const asking = TLS.replace(' }', ', client-ca-file: ca.pem }');
    const mutual = accepted(tls, load(`listen: { http: { address: 127.0.0.1:1, tls: ${asking} } }\n`));
    assert.deepEqual([mutual.changes, mutual.restart], [NOTHING, ['listen.http']]);
  });

  test('users are exchanged even when the certificates have to wait', () => {
    const users = (name: string) => `auth: { tokens: [{ name: ${name}, scopes: [read], token: '\${A}' }] }\n`;
    const before = running(users('a'), { A: 'x' });
    const outcome = accepted(before, load(`${users('b')}tls: ${TLS}\n`, { A: 'x' }));
    assert.deepEqual([outcome.changes, outcome.restart], [{ ...NOTHING, access: true }, ['tls']]);
  });

  test('a listener that others can reach never loses its credentials before its address', () => {
    const before = running(NONE);
    const outcome = accepted(before, load('listen: { http: 127.0.0.1:1 }\n'));
    assert.deepEqual(outcome.changes, NOTHING);
    assert.deepEqual(outcome.restart, ['listen.http', 'auth']);
    assert.equal(outcome.config.auth, 'none');
  });
});

test('a hub that keeps nothing keeps its exporters until it has a storage', () => {
  const before = running(`storage: { engine: none }\nexporters: [{ ${KAFKA} }]\n`);
  const outcome = accepted(before, load('storage: { engine: chdb }\n'));
  assert.deepEqual([outcome.changes, outcome.restart], [NOTHING, ['storage.engine', 'exporters']]);
});
