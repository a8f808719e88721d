import type { Resource, ResourceKind } from './description.ts';
import { isSame } from './merge.ts';
import { RESOURCE_KINDS } from './kinds.ts';
import type { Slices } from './slices.ts';
import type { Description, Source, SourceChange } from './source.ts';

/** What changed: by kind and key, the epoch second at which it was noticed. */
export type Touched = Map<ResourceKind, Map<string, number>>;

/** What one source has told so far, and what of it is new. */
export class SourceView {
  readonly source: Source;
  #hasTold = false;
  #isGone = false;
  #seen = emptySeen();
  /** When `current` is to be read: since when, epoch seconds. */
  #allS: number | undefined;
  #some = new Map<string, Some>();

  constructor(source: Source) {
    this.source = source;
  }

  /** Whether it has never told anything: what it says first may have been so for long. */
  get isFirst(): boolean {
    return !this.#hasTold;
  }

  get isChanged(): boolean {
    return this.#allS !== undefined || this.#some.size > 0;
  }

  /** Whether nothing comes of it any more. What it had told counts until that was taken in. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** From now on it is as if it had said that everything is gone. */
  end(nowS: number): void {
    this.#isGone = true;
    this.#allS = nowS;
    this.#some.clear();
  }

  note(change: SourceChange, nowS: number): void {
    if (change.kind === 'all') {
      this.#allS ??= nowS;
      this.#some.clear();
      return;
    }
    // What `current` will say includes it.
    if (this.#allS !== undefined) return;
    for (const resource of change.changed) {
      const { kind, key } = resource;
      this.#some.set(`${kind} ${key}`, { kind, key, resource, nowS });
    }
    for (const { kind, key } of change.gone) this.#some.set(`${kind} ${key}`, { kind, key, resource: undefined, nowS });
  }

  find(kind: ResourceKind, key: string): Resource | undefined {
    return this.#seen.get(kind)!.get(key);
  }

  size(kind: ResourceKind): number {
    return this.#seen.get(kind)!.size;
  }

  /** Takes over what changed and adds it to `touched`. */
  async take(touched: Touched, slices: Slices): Promise<void> {
    const allS = this.#allS;
    const some = this.#some;
    this.#allS = undefined;
    this.#some = new Map();
    if (allS !== undefined) await this.#takeAll(touched, slices, allS);
    if (some.size > 0) this.#hasTold = true;
    for (const { kind, key, resource, nowS } of some.values()) {
      if (resource === undefined) this.#remove(kind, key, { touched, nowS });
      else this.#put(resource, { touched, nowS });
      if (slices.isDue) await slices.pause();
    }
  }

  async #takeAll(touched: Touched, slices: Slices, nowS: number): Promise<void> {
    const description = this.#isGone ? NOTHING : this.source.current();
    // Of one that goes without a word nothing was known.
    if (description === undefined || (this.#isGone && this.isFirst)) return;
    this.#hasTold = true;
    const fresh = emptySeen();
    for (const resource of description.resources) {
      const { kind, key } = resource;
      const known = this.find(kind, key);
      const isKnown = known !== undefined && isSame(known, resource);
      if (!isKnown) touch(touched, resource, nowS);
      fresh.get(kind)!.set(key, isKnown ? known : resource);
      if (slices.isDue) await slices.pause();
    }
    for (const [kind, resources] of this.#seen) {
      for (const key of resources.keys()) {
        if (!fresh.get(kind)!.has(key)) touch(touched, { kind, key }, nowS);
        if (slices.isDue) await slices.pause();
      }
    }
    this.#seen = fresh;
  }

  #put(resource: Resource, { touched, nowS }: Noting): void {
    const seen = this.#seen.get(resource.kind)!;
    if (isSame(seen.get(resource.key), resource)) return;
    seen.set(resource.key, resource);
    touch(touched, resource, nowS);
  }

  #remove(kind: ResourceKind, key: string, { touched, nowS }: Noting): void {
    if (this.#seen.get(kind)!.delete(key)) touch(touched, { kind, key }, nowS);
  }
}

const NOTHING: Description = { resources: [] };

interface Some {
  readonly kind: ResourceKind;
  readonly key: string;
  readonly resource: Resource | undefined;
  readonly nowS: number;
}

interface Noting {
  readonly touched: Touched;
  readonly nowS: number;
}

function touch(touched: Touched, { kind, key }: { readonly kind: ResourceKind; readonly key: string }, nowS: number) {
  let keys = touched.get(kind);
  if (keys === undefined) touched.set(kind, (keys = new Map()));
  keys.set(key, Math.max(nowS, keys.get(key) ?? 0));
}

function emptySeen(): Map<ResourceKind, Map<string, Resource>> {
  return new Map(RESOURCE_KINDS.map((kind) => [kind, new Map()]));
}
