import { errorText } from '../base/errors.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { Periodic } from '../telemetry/periodic.ts';
import { emptyInventory } from './empty-inventory.ts';
import type { ResourceKind } from './description.ts';
import type { Ids } from './ids.ts';
import type { Inventory } from './inventory.ts';
import { InventoryBuilder } from './inventory-builder.ts';
import { RESOURCE_KINDS } from './kinds.ts';
import { LiveInventory, MISSES } from './live-inventory.ts';
import { Slices } from './slices.ts';
import { PRECEDENCE, type Source, type SourceState } from './source.ts';
import { SourceView } from './source-view.ts';

/** Where ids come from that hubs share (sharing/). */
export interface IdOrigin {
  /** The hub that gives them, as people call it. */
  readonly giver: string;
  /** Described resources that have none yet. */
  readonly missing: number;
}

export interface OrgInventoryOptions {
  readonly org: number;
  readonly ids: Ids;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Called after every change of answers. */
  readonly onPublished: () => void;
  /** Changes that come within this time are taken in together. */
  readonly gatherMs?: number;
  readonly now?: () => number;
}

const GATHER_MS = 1000;
const TEND_MS = 5000;
const LET_GO_S = 3600;

/** The inventory of one organisation, kept up with its sources. */
export class OrgInventory {
  readonly live = new LiveInventory();
  readonly builder: InventoryBuilder;
  readonly ids: Ids;
  readonly org: number;
  /** Absent: this hub shares ids with no other. */
  idOrigin: IdOrigin | undefined;
  readonly #options: OrgInventoryOptions;
  /** Best first. Replaced when sources come and go, as one that is being taken in must stay as it is. */
  #views: readonly SourceView[] = [];
  /** Ends listening to a source. */
  readonly #stops = new Map<SourceView, () => void>();
  readonly #tending: Periodic;
  readonly #mayLog = rateLimited(60_000);
  readonly #mayLogFault = rateLimited(60_000);
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isPublished = false;
  #isStopped = false;
  #letGoS: number;
  /** Resources whose number is to be looked up again; undefined = nothing is to be done. */
  #renumbered: Map<ResourceKind, Set<string>> | undefined;

  constructor(options: OrgInventoryOptions) {
    this.#options = options;
    this.org = options.org;
    this.ids = options.ids;
    this.builder = new InventoryBuilder(this.live, options.ids, (kind, key, error) =>
      this.#mayLogFault((suppressed) =>
        options.log.error(
          { org: options.org, kind, key, cause: errorText(error), suppressed },
          'cannot take a resource into the tag inventory; it is left out',
        ),
      ),
    );
    this.#letGoS = this.#nowS();
    this.#tending = new Periodic({
      work: () => this.#tend(),
      pauseMs: TEND_MS,
      log: options.log,
      failure: 'cannot look after the tag inventory; tried again',
      fields: { org: options.org },
    });
    this.#tending.start();
  }

  /** What rows are tagged by: knows nothing until a source has told something. */
  get inventory(): Inventory {
    return this.#isPublished ? this.live : emptyInventory;
  }

  /** Its sources, best first. */
  get sources(): readonly Source[] {
    return this.#views.filter(({ isGone }) => !isGone).map(({ source }) => source);
  }

  /** From now on the source counts. */
  add(source: Source): void {
    const view = new SourceView(source);
    this.#views = [...this.#views, view].toSorted(
      (left, right) => rank(left.source) - rank(right.source) || byName(left.source, right.source),
    );
    this.#stops.set(
      view,
      source.onChange((change) => {
        view.note(change, this.#nowS());
        this.#schedule();
      }),
    );
    view.note({ kind: 'all' }, this.#nowS());
    this.#schedule();
  }

  /** The source counts no more: what it alone described is gone, as if it had said so itself. */
  remove(source: Source): void {
    const view = this.#views.find((one) => one.source === source && !one.isGone);
    if (view === undefined) return;
    this.#stops.get(view)?.();
    this.#stops.delete(view);
    view.end(this.#nowS());
    this.#schedule();
  }

  /** Takes in everything that sources have told until now, at once. */
  async settle(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#running !== undefined) await this.#running;
    if (!this.#isStopped && this.#isChanged) {
      this.#start();
      await this.settle();
    }
  }

  /** Takes in nothing new; resolves when what is under way has ended, so that its ids can be closed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const stop of this.#stops.values()) stop();
    this.#stops.clear();
    await this.#tending.stop();
    await this.#running;
  }

  /** Resources of a kind that a source describes. */
  sizes(source: Source): { readonly kind: string; readonly count: number }[] {
    const view = this.#views.find((one) => one.source === source);
    return RESOURCE_KINDS.map((kind) => ({ kind, count: view?.size(kind) ?? 0 })).filter(({ count }) => count > 0);
  }

  /** Names of the sources that describe a resource, best first. */
  describedBy(kind: ResourceKind, key: string): readonly string[] {
    return this.#views.filter((view) => view.find(kind, key) !== undefined).map(({ source }) => source.name);
  }

  /** The numbers of these resources may be others now, or others have been made: they are taken in and saved as any change is. */
  renumber(changed: Iterable<readonly [kind: ResourceKind, key: string]>): void {
    const renumbered = (this.#renumbered ??= new Map());
    for (const [kind, key] of changed) {
      let keys = renumbered.get(kind);
      if (keys === undefined) renumbered.set(kind, (keys = new Set()));
      keys.add(key);
    }
    this.#schedule();
  }

  /** Resources that have a number and that nobody describes any more: they went while this hub was away, or another one gave the numbers. */
  async letGo(slices = new Slices()): Promise<void> {
    const nowS = this.#nowS();
    this.#letGoS = nowS;
    // What a source has never told it may still describe.
    if (!this.ids.gives || this.#views.some((view) => view.isFirst)) return;
    for (const kind of RESOURCE_KINDS) {
      for (const { key, goneS } of this.ids.records(kind)) {
        if (goneS === 0 && this.builder.find(kind, key) === undefined) this.ids.vanish(kind, key, nowS);
        if (slices.isDue) await slices.pause();
      }
    }
    this.renumber([]);
  }

  get #isChanged(): boolean {
    return this.#renumbered !== undefined || this.#views.some((view) => view.isChanged);
  }

  #nowS(): number {
    return Math.floor((this.#options.now ?? Date.now)() / 1000);
  }

  #schedule(): void {
    if (this.#isStopped || this.#running !== undefined) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#start();
    }, this.#options.gatherMs ?? GATHER_MS).unref();
  }

  #start(): void {
    if (this.#running === undefined) this.#run(this.#build());
  }

  #run(work: Promise<void>): void {
    this.#running = work
      .catch((error: unknown) => {
        const { log, org } = this.#options;
        this.#mayLog((suppressed) =>
          log.error(
            { org, cause: errorText(error), suppressed },
            'cannot take in a change of the tag inventory; tried again',
          ),
        );
      })
      .finally(() => this.#ended());
  }

  #ended(): void {
    this.#running = undefined;
    if (this.builder.isPrepared || this.#isChanged) this.#schedule();
  }

  async #build(): Promise<void> {
    const { metrics, org, ids, onPublished } = this.#options;
    const slices = new Slices();
    const nowS = this.#nowS();
    const renumbered = this.#renumbered;
    this.#renumbered = undefined;
    await this.builder.prepare(this.#views, slices, nowS, renumbered);
    // A number must be on its way to the disk before it can stand in a row.
    await ids.save(nowS, () => slices.pause());
    const hasChanged = this.builder.publish();
    this.#isPublished ||= hasChanged || this.#views.some((view) => !view.isFirst);
    if (this.#isPublished) onPublished();
    metrics.tagBuildSeconds.observe({ org }, slices.workedMs / 1000);
    await this.builder.forget(nowS, slices);
    this.#dropGone();
    this.#measure();
  }

  /** Nothing stays of sources that are gone, once what they had told was taken back. */
  #dropGone(): void {
    const dropped = this.#views.filter((view) => view.isGone && !view.isChanged);
    if (dropped.length === 0) return;
    this.#views = this.#views.filter((view) => !dropped.includes(view));
    const { metrics, org } = this.#options;
    for (const view of dropped) {
      const source = view.source.name;
      metrics.tagSourceUp.remove({ org, source });
      metrics.tagSourceAge.remove({ org, source });
      for (const kind of RESOURCE_KINDS) metrics.tagResources.remove({ org, kind, source });
    }
  }

  async #tend(): Promise<void> {
    for (const source of this.sources) this.#measureAge(source.name, source.state());
    for (const [index, kind] of MISSES.entries()) {
      const count = this.live.misses[index]!;
      if (count > 0) this.#options.metrics.tagMisses.inc({ org: this.org, kind }, count);
    }
    this.live.misses.fill(0);
    if (this.#nowS() - this.#letGoS >= LET_GO_S) await this.letGo();
    if (this.#running === undefined && !this.#isStopped) this.#run(this.builder.forget(this.#nowS(), new Slices()));
  }

  #measure(): void {
    const { metrics, org } = this.#options;
    metrics.tagMemory.set({ org }, this.live.bytes);
    for (const view of this.#views) {
      for (const kind of RESOURCE_KINDS) {
        const labels = { org, kind, source: view.source.name };
        const count = view.size(kind);
        if (count > 0) metrics.tagResources.set(labels, count);
        else metrics.tagResources.remove(labels);
      }
    }
  }

  #measureAge(source: string, { kind, lastSuccessMs }: SourceState): void {
    const { metrics, org, now = Date.now } = this.#options;
    metrics.tagSourceUp.set({ org, source }, kind === 'up' ? 1 : 0);
    if (lastSuccessMs !== undefined)
      metrics.tagSourceAge.set({ org, source }, Math.max(0, now() - lastSuccessMs) / 1000);
  }
}

function rank({ kind }: Source): number {
  return PRECEDENCE.indexOf(kind);
}

function byName(left: Source, right: Source): number {
  return left.name < right.name ? -1 : 1;
}
