import { agentRows, keptDays } from './agent-rows.ts';
import { f64s, microseconds, seconds, text, texts, u32, u64, u8, word, words } from './columns.ts';
import { logKeys } from './keys.ts';
import type { DataSource } from './types.ts';
import { singleEndTags } from './universal-tags.ts';

const searched = { index: 'bloom_filter' } as const;

/** Log lines. DeepFlow's names and meanings; the order of the columns, and the types where nothing tells them, are ours. */
export const applicationLog: DataSource = {
  ...agentRows,
  id: 'application_log.log',
  database: 'application_log',
  table: 'log',
  description: 'Lines of logs',
  columns: [
    seconds('time', 'When it was written, in whole seconds', { role: 'time', unit: 's' }),
    microseconds('timestamp', 'When it was written', { unit: 'us' }),
    u64('_id', 'Row id: seconds << 32 | hub id << 22 | counter', { role: 'id' }),
    word('type', 'Whose log: user, system, audit or agent'),
    u8('severity_number', '2 fatal, 3 error, 4 warning, 5 info, 6 debug, 7 trace, 8 unknown', {
      enum: 'severity_number',
    }),
    word('app_service', 'Application; of an agent log its executable'),
    text('body', 'The line', { role: 'text' }),
    text('trace_id', 'Trace id', searched),
    text('span_id', 'Span id', searched),
    u32('user_id', 'User, in audit logs'),
    ...singleEndTags,
    words('attribute_names', 'Names of further attributes'),
    texts('attribute_values', 'Their values'),
    words('metrics_names', 'Names of further measurements', { role: 'metric' }),
    f64s('metrics_values', 'Their values', { role: 'metric' }),
  ],
  keys: logKeys,
  orderBy: ['app_service', 'time', 'timestamp'],
  partitionBy: 'hour',
  retention: keptDays(30),
};
