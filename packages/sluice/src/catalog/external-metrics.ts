import { agentRows, keptDays } from './agent-rows.ts';
import { f64s, seconds, texts, word, words } from './columns.ts';
import { externalMetricKeys } from './keys.ts';
import type { ColumnSpec, DataSource } from './types.ts';
import { singleEndTags, team } from './universal-tags.ts';

/**
 * Measurements with names and tags of their own: what Telegraf sends, and what agents and servers of DeepFlow tell of themselves. Many virtual tables
 * share one real one. DeepFlow's columns; the order of the universal tags is ours, that of the event tables.
 */

const head: readonly ColumnSpec[] = [
  seconds('time', 'When it was measured', { role: 'time', unit: 's' }),
  word('virtual_table_name', 'Name of the measurement; from Telegraf with influxdb. before it', { role: 'id' }),
];

const values: readonly ColumnSpec[] = [
  words('tag_names', 'Names of the tags'),
  texts('tag_values', 'Their values'),
  words('metrics_float_names', 'Names of the values', { role: 'metric' }),
  f64s('metrics_float_values', 'The values', { role: 'metric' }),
];

const common = { ...agentRows, partitionBy: '2 hours', retention: keptDays(7) } as const;

export const externalMetrics: DataSource = {
  ...common,
  id: 'ext_metrics.metrics',
  database: 'ext_metrics',
  table: 'metrics',
  description: 'Measurements from Telegraf',
  columns: [...head, ...singleEndTags, ...values],
  keys: externalMetricKeys,
  orderBy: ['virtual_table_name', 'time', 'l3_epc_id', 'ip4', 'ip6'],
};

export const deepflowCollector: DataSource = {
  ...common,
  id: 'deepflow_tenant.deepflow_collector',
  database: 'deepflow_tenant',
  table: 'deepflow_collector',
  description: 'What agents tell of themselves',
  columns: [...head, team, ...values],
  orderBy: ['virtual_table_name', 'time'],
};

export const deepflowServer: DataSource = {
  ...common,
  id: 'deepflow_admin.deepflow_server',
  database: 'deepflow_admin',
  table: 'deepflow_server',
  description: 'What servers tell of themselves',
  columns: [...head, team, ...values],
  orderBy: ['virtual_table_name', 'time'],
};
