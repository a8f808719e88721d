export interface FamilyMetadata {
  readonly family: string;
  readonly type: string;
  readonly unit: string;
  readonly help: string;
}

export const REPEAT_MS = 24 * 3_600_000;

/**
 * What was said last about metric families: a row in prometheus.metadata is written when something new is said, and again every 24 h. Bounded: beyond
 * `capacity` families the one that was noted longest ago is forgotten, which costs at most a repeated row.
 */
export class FamilyMetadataCache {
  readonly #capacity: number;
  readonly #said = new Map<string, FamilyMetadata & { readonly atMs: number }>();

  constructor(capacity = 50_000) {
    this.#capacity = capacity;
  }

  /** Epoch milliseconds up to which no row is to be written, as the family's last one says the same; 0 when there is none such. */
  goodUntil({ family, type, unit, help }: FamilyMetadata): number {
    const said = this.#said.get(family);
    if (said === undefined || said.type !== type || said.unit !== unit || said.help !== help) return 0;
    return said.atMs + REPEAT_MS;
  }

  /** The journal has rows with these. */
  written(families: readonly FamilyMetadata[], nowMs: number): void {
    for (const metadata of families) {
      this.#said.delete(metadata.family);
      this.#said.set(metadata.family, { ...metadata, atMs: nowMs });
    }
    for (const oldest of this.#said.keys()) {
      if (this.#said.size <= this.#capacity) break;
      this.#said.delete(oldest);
    }
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
