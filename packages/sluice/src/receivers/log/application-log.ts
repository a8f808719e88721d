import type { Metrics } from '../../telemetry/metrics.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import type { RowIds } from '../row-ids.ts';
import type { RowTarget } from '../row-target.ts';
import type { LogLimits } from './config.ts';
import { countDropped } from './counts.ts';
import { EntryRows } from './entry-rows.ts';

export interface ApplicationLogOptions {
  readonly target: RowTarget;
  readonly rowIds: RowIds;
  /** Organisations that are taken. */
  readonly organisations: readonly number[];
  readonly limits: LogLimits;
  readonly metrics: Metrics;
}

/**
 * APPLICATION_LOG: entries of logs as JSON, as rows of application_log.log. Entries that cannot be taken cost themselves, and are counted
 * (sluice_dropped_rows_total, input `log`); the record is dropped when it has no other entries.
 */
export function createApplicationLogDecoder(options: ApplicationLogOptions): RecordDecoder {
  const { target, rowIds, organisations, limits, metrics } = options;
  const rows = new EntryRows({ rowIds, organisations, entryBytes: limits.entryBytes });
  return {
    decode(bytes: Uint8Array, start: number, end: number, { org, team, agent }: Sender): Dropped | undefined {
      rows.begin(bytes, start, end, { target, org, team, agent });
      while (rows.next());
      countDropped(metrics, rows);
      if (rows.taken > 0) return undefined;
      const [reason] = rows.dropped.keys();
      return reason;
    },
  };
}
