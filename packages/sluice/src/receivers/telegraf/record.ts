import { externalMetrics } from '../../catalog/external-metrics.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import type { RowTarget } from '../row-target.ts';
import { countDropped } from './counts.ts';
import { LineRows } from './line-rows.ts';

export interface TelegrafRecordOptions {
  readonly target: RowTarget;
  readonly metrics: Metrics;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

const NANOSECONDS = 9;

/**
 * TELEGRAF: lines of the Influx line protocol that an agent took, as rows of ext_metrics.metrics. Lines that cannot be taken cost themselves, and are
 * counted (sluice_dropped_rows_total, input `telegraf`); the record is dropped when it has no other lines.
 */
export function createTelegrafDecoder({ target, metrics, now }: TelegrafRecordOptions): RecordDecoder {
  const lines = new LineRows();
  return {
    decode(bytes: Uint8Array, start: number, end: number, { org, team, agent }: Sender): Dropped | undefined {
      let dropped: Dropped | undefined;
      lines.begin(bytes, start, end, { team, agent, nowMs: now(), fractionDigits: NANOSECONDS });
      while (!lines.isDone) dropped = lines.next(target.block(externalMetrics, org)) ?? dropped;
      countDropped(metrics, lines);
      return lines.taken > 0 ? undefined : dropped;
    },
  };
}
