import type { LabelSet } from './label-set.ts';

/** Rough size of a label set beside its labels: objects, id, places in the map. */
const ENTRY_BYTES = 200;

/**
 * Label sets read of late, by organisation and series id: what is asked again and again (every refresh of a dashboard) is decoded once.
 *
 * Ids are made of the labels, so what is here is never out of date. The least recently used half is forgotten when there is more than `maxBytes`.
 */
export class LabelCache {
  readonly #maxBytes: number;
  #young = new Map<bigint, LabelSet>();
  #old = new Map<bigint, LabelSet>();
  #youngBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(org: number, seriesId: bigint): LabelSet | undefined {
    const key = keyOf(org, seriesId);
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.#add(key, old);
    return old;
  }

  set(org: number, seriesId: bigint, labels: LabelSet): void {
    this.#add(keyOf(org, seriesId), labels);
  }

  #add(key: bigint, set: LabelSet): void {
    this.#young.set(key, set);
    this.#youngBytes += set.labels.length + set.key.length + ENTRY_BYTES;
    if (this.#youngBytes <= this.#maxBytes / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }
}

function keyOf(org: number, seriesId: bigint): bigint {
  return (BigInt(org) << 64n) | seriesId;
}
