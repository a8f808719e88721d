import type { Resource, ResourceRef } from './description.ts';
import { isSame, mergeResources } from './merge.ts';

/**
 * Resources of which several parts of one source tell something: each is described once, by all of them together. Parts count in the order of their
 * names.
 */
export class JoinedResources {
  readonly #parts = new Map<string, Map<string, Resource>>();
  readonly #joined = new Map<string, Resource>();
  readonly #touched = new Map<string, ResourceRef>();

  put(part: string, resource: Resource): void {
    const { kind, key } = resource;
    const id = `${kind} ${key}`;
    const parts = this.#parts.get(id);
    if (parts === undefined) this.#parts.set(id, new Map([[part, resource]]));
    else parts.set(part, resource);
    this.#touched.set(id, { kind, key });
  }

  remove(part: string, { kind, key }: ResourceRef): void {
    const id = `${kind} ${key}`;
    const parts = this.#parts.get(id);
    if (parts?.delete(part) !== true) return;
    if (parts.size === 0) this.#parts.delete(id);
    this.#touched.set(id, { kind, key });
  }

  /** What has become of resources since the last time. */
  take(): { readonly changed: readonly Resource[]; readonly gone: readonly ResourceRef[] } {
    const changed: Resource[] = [];
    const gone: ResourceRef[] = [];
    for (const [id, ref] of this.#touched) {
      const parts = this.#parts.get(id);
      if (parts === undefined) {
        if (this.#joined.delete(id)) gone.push(ref);
        continue;
      }
      const resource = join(parts);
      if (isSame(this.#joined.get(id), resource)) continue;
      this.#joined.set(id, resource);
      changed.push(resource);
    }
    this.#touched.clear();
    return { changed, gone };
  }

  /** Everything, as it was when `take` was called last. */
  resources(): Iterable<Resource> {
    return this.#joined.values();
  }
}

function join(parts: ReadonlyMap<string, Resource>): Resource {
  const sorted = [...parts].toSorted(([left], [right]) => (left < right ? -1 : 1));
  return mergeResources(sorted.map(([, resource]) => resource));
}
