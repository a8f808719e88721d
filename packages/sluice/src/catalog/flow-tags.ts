import { i32, seconds, text, u16, u32, u64, u8, word } from './columns.ts';
import type { ColumnSpec, DataSource } from './types.ts';

/**
 * Dictionaries of the tag inventory: what ids in rows are called. One table for all kinds, as each costs time at every start. A row is written when
 * something changes, and again every 24 h while the resource is known, so the retention only takes what is gone for long.
 */

export const saidAt: ColumnSpec = {
  name: 'time',
  type: "DateTime64(3, 'UTC')",
  role: 'time',
  codec: 'ZSTD(1)',
  unit: 'ms',
  description: 'When this was last said',
};

/** What all tables have in common that hubs say things in. */
export const saidTable = {
  database: 'flow_tag',
  time: { column: 'time', unit: 'ms' },
  acceptAheadMs: 600_000,
  sealAfterMs: 5_000,
  engine: { kind: 'ReplacingMergeTree', version: 'time' },
  partitionBy: 'none',
  retention: { days: 31, extraHours: 48 },
} as const;

const key = { role: 'id', index: 'none' } as const;
const isDeleted = u8('is_deleted', '1: there is no such thing any more', { index: 'none' });

export const nameMap: DataSource = {
  ...saidTable,
  id: 'flow_tag.name_map',
  table: 'name_map',
  description: 'Names of resources by kind and id',
  // Other hubs wait for them.
  sealAfterMs: 1_000,
  columns: [
    word('kind', 'Kind of resource: region, az, vpc, pod, pod_service, ...', key),
    u32('id', 'As it stands in the columns of that kind', key),
    u8('device_type', 'As in l3_device_type and auto_instance_type; 0: the kind has none there', { index: 'none' }),
    text('name', 'Name, the last one it had'),
    text('key', 'What the id was given to, as the inventory calls it'),
    u32('term', 'Grows whenever another hub begins to give ids; 0: the hub shares them with no other', {
      index: 'none',
    }),
    isDeleted,
    saidAt,
  ],
  orderBy: ['kind', 'id'],
};

export const customTagMap: DataSource = {
  ...saidTable,
  id: 'flow_tag.custom_tag_map',
  table: 'custom_tag_map',
  description:
    'Custom tags of resources: labels, annotations and environment of Kubernetes, tags of clouds and processes',
  columns: [
    word('kind', 'Kind of resource: pod, pod_service, pod_ns, chost, gprocess', key),
    u32('id', 'Id of the resource', key),
    word('family', 'k8s.label, k8s.annotation, k8s.env, cloud.tag or os.app', key),
    text('name', 'Name of the tag within its family', key),
    text('value', 'Value of the tag'),
    isDeleted,
    saidAt,
  ],
  orderBy: ['kind', 'id', 'family', 'name'],
};

/** What resources are part of, as the columns of rows call it. */
export const PARENTS = [
  'l3_epc_id',
  'subnet_id',
  'host_id',
  'chost_id',
  'pod_cluster_id',
  'pod_node_id',
  'pod_ns_id',
  'pod_group_id',
] as const;
export type ParentColumn = (typeof PARENTS)[number];

/**
 * Told by each hub that describes the resource, as custom tags are: the one that gives ids need not know more of it than its name. Of what is gone the
 * last row stays, as rows still have its number.
 */
export const parentMap: DataSource = {
  ...saidTable,
  id: 'flow_tag.parent_map',
  table: 'parent_map',
  description: 'What resources are part of, by kind and id; 0: nothing of that kind, or it is not known',
  columns: [
    word(
      'kind',
      'Kind of resource: subnet, chost, pod_node, pod_ns, pod_group, pod_service, pod, agent, gprocess',
      key,
    ),
    u32('id', 'Id of the resource', key),
    i32('l3_epc_id', 'VPC of its first address', key),
    u16('subnet_id', 'Subnet of that address', key),
    u16('host_id', 'Machine below it', key),
    u32('chost_id', 'Cloud host that an agent or a process runs on', key),
    u16('pod_cluster_id', 'Cluster', key),
    u32('pod_node_id', 'Node that it runs on', key),
    u16('pod_ns_id', 'Namespace', key),
    u32('pod_group_id', 'Workload', key),
    saidAt,
  ],
  orderBy: ['kind', 'id'],
};

/**
 * Which custom fields there are: names of attributes, tags and measurements, and their values, by hour. One table for all databases; DeepFlow's
 * `<database>_custom_field` and the like are views of it (custom-field-views.ts).
 */
export const observedField: DataSource = {
  id: 'flow_tag.observed_field',
  database: 'flow_tag',
  table: 'observed_field',
  description: 'Names and values of custom fields, and instances of applications, by the hour in which rows have them',
  columns: [
    word('database', 'Database of the rows', key),
    word('record', 'field: a name; value: a name and a value; application: an application and an instance of it', key),
    word('table_name', 'Table of the rows, or the virtual one', key),
    word('field_type', 'tag or metrics', key),
    word('field_name', 'Name; of record application the application', key),
    word('field_value_type', 'string or float', key),
    text('field_value', 'Value; of record application the instance', key),
    seconds('time', 'Begin of the hour', { role: 'time', unit: 's', index: 'none' }),
    i32('vpc_id', 'VPC of the first row that had it', { index: 'none' }),
    u16('pod_ns_id', 'Namespace of that row', { index: 'none' }),
    u16('team_id', 'Team of that row', { index: 'none' }),
    u64('count', 'How often it was noted', { role: 'metric', index: 'none' }),
  ],
  time: { column: 'time', unit: 's' },
  acceptAheadMs: 600_000,
  sealAfterMs: 5_000,
  sealSparse: { below: 1_000, afterMs: 10_000 },
  engine: { kind: 'SummingMergeTree', sums: ['count'] },
  orderBy: ['database', 'record', 'table_name', 'field_type', 'field_name', 'field_value_type', 'field_value', 'time'],
  partitionBy: 'day',
  retention: { days: 30, extraHours: 0 },
};
