import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ExporterConfig } from '../../../src/config/exporter-schema.ts';
import { loadConfig, type LoadedConfig } from '../../../src/config/load.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/config', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sluice-exporters-'));
after(() => rmSync(folder, { recursive: true }));

function loadText(text: string, env: Record<string, string> = {}): LoadedConfig {
  const path = join(folder, 'sluice.yml');
  writeFileSync(path, text);
  return loadConfig({ path, env });
}

function exporters(loaded: LoadedConfig): readonly ExporterConfig[] {
  assert.deepEqual(loaded.problems, []);
  assert.ok(loaded.config !== undefined);
  return loaded.config.exporters;
}

function only<P extends ExporterConfig['protocol']>(
  loaded: LoadedConfig,
  protocol: P,
): Extract<ExporterConfig, { protocol: P }> {
  const [exporter, ...others] = exporters(loaded);
  assert.equal(others.length, 0);
  assert.ok(exporter !== undefined && isOf(exporter, protocol));
  return exporter;
}

function isOf<P extends ExporterConfig['protocol']>(
  exporter: ExporterConfig,
  protocol: P,
): exporter is Extract<ExporterConfig, { protocol: P }> {
  return exporter.protocol === protocol;
}

function documented(name: string): LoadedConfig {
  const loaded = loadConfig({ path: `${fixtures}/${name}.good.yml`, env: {} });
  assert.deepEqual(loaded.warnings, []);
  return loaded;
}

const ABSENT = 'exporters without "enabled" are on, which DeepFlow takes for off: ';
const KAFKA = '  - { protocol: kafka, endpoints: [a:9092], data-sources: [flow_log.l7_flow_log]';
const PROMETHEUS = '  - { protocol: prometheus, endpoints: ["http://a/w"], data-sources: [flow_metrics.network.1s]';
const OTLP = '  - { protocol: opentelemetry, endpoints: [a:4317], data-sources: [flow_log.l7_flow_log]';

describe("the examples of DeepFlow's documentation", () => {
  test('prometheus', () => {
    const loaded = documented('exporter-prometheus');
    const exporter = only(loaded, 'prometheus');
    assert.equal(exporter.name, 'prometheus');
    assert.deepEqual(exporter.endpoints, ['http://127.0.0.1:9091/receive', 'http://1.1.1.1:9091/receive']);
    assert.deepEqual(exporter.dataSources, ['flow_metrics.application_map.1s']);
    assert.deepEqual(exporter.exportFields, ['$tag', '$metrics']);
    assert.deepEqual(exporter.filterGroups, []);
    assert.equal(exporter.flushMs, 10_000);
    assert.deepEqual(
      [...exporter.extraHeaders].map(([name, value]) => [name, value.reveal()]),
      [
        ['key1', 'value1'],
        ['key2', 'value2'],
      ],
    );
    assert.deepEqual(loaded.notes, []);
  });

  test('the demo with exporters at the top and without enabled is on, and a note says so', () => {
    const loaded = documented('exporter-top');
    const exporter = only(loaded, 'prometheus');
    assert.deepEqual(exporter.endpoints, ['http://localhost:1234/receive']);
    assert.equal(exporter.flushMs, 1000);
    assert.equal(exporter.batchSize, 1024);
    assert.equal(exporter.queueCount, 4);
    assert.equal(exporter.queueSize, 100_000);
    assert.deepEqual(loaded.notes, [`${ABSENT}prometheus`]);
  });

  for (const name of ['exporter-kafka', 'exporter-kafka-english']) {
    test(`${name}: a login that is off, topic and filters as null, a key with an underscore`, () => {
      const exporter = only(documented(name), 'kafka');
      assert.deepEqual(exporter.brokers, [
        { host: 'broker1.example.com', port: 9092 },
        { host: 'broker2.example.com', port: 9092 },
      ]);
      assert.equal(exporter.sasl, undefined);
      assert.equal(exporter.useTls, false);
      assert.deepEqual(exporter.topic, { kind: 'by-source' });
      assert.equal(exporter.exportEmptyMetrics, true);
    });
  }

  test('a whole server.yaml: the exporter that is off is left out', () => {
    const loaded = documented('deepflow-server');
    assert.deepEqual(
      exporters(loaded).map(({ name, dataSources }) => [name, dataSources]),
      [['kafka', ['flow_log.l7_flow_log', 'event.file_event']]],
    );
    assert.equal(loaded.notes.at(-1), 'exporters that are switched off: opentelemetry');
  });
});

describe('defaults', () => {
  test('of every protocol', () => {
    const [kafka, prometheus, otlp] = exporters(loadText(`exporters:\n${KAFKA} }\n${PROMETHEUS} }\n${OTLP} }\n`));
    for (const exporter of [kafka, prometheus, otlp]) {
      assert.ok(exporter !== undefined);
      assert.equal(exporter.name, exporter.protocol);
      assert.equal(exporter.maxBacklogBytes, 8 * 2 ** 30);
      assert.equal(exporter.maxAgeMs, undefined);
      assert.equal(exporter.from, 'tail');
      assert.deepEqual(exporter.retry, { initialMs: 100, maxMs: 30_000, jitter: true, on429: 'retry' });
      assert.equal(exporter.flushMs, 1000);
      assert.ok(exporter.translateEnums && exporter.translateNames && exporter.exportEmptyMetrics);
      assert.ok(exporter.includeImportedSpans && exporter.excludeSelfTraffic && !exporter.exportEmptyTag);
    }
    assert.deepEqual([kafka?.timeoutMs, prometheus?.timeoutMs, otlp?.timeoutMs], [30_000, 30_000, 10_000]);
    assert.deepEqual([kafka?.batchSize, prometheus?.batchSize, otlp?.batchSize], [1024, 1024, 32]);
  });

  test('of kafka', () => {
    const exporter = only(loadText(`exporters:\n${KAFKA} }\n`), 'kafka');
    assert.equal(exporter.acks, 'all');
    assert.equal(exporter.idempotent, true);
    assert.equal(exporter.compression, 'snappy');
    assert.deepEqual(exporter.key, { kind: 'none' });
    assert.equal(exporter.maxMessageBytes, 2 ** 20);
    assert.equal(exporter.clientId, 'sluice');
    assert.deepEqual(exporter.json, { int64: 'number', legacyKeys: true });
  });

  test('0 stands for the default where it does in DeepFlow', () => {
    const keys = 'queue-count: 0, queue-size: 0, batch-size: 0, flush-timeout: 0';
    const exporter = only(loadText(`exporters:\n${OTLP}, ${keys} }\n`), 'opentelemetry');
    assert.deepEqual(
      [exporter.queueCount, exporter.queueSize, exporter.batchSize, exporter.flushMs],
      [4, 100_000, 32, 1000],
    );
  });
});

test('every key of its own has its place', () => {
  writeFileSync(join(folder, 'password'), 'correct horse\n');
  writeFileSync(join(folder, 'ca.pem'), '');
  const exporter = only(
    loadText(
      `ingester:
  exporters:
    - protocol: kafka
      name: to-kafka
      endpoints: ['[::1]:9092', kafka-1:9093]
      data-sources: [flow_log.l7_flow_log, flow_log.l4_flow_log]
      timeout: 5s
      max-backlog-bytes: 1GiB
      max-age: 1h
      from: oldest
      retry: { initial: 1s, max: 2m, jitter: false, on-429: drop }
      tls: { ca-file: ca.pem, server-name: kafka.example.com }
      include-imported-spans: false
      exclude-self-traffic: no
      sasl: { enabled: true, sasl-mechanism: SCRAM-SHA-512, username: u, password-file: password }
      kafka:
        acks: 1
        compression: zstd
        key: flow_id
        headers: { schema: 7, origin: 0x10 }
        max-message-bytes: 10MiB
        topic-template: 'df.{{datasource}}-{{ org_id }}.{{pod_id_0}}.%Y%m%d'
        partitions: 6
        client-id: hub-1
        dead-letter-topic: df.rejected
      json: { int64: string, legacy-keys: false }
`,
    ),
    'kafka',
  );
  assert.equal(exporter.name, 'to-kafka');
  assert.deepEqual(exporter.brokers, [
    { host: '::1', port: 9092 },
    { host: 'kafka-1', port: 9093 },
  ]);
  assert.deepEqual(exporter.retry, { initialMs: 1000, maxMs: 120_000, jitter: false, on429: 'drop' });
  assert.equal(exporter.tls.caFile, join(folder, 'ca.pem'));
  assert.equal(exporter.useTls, true);
  assert.deepEqual(exporter.sasl, {
    mechanism: 'SCRAM-SHA-512',
    username: 'u',
    password: { kind: 'file', path: join(folder, 'password') },
  });
  assert.equal(exporter.acks, 'leader');
  assert.equal(exporter.idempotent, false, 'an idempotent producer needs all');
  assert.deepEqual(exporter.key, { kind: 'field', field: 'flow_id' });
  assert.deepEqual(
    [...exporter.headers],
    [
      ['schema', '7'],
      ['origin', '0x10'],
    ],
    'as they are written',
  );
  assert.deepEqual(exporter.topic, {
    kind: 'template',
    parts: [
      { kind: 'text', text: 'df.' },
      { kind: 'data-source' },
      { kind: 'text', text: '-' },
      { kind: 'organisation' },
      { kind: 'text', text: '.' },
      { kind: 'field', field: 'pod_id_0' },
      { kind: 'text', text: '.' },
      { kind: 'time', unit: 'year' },
      { kind: 'time', unit: 'month' },
      { kind: 'time', unit: 'day' },
    ],
  });
  assert.equal(exporter.batchBytes, 10 * 2 ** 20);
  assert.deepEqual([exporter.partitions, exporter.clientId, exporter.deadLetterTopic], [6, 'hub-1', 'df.rejected']);
  assert.deepEqual(exporter.json, { int64: 'string', legacyKeys: false });
  assert.deepEqual([exporter.includeImportedSpans, exporter.excludeSelfTraffic], [false, false]);
});

test('keys of prometheus', () => {
  const keys =
    'external-labels: { cluster: 7 }, metric-prefix: deepflow_, protobuf-message: io.prometheus.write.v2.Request, ' +
    'send-metadata: false, on-duplicate: last, max-labels: 30, auth: { bearer: { token: "${TOKEN}" } }';
  const exporter = only(loadText(`exporters:\n${PROMETHEUS}, ${keys} }\n`, { TOKEN: 'correct horse' }), 'prometheus');
  assert.deepEqual([...exporter.externalLabels], [['cluster', '7']]);
  assert.equal(exporter.metricPrefix, 'deepflow_');
  assert.equal(exporter.protobufMessage, 'io.prometheus.write.v2.Request');
  assert.deepEqual([exporter.sendMetadata, exporter.onDuplicate, exporter.maxLabels], [false, 'last', 30]);
  assert.ok(exporter.auth?.kind === 'bearer' && exporter.auth.token.kind === 'value');
  assert.equal(exporter.auth.token.secret.reveal(), 'correct horse');
});

describe('targets of opentelemetry', () => {
  const targets = (endpoint: string, rest = '') => {
    const text = `exporters:\n  - { protocol: opentelemetry, endpoints: ['${endpoint}'], data-sources: [flow_log.l7_flow_log]${rest} }\n`;
    return only(loadText(text), 'opentelemetry').targets;
  };

  test('host:port, plain and with TLS', () => {
    assert.deepEqual(targets('collector:4317'), [
      { host: 'collector', port: 4317, tls: false, address: 'collector:4317', url: 'http://collector:4317/v1/traces' },
    ]);
    assert.deepEqual(targets('[::1]:443', ', tls: {}'), [
      { host: '::1', port: 443, tls: true, address: '[::1]:443', url: 'https://[::1]/v1/traces' },
    ]);
    assert.equal(targets('collector:4317', ', tls: { enabled: false }')[0]?.tls, false);
  });

  test('URLs, which say themselves whether they are TLS', () => {
    assert.deepEqual(targets('https://collector'), [
      { host: 'collector', port: 443, tls: true, address: 'collector:443', url: 'https://collector/v1/traces' },
    ]);
    const [http] = targets('http://collector:4318/otlp/traces?tenant=1', ', otlp: { transport: http }, tls: {}');
    assert.equal(http?.url, 'http://collector:4318/otlp/traces?tenant=1');
    assert.equal(http?.tls, false);
  });
});

describe('filters', () => {
  test('tag-filters are one group, the operators have one spelling, values are what is written', () => {
    const filters = `
    tag-filters:
      - { field-name: region_id_0, operator: in, field-values: [1, 1.5e3, 007] }
      - { field-name: trace_id, operator: 'NOT  IN', field-values: [true, ''] }
      - { field-name: request_resource, operator: "~", field-values: ['^/api'] }
    tag-filter-condition: { type: or }
`;
    const loaded = loadText(
      `exporters:\n  - protocol: kafka\n    endpoints: [a:1]\n    data-sources: [flow_log.l7_flow_log]${filters}`,
    );
    assert.deepEqual(loaded.warnings, []);
    assert.deepEqual(only(loaded, 'kafka').filterGroups, [
      {
        type: 'or',
        filters: [
          { field: 'region_id_0', operator: '=', values: ['1', '1.5e3', '007'] },
          { field: 'trace_id', operator: '!=', values: ['true', ''] },
          { field: 'request_resource', operator: '~', values: ['^/api'] },
        ],
      },
    ]);
  });

  test('fields go by both names of the side of the client', () => {
    const text = (field: string) => `exporters:
  - protocol: kafka
    endpoints: [a:1]
    data-sources: [flow_metrics.network_map.1s]
    tag-filters: [{ field-name: ${field}, operator: '=', field-values: [1] }]
`;
    for (const field of ['region_id', 'region_id_0', 'region_id_1']) {
      assert.deepEqual(loadText(text(field)).problems, [], field);
    }
  });
});

describe('names', () => {
  const names = (loaded: LoadedConfig) => exporters(loaded).map(({ name }) => name);

  test('an exporter without one goes by its protocol while no other does', () => {
    const text = `exporters:\n${KAFKA} }\n${KAFKA}, name: second }\n${KAFKA}, enabled: false }\n${OTLP} }\n`;
    assert.deepEqual(names(loadText(text)), ['kafka', 'second', 'opentelemetry']);
  });

  test('both lists may be there when one is empty', () => {
    assert.deepEqual(names(loadText(`exporters: []\ningester:\n  exporters:\n  ${KAFKA} }\n`)), ['kafka']);
    assert.deepEqual(names(loadText(`exporters:\n${KAFKA} }\ningester: { exporters: }\n`)), ['kafka']);
  });
});

test('the old name of a data source is the new one, given once', () => {
  const text = `exporters:
  - protocol: kafka
    endpoints: [a:1]
    data-sources: [event.perf_event, flow_log.l7_flow_log, prometheus.samples]
    enabled: true
`;
  const loaded = loadText(text);
  assert.deepEqual(only(loaded, 'kafka').dataSources, [
    'event.file_event',
    'flow_log.l7_flow_log',
    'prometheus.samples',
  ]);
  assert.deepEqual([loaded.warnings, loaded.notes], [[], []]);
});

test('secrets are not shown, wherever they stand', () => {
  const loaded = loadText(
    `exporters:
${KAFKA}, sasl: { enabled: true, security-protocol: SASL_PLAINTEXT, username: u, password: correct-horse } }
${PROMETHEUS}, extra-headers: { X-Token: correct-horse, X-Scope: '\${SCOPE}' }, auth: { basic: { username: u, password: '\${SCOPE}' } } }
`,
    { SCOPE: 'correct-horse' },
  );
  assert.equal(exporters(loaded).length, 2);
  for (const text of [JSON.stringify(loaded), inspect(loaded, { depth: 20, showHidden: true })]) {
    assert.ok(!text.includes('correct-horse'), text);
  }
});

describe('a hub without storage', () => {
  test('says what it does with data that no exporter reads', () => {
    const { notes } = loadText(`storage: { engine: none }\nexporters:\n${KAFKA}, enabled: true }\n`);
    assert.equal(notes.length, 1);
    assert.match(notes[0] ?? '', /^storage\.engine: none keeps nothing: only flow_log\.l7_flow_log is exported/);
  });
});
