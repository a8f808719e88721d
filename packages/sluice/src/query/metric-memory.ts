import type { Matcher } from './matchers.ts';

/** What a query with these matchers found the last time. */
export interface RememberedMetrics {
  readonly metricIds: readonly bigint[];
  readonly series: number;
  /** Expected rows at which there turned out to be too many to fetch whole; Infinity = never seen. */
  readonly tooMany: number;
}

const KEPT = 256;
/** Lists longer than this are not worth their memory. */
const MOST_METRICS = 1024;
const MOST_TEXT = 4096;

/**
 * Which metrics matchers led to of late. It is a guess only: with it the points are asked for at the same time as the series, and what the series say
 * decides whether they are of use.
 */
export class MetricMemory {
  readonly #kept = new Map<string, RememberedMetrics>();

  get(org: number, matchers: readonly Matcher[]): RememberedMetrics | undefined {
    return this.#kept.get(keyOf(org, matchers));
  }

  set(org: number, matchers: readonly Matcher[], found: RememberedMetrics): void {
    const key = keyOf(org, matchers);
    this.#kept.delete(key);
    if (found.metricIds.length > MOST_METRICS || key.length > MOST_TEXT) return;
    if (this.#kept.size >= KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(key, found);
  }

  /** Notes that so many expected rows were too many in truth. */
  tooMany(org: number, matchers: readonly Matcher[], expectedRows: number): void {
    const known = this.get(org, matchers);
    if (known !== undefined) this.set(org, matchers, { ...known, tooMany: Math.min(known.tooMany, expectedRows) });
  }

  forget(org: number, matchers: readonly Matcher[]): void {
    this.#kept.delete(keyOf(org, matchers));
  }
}

function keyOf(org: number, matchers: readonly Matcher[]): string {
  return JSON.stringify([org, matchers.map(({ type, name, value }) => [type, name, value])]);
}
