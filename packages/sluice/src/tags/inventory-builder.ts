import { ParsedAddress, readCidr } from '../base/address.ts';
import { ClaimWriter } from './claim-writer.ts';
import type { Pairs, Resource, ResourceKind } from './description.ts';
import { Facts } from './facts.ts';
import type { Known } from './address-facts.ts';
import { writeFacts } from './facts-of.ts';
import type { FindHeld, Held } from './held.ts';
import type { Ids } from './ids.ts';
import { kindFacts, RESOURCE_KINDS } from './kinds.ts';
import type { LiveInventory } from './live-inventory.ts';
import { isSame, mergeResources } from './merge.ts';
import { givenNumber, idOf, placementOf } from './placement.ts';
import { pointsTo, type Dirty } from './points-to.ts';
import type { Slices } from './slices.ts';
import { PRECEDENCE } from './source.ts';
import type { SourceView, Touched } from './source-view.ts';
import { Subnets } from './subnets.ts';

/** How long what was true is remembered, seconds. */
export const HISTORY_S = 900;
const MOST_GONE_LABELS = 20_000;
const NONE_RENUMBERED: ReadonlyMap<ResourceKind, ReadonlySet<string>> = new Map();

/**
 * Works changes of descriptions into an inventory: for each resource that changed, and those that point to it, what follows is worked out anew and
 * compared with what is there; where it differs the old claims end and new ones begin at the second the change was noticed. All of it is prepared in
 * slices of a few milliseconds; `publish` makes it true in one step.
 */
export class InventoryBuilder {
  readonly inventory: LiveInventory;
  readonly #ids: Ids;
  readonly #onFault: OnFault;
  readonly #held = new Map<ResourceKind, Map<string, Held>>(RESOURCE_KINDS.map((kind) => [kind, new Map()]));
  readonly #containers = new Map<string, string>();
  readonly #facts = new Facts();
  readonly #writer: ClaimWriter;
  readonly #known: Known;
  #subnets = new Subnets();
  /** Labels of pods that are gone, by id: their rows may still be on the way out. */
  readonly #goneLabels = new Map<number, Pairs>();
  readonly #unnumbered = new Map<ResourceKind, Set<string>>(RESOURCE_KINDS.map((kind) => [kind, new Set()]));
  /** Keys of nodes by name. */
  readonly #nodes = new Map<string, Set<string>>();
  #applied: Dirty = new Map();

  constructor(inventory: LiveInventory, ids: Ids, onFault: OnFault) {
    this.inventory = inventory;
    this.#ids = ids;
    this.#onFault = onFault;
    this.#writer = new ClaimWriter(inventory);
    const find: FindHeld = (kind, key) => (key === undefined ? undefined : this.#held.get(kind)!.get(key));
    const subnets = () => this.#subnets;
    this.#known = {
      find,
      get subnets() {
        return subnets();
      },
      regionOfVpc: (vpc) => {
        const held = find('vpc', ids.keyOf('vpc', vpc));
        return held?.resource.kind === 'vpc' ? idOf(find, 'region', held.resource.region) : 0;
      },
      podOfContainer: (container) => this.#containers.get(container),
    };
  }

  /** Whether something waits for `publish`. */
  get isPrepared(): boolean {
    return this.#writer.isPrepared;
  }

  find(kind: ResourceKind, key: string): Held | undefined {
    return this.#held.get(kind)!.get(key);
  }

  /** `find`, to hand on. */
  get lookup(): FindHeld {
    return this.#known.find;
  }

  /** Resources of a kind. */
  all(kind: ResourceKind): ReadonlyMap<string, Held> {
    return this.#held.get(kind)!;
  }

  /** Keys of the resources of a kind that have no number. */
  unnumbered(kind: ResourceKind): ReadonlySet<string> {
    return this.#unnumbered.get(kind)!;
  }

  /** Keys of the nodes with this name, in any cluster. */
  nodesNamed(name: string): readonly string[] {
    return [...(this.#nodes.get(name) ?? [])];
  }

  /** Labels of a pod, also of one that is gone, for a while. */
  labelsOf(podId: number): Pairs {
    const key = this.#ids.keyOf('pod', podId);
    const resource = key === undefined ? undefined : this.#held.get('pod')!.get(key)?.resource;
    return (resource?.kind === 'pod' ? resource.labels : this.#goneLabels.get(podId)) ?? [];
  }

  /**
   * Takes in what changed in these sources (best first), and resources whose number may be another one now; `nowS` epoch seconds. Nothing of it is seen
   * before `publish`.
   */
  async prepare(
    views: readonly SourceView[],
    slices: Slices,
    nowS: number,
    renumbered: ReadonlyMap<ResourceKind, ReadonlySet<string>> = NONE_RENUMBERED,
  ): Promise<void> {
    const touched: Touched = new Map();
    const first = new Set(views.filter((view) => view.isFirst && view.isChanged));
    for (const view of views) if (view.isChanged) await view.take(touched, slices);
    const dirty: Dirty = new Map();
    const containers = new Set<string>();
    for (const kind of RESOURCE_KINDS) {
      const keys = touched.get(kind);
      for (const [key, noticedS] of keys ?? []) {
        const found = views.filter((view) => view.find(kind, key) !== undefined);
        const since = found.every((view) => first.has(view)) ? 0 : noticedS;
        try {
          this.#change({ kind, key, found, dirty, containers, noticedS, newFromS: since });
        } catch (error) {
          // One resource that makes no sense costs itself.
          this.#onFault(kind, key, error);
        }
        if (slices.isDue) await slices.pause();
      }
      for (const key of renumbered.get(kind) ?? []) {
        try {
          this.#renumber({ kind, key, dirty, nowS });
        } catch (error) {
          this.#onFault(kind, key, error);
        }
        if (slices.isDue) await slices.pause();
      }
      await this.#follow(kind, { dirty, containers, slices, nowS, touched: keys, renumbered: renumbered.get(kind) });
      if (kind === 'subnet' && (dirty.has('subnet') || dirty.has('vpc'))) this.#listSubnets();
    }
  }

  /** Resources that were worked out since this was last called: what they are part of may be something else now. */
  takeApplied(): Dirty {
    const applied = this.#applied;
    this.#applied = new Map();
    return applied;
  }

  /** Nothing could be done with them. */
  putBackApplied(applied: Dirty): void {
    for (const [kind, keys] of applied) for (const key of keys) mark(this.#applied, kind, key);
  }

  /** Makes what was prepared true; false when nothing was. */
  publish(): boolean {
    return this.#writer.publish();
  }

  /** Removes what nobody can ask for any more. */
  forget(nowS: number, slices: Slices): Promise<void> {
    return this.#writer.forget(nowS - HISTORY_S, slices);
  }

  #change({ kind, key, found, dirty, containers, noticedS, newFromS }: Change): void {
    const all = this.#held.get(kind)!;
    const before = all.get(key);
    this.#noteContainers(before?.resource, containers, undefined);
    if (before?.resource.kind === 'pod_node') this.#dropNode(before.resource.name, key);
    const [best] = found;
    if (best === undefined) {
      if (before === undefined) return;
      all.delete(key);
      this.#unnumbered.get(kind)!.delete(key);
      this.#keepLabels(before);
      this.#writer.end(before, noticedS);
      this.#ids.vanish(kind, key, noticedS);
      mark(dirty, kind, key);
      return;
    }
    const resource = mergeResources(found.map((view) => view.find(kind, key)!));
    this.#noteContainers(resource, containers, key);
    if (resource.kind === 'pod_node') this.#noteNode(resource.name, key);
    const precedence = PRECEDENCE.indexOf(best.source.kind);
    if (before !== undefined && before.precedence === precedence && isSame(before.resource, resource)) return;
    mark(dirty, kind, key);
    const id = this.#numberOf(resource);
    this.#apply({ resource, id, precedence, before, noticedS, newFromS });
  }

  /** Takes over another number of a resource. One that it had none before has been its number all along. */
  #renumber({ kind, key, dirty, nowS }: Renumbering): void {
    const before = this.#held.get(kind)!.get(key);
    if (before === undefined) return;
    const { resource, precedence } = before;
    const id = this.#numberOf(resource);
    if (id === before.id) return;
    mark(dirty, kind, key);
    const since = before.id === 0 ? before.fromS : nowS;
    this.#apply({ resource, id, precedence, before, noticedS: nowS, newFromS: nowS, since });
  }

  /** Works out anew what follows from resources of a kind that point to what changed. */
  async #follow(
    kind: ResourceKind,
    { dirty, containers, slices, nowS, touched, renumbered }: Following,
  ): Promise<void> {
    const { parents } = kindFacts(kind);
    if (!parents.some((parent) => dirty.has(parent)) && !(kind === 'gprocess' && containers.size > 0)) return;
    // What is worked out is put back under the same keys.
    for (const held of this.#held.get(kind)!.values()) {
      const { resource, id, precedence } = held;
      if (slices.isDue) await slices.pause();
      // What was just worked out knew of all changes, other than those of its own kind.
      const isDone = touched?.has(resource.key) === true || renumbered?.has(resource.key) === true;
      if ((isDone && kind !== 'vpc') || !pointsTo(resource, dirty, containers)) continue;
      this.#apply({ resource, id, precedence, before: held, noticedS: nowS, newFromS: nowS });
      mark(dirty, kind, resource.key);
    }
  }

  #apply({ resource, id, precedence, before, noticedS, newFromS, since }: Applying): void {
    mark(this.#applied, resource.kind, resource.key);
    const unnumbered = this.#unnumbered.get(resource.kind)!;
    if (id === 0) unnumbered.add(resource.key);
    else unnumbered.delete(resource.key);
    const facts = this.#facts;
    writeFacts(facts, this.#known, { resource, id, precedence });
    const { signature, hasAddress } = facts;
    const all = this.#held.get(resource.kind)!;
    if (before?.signature === signature) {
      all.set(resource.key, { ...before, resource, id, precedence });
      return;
    }
    // What had no address before may have got it earlier than it was noticed.
    const isNew = before === undefined || (!before.hasAddress && hasAddress);
    const fromS = since ?? (isNew ? this.#beginOf(resource, newFromS, noticedS) : noticedS);
    if (before !== undefined) this.#writer.end(before, noticedS);
    all.set(resource.key, { resource, id, precedence, signature, hasAddress, ...this.#writer.begin(facts, fromS) });
  }

  /** When a new resource began: when it says so, if that is within what is remembered; else as far back as is known. */
  #beginOf(resource: Resource, newFromS: number, noticedS: number): number {
    const since = 'since' in resource ? resource.since : undefined;
    if (since === undefined) return newFromS;
    return since <= noticedS - HISTORY_S ? 0 : Math.min(Math.floor(since), noticedS);
  }

  #numberOf(resource: Resource): number {
    const { kind, key, name } = resource;
    const given = givenNumber(resource);
    if (given !== undefined && this.#ids.adopt(kind, key, { id: given, name })) return given;
    return this.#ids.idOf(kind, key, name);
  }

  #noteNode(name: string, key: string): void {
    const keys = this.#nodes.get(name) ?? new Set();
    this.#nodes.set(name, keys.add(key));
  }

  /** Nodes come and go with new names: of those that are gone nothing may stay. */
  #dropNode(name: string, key: string): void {
    const keys = this.#nodes.get(name);
    keys?.delete(key);
    if (keys?.size === 0) this.#nodes.delete(name);
  }

  #keepLabels({ resource, id }: Held): void {
    if (resource.kind !== 'pod' || resource.labels === undefined) return;
    this.#goneLabels.set(id, resource.labels);
    if (this.#goneLabels.size <= MOST_GONE_LABELS) return;
    const [oldest] = this.#goneLabels.keys();
    this.#goneLabels.delete(oldest!);
  }

  #noteContainers(resource: Resource | undefined, containers: Set<string>, key: string | undefined): void {
    if (resource?.kind !== 'pod') return;
    for (const container of resource.containers ?? []) {
      containers.add(container);
      if (key === undefined) this.#containers.delete(container);
      else this.#containers.set(container, key);
    }
  }

  #listSubnets(): void {
    this.#subnets = new Subnets();
    const { find, regionOfVpc } = this.#known;
    const prefix = new ParsedAddress();
    const byPrecedence = [...this.#held.get('subnet')!.values()].toSorted(
      (left, right) => left.precedence - right.precedence || left.id - right.id,
    );
    for (const { resource, id } of byPrecedence) {
      if (resource.kind !== 'subnet' || id === 0) continue;
      const { vpc, region, az } = placementOf(find, resource);
      for (const cidr of resource.cidrs) {
        const length = readCidr(cidr, prefix);
        if (length !== undefined)
          this.#subnets.add(vpc, prefix, length, { id, region: region || regionOfVpc(vpc), az });
      }
    }
  }
}

/** Told of a resource that cannot be taken in. */
export type OnFault = (kind: ResourceKind, key: string, error: unknown) => void;

interface Change {
  readonly kind: ResourceKind;
  readonly key: string;
  /** Sources that describe it, best first. */
  readonly found: readonly SourceView[];
  readonly dirty: Dirty;
  readonly containers: Set<string>;
  readonly noticedS: number;
  /** When it began, if it is new and does not say. */
  readonly newFromS: number;
}

interface Following {
  readonly dirty: Dirty;
  readonly containers: ReadonlySet<string>;
  readonly slices: Slices;
  readonly nowS: number;
  readonly touched: ReadonlyMap<string, number> | undefined;
  readonly renumbered: ReadonlySet<string> | undefined;
}

interface Renumbering {
  readonly kind: ResourceKind;
  readonly key: string;
  readonly dirty: Dirty;
  readonly nowS: number;
}

interface Applying {
  readonly resource: Resource;
  readonly id: number;
  readonly precedence: number;
  readonly before: Held | undefined;
  readonly noticedS: number;
  readonly newFromS: number;
  /** Since when it is true, where nothing was said of it before. */
  readonly since?: number;
}

function mark(dirty: Dirty, kind: ResourceKind, key: string): void {
  let keys = dirty.get(kind);
  if (keys === undefined) dirty.set(kind, (keys = new Set()));
  keys.add(key);
}
