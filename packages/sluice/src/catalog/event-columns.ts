import { microseconds, seconds, text, texts, u32, u64, u8, word, words } from './columns.ts';
import type { ColumnSpec } from './types.ts';
import { organisation, podNode, singleEndTags, team } from './universal-tags.ts';

/** What all tables of database `event` have in common, in their order. */

const flowInfo = { sub: 'flow_info' } as const;
const nativeTag = { sub: 'native_tag' } as const;

const head: readonly ColumnSpec[] = [
  seconds('time', 'Begin, in whole seconds', { ...flowInfo, role: 'time', unit: 's' }),
  u64('_id', 'Row id: seconds << 32 | hub id << 22 | counter', { ...flowInfo, role: 'id' }),
  microseconds('start_time', 'Begin', { ...flowInfo, unit: 'us' }),
  microseconds('end_time', 'End', { ...flowInfo, unit: 'us' }),
  u8('tagged', '1: tags were looked up, not sent', { exported: false }),
  u8('signal_source', 'Kind of event', { sub: 'capture_info', enum: 'file_event_signal_source' }),
  word('event_type', 'What happened', { sub: 'event_info', enum: 'file_event_type' }),
  text('event_desc', 'Description', { role: 'text', exported: false }),
  text('process_kname', 'Name of the process in the kernel', { sub: 'service_info' }),
];

/** DeepFlow names the node otherwise here, so that exporters send its id as a number. */
const tags = singleEndTags.map((column) => {
  if (column.name !== podNode.name) return column;
  const { universalTag: _, ...rest } = column;
  return { ...rest, exportName: 'host_node_id' };
});

const tail: readonly ColumnSpec[] = [
  text('app_instance', 'Pid, as text', { sub: 'service_info' }),
  words('attribute_names', 'Names of further attributes', nativeTag),
  texts('attribute_values', 'Their values', nativeTag),
];

export const eventColumns: readonly ColumnSpec[] = [...head, ...tags, ...tail];

export const exportedEventFields: readonly ColumnSpec[] = [
  ...head,
  ...tags.flatMap((column) => (column === team ? [organisation, team] : [column])),
  ...tail,
];

/** Which thread of the process did it. */
export const syscallColumns: readonly ColumnSpec[] = [
  u32('syscall_thread', 'Thread id', { sub: 'tracing_info' }),
  u32('syscall_coroutine', 'Coroutine id', { sub: 'tracing_info' }),
];
