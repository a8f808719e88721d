import type { Metrics } from '../../telemetry/metrics.ts';
import type { LineRows } from './line-rows.ts';

/** Label of the metrics, whichever way the lines came. */
export const INPUT = 'telegraf';

/** Counts what of some lines was not taken. */
export function countDropped(metrics: Metrics, lines: LineRows): void {
  for (const [reason, rows] of lines.dropped) metrics.droppedRows.inc({ input: INPUT, reason }, rows);
  if (lines.otherFields > 0) metrics.droppedFields.inc({ input: INPUT, reason: 'no_number' }, lines.otherFields);
}
