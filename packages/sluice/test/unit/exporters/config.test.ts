import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { z } from 'zod';
import { Secret } from '../../../src/base/secret.ts';
import type { DeliverySettings } from '../../../src/delivery/types.ts';
import { fingerprint, toDeliverySettings } from '../../../src/exporters/config.ts';
import { opentelemetryExporterSchema } from '../../../src/exporters/opentelemetry/config.ts';
import { kafkaExporterSchema } from '../../../src/exporters/kafka/config.ts';
import { prometheusExporterSchema } from '../../../src/exporters/prometheus/config.ts';
import type { SelectionConfig } from '../../../src/exporters/config-filters.ts';

const KAFKA = { protocol: 'kafka', endpoints: ['a:9092'], 'data-sources': ['flow_log.l7_flow_log'] };
const PROMETHEUS = { protocol: 'prometheus', endpoints: ['http://a/w'], 'data-sources': ['flow_metrics.network.1s'] };

test('what delivery is told', () => {
  const config = kafkaExporterSchema.parse({
    ...KAFKA,
    'queue-count': 2,
    'queue-size': 5000,
    'batch-size': 10,
    'flush-timeout': 3,
    timeout: '7s',
    'max-backlog-bytes': '1MiB',
    'max-age': '1h',
    from: 'oldest',
    retry: { initial: '1s', max: '5s', jitter: false },
    kafka: { 'max-message-bytes': 4096 },
  });
  const settings: DeliverySettings = toDeliverySettings(config);
  assert.deepEqual(settings, {
    lanes: 2,
    batchItems: 10,
    batchBytes: 4096,
    flushMs: 3000,
    queueRows: 5000,
    queueBytes: 8 * 2 ** 20,
    timeoutMs: 7000,
    retry: { initialMs: 1000, maxMs: 5000, jitter: false },
    maxAgeMs: 3_600_000,
    maxBacklogBytes: 2 ** 20,
    from: 'oldest',
  });
});

test('an endpoint that cannot be one is told with what was expected', () => {
  const whyOf = (schema: z.ZodType, keys: object) =>
    schema.safeParse(keys).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  const otlp = { protocol: 'opentelemetry', 'data-sources': ['flow_log.l7_flow_log'] };
  assert.deepEqual(whyOf(kafkaExporterSchema, { ...KAFKA, endpoints: ['a:9092', 'http://x'] }), [
    'endpoints.1: expected host:port of one broker, without http:// or the like, such as kafka-1.example.com:9092',
  ]);
  const blanks = 'expected an address without blanks; each endpoint is an entry of its own: [a, b]';
  assert.deepEqual(whyOf(kafkaExporterSchema, { ...KAFKA, endpoints: ['a:9092 b:9092'] }), [`endpoints.0: ${blanks}`]);
  assert.deepEqual(whyOf(prometheusExporterSchema, { ...PROMETHEUS, endpoints: ['http://a/w '] }), [
    `endpoints.0: ${blanks}`,
  ]);
  assert.deepEqual(whyOf(opentelemetryExporterSchema, { ...otlp, endpoints: ['a:99999', 'a'] }), [
    'endpoints.0: expected a port of 1 to 65535',
    'endpoints.1: expected host:port, or an http:// or https:// address when there is a path',
  ]);
});

test('what the selection is told', () => {
  const config = prometheusExporterSchema.parse({
    ...PROMETHEUS,
    'export-fields': ['$metrics', 'pod_id'],
    'tag-filters-groups': [
      { 'tag-filters': [{ 'field-name': 'pod_id', operator: 'in', 'field-values': ['1'] }] },
      {
        'tag-filter-condition': { type: 'OR' },
        'tag-filters': [{ 'field-name': 'pod_id', operator: '!:', 'field-values': ['a*'] }],
      },
    ],
    'export-empty-tag': true,
    'export-empty-metrics-disabled': true,
    'enum-translate-to-name-disabled': true,
    'include-imported-spans': false,
  });
  const selection: Required<SelectionConfig> = {
    exportFields: ['$metrics', 'pod_id'],
    filterGroups: [
      { type: 'and', filters: [{ field: 'pod_id', operator: '=', values: ['1'] }] },
      { type: 'or', filters: [{ field: 'pod_id', operator: '!:', values: ['a*'] }] },
    ],
    exportEmptyTag: true,
    exportEmptyMetrics: false,
    translateEnums: false,
    translateNames: true,
    includeImportedSpans: false,
    excludeSelfTraffic: true,
    maxAgeMs: undefined,
  };
  assert.deepEqual({ ...config, ...selection }, config);
});

describe('the fingerprint', () => {
  const print = (keys: object) => fingerprint(kafkaExporterSchema.parse({ ...KAFKA, ...keys }));
  const login = (password: string) => ({ sasl: { enabled: true, username: 'u', password: Secret.of(password) } });

  test('is the same for the same settings and for defaults that are written out', () => {
    assert.equal(print({}), print({ 'batch-size': 1024, enabled: true, kafka: { acks: 'all', idempotent: true } }));
    assert.equal(print(login('a')), print(login('a')));
    assert.match(print({}), /^[0-9a-f]{64}$/);
  });

  test('differs in every setting, in secrets too', () => {
    const prints = [
      {},
      { 'batch-size': 7 },
      { endpoints: ['b:9092'] },
      login('a'),
      login('b'),
      { kafka: { headers: { a: 'b' } } },
      { kafka: { headers: { a: 'c' } } },
      { tls: { 'ca-file': '/a' } },
      { topic: 'x' },
      { kafka: { 'topic-template': 'x{{datasource}}' } },
    ].map((keys) => print(keys));
    assert.equal(new Set(prints).size, prints.length);
  });
});

test('the schemas say what they give', () => {
  const parsed: z.output<typeof kafkaExporterSchema> = kafkaExporterSchema.parse(KAFKA);
  // @ts-expect-error -- a kafka exporter has no auth
  assert.equal(parsed.auth, undefined);
});
