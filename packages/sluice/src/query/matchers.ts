import { createHash } from 'node:crypto';
import { SluiceError } from '../base/errors.ts';
import { joinSql, sql, type Sql } from '../storage/sql.ts';
import { anchored, checkRegex, literalAlternatives } from './regex.ts';

/** How a matcher compares; the names of remote read's LabelMatcher.Type, in its order. */
export const MATCHER_TYPES = ['EQ', 'NEQ', 'RE', 'NRE'] as const;
export type MatcherType = (typeof MATCHER_TYPES)[number];

/** A condition on one label. A label that a series does not have counts as the empty text; expressions match the whole value. */
export interface Matcher {
  readonly type: MatcherType;
  readonly name: string;
  readonly value: string;
}

export const METRIC_NAME = '__name__';

export interface MatcherLimits {
  /** Matchers of one selector. */
  readonly matchers: number;
  /** Bytes of a regular expression. */
  readonly regexBytes: number;
}

/** Refuses what no database should be asked: too many matchers, or a regular expression that is too long or not one. Throws `bad_request`. */
export function checkMatchers(matchers: readonly Matcher[], limits: MatcherLimits): void {
  if (matchers.length > limits.matchers) {
    const found = `expected at most ${limits.matchers} matchers; got ${matchers.length}`;
    throw new SluiceError('bad_request', `cannot select series: ${found}`);
  }
  for (const { type, value } of matchers) if (type === 'RE' || type === 'NRE') checkRegex(value, limits.regexBytes);
}

/**
 * The matchers as a condition on prometheus.series. A condition on the metric name that names it comes with the metric's id, so that the table is
 * read by its primary key.
 */
export function matchersSql(matchers: readonly Matcher[]): Sql {
  const conditions = matchers.flatMap(matcherConditions);
  return conditions.length === 0 ? sql`1` : joinSql(conditions, ' AND ');
}

/** Ids of the metrics when the matchers only list their names, else undefined. */
export function namedMetrics(matchers: readonly Matcher[]): readonly bigint[] | undefined {
  const [first, ...others] = matchers;
  if (first === undefined || others.length > 0 || first.name !== METRIC_NAME) return undefined;
  if (first.type === 'EQ') return [metricIdOf(first.value)];
  return first.type === 'RE' ? literalAlternatives(first.value)?.map(metricIdOf) : undefined;
}

/** First 8 bytes, little-endian, of the SHA-256 of a metric's name. */
export function metricIdOf(name: string): bigint {
  return createHash('sha256').update(name).digest().readBigUInt64LE(0);
}

/** True when no series without labels can match: Prometheus refuses selectors that would select everything. */
export function isSelective(matchers: readonly Matcher[]): boolean {
  return matchers.some((matcher) => !matchesEmpty(matcher));
}

function matchesEmpty({ type, value }: Matcher): boolean {
  const positive = type === 'EQ' || type === 'RE';
  const matches = type === 'EQ' || type === 'NEQ' ? value === '' : anchored(value).matches('');
  return matches === positive;
}

function matcherConditions({ type, name, value }: Matcher): Sql[] {
  const column = name === METRIC_NAME ? sql`metric_name` : sql`labels[${name}]`;
  if (type === 'EQ' || type === 'NEQ') return oneOf(name, column, type === 'EQ', [value]);
  const positive = type === 'RE';
  const literals = literalAlternatives(value);
  if (literals !== undefined) return oneOf(name, column, positive, literals);
  if (value === '.*') return positive ? [] : [sql`0`];
  if (value === '.+') return [positive ? sql`${column} != ''` : sql`${column} = ''`];
  // RE2's $ without the flag m is the end of the text, a line break before it included; s lets the dot match line breaks.
  const pattern = `^(?s:${withoutNul(value)})$`;
  return [positive ? sql`match(${column}, ${pattern})` : sql`NOT match(${column}, ${pattern})`];
}

function oneOf(name: string, column: Sql, positive: boolean, values: readonly string[]): Sql[] {
  const single = values.length === 1 ? values[0]! : undefined;
  const condition =
    single === undefined
      ? sql`${column} ${positive ? sql`IN` : sql`NOT IN`} (${values})`
      : sql`${column} ${positive ? sql`=` : sql`!=`} ${single}`;
  if (name !== METRIC_NAME || !positive) return [condition];
  return [sql`metric_id IN (${values.map(metricIdOf)})`, condition];
}

/** The database's expressions end at a NUL; its escape says the same. */
function withoutNul(pattern: string): string {
  return pattern.replaceAll('\0', '\\x00');
}
