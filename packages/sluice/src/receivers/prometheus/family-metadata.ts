/** Metric types by their number on the wire; 1.0 and 2.0 agree. */
export const METRIC_TYPES = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
] as const;

export interface FamilyMetadata {
  readonly family: string;
  readonly type: string;
  readonly unit: string;
  readonly help: string;
}

const REPEAT_MS = 24 * 3_600_000;

/**
 * What was said last about metric families: a row in prometheus.metadata is written when something new is said, and again every 24 h. Bounded: beyond
 * `capacity` families the one that was noted longest ago is forgotten, which costs at most a repeated row.
 */
export class FamilyMetadataCache {
  readonly #capacity: number;
  readonly #said = new Map<string, { readonly text: string; readonly atMs: number }>();
  /** For each 2.0 form the key of the metadata seen with it and known to be written. */
  #seen = new Uint32Array(1024);

  constructor(capacity = 50_000) {
    this.#capacity = capacity;
  }

  isDue(metadata: FamilyMetadata, nowMs: number): boolean {
    const said = this.#said.get(metadata.family);
    return said === undefined || said.text !== textOf(metadata) || nowMs - said.atMs >= REPEAT_MS;
  }

  /** The journal has rows with these. */
  written(families: readonly FamilyMetadata[], nowMs: number): void {
    for (const metadata of families) {
      this.#said.delete(metadata.family);
      this.#said.set(metadata.family, { text: textOf(metadata), atMs: nowMs });
    }
    for (const oldest of this.#said.keys()) {
      if (this.#said.size <= this.#capacity) break;
      this.#said.delete(oldest);
    }
  }

  /** Whether the form was last seen with metadata of this key, which was written then. */
  isSeen(form: number, key: number): boolean {
    return form < this.#seen.length && this.#seen[form] === key;
  }

  see(form: number, key: number): void {
    if (form >= this.#seen.length) {
      const grown = new Uint32Array(Math.ceil(form * 1.5));
      grown.set(this.#seen);
      this.#seen = grown;
    }
    this.#seen[form] = key;
  }
}

/**
 * The family that a series of this name and type belongs to: 2.0 gives metadata with each series, so the parts of classic histograms and summaries
 * are told by their suffix.
 */
export function familyOf(name: string, type: string): string {
  const suffixes = SUFFIXES.get(type) ?? [];
  const suffix = suffixes.find((end) => name.endsWith(end) && name.length > end.length);
  return suffix === undefined ? name : name.slice(0, -suffix.length);
}

const SUFFIXES: ReadonlyMap<string, readonly string[]> = new Map([
  ['histogram', ['_bucket', '_count', '_sum']],
  ['gaugehistogram', ['_bucket', '_gcount', '_gsum']],
  ['summary', ['_count', '_sum']],
]);

function textOf({ type, unit, help }: FamilyMetadata): string {
  return `${type}\n${unit}\n${help}`;
}
