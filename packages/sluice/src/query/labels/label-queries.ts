import { textAt } from '../../batch/read.ts';
import { databaseOf } from '../../catalog/catalog.ts';
import { metadata as metadataSource, series as seriesSource } from '../../catalog/prometheus.ts';
import { identifier, sql, type Sql } from '../../storage/sql.ts';
import type { QueryOptions, Store } from '../../storage/store.ts';
import { labelsOf, type LabelSet } from '../label-set.ts';
import { METRIC_NAME } from '../matchers.ts';
import { announcedSince } from '../series-lookup.ts';
import type { SeriesTagLabels } from '../series-tags.ts';

/** Names and values over all series, from the table of series alone; and metadata. Lists are sorted by bytes. */

export interface LabelQuery {
  readonly store: Store;
  readonly org: number;
  /** Epoch milliseconds: what went silent before is left out, to 25 h. */
  readonly start: number;
  /** At most this many, and one more to show that there are more; 0 = all. */
  readonly limit: number;
  /** Tags that are labels, too. */
  readonly tags?: SeriesTagLabels | undefined;
  readonly options: QueryOptions;
}

export async function labelNames(query: LabelQuery): Promise<string[]> {
  const names = await texts(
    query,
    sql`SELECT DISTINCT arrayJoin(names) AS name FROM (SELECT DISTINCT arrayConcat(CAST(mapKeys(labels) AS Array(String)),
      if(metric_name = '', [], [${METRIC_NAME}])) AS names FROM ${table(query.org)} WHERE ${announcedSince(query.start)}) ORDER BY name`,
  );
  return withTags(query, names, ([name]) => name);
}

export async function labelValues(query: LabelQuery, name: string): Promise<string[]> {
  const column = name === METRIC_NAME ? sql`metric_name` : sql`labels[${name}]`;
  const values = await texts(
    query,
    sql`SELECT DISTINCT CAST(${column} AS String) AS value FROM ${table(query.org)}
      WHERE ${announcedSince(query.start)} AND ${column} != '' ORDER BY value`,
  );
  return query.tags?.owns(name) === true
    ? withTags(query, values, ([tag, value]) => (tag === name ? value : ''))
    : values;
}

/** The texts with those of tags, sorted, as many as were asked for. */
async function withTags(
  { tags, org, start, limit, options }: LabelQuery,
  found: readonly string[],
  textOf: (label: readonly [name: string, value: string]) => string,
): Promise<string[]> {
  const all = new Set(found);
  if (tags === undefined) return [...all];
  const told = await tags.distinct(org, announcedSince(start), options);
  for (const hash of told.hashes) {
    for (const label of told.pairs(hash)) if (textOf(label) !== '') all.add(textOf(label));
  }
  const list = sorted(all);
  return limit > 0 ? list.slice(0, limit + 1) : list;
}

/** The names of all labels of these series. */
export function namesOf(series: readonly LabelSet[]): string[] {
  const names = new Set<string>();
  for (const set of series) for (const [name] of labelsOf(set)) names.add(name);
  return sorted(names);
}

/** The values that these series have for a label. */
export function valuesOfLabel(series: readonly LabelSet[], label: string): string[] {
  const values = new Set<string>();
  for (const set of series) for (const [name, value] of labelsOf(set)) if (name === label) values.add(value);
  return sorted(values);
}

export interface FamilyMetadata {
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

/** What is said again every 24 h: older than the family's newest by more than this is no longer so. */
const SAID_WITHIN_MS = 25 * 3_600_000;

/** What is said of each metric family, the newest first, by name; of one family when `metric` is given. */
export async function metadataOf(
  store: Store,
  org: number,
  metric: string | undefined,
  options: QueryOptions,
): Promise<Map<string, FamilyMetadata[]>> {
  const from = identifier(databaseOf(metadataSource, org), metadataSource.table);
  const condition = metric === undefined ? sql`1` : sql`metric_family_name = ${metric}`;
  const said = sql`SELECT metric_family_name AS family, type, unit, help, max(time) AS last FROM ${from} WHERE ${condition} GROUP BY family, type, unit, help`;
  const statement = sql`SELECT family, CAST(type AS String), CAST(unit AS String), help FROM
    (SELECT *, max(last) OVER (PARTITION BY family) AS newest FROM (${said}))
    WHERE last >= newest - toIntervalMillisecond(${SAID_WITHIN_MS}) ORDER BY family, last DESC, type, unit, help`;
  const families = new Map<string, FamilyMetadata[]>();
  for (const block of await store.select(statement, options)) {
    const at = (column: number, row: number) => textAt(block.columns[column]!.data, row);
    for (let row = 0; row < block.rows; row++) {
      const known = families.get(at(0, row)) ?? [];
      known.push({ type: at(1, row), help: at(3, row), unit: at(2, row) });
      families.set(at(0, row), known);
    }
  }
  return families;
}

async function texts(query: LabelQuery, statement: Sql): Promise<string[]> {
  const cut = query.limit > 0 ? sql` LIMIT ${query.limit + 1}` : sql``;
  const found: string[] = [];
  for (const block of await query.store.select(sql`${statement}${cut}`, query.options)) {
    for (let row = 0; row < block.rows; row++) found.push(textAt(block.columns[0]!.data, row));
  }
  return found;
}

function table(org: number): Sql {
  return identifier(databaseOf(seriesSource, org), seriesSource.table);
}

function sorted(found: ReadonlySet<string>): string[] {
  return [...found]
    .map((text) => ({ text, bytes: Buffer.from(text) }))
    .toSorted((left, right) => Buffer.compare(left.bytes, right.bytes))
    .map(({ text }) => text);
}
