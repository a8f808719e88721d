import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { loadConfig, type LoadedConfig } from '../../../src/config/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-exporter-mistakes-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'sluice.yml');

function load(text: string): LoadedConfig {
  writeFileSync(path, text);
  return loadConfig({ path, env: { SECRET: 'hunter2' } });
}

/** Five lines, the exporter's own begin in the sixth. */
function exporter(protocol: 'kafka' | 'prometheus' | 'opentelemetry', ...lines: readonly string[]): string {
  const about = {
    kafka: ['a:9092', 'flow_log.l7_flow_log'],
    prometheus: ['http://a/w', 'flow_metrics.network.1s'],
    opentelemetry: ['a:4317', 'flow_log.l7_flow_log'],
  }[protocol];
  const head = [`protocol: ${protocol}`, 'enabled: true', `endpoints: ['${about[0]}']`, `data-sources: [${about[1]}]`];
  const [first, ...rest] = [...head, ...lines];
  return ['exporters:', `  - ${first}`, ...rest.map((line) => `    ${line}`), ''].join('\n');
}

/** What a person sees, at which line and column. */
interface Case {
  readonly text: string;
  readonly problems?: readonly string[];
  readonly warnings?: readonly string[];
}

const E0 = 'exporters[0]';
const FILTER = "operator: '=', field-values: [a] }";
const OPERATORS = '"=", "in", "!=", "not in", "~", "!~", ":", "!:"';
const PROMETHEUS_SOURCES =
  'prometheus.samples, flow_metrics.network.1s, flow_metrics.network.1m, flow_metrics.network_map.1s, flow_metrics.network_map.1m, flow_metrics.application.1s, flow_metrics.application.1m, flow_metrics.application_map.1s, flow_metrics.application_map.1m';

const CASES: Readonly<Record<string, Case>> = {
  'an empty entry': {
    text: 'exporters:\n  -\n  - 3\n  - {}\n',
    problems: [
      '2:4: exporters[0]: expected a mapping; got nothing',
      '3:5: exporters[1]: expected a mapping; got 3',
      '4:5: exporters[2].protocol: expected prometheus, kafka or opentelemetry; the key is missing',
    ],
  },
  'no list': {
    text: 'exporters: { a: 1 }\ningester: { exporters: hunter2 }\n',
    problems: [
      '1:12: exporters: expected a list; got a mapping',
      '2:24: ingester.exporters: expected a list; got a text',
    ],
  },
  'two lists': {
    text: `${exporter('kafka')}ingester:\n  exporters:\n    - protocol: prometheus\n`,
    problems: [
      '1:1: exporters are given here and at FILE:7:3: expected one list with all of them',
      '8:7: ingester.exporters[0].data-sources: expected at least one data source',
      '8:7: ingester.exporters[0].endpoints: expected at least one endpoint',
    ],
  },
  'a protocol that nobody speaks': {
    text: 'exporters:\n  - protocol: Kafka\n  - protocol: loki\n',
    problems: [
      '2:15: exporters[0].protocol: expected prometheus, kafka or opentelemetry; got "Kafka"; did you mean "kafka"?',
      '3:15: exporters[1].protocol: expected prometheus, kafka or opentelemetry; got "loki"',
    ],
  },
  'the layout of old versions': {
    text: 'exporters:\n  - exporter_type: otlp-exporter\n    addr: 192.0.2.1:4317\n',
    problems: [
      '2:5: exporters[0].protocol: expected prometheus, kafka or opentelemetry; the key is missing. This is the layout of DeepFlow before 6.5: now protocol, endpoints and data-sources stand side by side',
    ],
  },
  'what DeepFlow passes over': {
    text: exporter('prometheus', 'tag-filter: []', 'metrics_omitempty: true', 'sasl: { enabled: true }', 'topic: a'),
    warnings: [
      '6:5: the key "tag-filter" in exporters[0] has no effect: write "tag-filters"',
      '7:5: the key "metrics_omitempty" in exporters[0] has no effect: write "export-empty-metrics-disabled"',
      '8:5: the key "sasl" in exporters[0] has no effect: with protocol prometheus there is no such thing',
      '9:5: the key "topic" in exporters[0] has no effect: with protocol prometheus there is no such thing',
    ],
  },
  'keys that are misspelled, twice, of others, of later': {
    text: exporter(
      'prometheus',
      'queue_count: 2',
      'queue-count: 3',
      'batchsize: 1',
      'flush_interval: 1s',
      'queue: { type: disk }',
      'kafka: {}',
      'retry: { max-elapsed: 1s, maxx: 1s }',
    ),
    problems: [
      '7:5: the key "queue-count" is already given at FILE:6:5',
      '8:5: unknown key "batchsize" in exporters[0]; did you mean "batch-size"?',
      '9:5: "flush_interval" is not supported yet in exporters[0]',
      '10:5: "queue" is not supported yet in exporters[0]',
      '11:5: the key "kafka" belongs to protocol kafka: it cannot stand in exporters[0]',
      '12:14: "max-elapsed" is not supported yet in exporters[0].retry',
      '12:31: unknown key "maxx" in exporters[0].retry; did you mean "max"?',
    ],
  },
  'credentials for the wrong protocol': {
    text: exporter('kafka', 'auth: { bearer: { token: hunter2 } }'),
    problems: [
      '6:5: the key "auth" belongs to protocol prometheus and opentelemetry, kafka has sasl: it cannot stand in exporters[0]',
    ],
  },
  'nothing to read and nowhere to send': {
    text: 'exporters:\n  - protocol: kafka\n    endpoints: []\n    data-sources:\n',
    problems: [
      `3:16: ${E0}.endpoints: expected at least one endpoint`,
      `4:18: ${E0}.data-sources: expected at least one data source`,
    ],
  },
  'data sources': {
    text: `exporters:
  - protocol: prometheus
    endpoints: [http://a/w]
    data-sources:
      - flow_metrics.aplication.1s
      - flow_log.l7_flow_log
      - flow_metrics.*
      - flow_metrics.network.1h
`,
    problems: [
      `5:9: ${E0}.data-sources[0]: unknown data source "flow_metrics.aplication.1s"; did you mean "flow_metrics.application.1s"?`,
      `6:9: ${E0}.data-sources[1]: flow_log.l7_flow_log cannot be sent by protocol prometheus; expected one of ${PROMETHEUS_SOURCES}`,
      `7:9: ${E0}.data-sources[2]: unknown data source "flow_metrics.*" (they are written out, without *); known: ${PROMETHEUS_SOURCES}`,
      `8:9: ${E0}.data-sources[3]: flow_metrics.network.1h cannot be sent by protocol prometheus; expected one of ${PROMETHEUS_SOURCES}`,
    ],
  },
  'a data source by both of its names': {
    text: `exporters:
  - { protocol: kafka, enabled: yes, endpoints: [a:1], data-sources: [event.perf_event, event.file_event] }
`,
    warnings: [`2:89: ${E0}.data-sources[1]: event.file_event is given already, as event.perf_event`],
  },
  'addresses of brokers': {
    text: `exporters:
  - protocol: kafka
    data-sources: [flow_log.l7_flow_log]
    endpoints:
      - kafka
      - kafka://a:9092
      - a:9092,b:9092
      - :9092
      - a:70000
`,
    problems: [5, 6, 7, 8, 9].map(
      (line) =>
        `${line}:9: ${E0}.endpoints[${line - 5}]: expected host:port of one broker, without http:// or the like, such as kafka-1.example.com:9092`,
    ),
  },
  'addresses of receivers': {
    text: `exporters:
  - protocol: prometheus
    data-sources: [flow_metrics.network.1s]
    endpoints:
      - localhost:9090/api/v1/write
      - https://user:hunter2@host/write
      - http://host/write#part
`,
    problems: [
      `5:9: ${E0}.endpoints[0]: expected an http:// or https:// address such as http://127.0.0.1:9090/api/v1/write`,
      `6:9: ${E0}.endpoints[1]: expected an address without a login; use auth: {basic: ...}`,
      `7:9: ${E0}.endpoints[2]: expected an address without #`,
    ],
  },
  'addresses of collectors': {
    text: `exporters:
  - protocol: opentelemetry
    data-sources: [flow_log.l7_flow_log]
    endpoints:
      - collector
      - http://collector:4317/v1/traces
      - collector:0
      - collector:4317/v1/traces
`,
    problems: [
      `5:9: ${E0}.endpoints[0]: expected host:port, or an http:// or https:// address when there is a path`,
      `6:9: ${E0}.endpoints[1]: expected an address without a path: gRPC has its own; for HTTP write otlp: {transport: http}`,
      `7:9: ${E0}.endpoints[2]: expected a port of 1 to 65535`,
      `8:9: ${E0}.endpoints[3]: expected host:port, or an http:// or https:// address when there is a path`,
    ],
  },
  'export-fields': {
    text: exporter(
      'kafka',
      'export-fields:',
      '  - $tags',
      '  - $tag.flowinfo',
      '  - ip4_00',
      "  - '~$k8s.label.('",
      '  - $any.delay',
    ),
    problems: [
      `7:9: ${E0}.export-fields[0]: unknown category "$tags"; did you mean "$tag"?`,
      `8:9: ${E0}.export-fields[1]: unknown category "$tag.flowinfo"; did you mean "$tag.flow_info"?`,
      `9:9: ${E0}.export-fields[2]: unknown field "ip4_00" in flow_log.l7_flow_log; did you mean "ip4_0"?`,
      `10:9: ${E0}.export-fields[3]: expected a regular expression of RE2: error parsing regexp: missing closing ): \`(\``,
    ],
    warnings: [`11:9: ${E0}.export-fields[4]: understood as $metrics.delay`],
  },
  'no metric for prometheus': {
    text: exporter('prometheus', 'export-fields: [$tag, pod_id]'),
    warnings: [
      `6:20: ${E0}.export-fields: no metric is among these, so no series are sent of flow_metrics; add $metrics`,
    ],
  },
  'the shape of filters': {
    text: exporter(
      'kafka',
      'tag-filters:',
      "  - { field-name: trace_id, operator: '==', field-values: [a] }",
      '  - { field-name: trace_id, operator: ~, field-values: [] }',
      '  - { fieldname: trace_id, operator: "", field-values: a }',
      'tag-filters-groups:',
      '  - tag-filter-condition: { type: xor }',
      '    tag-filters: []',
    ),
    problems: [
      `7:43: ${E0}.tag-filters[0].operator: expected ${OPERATORS}; got "=="`,
      `8:43: ${E0}.tag-filters[1].operator: expected ${OPERATORS}, in quotes: without them YAML takes ~ for nothing and !=, !~, !: for tags`,
      `8:60: ${E0}.tag-filters[1].field-values: expected at least one value`,
      `9:9: ${E0}.tag-filters[2].field-name: expected a text; the key is missing`,
      `9:11: unknown key "fieldname" in ${E0}.tag-filters[2]; did you mean "field-name"?`,
      `9:42: ${E0}.tag-filters[2].operator: expected ${OPERATORS}; got an empty text`,
      `9:60: ${E0}.tag-filters[2].field-values: expected a list; got "a"`,
      `11:39: ${E0}.tag-filters-groups[0].tag-filter-condition.type: expected "and" or "or"`,
      `12:22: ${E0}.tag-filters-groups[0].tag-filters: expected at least one filter`,
    ],
  },
  'what filters name': {
    text: exporter(
      'kafka',
      'tag-filters-groups:',
      '  - tag-filters:',
      `      - { field-name: regionid_0, ${FILTER}`,
      "      - { field-name: request_resource, operator: '!~', field-values: ['/a', '[z'] }",
      "      - { field-name: l7_protocol, operator: '!=', field-values: [20, HTTP] }",
    ),
    problems: [
      `8:27: ${E0}.tag-filters-groups[0].tag-filters[0].field-name: unknown field "regionid_0" in flow_log.l7_flow_log; did you mean "region_id_0"?`,
      `9:82: ${E0}.tag-filters-groups[0].tag-filters[1].field-values[1]: expected a regular expression of RE2: error parsing regexp: missing closing ]: \`[z\``,
    ],
    warnings: [
      `10:75: ${E0}.tag-filters-groups[0].tag-filters[2].field-values[1]: the field is a number, which "HTTP" never equals: codes and ids are compared, not names`,
    ],
  },
  'fields by what messages call them when names take the place of ids': {
    text: exporter('kafka', `tag-filters: [{ field-name: auto_service_1, ${FILTER}]`, 'export-fields: [pod_0, agent]'),
    problems: [
      `6:33: ${E0}.tag-filters[0].field-name: unknown field "auto_service_1" in flow_log.l7_flow_log; did you mean "auto_service_id_1"?`,
      `7:21: ${E0}.export-fields[0]: unknown field "pod_0" in flow_log.l7_flow_log; did you mean "pod_id_0"?`,
      `7:28: ${E0}.export-fields[1]: unknown field "agent" in flow_log.l7_flow_log; did you mean "agent_id"?`,
    ],
  },
  'what addresses are compared with': {
    text: exporter(
      'kafka',
      'tag-filters:',
      "  - { field-name: ip4_0, operator: '=', field-values: [10.1.0.0/16, 10.1.2.3, 167837699, 4294967296] }",
      "  - { field-name: ip6_1, operator: not in, field-values: ['fd00::1', 'fd00::x'] }",
      "  - { field-name: ip4_1, operator: ':', field-values: [10.1.*] }",
    ),
    warnings: [
      `7:60: ${E0}.tag-filters[0].field-values[0]: the field is an address, which "10.1.0.0/16" never equals; the operator ":" takes patterns as in 10.1.*`,
      `7:94: ${E0}.tag-filters[0].field-values[3]: the field is an address, which "4294967296" never equals; the operator ":" takes patterns as in 10.1.*`,
      `8:74: ${E0}.tag-filters[1].field-values[1]: the field is an address, which "fd00::x" never equals; the operator ":" takes patterns as in 10.1.*`,
    ],
  },
  'a header that every message has': {
    text: exporter('kafka', 'kafka: { headers: { team: a, datasource: mine } }'),
    problems: [`6:46: ${E0}.kafka.headers.datasource: expected other headers than datasource, which every message has`],
  },
  'a field that only some of the data sources have': {
    text: `exporters:
  - protocol: kafka
    enabled: true
    endpoints: [a:1]
    data-sources: [flow_log.l7_flow_log, flow_metrics.network.1s, prometheus.samples]
    tag-filters:
      - { field-name: trace_id, ${FILTER}
    kafka: { key: trace_id, topic-template: 'x.{{pod_idd}}' }
    export-fields: [trace_id, byte_tx]
`,
    problems: [
      `7:23: ${E0}.tag-filters[0].field-name: there is no field "trace_id" in prometheus.samples, flow_metrics.network.1s, so the filter cannot be applied there; give these an exporter of their own`,
      `8:19: ${E0}.kafka.key: there is no field "trace_id" in prometheus.samples, flow_metrics.network.1s; give these an exporter of their own`,
      `8:45: ${E0}.kafka.topic-template: unknown field "pod_idd" in prometheus.samples, flow_metrics.network.1s, flow_log.l7_flow_log; did you mean "pod_id"?`,
    ],
  },
  'filters of two kinds, conditions in capitals': {
    text: exporter(
      'kafka',
      `tag-filters: [{ field-name: trace_id, ${FILTER}]`,
      'tag-filter-condition: { type: OR }',
      'tag-filters-groups:',
      `  - tag-filters: [{ field-name: trace_id, ${FILTER}]`,
    ),
    warnings: [
      `7:35: ${E0}.tag-filter-condition.type: OR is understood here, and taken for "and" by DeepFlow; write or`,
      `9:7: ${E0}.tag-filters-groups: no effect beside tag-filters; move those into a group`,
    ],
  },
  'a condition without filters': {
    text: exporter('kafka', 'tag-filter-condition: { type: or }'),
    warnings: [`6:27: ${E0}.tag-filter-condition: no effect without tag-filters; a group has a condition of its own`],
  },
  'a login': {
    text: exporter(
      'kafka',
      'sasl: { enabled: true, security-protocol: SSL, sasl-mechanism: GSSAPI, password: hunter2 }',
    ),
    problems: [
      `6:11: ${E0}.sasl.username: expected the user that logs in`,
      `6:47: ${E0}.sasl.security-protocol: expected SASL_SSL or SASL_PLAINTEXT; got "SSL"`,
      `6:68: ${E0}.sasl.sasl-mechanism: expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, the mechanisms that are supported; got "GSSAPI"`,
    ],
  },
  'a password that would go in clear': {
    text: exporter('kafka', 'sasl: { enabled: true, username: a, password: hunter2 }', 'tls: { enabled: false }'),
    problems: [
      `7:21: ${E0}.tls.enabled: the password would be sent in clear: leave this out, or ask for it with security-protocol: SASL_PLAINTEXT`,
    ],
  },
  'clear text and TLS at once': {
    text: exporter(
      'kafka',
      'sasl: { enabled: true, security-protocol: SASL_PLAINTEXT, username: a, password: hunter2 }',
      'tls: {}',
    ),
    problems: [
      `6:47: ${E0}.sasl.security-protocol: expected SASL_SSL where there is a section tls; SASL_PLAINTEXT is without TLS`,
    ],
  },
  'secrets in the wrong place': {
    text: exporter('prometheus', 'auth: hunter2', 'extra-headers: { a: [hunter2], b: "hunter2\\n" }', 'tls: hunter2'),
    problems: [
      `6:11: ${E0}.auth: expected a mapping`,
      `7:25: ${E0}.extra-headers.a: expected a text in quotes, \${NAME} or {file: PATH}`,
      `7:39: ${E0}.extra-headers.b: expected printable characters of Latin-1`,
      `8:10: ${E0}.tls: expected a mapping`,
    ],
  },
  'secrets of which there are none or two': {
    text: exporter(
      'prometheus',
      'auth: { basic: { username: a }, bearer: { token-file: nowhere, token: "${SECRET}" } }',
    ),
    problems: [
      `6:20: ${E0}.auth.basic: expected one of password-file and password`,
      `6:45: ${E0}.auth.bearer: expected one of token-file and token`,
      '6:59: cannot read the secret in DIR/nowhere: there is no such file',
    ],
  },
  'headers of the protocol': {
    text: exporter(
      'prometheus',
      'auth: { basic: { username: a, password: "${SECRET}" } }',
      'extra-headers: { Content-Type: x, Authorization: hunter2, "a b": x, X-A: x, x-a: y }',
    ),
    problems: [
      `7:36: ${E0}.extra-headers.Content-Type: this header belongs to the protocol and cannot be set`,
      `7:54: ${E0}.extra-headers.Authorization: authorization is set by auth: give one of them`,
      `7:70: ${E0}.extra-headers."a b": expected the name of an HTTP header`,
      `7:86: ${E0}.extra-headers.x-a: expected each header once`,
    ],
  },
  'metadata of gRPC': {
    text: exporter('opentelemetry', 'extra-headers: { grpc-timeout: x, a-bin: x, te: x }'),
    problems: [
      `6:36: ${E0}.extra-headers.grpc-timeout: this name belongs to the protocol and cannot be set`,
      `6:46: ${E0}.extra-headers.a-bin: expected a name that does not end in -bin, which gRPC keeps for binary values`,
      `6:53: ${E0}.extra-headers.te: this name belongs to the protocol and cannot be set`,
    ],
  },
  'topics and messages': {
    text: exporter(
      'kafka',
      'topic: a b',
      "kafka: { acks: 2, compression: brotli, topic-template: '{{datasource}}', max-message-bytes: 1, key: 'a b' }",
      'json: { int64: bigint }',
    ),
    problems: [
      `6:12: ${E0}.topic: expected the name of a topic: 1 to 249 letters, digits, dots, dashes and _`,
      `7:20: ${E0}.kafka.acks: expected all, leader or none (Kafka: -1, 1, 0)`,
      `7:36: ${E0}.kafka.compression: expected none, gzip, snappy, lz4 or zstd; got "brotli"`,
      `7:60: ${E0}.kafka.topic-template: expected plain text at the beginning of the template, such as deepflow.{{datasource}}`,
      `7:97: ${E0}.kafka.max-message-bytes: expected 1KiB to 1GiB`,
      `7:105: ${E0}.kafka.key: expected none, series-hash or the name of a field`,
      `8:20: ${E0}.json.int64: expected number or string; got "bigint"`,
    ],
  },
  'two topics, and a producer that cannot be idempotent': {
    text: exporter('kafka', 'topic: a', "kafka: { topic-template: 'b-{{datasource}}' }"),
    problems: [`6:12: ${E0}.topic: expected one of topic and kafka.topic-template`],
  },
  'an idempotent producer that does not wait for all': {
    text: exporter('kafka', 'kafka: { acks: leader, idempotent: true }'),
    problems: [`6:40: ${E0}.kafka.idempotent: expected acks: all with idempotent: true`],
  },
  'a key that rows do not have': {
    text: exporter(
      'kafka',
      'export-fields: [$metrics, $tag.flow_info, ip4_0]',
      "kafka: { key: trace_id, topic-template: 'x.{{ip4_0}}.{{flow_id}}.{{pod_0}}' }",
    ),
    problems: [
      `7:19: ${E0}.kafka.key: the field "trace_id" is not exported, which it has to be for this: add it to export-fields`,
      `7:45: ${E0}.kafka.topic-template: the field "pod_0" is not exported, which it has to be for this: add it to export-fields`,
    ],
  },
  'a hash of series of what is none': {
    text: exporter('kafka', 'kafka: { key: series-hash }'),
    warnings: [`6:19: ${E0}.kafka.key: rows of flow_log.l7_flow_log are no series: their messages have no key`],
  },
  'what is allowed and seldom meant': {
    text: exporter('kafka', 'kafka: { acks: 0 }', 'tls: { insecure-skip-verify: true }'),
    warnings: [
      `6:20: ${E0}.kafka.acks: messages that a broker has confirmed can still be lost; with all they cannot`,
      `7:34: ${E0}.tls.insecure-skip-verify: any certificate is taken: whoever stands in the server's place reads everything`,
    ],
  },
  'TLS that is not used, keys that otlp has not': {
    text: `${exporter('prometheus', 'tls: {}')}${exporter('opentelemetry', 'export-empty-tag: true').replace('exporters:\n', '')}`,
    warnings: [
      `6:10: ${E0}.tls: no effect, as no connection is made with TLS`,
      '11:23: exporters[1].export-empty-tag: no effect with protocol opentelemetry',
    ],
  },
  numbers: {
    text: exporter(
      'kafka',
      'queue-count: 65',
      'queue-size: 1.5',
      'batch-size: "1"',
      'flush-timeout: 10s',
      'timeout: 10',
      'max-age: 0',
      'from: head',
      'retry: { initial: 1m }',
    ),
    problems: [
      `6:18: ${E0}.queue-count: expected at most 64; got 65`,
      `7:17: ${E0}.queue-size: expected a whole number; got 1.5`,
      `8:17: ${E0}.batch-size: expected a number; got "1"`,
      `9:20: ${E0}.flush-timeout: expected a number; got "10s"`,
      `10:14: ${E0}.timeout: expected a duration such as 30s; got 10`,
      `11:14: ${E0}.max-age: expected more than 0`,
      `12:11: ${E0}.from: expected tail or oldest; got "head"`,
      `13:23: ${E0}.retry.initial: expected at most retry.max`,
    ],
  },
  'the version that is not there yet': {
    text: exporter('prometheus', 'protobuf-message: auto', 'external-labels: { __a: b }', 'max-labels: 0'),
    problems: [
      `6:23: ${E0}.protobuf-message: expected prometheus.WriteRequest or io.prometheus.write.v2.Request; got "auto"`,
      `7:29: ${E0}.external-labels.__a: expected the name of a label: letters, digits and _, not __ at the beginning`,
      `8:17: ${E0}.max-labels: expected at least 1; got 0`,
    ],
  },
  'names that are taken or cannot be': {
    text: [
      exporter('prometheus'),
      ...['', '    name: storage\n', '    name: roll-up-1\n', '    name: Upper\n', '    name: prometheus\n'].map(
        (name) => exporter('prometheus').replace('exporters:\n', '') + name,
      ),
    ].join(''),
    problems: [
      '6:5: exporters[1]: expected a key "name", as exporters[0] (FILE:2:5) has protocol prometheus too: by its name the hub knows what each of them has already sent',
      '14:11: exporters[2].name: expected another name: storage, series-dictionary and roll-up-* are readers of the hub itself',
      '19:11: exporters[3].name: expected another name: storage, series-dictionary and roll-up-* are readers of the hub itself',
      '24:11: exporters[4].name: expected a name of 1 to 64 small letters, digits and dashes',
      '25:5: exporters[5]: expected a name of its own; exporters[0] (FILE:2:5) already goes by prometheus',
    ],
  },
  'an exporter that is off does no harm': {
    text: 'exporters:\n  - protocol: kafka\n    enabled: no\n    quue-count: 1\n  - { protocol: loki, enabled: false }\n',
    warnings: [
      `2:5: ${E0}.data-sources: expected at least one data source`,
      `2:5: ${E0}.endpoints: expected at least one endpoint`,
      '4:5: unknown key "quue-count" in exporters[0]; did you mean "queue-count"?',
      '5:17: exporters[1].protocol: expected prometheus, kafka or opentelemetry; got "loki"',
    ],
  },
  'no storage and no exporter': {
    text: 'storage:\n  engine: none\nexporters: []\n',
    problems: [
      '2:11: storage.engine: none keeps nothing and no exporter is on, so all data would be acknowledged and thrown away: write an exporter that is on, or another engine',
    ],
  },
};

describe('every mistake has its place and its words', () => {
  for (const [name, { text, problems = [], warnings = [] }] of Object.entries(CASES)) {
    test(name, () => {
      const loaded = load(text);
      const shown = (lines: readonly string[]) =>
        lines.map((line) => line.replace(`${path}:`, '').replaceAll(path, 'FILE').replaceAll(folder, 'DIR'));
      assert.deepEqual(shown(loaded.problems), problems);
      assert.deepEqual(shown(loaded.warnings), warnings);
      assert.equal(loaded.config === undefined, problems.length > 0);
      assert.ok(!JSON.stringify([loaded.problems, loaded.warnings, loaded.notes]).includes('hunter2'));
    });
  }
});

describe('operators without quotes', () => {
  for (const operator of ['!=', '!~', '!:', ':']) {
    const message = `the operator ${operator} means something else in YAML: quote it, operator: "${operator}"`;
    test(`${operator} in a block and in braces`, () => {
      const block = load(exporter('kafka', 'tag-filters:', '  - field-name: a', `    operator: ${operator}`));
      assert.deepEqual(block.problems, [`${path}:8:19: ${message}`]);
      const flow = load(
        exporter('kafka', 'tag-filters:', `  - { field-name: a, operator: ${operator}, field-values: [] }`),
      );
      assert.deepEqual(flow.problems, [`${path}:7:36: ${message}`]);
    });
  }

  test('a value that begins with an asterisk', () => {
    const { problems } = load(
      exporter('kafka', 'tag-filters:', '  - { field-name: trace_id, operator: ":", field-values: [*a] }'),
    );
    assert.equal(
      problems[0],
      `${path}:7:63: there is no anchor &a before this alias; a text that begins with * stands in quotes`,
    );
  });
});

test('a field whose name nothing resembles: the message lists what there is', () => {
  const [problem] = load(exporter('kafka', 'export-fields: [zzzzzzzzzzzz]')).problems;
  assert.match(problem ?? '', /unknown field "zzzzzzzzzzzz" in flow_log\.l7_flow_log; known: _id, .* and \d+ more$/);
});

test('more than anybody writes is refused before it costs', () => {
  const expressions = Array.from({ length: 501 }, () => '(a{100}){9}').join("', '");
  const filter = `  - { field-name: trace_id, operator: '~', field-values: ['${expressions}'] }`;
  assert.deepEqual(load(exporter('kafka', 'tag-filters:', filter)).problems, [
    `${path}:7:7: exporters[0].tag-filters: expected at most 500 regular expressions; got 501`,
  ]);
  const { problems } = load(`exporters: [${'{},'.repeat(257)}]\n`);
  assert.ok(problems.includes(`${path}:1:1: exporters: expected at most 256 exporters; got 257`));
});

const KEYS = [
  'name',
  'protocol',
  'enabled',
  'data-sources',
  'endpoints',
  'queue_count',
  'flush-timeout',
  'tag-filters',
  'tag-filter-condition',
  'tag-filters-groups',
  'field-name',
  'operator',
  'field-values',
  'type',
  'export-fields',
  'extra-headers',
  'sasl',
  'password',
  'kafka',
  'topic',
  'topic-template',
  'key',
  'auth',
  'basic',
  'bearer',
  'token-file',
  'tls',
  'ca-file',
  'otlp',
  'transport',
  'retry',
  'max',
  'exporter_type',
  'nonsense',
];
const VALUES = [
  'kafka',
  'prometheus',
  'opentelemetry',
  'flow_log.l7_flow_log',
  'flow_metrics.network.1s',
  'a:9092',
  'http://a/w',
  '$tag',
  '~$k8s.label.(',
  'trace_id',
  '~',
  '(((((',
  'x{{trace_id}}%Y',
  '${SECRET}',
  '__proto__',
  'storage',
  '10s',
];

test('whatever stands in the list of exporters, it is read or refused, never thrown over', () => {
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.constantFrom(...VALUES),
      fc.oneof(fc.string(), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom(...KEYS), tie('tree'), { maxKeys: 8 }),
    ),
  }));
  const valid = fc.record({
    protocol: fc.constantFrom('kafka', 'prometheus', 'opentelemetry'),
    'data-sources': fc.array(fc.constantFrom(...VALUES), { minLength: 1, maxLength: 2 }),
    endpoints: fc.array(fc.constantFrom(...VALUES), { minLength: 1, maxLength: 2 }),
  });
  const likely = fc
    .tuple(valid, fc.dictionary(fc.constantFrom(...KEYS), tree, { maxKeys: 6 }))
    .map(([base, extra]) => ({ ...extra, ...base }));
  fc.assert(
    fc.property(
      fc.constantFrom('exporters', 'ingester'),
      fc.oneof(fc.array(likely, { maxLength: 3 }), tree),
      (top, list) => {
        const text = stringify(top === 'exporters' ? { exporters: list } : { ingester: { exporters: list } });
        const loaded = load(text);
        assert.equal(loaded.config === undefined, loaded.problems.length > 0);
        for (const line of [...loaded.problems, ...loaded.warnings]) {
          assert.ok(line.startsWith(`${path}:`) || line.startsWith('and '), line);
          assert.ok(!line.includes('hunter2'), line);
        }
      },
    ),
    { numRuns: 300 },
  );
});
