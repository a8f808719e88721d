import type { IdMessage } from '../../base/shared-ids.ts';
import type { ResourceKind } from '../description.ts';
import { isForeign } from '../ids.ts';
import { isResourceKind } from '../kinds.ts';

/** What one hub asks. */
export interface Request {
  readonly name: string;
  /** The id that the resource should have, 0 = any. */
  readonly id: number;
  readonly timeMs: number;
}

/** Requests are repeated every day: of a hub that has not done so for three, none counts. */
const FORGET_AFTER_MS = 3 * 86_400_000;

/** Resources that other hubs describe and ask ids for: for the hub that gives them. */
export class Requests {
  readonly #own: string;
  /** By kind, key and hub. Withdrawn ones stay until they are forgotten, so that an older statement does not count again. */
  readonly #byKind = new Map<ResourceKind, Map<string, Map<string, Request & { readonly isGone: boolean }>>>();
  #changed = new Map<string, readonly [ResourceKind, string]>();

  constructor(own: string) {
    this.#own = own;
  }

  note({ hub, kind, key, name, id, isGone, timeMs }: IdMessage): void {
    if (hub === this.#own || !isResourceKind(kind) || isForeign(kind)) return;
    let byKey = this.#byKind.get(kind);
    if (byKey === undefined) this.#byKind.set(kind, (byKey = new Map()));
    let byHub = byKey.get(key);
    if (byHub === undefined) byKey.set(key, (byHub = new Map()));
    const before = byHub.get(hub);
    if (before !== undefined && before.timeMs >= timeMs) return;
    byHub.set(hub, { name, id, timeMs, isGone });
    this.mark(kind, key);
  }

  /** Whether another hub describes it. */
  has(kind: ResourceKind, key: string): boolean {
    return this.find(kind, key) !== undefined;
  }

  /** What is asked for a resource; of several hubs the one that asked last. */
  find(kind: ResourceKind, key: string): Request | undefined {
    let last: Request | undefined;
    for (const one of this.#byKind.get(kind)?.get(key)?.values() ?? []) {
      if (!one.isGone && (last === undefined || one.timeMs > last.timeMs)) last = one;
    }
    return last;
  }

  /** Resources for which something else is asked than when this was called last. */
  takeChanged(): Iterable<readonly [ResourceKind, string]> {
    const changed = this.#changed;
    this.#changed = new Map();
    return changed.values();
  }

  /** Everything is to be looked at again. */
  markAll(): void {
    for (const [kind, byKey] of this.#byKind) for (const key of byKey.keys()) this.mark(kind, key);
  }

  /** Drops what has not been repeated. `nowMs` epoch. */
  forget(nowMs: number): void {
    for (const [kind, byKey] of this.#byKind) {
      for (const [key, byHub] of byKey) {
        for (const [hub, { timeMs, isGone }] of byHub) {
          if (nowMs - timeMs < FORGET_AFTER_MS) continue;
          byHub.delete(hub);
          if (!isGone) this.mark(kind, key);
        }
        if (byHub.size === 0) byKey.delete(key);
      }
    }
  }

  /** The resource is to be looked at again. */
  mark(kind: ResourceKind, key: string): void {
    this.#changed.set(`${kind} ${key}`, [kind, key]);
  }
}
