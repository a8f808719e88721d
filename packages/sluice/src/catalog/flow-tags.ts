import { text, u32, u8, word } from './columns.ts';
import type { ColumnSpec, DataSource } from './types.ts';

/**
 * Dictionaries of the tag inventory: what ids in rows are called. One table for all kinds, as each costs time at every start. A row is written when
 * something changes, and again every 24 h while the resource is known, so the retention only takes what is gone for long.
 */

const time: ColumnSpec = {
  name: 'time',
  type: "DateTime64(3, 'UTC')",
  role: 'time',
  codec: 'ZSTD(1)',
  unit: 'ms',
  description: 'When this was last said',
};

const common = {
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
  ...common,
  id: 'flow_tag.name_map',
  table: 'name_map',
  description: 'Names of resources by kind and id',
  columns: [
    word('kind', 'Kind of resource: region, az, vpc, pod, pod_service, ...', key),
    u32('id', 'As it stands in the columns of that kind', key),
    u8('device_type', 'As in l3_device_type and auto_instance_type; 0: the kind has none there', { index: 'none' }),
    text('name', 'Name, the last one it had'),
    isDeleted,
    time,
  ],
  orderBy: ['kind', 'id'],
};

export const customTagMap: DataSource = {
  ...common,
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
    time,
  ],
  orderBy: ['kind', 'id', 'family', 'name'],
};
