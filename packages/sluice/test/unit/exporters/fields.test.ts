import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isSluiceError } from '../../../src/base/errors.ts';
import { dataSources, findDataSource } from '../../../src/catalog/catalog.ts';
import { exportCategories, fieldsByName, readExportEntry, subCategoryOf } from '../../../src/catalog/export-fields.ts';
import { resolveFields } from '../../../src/exporters/fields.ts';

const resolve = (source: string, ...entries: string[]) => resolveFields(findDataSource(source)!, entries);
const keys = (source: string, ...entries: string[]) => resolve(source, ...entries).named.map(({ jsonKey }) => jsonKey);

const L7 = 'flow_log.l7_flow_log';
const NETWORK = 'flow_metrics.network.1s';
const NETWORK_MAP = 'flow_metrics.network_map.1m';
const FILE_EVENT = 'event.file_event';

describe('export-fields', () => {
  test('nothing said is everything but labels', () => {
    for (const source of dataSources) {
      const all = resolveFields(source, []);
      assert.deepEqual(all.plain, resolveFields(source, ['$tag', '$metrics']).plain);
      assert.deepEqual(
        all.plain.filter(({ isLegacy }) => !isLegacy).map(({ spec }) => spec.name),
        (source.exportFields ?? []).map(({ name }) => name),
      );
      assert.equal(all.podLabels, undefined);
    }
  });

  test('a field is chosen by every name it has, alone', () => {
    assert.deepEqual(keys(NETWORK_MAP, 'pod_id_0', 'ip4_1'), ['pod_0', 'ip4_1']);
    assert.deepEqual(keys(NETWORK_MAP, 'pod_id'), ['pod_0']);
    assert.deepEqual(keys(NETWORK_MAP, 'thread_id'), ['thread_id']);
    assert.deepEqual(keys(L7, 'trace_id_2'), ['trace_id_2']);
    assert.deepEqual(keys(L7, 'no_such_field'), []);
  });

  test('series keep the name of the id', () => {
    const { named, plain } = resolve(NETWORK_MAP, 'pod_id_0', 'agent_id');
    assert.deepEqual(
      named.map(({ jsonKey, label }) => [jsonKey, label]),
      [
        ['pod_0', 'pod_id_0'],
        ['agent', 'agent_id'],
      ],
    );
    assert.deepEqual(
      plain.map(({ jsonKey }) => jsonKey),
      ['pod_id_0', 'agent_id'],
    );
  });

  test('of a dotted category the second part counts', () => {
    assert.deepEqual(keys(L7, '$metrics.delay'), ['response_duration', 'metrics_names', 'metrics_values']);
    assert.deepEqual(keys(L7, '$tag.delay'), keys(L7, '$metrics.delay'));
    assert.deepEqual(keys(L7, '$tag.'), keys(L7, '$tag'));
  });

  test('tags without a category come along with each of them, and with no metric', () => {
    const flowInfo = ['_id', 'time', 'flow_id', 'start_time', 'end_time'];
    const along = ['biz_type', 'biz_code', 'biz_scenario', 'biz_response_code', 'org_id', 'team_id'];
    assert.deepEqual(keys(L7, '$tag.flow_info').toSorted(), [...flowInfo, ...along].toSorted());
    assert.deepEqual(keys(L7, '$tag.business_info').toSorted(), along.toSorted());
    assert.deepEqual(keys(NETWORK, '$tag.data_link_layer'), ['thread_id', 'org_id', 'team_id']);
    assert.ok(!keys(NETWORK, '$metrics').includes('org_id'));
  });

  test('slow TCP has a category of its own', () => {
    const slow = [
      'retrans_tx',
      'retrans_rx',
      'zero_win_tx',
      'zero_win_rx',
      'retrans_syn',
      'retrans_synack',
      'ooo_tx',
      'ooo_rx',
    ];
    assert.deepEqual(keys(NETWORK, '$metrics.tcp_slow'), slow);
    assert.deepEqual(keys('flow_log.l4_flow_log', '$metrics.tcp_slow').toSorted(), slow.toSorted());
    assert.equal(keys(NETWORK, '$metrics.delay').length, 21);
  });

  test('what happened is a tag by itself', () => {
    const info = [
      'event_type',
      'file_name',
      'file_type',
      'offset',
      'mount_source',
      'mount_point',
      'file_dir',
      'access_permission',
    ];
    assert.deepEqual(keys(FILE_EVENT, '$tag.event_info'), ['event_type', 'org_id', 'team_id', ...info.slice(1)]);
    assert.ok(info.every((name) => keys(FILE_EVENT, '$tag').includes(name)));
  });

  test('labels bring along no fields', () => {
    const { named, podLabels, categories } = resolve(L7, 'ip4_0', '$k8s.label.app', '~$k8s.label.^ver|tier$');
    assert.deepEqual(
      named.map(({ jsonKey }) => jsonKey),
      ['ip4_0'],
    );
    assert.deepEqual(
      ['app', 'apps', 'version', 'server', 'my-tier', 'tiers'].filter((name) => podLabels!(name)),
      ['app', 'version', 'my-tier'],
    );
    assert.ok(categories.has('k8s.label'));
    assert.equal(resolve(L7, '$k8s.label').named.length, 0);
    assert.equal(resolve(L7, '$k8s.label').podLabels!('anything'), true);
  });

  test('an expression that is none is told', () => {
    for (const expression of ['(', '(?=a)', '\\1']) {
      assert.throws(
        () => resolve(L7, `~$k8s.label.${expression}`),
        (error) => isSluiceError(error, 'config_invalid') && error.message.includes(expression),
      );
    }
  });

  test('a field that DeepFlow misspells stands under both names', () => {
    const named = (source: string, ...entries: string[]) =>
      resolve(source, ...entries).named.map(({ jsonKey, isLegacy }) => [jsonKey, isLegacy]);
    const endpoint = [
      ['end_point', true],
      ['endpoint', false],
    ];
    assert.deepEqual(named(L7, 'endpoint'), endpoint);
    assert.deepEqual(named(L7, 'end_point'), endpoint);
    assert.deepEqual(named(FILE_EVENT, 'pod_node_id'), [
      ['host_node_id', true],
      ['pod_node', false],
    ]);
    assert.deepEqual(named('flow_metrics.application.1s', 'endpoint'), [['endpoint', false]]);
    assert.deepEqual(named('event.event', 'pod_node_id'), [['pod_node', false]]);
  });

  test('resource events say what happened', () => {
    const fields = new Map(resolve('event.event').plain.map(({ jsonKey, spec }) => [jsonKey, spec]));
    assert.equal(fields.get('event_desc')?.exported, undefined);
    assert.equal(fields.get('event_type')?.enum, 'event_type');
    assert.equal(fields.get('signal_source')?.enum, 'event_signal_source');
  });

  test('categories tell what is switched on', () => {
    assert.deepEqual([...resolve(L7, '$tag.flow_info', '$metrics.delay', 'span_id').categories].toSorted(), [
      'business_info',
      'delay',
      'flow_info',
      'metrics',
      'tag',
    ]);
    assert.ok(resolve(L7).categories.has('universal_tag'));
    assert.ok(!resolve(L7).categories.has('k8s.label'));
  });
});

describe('what may be named', () => {
  test('every category is one, and every field has one that may be named', () => {
    for (const entry of exportCategories) assert.notEqual(readExportEntry(entry).kind, 'unknown-category', entry);
    for (const entry of ['$', '$tags', '$tag.flow', '$k8s', '$k8s.labels']) {
      assert.equal(readExportEntry(entry).kind, 'unknown-category', entry);
    }
    for (const source of dataSources) {
      for (const field of source.exportFields ?? []) {
        const sub = subCategoryOf(field);
        const prefix = field.role === 'metric' ? '$metrics' : '$tag';
        assert.ok(
          exportCategories.includes(sub === '' ? prefix : `${prefix}.${sub}`),
          `${source.id}.${field.name}: ${sub}`,
        );
      }
    }
  });

  test('no name means two fields', () => {
    for (const source of dataSources) {
      for (const [name, field] of fieldsByName(source)) {
        const exact = source.exportFields!.find((other) => other.name === name);
        assert.ok(exact === undefined || exact === field, `${source.id}: ${name}`);
      }
    }
  });
});
