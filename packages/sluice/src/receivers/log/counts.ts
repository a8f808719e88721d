import type { Metrics } from '../../telemetry/metrics.ts';
import type { EntryRows } from './entry-rows.ts';

/** Label of the metrics, whichever way the logs came. */
export const INPUT = 'log';

/** Counts the entries of a text that were not taken. */
export function countDropped(metrics: Metrics, rows: EntryRows): void {
  for (const [reason, count] of rows.dropped) metrics.droppedRows.inc({ input: INPUT, reason }, count);
}
