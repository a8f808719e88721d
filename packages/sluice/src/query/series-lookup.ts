import { bug, SluiceError } from '../base/errors.ts';
import type { Column } from '../batch/batch.ts';
import type { NativeBlock } from '../batch/native.ts';
import { databaseOf } from '../catalog/catalog.ts';
import { series as seriesSource } from '../catalog/prometheus.ts';
import { identifier, joinSql, sql, type Sql } from '../storage/sql.ts';
import type { Store } from '../storage/store.ts';
import type { LabelCache } from './label-cache.ts';
import { labelSetReader, withLabels, type LabelSet } from './label-set.ts';
import { matchersSql, METRIC_NAME, type Matcher } from './matchers.ts';
import { meets, TAG_HASH, type SeriesTagLabels } from './series-tags.ts';
import { atLeast } from './time-range.ts';

/** One series, found by its labels. */
export interface FoundSeries extends LabelSet {
  readonly metricId: bigint;
  readonly seriesId: bigint;
}

export interface SeriesLookup {
  readonly store: Store;
  readonly org: number;
  readonly matchers: readonly Matcher[];
  /** Epoch milliseconds: series that went silent before are left out. */
  readonly start: number;
  /** A further condition, on `metric_id` and `series_id` say. */
  readonly condition?: Sql;
  /** More series than this are refused with `bad_request`. */
  readonly limit: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A lookup in which tags are labels, too. */
export interface TaggedLookup extends SeriesLookup {
  readonly tags: SeriesTagLabels;
  /** Epoch milliseconds: of a series whose tags have changed those count that it had then. */
  readonly end: number;
}

/**
 * An active series is announced again every 24 h, by the hub's clock; its samples may be 10 minutes ahead of that. So a sample at a time has an
 * announcement at most 24 h 10 min before it, or later. The rest is for clocks that are set.
 */
const ANNOUNCED_WITHIN_MS = 25 * 3_600_000;

/** The condition on `time` of prometheus.series under which a series can have samples at `start` or later. */
export function announcedSince(start: number): Sql {
  return atLeast('time', start - ANNOUNCED_WITHIN_MS);
}

/**
 * The series that match and can have samples at `start` or later, sorted by label set.
 *
 * There is no upper bound: what comes late is announced when it comes, after the times it is about. A series without samples in the range costs
 * little, a missing one would be a wrong answer. Labels belong to the ids, so of several rows of a series any one will do.
 */
export async function findSeries(lookup: SeriesLookup): Promise<FoundSeries[]> {
  const { store, limit, timeoutMs, signal } = lookup;
  const further = lookup.condition === undefined ? sql`` : sql` AND ${lookup.condition}`;
  const statement = sql`${labelRows(lookup)}${further}`;
  const found = new Map<bigint, FoundSeries>();
  // Short answers whole: starting a stream stops the event loop for some milliseconds.
  const short = await store.select(sql`${statement} LIMIT ${SHORT_ROWS + 1}`, { timeoutMs, signal });
  if (rowsIn(short) <= SHORT_ROWS) for (const block of short) readBlock(block, found);
  else {
    for await (const block of store.stream(statement, { timeoutMs, signal })) {
      readBlock(block, found);
      if (found.size > limit) break;
    }
  }
  if (found.size > limit) throw tooMany(limit);
  return [...found.values()].toSorted(byKey);
}

export interface FoundTagged {
  readonly series: FoundSeries[];
  /** When the last of the versions began that were looked at, epoch milliseconds: for every later end the answer is the same one. */
  readonly since: number;
}

/**
 * As `findSeries`, with tags as labels. Matchers on tags decide first which tags may be meant at all, so that the labels of others are not read.
 */
export async function findTaggedSeries(lookup: TaggedLookup): Promise<FoundTagged> {
  const { store, org, matchers, start, end, tags, limit, timeoutMs, signal } = lookup;
  const onTags = matchers.filter(({ name }) => tags.owns(name));
  const others = matchers.filter(({ name }) => !tags.owns(name));
  const table = identifier(databaseOf(seriesSource, org), seriesSource.table);
  const further = lookup.condition === undefined ? sql`` : sql` AND ${lookup.condition}`;
  const where = sql`${matchersSql(others)} AND ${announcedSince(start)}${further}`;
  const options = { timeoutMs, signal };
  let narrowed = sql``;
  if (onTags.length > 0) {
    const all = await tags.distinct(org, where, options);
    const fitting = [...all.hashes].filter((hash) => all.mayMeet(hash, onTags));
    // A label of a series' own by that name is possible.
    const own = joinSql(
      onTags.map(({ name }) => sql`mapContains(labels, ${name})`),
      ' OR ',
    );
    const fits = fitting.length === 0 ? own : sql`(${TAG_HASH} IN (${fitting}) OR ${own})`;
    if (fitting.length <= MOST_NAMED) {
      narrowed = sql` AND (metric_id, series_id) IN (SELECT metric_id, series_id FROM ${table} WHERE ${where} AND (${fits}))`;
    }
  }
  const statement = sql`SELECT metric_id, series_id, CAST(metric_name AS String) AS metric, CAST(labels AS Map(String, String)) AS label_map,
    ${TAG_HASH} AS tag_hash, reinterpretAsUInt64(toUnixTimestamp64Milli(valid_from)) AS began FROM ${table} WHERE ${where}${narrowed}`;
  const found = new Map<bigint, FoundVersion>();
  let since = -Infinity;
  const short = await store.select(sql`${statement} LIMIT ${SHORT_ROWS + 1}`, options);
  const isShort = rowsIn(short) <= SHORT_ROWS;
  for await (const block of isShort ? short : store.stream(statement, options)) {
    since = Math.max(since, readVersions(block, found, end));
    if (found.size > limit) throw tooMany(limit);
  }
  const loaded = await tags.load(org, new Set([...found.values()].map(({ tagHash }) => tagHash)), options);
  const series: FoundSeries[] = [];
  for (const { metricId, seriesId, labels, key, tagHash } of found.values()) {
    const tagged = withLabels({ labels, key }, loaded.labels(tagHash));
    if (onTags.every((matcher) => meets(tagged, matcher))) series.push({ metricId, seriesId, ...tagged });
  }
  return { series: series.toSorted(byKey), since };
}

interface FoundVersion extends FoundSeries {
  readonly tagHash: bigint;
  readonly began: number;
}

/** Of several versions of a series the last one that began by `end` counts, else the first one. Returns when the last of them all began. */
function readVersions(block: NativeBlock, found: Map<bigint, FoundVersion>, end: number): number {
  const [metricIds, seriesIds, names, labels, hashes, begins] = block.columns.map((column) => column.data);
  const [metric, series, hash, begin] = [metricIds!, seriesIds!, hashes!, begins!].map((column) => idsOf(column));
  const readLabels = labelSetReader(names!, labels!);
  let last = -Infinity;
  for (let row = 0; row < block.rows; row++) {
    const seriesId = series!(row);
    const began = Number(BigInt.asIntN(64, begin!(row)));
    last = Math.max(last, began);
    const known = found.get(seriesId);
    if (known !== undefined) {
      const isBetter =
        began <= end ? known.began > end || began > known.began : known.began > end && began < known.began;
      if (isBetter) found.set(seriesId, { ...known, tagHash: hash!(row), began });
      continue;
    }
    const set = readLabels(row);
    found.set(seriesId, {
      metricId: metric!(row),
      seriesId,
      labels: set.labels,
      key: set.key,
      tagHash: hash!(row),
      began,
    });
  }
  return last;
}

/** The ids of the series that match. */
export interface FoundIds {
  readonly metricIds: readonly bigint[];
  readonly seriesIds: readonly bigint[];
  /** True when these are at least half of the metrics' series: naming the others costs more than passing them over. */
  readonly most: boolean;
}

/**
 * As `findSeries`, for who wants to begin with the ids: these come first and are told; then only those labels are fetched that are not in the cache.
 * Of very many series the ids are not told.
 */
export async function findSeriesByIds(
  lookup: SeriesLookup,
  labels: LabelCache,
  told: (ids: FoundIds) => void,
): Promise<FoundSeries[]> {
  const { store, org, limit, timeoutMs, signal } = lookup;
  const { ids, most } = await matchingIds(lookup);
  if (ids.size > limit) throw tooMany(limit);
  if (ids.size > SHORT_ROWS) return findSeries(lookup);
  told({ metricIds: [...new Set(ids.values())], seriesIds: [...ids.keys()], most });
  const found: FoundSeries[] = [];
  const missing = new Map<bigint, bigint>();
  for (const [seriesId, metricId] of ids) {
    const set = labels.get(org, seriesId);
    if (set === undefined) missing.set(seriesId, metricId);
    else found.push({ metricId, seriesId, labels: set.labels, key: set.key });
  }
  if (missing.size > 0) {
    const named = sql`metric_id IN (${[...new Set(missing.values())]}) AND series_id IN (${[...missing.keys()]})`;
    const few = missing.size <= MOST_NAMED && missing.size < ids.size / 2;
    const statement = few ? sql`${labelRows(lookup)} AND ${named}` : labelRows(lookup);
    const read = new Map<bigint, FoundSeries>();
    for (const block of await store.select(statement, { timeoutMs, signal })) readBlock(block, read, missing);
    for (const series of read.values()) {
      labels.set(org, series.seriesId, { labels: series.labels, key: series.key });
      found.push(series);
    }
  }
  return found.toSorted(byKey);
}

/** Statement without limits: ids and labels, a row an announcement. */
function labelRows({ org, matchers, start }: SeriesLookup): Sql {
  const table = identifier(databaseOf(seriesSource, org), seriesSource.table);
  return sql`SELECT metric_id, series_id, CAST(metric_name AS String) AS metric, CAST(labels AS Map(String, String)) AS label_map
    FROM ${table} WHERE ${matchersSql(matchers)} AND ${announcedSince(start)}`;
}

/** Series ids, with the metric of each. */
async function matchingIds(lookup: SeriesLookup): Promise<{ ids: Map<bigint, bigint>; most: boolean }> {
  const { store, org, matchers, start, timeoutMs, signal } = lookup;
  const table = identifier(databaseOf(seriesSource, org), seriesSource.table);
  const onName = matchers.filter(({ name }) => name === METRIC_NAME);
  const others = matchers.filter(({ name }) => name !== METRIC_NAME);
  const statement = sql`SELECT metric_id, groupUniqArrayIf(series_id, ${matchersSql(others)}) AS ids, uniqExact(series_id) AS all
    FROM ${table} WHERE ${matchersSql(onName)} AND ${announcedSince(start)} GROUP BY metric_id HAVING notEmpty(ids)`;
  const ids = new Map<bigint, bigint>();
  let all = 0;
  for (const block of await store.select(statement, { timeoutMs, signal })) {
    const [metricColumn, idColumn, allColumn] = block.columns.map((column) => column.data);
    if (idColumn?.kind !== 'array') return bug('expected lists of ids');
    const metric = idsOf(metricColumn!);
    const id = idsOf(idColumn.element);
    const count = idsOf(allColumn!);
    for (let row = 0; row < block.rows; row++) {
      const metricId = metric(row);
      all += Number(count(row));
      for (let at = row === 0 ? 0 : idColumn.ends[row - 1]!; at < idColumn.ends[row]!; at++) ids.set(id(at), metricId);
    }
  }
  return { ids, most: ids.size * 2 >= all };
}

/** Ids that may stand in one statement. */
const MOST_NAMED = 4096;

function tooMany(limit: number): SluiceError {
  const problem = `more than ${limit} series match`;
  return new SluiceError('bad_request', `cannot answer the query: ${problem}; narrow it, or raise limits.read-series`);
}

/** Rows that are fetched in one piece, about 5 MB of labels. */
const SHORT_ROWS = 20_000;

export function rowsIn(blocks: readonly NativeBlock[]): number {
  return blocks.reduce((sum, { rows }) => sum + rows, 0);
}

export function byKey(left: LabelSet, right: LabelSet): number {
  return left.key < right.key ? -1 : left.key > right.key ? 1 : 0;
}

/** Reads series that are not found yet; with `wanted`, only those. */
function readBlock(block: NativeBlock, found: Map<bigint, FoundSeries>, wanted?: ReadonlyMap<bigint, bigint>): void {
  const [metricIds, seriesIds, names, labels] = block.columns.map((column) => column.data);
  const metric = idsOf(metricIds!);
  const series = idsOf(seriesIds!);
  const readLabels = labelSetReader(names!, labels!);
  for (let row = 0; row < block.rows; row++) {
    const seriesId = series(row);
    if (found.has(seriesId) || wanted?.has(seriesId) === false) continue;
    const set = readLabels(row);
    found.set(seriesId, { metricId: metric(row), seriesId, labels: set.labels, key: set.key });
  }
}

/** Reads a UInt64 column value by value. */
export function idsOf(column: Column): (row: number) => bigint {
  if (column.kind !== 'fixed' || column.width !== 8) return bug(`expected a column of ids; got ${column.kind}`);
  const { bytes } = column;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (row) => view.getBigUint64(row * 8, true);
}
