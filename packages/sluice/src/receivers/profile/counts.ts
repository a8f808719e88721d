import type { Metrics } from '../../telemetry/metrics.ts';
import type { PostedProfiles } from './posted-profile.ts';

/** Label of the metrics, whichever way the profiles came. */
export const INPUT = 'profile';

/** Counts what of a profile that was taken was not. */
export function countDropped(metrics: Metrics, { malformed, cut }: PostedProfiles): void {
  if (malformed > 0) metrics.droppedRows.inc({ input: INPUT, reason: 'malformed' }, malformed);
  if (cut > 0) metrics.droppedFields.inc({ input: INPUT, reason: 'deep_stack' }, cut);
}
