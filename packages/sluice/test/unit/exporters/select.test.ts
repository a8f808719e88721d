import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Names } from '../../../src/base/ports.ts';
import type { Batch } from '../../../src/batch/batch.ts';
import { RowBlock } from '../../../src/batch/row-block.ts';
import { findDataSource } from '../../../src/catalog/catalog.ts';
import { compileSelector, type SelectorOptions } from '../../../src/exporters/select.ts';
import type { SelectionConfig } from '../../../src/exporters/config-filters.ts';
import type { Selector } from '../../../src/exporters/selection.ts';
import { type Written, writeRow } from '../tags/tagged-rows.ts';
import { cellValue, type CellValue } from './cell-value.ts';
import { goldenNames, noNames } from './golden-names.ts';
import { selection } from './selection-config.ts';

const L7 = 'flow_log.l7_flow_log';
const NOW_S = 1_700_000_000;

function batchOf(source: string, rows: readonly Written[], org = 1): Batch {
  const block = new RowBlock(findDataSource(source)!, 1);
  for (const row of rows) writeRow(block, { time: NOW_S, is_ipv4: 1, ...row });
  return block.finish(org);
}

interface Choices extends Partial<SelectionConfig> {
  readonly names?: Names;
  readonly endpoints?: SelectorOptions['endpoints'];
  readonly hub?: SelectorOptions['hub'];
}

function selectorOf(source: string, choices: Choices = {}): Selector {
  const { names = goldenNames, endpoints = () => [], hub, ...own } = choices;
  return compileSelector({ config: selection(own), source: findDataSource(source)!, names, endpoints, hub });
}

/** Rows that pass, and how many did not. */
function pick(
  source: string,
  rows: readonly Written[],
  choices: Choices,
  nowMs = NOW_S * 1000,
): [number[], Record<string, number>] {
  const picked = selectorOf(source, choices).select(batchOf(source, rows), nowMs);
  return [[...picked.rows], Object.fromEntries(picked.left)];
}

/** Values of a Batch's rows by their keys in JSON rows. */
function valuesOf(selector: Selector, batch: Batch): Record<string, CellValue>[] {
  const cells = selector.cells(batch);
  return Array.from({ length: batch.rows }, (_, row) =>
    Object.fromEntries(selector.fields.map(({ jsonKey }, index) => [jsonKey, cellValue(cells[index]!, row)])),
  );
}

describe('rows left out', () => {
  test('those that are too old, in each unit of time', () => {
    const rows = [0, -59, -60, -61, 5].map((ago) => ({ time: NOW_S + ago }));
    assert.deepEqual(pick('flow_metrics.network.1s', rows, { maxAgeMs: 60_000 }), [[0, 1, 2, 4], { too_old: 1 }]);
    assert.deepEqual(pick('flow_metrics.network.1s', rows, {}), [[0, 1, 2, 3, 4], {}]);
    const samples = findDataSource('prometheus.samples')!;
    const block = new RowBlock(samples, 1);
    for (const ms of [NOW_S * 1000, NOW_S * 1000 - 60_001, -5]) {
      block.setInteger(block.column('time'), ms);
      block.commit(ms);
    }
    const picked = selectorOf(samples.id, { maxAgeMs: 60_000 }).select(block.finish(1), NOW_S * 1000);
    assert.deepEqual([[...picked.rows], ...picked.left], [[0], ['too_old', 2]]);
  });

  test('imported spans, where the configuration says so', () => {
    const rows = [3, 4, 0, 4].map((source) => ({ signal_source: source }));
    assert.deepEqual(pick(L7, rows, { includeImportedSpans: false }), [[0, 2], { imported: 2 }]);
    assert.deepEqual(pick(L7, rows, {}), [[0, 1, 2, 3], {}]);
    // Elsewhere the number does not mean a span.
    assert.deepEqual(pick('flow_metrics.application.1s', rows, { includeImportedSpans: false })[0], [0, 1, 2, 3]);
  });

  test('traffic to the endpoints of the exporter', () => {
    const endpoints = [
      { address: '10.0.0.9', port: 9092 },
      { address: '2001:db8::9', port: 9092 },
      { address: '10.0.0.8', port: 443 },
    ];
    const choices = { excludeSelfTraffic: true, endpoints: () => endpoints };
    const rows: Written[] = [
      { ip4_1: '10.0.0.9', server_port: 9092 },
      { ip4_1: '10.0.0.9', server_port: 443 },
      { ip4_0: '10.0.0.9', server_port: 9092 },
      { ip4_1: '10.0.0.8', server_port: 443 },
      { is_ipv4: 0, ip6_1: '2001:db8::9', server_port: 9092 },
      { is_ipv4: 0, ip6_1: '2001:db8::a', server_port: 9092 },
      { is_ipv4: 0, ip6_0: '2001:db8::9', server_port: 9092 },
    ];
    for (const source of [
      L7,
      'flow_log.l4_flow_log',
      'flow_metrics.network_map.1s',
      'flow_metrics.application_map.1m',
    ]) {
      assert.deepEqual(pick(source, rows, choices), [[1, 2, 5, 6], { self_traffic: 3 }], source);
      assert.equal(pick(source, rows, { ...choices, excludeSelfTraffic: false })[0].length, 7);
    }
    // Of one end, rows of the server alone tell whose port it is.
    const single = [1, 0, 2].map((role) => ({ ip4: '10.0.0.9', server_port: 9092, role }));
    assert.deepEqual(pick('flow_metrics.network.1s', single, choices), [[1, 2], { self_traffic: 1 }]);
    assert.deepEqual(pick('event.file_event', [{ ip4: '10.0.0.9' }], choices), [[0], {}]);
  });

  test('endpoints may change', () => {
    let endpoints = [{ address: '10.0.0.9', port: 9092 }];
    const selector = selectorOf(L7, { excludeSelfTraffic: true, endpoints: () => endpoints });
    const batch = batchOf(L7, [
      { ip4_1: '10.0.0.9', server_port: 9092 },
      { ip4_1: '10.0.0.9', server_port: 9093 },
    ]);
    assert.deepEqual([...selector.select(batch, 0).rows], [1]);
    endpoints = [{ address: '10.0.0.9', port: 9093 }];
    assert.deepEqual([...selector.select(batch, 0).rows], [0]);
    endpoints = [];
    assert.deepEqual([...selector.select(batch, 0).rows], [0, 1]);
  });

  test("the hub's own process, and no other of the same number", () => {
    const hub = { pid: 4321, addresses: () => ['10.0.0.1', '::1'] };
    const rows: Written[] = [
      { process_id_0: 4321, ip4_0: '10.0.0.1' },
      { process_id_0: 4321, ip4_0: '10.0.0.2' },
      { process_id_1: 4321, ip4_1: '10.0.0.1' },
      { process_id_1: 4322, ip4_1: '10.0.0.1' },
      { process_id_0: 4321, ip4_1: '10.0.0.1' },
      { process_id_1: 4321, is_ipv4: 0, ip6_1: '::1' },
    ];
    assert.deepEqual(pick(L7, rows, { excludeSelfTraffic: true, hub }), [[1, 3, 4], { self_traffic: 3 }]);
  });

  test('each counts under the first reason', () => {
    const rows: Written[] = [
      { time: NOW_S - 100, signal_source: 4, ip4_1: '10.0.0.9', server_port: 1 },
      { signal_source: 4, ip4_1: '10.0.0.9', server_port: 1 },
      { ip4_1: '10.0.0.9', server_port: 1 },
      { server_port: 1 },
      { server_port: 2 },
    ];
    const choices: Choices = {
      maxAgeMs: 60_000,
      includeImportedSpans: false,
      excludeSelfTraffic: true,
      endpoints: () => [{ address: '10.0.0.9', port: 1 }],
      filterGroups: [{ type: 'and', filters: [{ field: 'server_port', operator: '=', values: ['2'] }] }],
    };
    assert.deepEqual(pick(L7, rows, choices), [[4], { too_old: 1, imported: 1, self_traffic: 1, filter: 1 }]);
  });
});

describe('names and ids', () => {
  const row: Written = {
    pod_id_1: 101,
    auto_instance_id_1: 101,
    auto_instance_type_1: 10,
    pod_group_id_1: 201,
    l7_protocol: 20,
  };
  const exportFields = ['pod_id_1', 'auto_instance_id_1', 'auto_instance_type_1', 'pod_group_type_1', 'l7_protocol'];

  test('ids are sent until names were loaded, and from then on names', () => {
    let version = 0;
    const names: Names = {
      ...goldenNames,
      get version() {
        return version;
      },
    };
    const selector = selectorOf(L7, { names, exportFields: [...exportFields, '$k8s.label'] });
    const batch = batchOf(L7, [row]);
    const before = selector.fields;
    assert.deepEqual(valuesOf(selector, batch), [
      {
        l7_protocol: 'HTTP',
        pod_group_type_1: undefined,
        pod_id_1: 101,
        auto_instance_id_1: 101,
        auto_instance_type_1: 'K8s POD',
      },
    ]);
    assert.deepEqual(selector.podLabels(batch), []);
    assert.equal(selector.fields, before);
    version = 1;
    assert.notEqual(selector.fields, before);
    assert.deepEqual(valuesOf(selector, batch), [
      {
        l7_protocol: 'HTTP',
        pod_group_type_1: 'Deployment',
        pod_1: 'shop-7f9c',
        auto_instance_1: 'shop-7f9c',
        auto_instance_type_1: 'pod',
      },
    ]);
    assert.equal(selector.podLabels(batch).length, 2);
    const named = selector.fields;
    version = 2;
    assert.equal(selector.fields, named);
  });

  test('either translation can be switched off', () => {
    const batch = batchOf(L7, [row]);
    const values = (own: Partial<SelectionConfig>) => valuesOf(selectorOf(L7, { exportFields, ...own }), batch)[0];
    assert.deepEqual(values({ translateNames: false, translateEnums: false }), {
      l7_protocol: 20,
      pod_group_type_1: 130,
      pod_id_1: 101,
      auto_instance_id_1: 101,
      auto_instance_type_1: 10,
    });
    assert.deepEqual(values({ translateEnums: false }), {
      l7_protocol: 20,
      pod_group_type_1: 130,
      pod_1: 'shop-7f9c',
      auto_instance_1: 'shop-7f9c',
      auto_instance_type_1: 'pod',
    });
  });

  test('what nobody knows has no name', () => {
    const batch = batchOf(L7, [
      { pod_id_1: 99, l7_protocol: 19, observation_point: 'x', l3_epc_id_0: -2, l3_epc_id_1: 7 },
    ]);
    const fields = ['pod_id_1', 'l7_protocol', 'observation_point', 'l3_epc_id_0', 'l3_epc_id_1'];
    assert.deepEqual(valuesOf(selectorOf(L7, { exportFields: fields }), batch), [
      { l7_protocol: '', observation_point: '', pod_1: '', l3_epc_0: '', l3_epc_1: 'vpc-prod' },
    ]);
    // Negative ids stay so as numbers.
    const plain = selectorOf(L7, { exportFields: ['l3_epc_id_0'], names: noNames });
    assert.deepEqual(valuesOf(plain, batch), [{ l3_epc_id_0: -2 }]);
  });

  test('what has no resource goes by its address, of either family', () => {
    const of = (more: Written): Written => ({ auto_service_id_0: 7, ...more });
    const batch = batchOf(L7, [
      of({ auto_service_type_0: 0, ip4_0: '8.8.8.8' }),
      of({ auto_service_type_0: 255, is_ipv4: 0, ip6_0: '2001:db8::1' }),
      of({ auto_service_type_0: 255, is_ipv4: 0 }),
      of({ auto_service_type_0: 104, auto_service_id_0: 401, ip4_0: '8.8.8.8' }),
    ]);
    const values = valuesOf(selectorOf(L7, { exportFields: ['auto_service_id_0'] }), batch);
    assert.deepEqual(
      values.map((value) => value['auto_service_0']),
      ['8.8.8.8', '2001:db8::1', '', 'custom-pay'],
    );
  });

  test('a row has the addresses of its family', () => {
    const batch = batchOf(L7, [{ ip4_0: '10.0.0.1' }, { is_ipv4: 0, ip6_0: '2001:db8::1' }]);
    assert.deepEqual(valuesOf(selectorOf(L7, { exportFields: ['ip4_0', 'ip6_0'] }), batch), [
      { ip4_0: '10.0.0.1', ip6_0: undefined },
      { ip4_0: undefined, ip6_0: '2001:db8::1' },
    ]);
  });

  test('a tunnel has the addresses of its own family, and none of IPv6 when there is none', () => {
    const batch = batchOf('flow_log.l4_flow_log', [
      { tunnel_type: 1, tunnel_is_ipv4: 1, tunnel_tx_ip4_0: '172.16.0.1' },
      { tunnel_type: 1, tunnel_is_ipv4: 0, tunnel_tx_ip6_0: '2001:db8::1' },
      { tunnel_type: 0, is_ipv4: 0 },
    ]);
    const exported = { exportFields: ['tunnel_tx_ip4_0', 'tunnel_tx_ip6_0'] };
    assert.deepEqual(valuesOf(selectorOf('flow_log.l4_flow_log', exported), batch), [
      { tunnel_tx_ip4_0: '172.16.0.1', tunnel_tx_ip6_0: undefined },
      { tunnel_tx_ip4_0: undefined, tunnel_tx_ip6_0: '2001:db8::1' },
      { tunnel_tx_ip4_0: '0.0.0.0', tunnel_tx_ip6_0: undefined },
    ]);
  });

  test('labels of pods, those that are wanted', () => {
    const batch = batchOf('flow_metrics.network_map.1s', [{ pod_id_0: 103, pod_id_1: 101 }, { pod_id_1: 103 }, {}]);
    const labels = (...exported: string[]) =>
      selectorOf('flow_metrics.network_map.1s', { exportFields: exported })
        .podLabels(batch)
        .map(({ suffix, index, sets }) => [suffix, ...[...index].map((at) => Object.fromEntries(sets[at]!))]);
    const logd = { app: 'logd', tier: 'infra', version: 'v1' };
    assert.deepEqual(labels('$k8s.label'), [
      ['_0', logd, {}, {}],
      ['_1', { app: 'shop' }, logd, {}],
    ]);
    assert.deepEqual(labels('$tag', '$k8s.label.tier', '~$k8s.label.^v'), [
      ['_0', { tier: 'infra', version: 'v1' }, {}, {}],
      ['_1', {}, { tier: 'infra', version: 'v1' }, {}],
    ]);
    assert.deepEqual(labels('$tag'), []);
    const selector = selectorOf('flow_metrics.network_map.1s', { exportFields: ['$k8s.label'] });
    const setOf = () => selector.podLabels(batch)[1]!.sets[selector.podLabels(batch)[1]!.index[0]!];
    assert.equal(setOf(), setOf());
  });

  test('the organisation is that of the Batch', () => {
    const batch = batchOf(L7, [{ pod_id_1: 101 }], 2);
    assert.deepEqual(valuesOf(selectorOf(L7, { exportFields: ['org_id', 'pod_id_1'] }), batch), [
      { org_id: 2, pod_1: '' },
    ]);
  });

  test('every data source that is exported has values for all of its fields', () => {
    for (const source of [
      'event.event',
      'event.proc_ops_event',
      'event.file_agg_event',
      'flow_metrics.application.1m',
    ]) {
      for (const names of [goldenNames, noNames]) {
        const selector = selectorOf(source, { names });
        const [values] = valuesOf(selector, batchOf(source, [{ ip4: '10.0.0.1' }]));
        assert.equal(Object.keys(values!).length, selector.fields.length, source);
      }
    }
    const samples = selectorOf('prometheus.samples');
    assert.deepEqual(samples.fields, []);
  });
});
