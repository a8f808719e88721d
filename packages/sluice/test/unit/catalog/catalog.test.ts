import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseColumnType } from '../../../src/batch/column-type.ts';
import { RowBlock } from '../../../src/batch/row-block.ts';
import { databaseOf, dataSources, findDataSource } from '../../../src/catalog/catalog.ts';
import { fileEvent, resourceEvent } from '../../../src/catalog/events.ts';
import { parsePartitionId, partitionId } from '../../../src/journal/layout.ts';

/** Tables that DeepFlow describes nowhere as a list of fields, column by column. */
const tables: Readonly<Record<string, string>> = {
  'flow_metrics.traffic_policy.1m':
    'time _tid acl_gid tunnel_ip_id agent_id team_id packet_tx packet_rx packet byte_tx byte_rx byte l3_byte_tx l3_byte_rx l4_byte_tx l4_byte_rx',
  'flow_log.l4_packet': 'time start_time end_time flow_id agent_id packet_count packet_batch team_id',
  'deepflow_tenant.deepflow_collector':
    'time virtual_table_name team_id tag_names tag_values metrics_float_names metrics_float_values',
  'deepflow_admin.deepflow_server':
    'time virtual_table_name team_id tag_names tag_values metrics_float_names metrics_float_values',
};

const sorted: Readonly<Record<string, readonly [string, string, number]>> = {
  'flow_metrics.network.1s': ['time, l3_epc_id, ip4, ip6, server_port', '4 hours', 1],
  'flow_metrics.network.1m': ['time, l3_epc_id, ip4, ip6, server_port', '12 hours', 7],
  'flow_metrics.network_map.1s': [
    'time, l3_epc_id_1, ip4_1, ip6_1, l3_epc_id_0, ip4_0, ip6_0, server_port',
    '4 hours',
    1,
  ],
  'flow_metrics.application_map.1m': [
    'time, l3_epc_id_1, ip4_1, ip6_1, l3_epc_id_0, ip4_0, ip6_0, server_port',
    '12 hours',
    7,
  ],
  'flow_metrics.traffic_policy.1m': ['time, acl_gid', '12 hours', 3],
  'flow_log.l4_flow_log': ['time, l3_epc_id_1, ip4_1, ip6_1, server_port', 'hour', 3],
  'flow_log.l7_flow_log': ['time, l7_protocol, l3_epc_id_1, ip4_1, ip6_1, server_port', 'hour', 3],
  'flow_log.l4_packet': ['time, flow_id, agent_id', 'hour', 3],
  'event.event': ['time, signal_source, event_type, l3_epc_id, l3_device_type, l3_device_id', '12 hours', 30],
  'event.file_event': ['time, signal_source, event_type, l3_epc_id, l3_device_type, l3_device_id', 'hour', 7],
  'event.proc_ops_event': ['time, signal_source, event_type, l3_epc_id, l3_device_type, l3_device_id', '12 hours', 7],
  'ext_metrics.metrics': ['virtual_table_name, time, l3_epc_id, ip4, ip6', '2 hours', 7],
  'deepflow_tenant.deepflow_collector': ['virtual_table_name, time', '2 hours', 7],
  'profile.in_process': ['app_service, profile_language_type, time', 'hour', 3],
  'application_log.log': ['app_service, time, timestamp', 'hour', 30],
  'flow_metrics.network.1h': ['time, l3_epc_id, ip4, ip6, server_port, _group', 'week', 30],
  'flow_metrics.network.1d': ['time, l3_epc_id, ip4, ip6, server_port, _group', 'month', 30],
};

describe('the catalog', () => {
  it('describes each table once, under its own name', () => {
    assert.equal(new Set(dataSources.map(({ id }) => id)).size, dataSources.length);
    for (const source of dataSources) {
      assert.equal(source.id, `${source.database}.${source.table}`);
      assert.equal(findDataSource(source.id), source);
      assert.equal(databaseOf(source, 12), `0012_${source.database}`);
    }
  });

  it('gives each table columns that can be laid out, a time, and a sorting key of its own columns', () => {
    for (const { id, columns, keys = [], time, orderBy, engine } of dataSources) {
      const names = [...columns, ...keys].map(({ name }) => name);
      assert.equal(new Set(names).size, names.length, id);
      for (const { type } of [...columns, ...keys]) parseColumnType(type);
      assert.deepEqual(
        columns.filter(({ role }) => role === 'time').map(({ name }) => name),
        [time.column],
        id,
      );
      for (const name of orderBy) assert(names.includes(name), `${id}: ${name}`);
      if (engine.kind === 'SummingMergeTree')
        for (const name of engine.sums) assert(names.includes(name) && !orderBy.includes(name), `${id}: ${name}`);
    }
  });

  it('has rows of agents written value by value', () => {
    for (const source of dataSources.filter(({ database }) => database !== 'prometheus')) {
      const block = new RowBlock(source);
      for (const { name } of [...source.columns, ...(source.keys ?? [])]) assert(block.column(name) >= 0);
      block.commit(1000);
      assert.equal(block.finish(1).columns.length, source.columns.length);
    }
  });

  it('has DeepFlow’s other tables', () => {
    for (const [id, names] of Object.entries(tables)) {
      assert.equal(
        findDataSource(id)
          ?.columns.map(({ name }) => name)
          .join(' '),
        names,
      );
    }
    assert.deepEqual(resourceEvent.columns, fileEvent.columns.slice(0, 35));
  });

  it('sorts, cuts and keeps them as DeepFlow does', () => {
    for (const [id, facts] of Object.entries(sorted)) {
      const source = findDataSource(id);
      assert(source !== undefined);
      assert.deepEqual([source.orderBy.join(', '), source.partitionBy, source.retention.days], facts, id);
    }
  });

  it('has names that journal folders can have', () => {
    for (const { id } of dataSources) {
      const key = { org: 7, table: id, writer: 'main' };
      assert.deepEqual(parsePartitionId(partitionId(key)), key);
    }
  });
});
