import { databaseOf } from '../../catalog/catalog.ts';
import { histograms, samples } from '../../catalog/prometheus.ts';
import type { Store } from '../../storage/store.ts';
import { identifier, sql } from '../../storage/sql.ts';
import type { ReadLimits } from '../config.ts';
import type { Matcher } from '../matchers.ts';
import { byKey, findSeries, findTaggedSeries, idsOf, type FoundSeries } from '../series-lookup.ts';
import type { SeriesTagLabels } from '../series-tags.ts';
import { atLeast, atMost } from '../time-range.ts';

export interface ActiveSeriesQuery {
  readonly store: Store;
  readonly org: number;
  readonly limits: ReadLimits;
  readonly signal: AbortSignal;
  /** Tags that are shown as labels; absent: none are. */
  readonly tags?: SeriesTagLabels | undefined;
  readonly selectors: readonly (readonly Matcher[])[];
  /** Epoch milliseconds; infinite = no limit. */
  readonly start: number;
  readonly end: number;
}

/** Rows that may be looked at to find out who has samples in the range; beyond, announcements decide. */
const MOST_ROWS = 50_000_000;
const SAMPLE_INTERVAL_MS = 15_000;
/** How far ahead of the clock samples are taken, and how far back they usually reach; only for the estimate of rows. */
const AHEAD_MS = samples.acceptAheadMs;
const USUAL_RETENTION_MS = samples.retention.days * 86_400_000;
/** Ids in one statement. */
const GROUP = 4096;

/**
 * The series that any of the selectors matches, sorted by label set, each once. When range and number of series are small enough, exactly those with
 * samples or histograms in the range; else those that may have some, by their announcements (to 25 h, and without an upper bound).
 */
export async function findActiveSeries(query: ActiveSeriesQuery): Promise<FoundSeries[]> {
  const { store, org, limits, signal, start, end, tags } = query;
  const found = new Map<string, FoundSeries>();
  if (end < start) return [];
  for (const matchers of query.selectors) {
    const lookup = { store, org, matchers, start, limit: limits.series, timeoutMs: limits.timeMs, signal };
    const series =
      tags === undefined ? await findSeries(lookup) : (await findTaggedSeries({ ...lookup, tags, end })).series;
    for (const one of series) found.set(one.key, one);
  }
  const series = [...found.values()].toSorted(byKey);
  // Without any bound a series that was ever announced is an answer. An open side reaches as far as samples usually do.
  if (start === -Infinity && end === Infinity) return series;
  const now = Date.now();
  const newest = Math.min(end, now + AHEAD_MS);
  const span = newest - Math.max(start, Math.min(now, newest) - USUAL_RETENTION_MS);
  const expectedRows = series.length * Math.max(span / SAMPLE_INTERVAL_MS, 1);
  return expectedRows <= MOST_ROWS ? withPoints(series, query) : series;
}

async function withPoints(series: readonly FoundSeries[], query: ActiveSeriesQuery): Promise<FoundSeries[]> {
  const active = new Set<bigint>();
  for (const source of [samples, histograms]) {
    const open = series.filter(({ seriesId }) => !active.has(seriesId));
    for (let at = 0; at < open.length; at += GROUP) {
      const group = open.slice(at, at + GROUP);
      const metricIds = [...new Set(group.map(({ metricId }) => metricId))];
      const statement = sql`SELECT DISTINCT series_id FROM ${identifier(databaseOf(source, query.org), source.table)}
        WHERE metric_id IN (${metricIds}) AND series_id IN (${group.map(({ seriesId }) => seriesId)})
        AND ${atLeast('time', query.start)} AND ${atMost('time', query.end)}`;
      const options = { timeoutMs: query.limits.timeMs, signal: query.signal };
      for (const block of await query.store.select(statement, options)) {
        const id = idsOf(block.columns[0]!.data);
        for (let row = 0; row < block.rows; row++) active.add(id(row));
      }
    }
  }
  return series.filter(({ seriesId }) => active.has(seriesId));
}
