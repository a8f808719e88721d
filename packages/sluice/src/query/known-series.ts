import { series as seriesSource } from '../catalog/prometheus.ts';
import type { TableVersions } from '../storage/table-versions.ts';
import type { Matcher } from './matchers.ts';
import type { FoundIds, FoundSeries } from './series-lookup.ts';

export interface Known {
  /** Sorted by label set. */
  readonly found: readonly FoundSeries[];
  readonly ids: FoundIds;
}

/** What an answer depends on beside the matchers. */
export interface AskedFor {
  /** Epoch milliseconds. */
  readonly start: number;
  readonly end: number;
  /** Version of the names that tags are shown by; 0 = none are shown. */
  readonly names: number;
}

interface Entry extends Known {
  /** Start of the range they were looked up for. */
  readonly start: number;
  readonly names: number;
  /** Their tags hold for ranges that end then or later. */
  readonly tagsSince: number;
  readonly version: number;
  readonly bytes: number;
}

/** What was found for an earlier start may have series that went silent since: each costs a little. */
const MOST_EARLIER_MS = 6 * 3_600_000;
const MOST_TEXT = 4096;
/** Rough size of a series beside its labels. */
const SERIES_BYTES = 200;

/**
 * What selectors found, for as long as no row has come into prometheus.series since: a dashboard that refreshes asks the same ones, and series are
 * announced far more seldom than their samples come. Labels that are tags are known for as long as no name changes, and for ranges that end behind the
 * last change of them. Without TableVersions nothing is kept.
 */
export class KnownSeries {
  readonly #versions: TableVersions | undefined;
  readonly #maxBytes: number;
  /** The one used last is the last. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(versions: TableVersions | undefined, maxBytes: number) {
    this.#versions = versions;
    this.#maxBytes = maxBytes;
  }

  get(org: number, matchers: readonly Matcher[], { start, end, names }: AskedFor): Known | undefined {
    const key = keyOf(org, matchers);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#forget(key, entry);
    if (entry.version !== this.version(org) || entry.names !== names) return undefined;
    this.#keep(key, entry);
    if (end < entry.tagsSince) return undefined;
    return entry.start <= start && start - entry.start <= MOST_EARLIER_MS ? entry : undefined;
  }

  /** To be read before the database is asked, and given to `set` with the answer; undefined = nobody can tell. */
  version(org: number): number | undefined {
    return this.#versions?.of(org, seriesSource.id);
  }

  set(
    org: number,
    matchers: readonly Matcher[],
    known: Known & AskedFor & { tagsSince: number; version: number | undefined },
  ) {
    const { found, ids, start, end, names, tagsSince, version } = known;
    const key = keyOf(org, matchers);
    const old = this.#entries.get(key);
    // What is known of now is worth more than what was asked of the past.
    if (end < tagsSince) return;
    if (old !== undefined) this.#forget(key, old);
    if (version === undefined || key.length > MOST_TEXT) return;
    let bytes = key.length + SERIES_BYTES;
    for (const { labels, key: sortKey } of found) bytes += labels.length + sortKey.length + SERIES_BYTES;
    if (bytes > this.#maxBytes / 2) return;
    this.#keep(key, { found, ids, start, names, tagsSince, version, bytes });
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#forget(oldest, entry);
    }
  }

  #keep(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#bytes += entry.bytes;
  }

  #forget(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}

function keyOf(org: number, matchers: readonly Matcher[]): string {
  return JSON.stringify([org, matchers.map(({ type, name, value }) => [type, name, value])]);
}
