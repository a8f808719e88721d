import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfigText, type ConfigTree } from '../../../src/control/config.ts';
import { mergeConfig, userConfigText } from '../../../src/control/user-config.ts';

const TOLD = { address: '192.0.2.10', dataPort: 30033, controlPort: 30035 };

function tree(text: string): ConfigTree {
  const parsed = parseConfigText(text);
  assert.ok(typeof parsed !== 'string', String(parsed));
  return parsed;
}

test('the default text, byte for byte: a change makes agents take in their configuration again', () => {
  assert.equal(
    userConfigText(TOLD, new Map()),
    `global:
  circuit_breakers:
    relative_sys_load:
      trigger_threshold: 0
  communication:
    ingester_ip: 192.0.2.10
    ingester_port: 30033
    proactive_request_interval: 10s
    proxy_controller_ip: 192.0.2.10
    proxy_controller_port: 30035
inputs:
  proc:
    process_matcher:
    - enabled_features:
      - proc.gprocess_info
      - proc.socket_list
      match_regex: .*
      match_type: process_name
      only_in_container: false
    socket_info_sync_interval: 10s
processors:
  request_log:
    application_protocol_inference:
      enabled_protocols:
      - HTTP
      - HTTP2
      - gRPC
      - MySQL
      - PostgreSQL
      - Redis
      - MongoDB
      - Kafka
      - DNS
      - TLS
    tag_extraction:
      tracing_tag:
        http_real_client:
        - X-Forwarded-For
        x_request_id:
        - X-Request-ID
`,
  );
});

test("a group's keys win, its lists replace, and what it does not name stays", () => {
  const group = tree(`
global: {communication: {ingester_ip: 198.51.100.1}, circuit_breakers: null}
processors: {request_log: {application_protocol_inference: {enabled_protocols: [HTTP]}}}
outputs: {x: [1, 2]}
`);
  const text = userConfigText(TOLD, group);
  assert.match(text, /ingester_ip: 198\.51\.100\.1\n/);
  assert.match(text, /proxy_controller_ip: 192\.0\.2\.10\n/);
  assert.match(text, /circuit_breakers: null\n/);
  assert.match(text, /enabled_protocols:\n {6}- HTTP\n {4}tag_extraction:/);
  assert.match(text, /outputs:\n {2}x:\n {2}- 1\n {2}- 2\n/);
});

test('the order of the keys that are written does not matter', () => {
  assert.equal(
    userConfigText(TOLD, tree('a: {x: 1, y: 2}\nb: 3')),
    userConfigText(TOLD, tree('b: 3\na: {y: 2, x: 1}')),
  );
});

test('texts that look like something else stay texts', () => {
  const group = tree(
    `a: ["1", 'true', 'null', '', "a: b", "*x", '# no', "0x10", "1e3", "${'long '.repeat(50)}", "two\\nlines"]`,
  );
  assert.deepEqual(tree(userConfigText(TOLD, group)).get('a'), group.get('a'));
});

test('a key named like a part of JavaScript is a key', () => {
  const merged = mergeConfig(tree('a: {b: 1}'), tree('__proto__: {b: 2}\nconstructor: 3'));
  assert.deepEqual([...merged.keys()], ['a', '__proto__', 'constructor']);
  assert.equal(({} as { b?: number }).b, undefined);
});
