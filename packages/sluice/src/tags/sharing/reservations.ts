import type { IdMessage } from '../../base/shared-ids.ts';
import type { ResourceKind } from '../description.ts';
import { isForeign, type Ids } from '../ids.ts';
import { isResourceKind, kindFacts, RESOURCE_KINDS } from '../kinds.ts';

/** Numbers that a hub reserves at a time: more than it gives out until the next reservation has come back to it, and few enough to be lost. */
const CHUNK_NARROW = 1024;
const CHUNK_WIDE = 1_000_000;

export const SHARED_KINDS: readonly ResourceKind[] = RESOURCE_KINDS.filter((kind) => !isForeign(kind));

/**
 * Up to which number each hub may give ids of a kind. A hub gives none before its reservation stands in the table, and begins above those of all
 * others: so what a hub gave out and could not publish before another took its place is given to nobody else.
 */
export class Reservations {
  readonly #hub: string;
  readonly #below = new Map<string, Map<ResourceKind, number>>();
  readonly #said = new Map<ResourceKind, number>();

  constructor(hub: string) {
    this.#hub = hub;
  }

  /** Takes in a message of record `reserved`. */
  note({ hub, kind, id }: IdMessage): void {
    if (!isResourceKind(kind)) return;
    let byKind = this.#below.get(hub);
    if (byKind === undefined) this.#below.set(hub, (byKind = new Map()));
    byKind.set(kind, Math.max(id, byKind.get(kind) ?? 0));
  }

  /** Makes numbers begin above what others reserved; `isNew`: what this hub had reserved itself is unknown to it as well. */
  skip(ids: Ids, isNew: boolean): void {
    for (const [hub, byKind] of this.#below) {
      if (hub === this.#hub && !isNew) continue;
      for (const [kind, below] of byKind) ids.skipTo(kind, below);
    }
  }

  /** Lets numbers be made up to what has come back. */
  apply(ids: Ids): void {
    for (const kind of SHARED_KINDS) ids.limit(kind, this.#own(kind));
  }

  /** Whether some of every kind can be given. */
  isReady(ids: Ids): boolean {
    return SHARED_KINDS.every((kind) => this.hasRoom(ids, kind) || this.#own(kind) > kindFacts(kind).mostIds);
  }

  /** Whether another number of a kind can be given. */
  hasRoom(ids: Ids, kind: ResourceKind): boolean {
    return ids.nextOf(kind) < Math.min(this.#own(kind), kindFacts(kind).mostIds + 1);
  }

  /** What is to be reserved now, by kind. `said` is to be called when it has been said. */
  due(ids: Ids): (readonly [kind: ResourceKind, below: number])[] {
    return SHARED_KINDS.flatMap((kind) => {
      const { mostIds } = kindFacts(kind);
      const chunk = mostIds > 0xffff ? CHUNK_WIDE : CHUNK_NARROW;
      const atLeast = (more: number) => Math.min(ids.nextOf(kind) + more, mostIds + 1, 0xffff_ffff);
      const said = Math.max(this.#said.get(kind) ?? 0, this.#own(kind));
      return said >= atLeast(chunk / 2) ? [] : [[kind, atLeast(chunk)] as const];
    });
  }

  said(kind: ResourceKind, below: number): void {
    this.#said.set(kind, below);
  }

  #own(kind: ResourceKind): number {
    return this.#below.get(this.#hub)?.get(kind) ?? 0;
  }
}
