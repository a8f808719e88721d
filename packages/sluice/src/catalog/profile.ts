import { agentRows, keptDays } from './agent-rows.ts';
import { i64, microseconds, seconds, text, texts, u32, u64, word, words } from './columns.ts';
import { profileKeys } from './keys.ts';
import type { DataSource } from './types.ts';
import { singleEndTags } from './universal-tags.ts';

/** Samples of what programs do. DeepFlow's names and meanings; the order of the columns, and the types where nothing tells them, are ours. */
export const inProcessProfile: DataSource = {
  ...agentRows,
  id: 'profile.in_process',
  database: 'profile',
  table: 'in_process',
  description: 'Stacks of running programs, with how much each counts',
  columns: [
    seconds('time', 'When it was sampled', { role: 'time', unit: 's' }),
    u64('_id', 'Row id: seconds << 32 | agent id << 18 | counter', { role: 'id' }),
    ...singleEndTags,
    word('app_service', 'Application, or the name of the process'),
    word('app_instance', 'Instance, the application where it has none'),
    word('profile_language_type', 'Language or source: Golang, Java, eBPF ...'),
    word('profile_event_type', 'What was sampled: on-cpu, mem-alloc ...'),
    word('profile_value_unit', 'Unit of profile_value'),
    i64('profile_value', 'How much the stack counts', { role: 'metric' }),
    text('profile_location_str', 'The stack, outermost first, with semicolons; compressed as compression_algo says', {
      role: 'text',
    }),
    word('compression_algo', 'zstd, or empty for plain text'),
    microseconds('profile_create_timestamp', 'When it was sampled, exactly', { unit: 'us' }),
    u32('process_id', 'Pid'),
    {
      name: 'process_start_time',
      type: "DateTime64(3, 'UTC')",
      role: 'tag',
      codec: 'DoubleDelta',
      index: 'minmax',
      unit: 'ms',
      description: 'When the process began',
    },
    words('tag_names', 'Names of the labels'),
    texts('tag_values', 'Their values'),
  ],
  keys: profileKeys,
  orderBy: ['app_service', 'profile_language_type', 'time'],
  partitionBy: 'hour',
  retention: keptDays(3),
};
