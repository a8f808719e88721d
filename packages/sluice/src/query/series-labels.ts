import { databaseOf } from '../catalog/catalog.ts';
import { series as seriesSource } from '../catalog/prometheus.ts';
import { identifier, sql } from '../storage/sql.ts';
import type { Store } from '../storage/store.ts';
import { labelSetReader } from './label-set.ts';
import { idsOf } from './series-lookup.ts';

/** Ids that stand in one statement. */
const MOST_NAMED = 4096;
const TIMEOUT_MS = 30_000;

/**
 * Canonical label fields of series by their ids (4 Uint32 a series: metric low and high, series low and high), in the same order; undefined for those
 * that the database does not know. For who reads samples of series that are not active any more.
 */
export async function loadSeriesLabels(
  store: Store,
  org: number,
  ids: Uint32Array,
): Promise<readonly (Uint8Array | undefined)[]> {
  const keys: { readonly metricId: bigint; readonly seriesId: bigint }[] = [];
  for (let at = 0; at < ids.length; at += 4) {
    keys.push({ metricId: joined(ids[at]!, ids[at + 1]!), seriesId: joined(ids[at + 2]!, ids[at + 3]!) });
  }
  const table = identifier(databaseOf(seriesSource, org), seriesSource.table);
  const found = new Map<bigint, Uint8Array>();
  for (let from = 0; from < keys.length; from += MOST_NAMED) {
    const some = keys.slice(from, from + MOST_NAMED);
    const metrics = [...new Set(some.map(({ metricId }) => metricId))];
    const statement = sql`SELECT metric_id, series_id, CAST(metric_name AS String) AS metric, CAST(labels AS Map(String, String)) AS label_map
      FROM ${table} WHERE metric_id IN (${metrics}) AND series_id IN (${some.map(({ seriesId }) => seriesId)}) LIMIT 1 BY series_id`;
    // oxlint-disable-next-line no-await-in-loop -- one statement after the other, as few run at once
    for (const block of await store.select(statement, { timeoutMs: TIMEOUT_MS })) {
      const [, seriesIds, names, labels] = block.columns.map((column) => column.data);
      const id = idsOf(seriesIds!);
      const read = labelSetReader(names!, labels!);
      for (let row = 0; row < block.rows; row++) found.set(id(row), read(row).labels);
    }
  }
  return keys.map(({ seriesId }) => found.get(seriesId));
}

function joined(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}
