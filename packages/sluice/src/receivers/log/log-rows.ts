import { constantText } from '../../batch/constant-text.ts';
import type { RowBlock } from '../../batch/row-block.ts';
import { applicationLog } from '../../catalog/application-log.ts';
import { outsideWindow } from '../accept-window.ts';
import { columnIndexes } from '../column-indexes.ts';
import type { RowIds } from '../row-ids.ts';

/** Columns of application_log.log that are written, by name. */
export const logColumns = columnIndexes(applicationLog, [
  'time',
  'timestamp',
  '_id',
  'type',
  'severity_number',
  'app_service',
  'body',
  'trace_id',
  'span_id',
  'user_id',
  'agent_id',
  'team_id',
  'is_ipv4',
  'ip4',
  'ip6',
  'attribute_names',
  'attribute_values',
  'metrics_names',
  'metrics_values',
  'pod_name_key',
]);

export const logTypes = {
  user: constantText('user'),
  system: constantText('system'),
  audit: constantText('audit'),
  agent: constantText('agent'),
} as const;

export type LogType = keyof typeof logTypes;

/** What every row of a log has. */
export interface LogRow {
  readonly type: LogType;
  /** Epoch microseconds; within the accept window. */
  readonly micros: number;
  readonly severity: number;
  readonly agent: number;
  readonly team: number;
}

/** Why a block does not take a row of that time (epoch microseconds), if so. */
export function outsideLog(block: RowBlock, micros: number): 'too_old' | 'too_new' | undefined {
  return outsideWindow(block, Math.floor(micros / 1e6));
}

const ids = new Uint32Array(2);

/** Writes what every row of a log has, and takes the pending row. */
export function commitLog(block: RowBlock, rowIds: RowIds, { type, micros, severity, agent, team }: LogRow): void {
  const seconds = Math.floor(micros / 1e6);
  rowIds.next(applicationLog, seconds, ids);
  block.setHalves(logColumns['_id'], ids[0]!, ids[1]!);
  block.setNumber(logColumns.time, seconds);
  block.setInteger(logColumns.timestamp, micros);
  block.setConstant(logColumns.type, logTypes[type]);
  block.setNumber(logColumns.severity_number, severity);
  block.setNumber(logColumns.agent_id, agent);
  block.setNumber(logColumns.team_id, team);
  block.commit(seconds * 1000);
}
