import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeRows } from '../../../../src/exporters/kafka/encode.ts';
import { createKafkaExporter } from '../../../../src/exporters/kafka/exporter.ts';
import { HeadBuilder, HeadReader, readHead } from '../../../../src/exporters/kafka/message-head.ts';
import { partitionNumber } from '../../../../src/exporters/kafka/murmur2.ts';
import { compileSelector } from '../../../../src/exporters/select.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { goldenBatch, goldenExports } from '../golden-batch.ts';
import { goldenNames } from '../golden-names.ts';
import { encodeAll, kafkaConfig, passOptions } from './encoded.ts';

/** Where messages go: their topics and keys. */

const L7 = 'flow_log.l7_flow_log';
const METRICS = 'flow_metrics.application_map.1s';
const ofOrg1 = (source: string) => goldenExports(source).filter(({ org_id }) => org_id === 1);

function encoded(source: string, keys: Readonly<Record<string, unknown>>) {
  const config = kafkaConfig({ 'data-sources': [source], ...keys });
  const cases = ofOrg1(source);
  const batch = goldenBatch(cases);
  const selector = compileSelector({
    config,
    source: batch.source,
    names: goldenNames,
    endpoints: () => [],
  });
  const items = encodeAll(encodeRows(passOptions(batch, config), selector)).items();
  assert.equal(items.length, cases.length);
  return items
    .toSorted((a, b) => a.row - b.row)
    .map(({ head, body, lane }) => ({
      ...readHead(head),
      lane,
      row: JSON.parse(body) as Readonly<Record<string, unknown>>,
    }));
}

const topicsOf = (items: readonly { readonly topic: string }[]) =>
  [...new Set(items.map(({ topic }) => topic))].toSorted();

describe('topics of messages', () => {
  it('are deepflow. and the data source, or the one that is named', () => {
    assert.deepEqual(topicsOf(encoded(L7, {})), ['deepflow.flow_log.l7_flow_log']);
    assert.deepEqual(topicsOf(encoded(L7, { topic: 'mine' })), ['mine']);
  });

  it('have data source, organisation and the time of the row in them', () => {
    const kafka = { 'topic-template': 'x.{{datasource}}.{{ org_id }}.%Y-%m-%d_%H' };
    assert.deepEqual(topicsOf(encoded(L7, { kafka })), ['x.flow_log.l7_flow_log.1.2023-11-14_22']);
    const minutes = new Set(
      encoded(METRICS, { kafka: { 'topic-template': 'x%M' } }).map(
        ({ topic, row }) => `${topic} ${String(row['time_str']).slice(14, 16)}`,
      ),
    );
    for (const minute of minutes) assert.match(minute, /^x(\d\d) \1$/);
  });

  it('have values of fields in them, made fit for a name', () => {
    const items = encoded(L7, { kafka: { 'topic-template': 't.{{l7_protocol}}.{{pod_1}}.{{request_resource}}' } });
    for (const { topic, row } of items) {
      const word = (key: string) => String(row[key] ?? '').replaceAll(/[^A-Za-z0-9._-]/g, '_') || '_';
      assert.equal(topic, `t.${word('l7_protocol')}.${word('pod_1')}.${word('request_resource')}`.slice(0, 249));
      assert.match(topic, /^[A-Za-z0-9._-]{1,249}$/);
    }
    assert.ok(topicsOf(items).length > 10);
  });
});

describe('keys of messages', () => {
  it('are none', () => {
    const items = encoded(L7, {});
    assert.ok(items.every(({ key, lane }) => key === undefined && lane === 0));
  });

  it('are the value of a field, which keeps its rows in one lane', () => {
    for (const field of ['flow_id', 'l7_protocol', 'ip4_0', 'request_domain', 'pod_1', 'pod_id_1', 'is_tls']) {
      const shown = field === 'pod_id_1' ? 'pod_1' : field;
      for (const { key, lane, row } of encoded(L7, { json: { int64: 'string' }, kafka: { key: field } })) {
        assert.equal(key?.toString(), row[shown] === undefined ? undefined : String(row[shown]), field);
        if (key !== undefined) assert.equal(lane, partitionNumber(key) % 4);
      }
    }
  });

  it('are a hash of the tags of a series, whatever is measured and when', () => {
    const items = encoded(METRICS, { kafka: { key: 'series-hash' } });
    const metrics = new Set(['request', 'response', 'direction_score', 'client_error', 'server_error', 'timeout']);
    const byTags = new Map<string, Set<string>>();
    for (const { key, row } of items) {
      assert.match(key!.toString(), /^[0-9a-f]{16}$/);
      const tags = Object.entries(row).filter(
        ([name]) => !metrics.has(name) && !/^(?:rrt_|time)|^thread_id$/.test(name),
      );
      const text = JSON.stringify(tags);
      byTags.set(text, (byTags.get(text) ?? new Set()).add(key!.toString()));
    }
    assert.ok([...byTags.values()].every(({ size }) => size === 1));
    assert.equal(new Set([...byTags.values()].flatMap((keys) => [...keys])).size, byTags.size);
    // Logs are no series.
    assert.ok(encoded(L7, { kafka: { key: 'series-hash' } }).every(({ key }) => key === undefined));
  });

  it('must be among the fields that are exported', () => {
    const config = kafkaConfig({ 'export-fields': ['$metrics'], kafka: { key: 'pod_1' } });
    const [first] = ofOrg1(L7);
    const { source } = goldenBatch([first!]);
    const selector = compileSelector({ config, source, names: goldenNames, endpoints: () => [] });
    const create = () =>
      createKafkaExporter(config, { selectors: new Map([[L7, selector]]), log: createLog({ level: 'silent' }) });
    assert.throws(
      create,
      /exporter kafka: its key or topic asks for pod_1, which is not among the export-fields of flow_log/,
    );
  });
});

describe('heads of messages', () => {
  it('keep topic and key', () => {
    const head = new HeadBuilder();
    const reader = new HeadReader();
    const messages = [
      ['a', undefined],
      ['a', ''],
      ['topic.two', 'key'],
      ['a'.repeat(249), 'x'.repeat(5000)],
      ['topic.two', undefined],
      ['b', 'é'],
    ] as const;
    for (const [topic, key] of messages) {
      head.begin(topic);
      if (key !== undefined) head.setKey(Buffer.from(key), Buffer.byteLength(key));
      const bytes = head.bytes.slice(0, head.length);
      for (const read of [readHead(bytes), reader.read(bytes)]) {
        assert.deepEqual([read.topic, read.key?.toString()], [topic, key]);
      }
    }
  });
});

describe('an exporter to Kafka', () => {
  it('tells who it is and shows messages as JSON', () => {
    const config = kafkaConfig({ name: 'mine', endpoints: ['a:9092', '[::1]:9093'] });
    const exporter = createKafkaExporter(config, { selectors: new Map(), log: createLog({ level: 'silent' }) });
    const { name, protocol, endpoints, tables } = exporter;
    assert.deepEqual(
      { name, protocol, endpoints, tables },
      { name: 'mine', protocol: 'kafka', endpoints: ['a:9092,[::1]:9093'], tables: [L7] },
    );
    const head = new HeadBuilder();
    head.begin('t');
    const shown = () => exporter.show(L7, head.bytes.subarray(0, head.length), Buffer.from('{"a":1}'));
    assert.equal(shown(), '{"topic":"t","value":{"a":1}}');
    head.setKey(Buffer.from('k"'), 2);
    assert.equal(shown(), '{"topic":"t","key":"k\\"","value":{"a":1}}');
  });
});
