import { agentRows, keptDays } from './agent-rows.ts';
import { exportable, text, u32, u64, u8, word } from './columns.ts';
import { eventColumns, exportedEventFields, syscallColumns } from './event-columns.ts';
import { eventKeys, processEventKeys } from './keys.ts';
import type { ColumnSpec, DataSource } from './types.ts';
import { podNode } from './universal-tags.ts';

/** Tables of database `event`: what happened to resources, files and processes. */

const eventInfo = { sub: 'event_info' } as const;

const fileColumns: readonly ColumnSpec[] = [
  u32('bytes', 'Bytes read or written', { role: 'metric', sub: 'throughput', unit: 'byte' }),
  u64('duration', 'Time it took', { role: 'metric', sub: 'delay', unit: 'us' }),
  text('file_name', 'File, without its folder', eventInfo),
  u8('file_type', 'Kind of file', { ...eventInfo, enum: 'file_type' }),
  u64('offset', 'Place in the file', { ...eventInfo, unit: 'byte' }),
  ...syscallColumns,
  word('mount_source', 'Device or file system mounted', eventInfo),
  word('mount_point', 'Where it is mounted', eventInfo),
  text('file_dir', 'Folder of the file', eventInfo),
  u32('access_permission', 'Permission bits', eventInfo),
];

const orderBy = ['time', 'signal_source', 'event_type', 'l3_epc_id', 'l3_device_type', 'l3_device_id'];

const exported = false;
const rootPid = u32('root_pid', 'Pid of the root of the process tree', { exported });

interface EventTable {
  readonly name: string;
  readonly description: string;
  /** Columns behind those that all events have. */
  readonly columns: readonly ColumnSpec[];
  readonly partitionBy: DataSource['partitionBy'];
}

function eventTable({ name, description, columns, partitionBy }: EventTable): DataSource {
  return {
    ...agentRows,
    id: `event.${name}`,
    database: 'event',
    table: name,
    description,
    columns: [...eventColumns, ...columns],
    keys: processEventKeys,
    exportFields: exportable([...exportedEventFields, ...columns]),
    orderBy,
    partitionBy,
    retention: keptDays(7),
  };
}

/** DeepFlow has no exporter for these, and so no spelling of its own. */
const resourceEventFields: readonly ColumnSpec[] = exportedEventFields.map((field) => {
  switch (field.name) {
    case 'signal_source':
      return { ...field, enum: 'event_signal_source' };
    case 'event_type':
      return { ...field, enum: 'event_type' };
    case 'event_desc': {
      const { exported: _, ...told } = field;
      return { ...told, ...eventInfo };
    }
    case podNode.name:
      return podNode;
    default:
      return field;
  }
});

export const resourceEvent: DataSource = {
  ...agentRows,
  id: 'event.event',
  database: 'event',
  table: 'event',
  description: 'Events of resources and of Kubernetes',
  columns: eventColumns,
  keys: eventKeys,
  exportFields: exportable(resourceEventFields),
  orderBy,
  partitionBy: '12 hours',
  retention: keptDays(30),
};

export const fileEvent = eventTable({
  name: 'file_event',
  description: 'Files read and written',
  columns: fileColumns,
  partitionBy: 'hour',
});

export const fileAggEvent = eventTable({
  name: 'file_agg_event',
  description: 'Reads and writes of watched process trees, those in quick succession as one',
  columns: [
    ...fileColumns,
    rootPid,
    u32('event_count', 'Reads or writes', { role: 'metric', unit: 'event', exported }),
  ],
  partitionBy: 'hour',
});

export const fileMgmtEvent = eventTable({
  name: 'file_mgmt_event',
  description: 'Files created, deleted, given other rights or owners',
  columns: [
    ...fileColumns,
    rootPid,
    u32('target_uid', 'New owner', { exported }),
    u32('target_gid', 'New group', { exported }),
    u32('target_mode', 'New rights', { exported }),
  ],
  partitionBy: 'hour',
});

export const procPermEvent = eventTable({
  name: 'proc_perm_event',
  description: 'Processes that changed their user or group',
  columns: [
    u32('pid', 'Pid', { exported }),
    rootPid,
    u32('old_uid', 'User before', { exported }),
    u32('old_gid', 'Group before', { exported }),
    u32('new_uid', 'User after', { exported }),
    u32('new_gid', 'Group after', { exported }),
    ...syscallColumns,
  ],
  partitionBy: '12 hours',
});

export const procOpsEvent = eventTable({
  name: 'proc_ops_event',
  description: 'Processes begun and ended',
  columns: [
    u32('pid', 'Pid', { exported }),
    u32('parent_pid', 'Pid of the parent', { exported }),
    rootPid,
    u32('uid', 'User', { exported }),
    u32('gid', 'Group', { exported }),
    text('cmdline', 'Command line', { role: 'text', exported }),
    text('exec_path', 'Program', { role: 'text', exported }),
    ...syscallColumns,
  ],
  partitionBy: '12 hours',
});
