import type { DataSource } from '../catalog/types.ts';
import type { Retention } from './config.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** How long rows of the source are asked for, in milliseconds; undefined = for ever. Also how far back rows are accepted. */
export function retentionMs(source: DataSource, retention: Retention): number | undefined {
  if (retention === 'forever') return undefined;
  const chosen = retention === 'default' ? undefined : retention.get(source.id);
  return chosen ?? source.retention.days * DAY_MS;
}

/** How long rows stay in the table, in milliseconds: a dictionary outlives what it describes. */
export function keptMs(source: DataSource, retention: Retention): number | undefined {
  const asked = retentionMs(source, retention);
  return asked === undefined ? undefined : asked + source.retention.extraHours * HOUR_MS;
}
