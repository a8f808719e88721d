import { crc32 } from 'node:zlib';
import { errorText } from '../base/errors.ts';
import type { Append } from '../base/ports.ts';
import type { Batch } from '../batch/batch.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import { workloadTypeOfKey, type Pairs, type Resource, type ResourceKind } from './description.ts';
import { DictionaryRows } from './dictionary-rows.ts';
import type { Held } from './held.ts';
import type { IdRecord } from './id-file.ts';
import { isForeign } from './ids.ts';
import { kindFacts, RESOURCE_KINDS } from './kinds.ts';
import type { OrgInventory } from './org-inventory.ts';
import { parentsOf, PARTS } from './parents.ts';
import { Slices } from './slices.ts';

export interface DictionaryWriterOptions {
  readonly org: OrgInventory;
  /** Grows with every change of the inventory. */
  readonly names: { readonly version: number };
  /** What this hub is among those that share ids (sharing/); absent: it shares them with none. */
  readonly sharing?: Sharing | undefined;
  readonly append: Append<Batch>;
  readonly log: Log;
  /** How often it is looked whether anything has changed. Default 2 s. */
  readonly intervalMs?: number;
  readonly now?: () => number;
}

/** Who tells the names of what has an id: the hub that gives ids, with its term; the others only those of their agents and processes. */
export interface Sharing {
  readonly gives: boolean;
  readonly term: number;
}

const INTERVAL_MS = 2000;
/** Least time between two looks at the tags of all resources. */
const TAGS_MS = 5000;
/** Everything is said again after this time, also after a start. */
const REPEAT_MS = 24 * 3_600_000;
const MOST_ROWS = 2000;

/** Kinds with custom tags, by family. */
const FAMILIES: readonly (readonly [
  kind: ResourceKind,
  family: string,
  pairs: (resource: Resource) => Pairs | undefined,
])[] = [
  ['pod', 'k8s.label', (one) => (one.kind === 'pod' ? one.labels : undefined)],
  ['pod', 'k8s.annotation', (one) => (one.kind === 'pod' ? one.annotations : undefined)],
  ['pod', 'k8s.env', (one) => (one.kind === 'pod' ? one.environment : undefined)],
  ['pod_service', 'k8s.label', (one) => (one.kind === 'pod_service' ? one.labels : undefined)],
  ['pod_service', 'k8s.annotation', (one) => (one.kind === 'pod_service' ? one.annotations : undefined)],
  ['pod_ns', 'cloud.tag', (one) => (one.kind === 'pod_ns' ? one.cloudTags : undefined)],
  ['chost', 'cloud.tag', (one) => (one.kind === 'chost' ? one.cloudTags : undefined)],
  ['gprocess', 'os.app', (one) => (one.kind === 'gprocess' ? one.appTags : undefined)],
];

const NONE: Pairs = [];

/**
 * Keeps flow_tag.* current: rows for what has changed since they were last written, a few milliseconds of work at a time. What the journal refuses is
 * tried again with the next look.
 */
export class DictionaryWriter {
  readonly #options: DictionaryWriterOptions;
  readonly #now: () => number;
  readonly #rows = new DictionaryRows();
  readonly #mayLog = rateLimited(60_000);
  /** What rows say of names, by kind and id. */
  #names = new Map<ResourceKind, Map<number, string>>();
  /** And of custom tags, by place in FAMILIES and id. */
  #pairs = new Map<number, Map<number, Pairs>>();
  /** And of what resources are part of, by kind and id. */
  #parents = new Map<ResourceKind, Map<number, string>>();
  #namesVersion = 0;
  #tagsVersion = 0;
  #tagsMs = -Infinity;
  /** As what this hub has told names. */
  #toldAs = '';
  #beganMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: DictionaryWriterOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  start(): void {
    const { intervalMs = INTERVAL_MS } = this.#options;
    this.#timer = setInterval(() => void this.look(), intervalMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  /** Writes what has changed. Never rejects. */
  async look(): Promise<void> {
    this.#running ??= this.#write()
      .catch((error: unknown) => this.#complain(error))
      .finally(() => {
        this.#running = undefined;
      });
    await this.#running;
  }

  async #write(): Promise<void> {
    const { names, sharing } = this.#options;
    const nowMs = this.#now();
    const { version } = names;
    const isRepeat = nowMs - this.#beganMs >= REPEAT_MS;
    const toldAs = sharing === undefined ? 'alone' : `${sharing.gives} ${sharing.term}`;
    if (isRepeat) {
      this.#names = new Map();
      this.#pairs = new Map();
      this.#parents = new Map();
    }
    const writing = { slices: new Slices(), pending: [] };
    if (isRepeat || toldAs !== this.#toldAs || version !== this.#namesVersion) {
      await this.#writeNames(isRepeat || toldAs !== this.#toldAs, writing);
      await this.#writeParents(isRepeat, writing);
      this.#namesVersion = version;
      this.#toldAs = toldAs;
    }
    // Nobody waits for them, and all resources are looked at.
    if (isRepeat || (version !== this.#tagsVersion && nowMs - this.#tagsMs >= TAGS_MS)) {
      await this.#writeTags(writing);
      this.#tagsVersion = version;
      this.#tagsMs = nowMs;
    }
    if (isRepeat) this.#beganMs = nowMs;
  }

  async #writeNames(isAll: boolean, writing: Writing): Promise<void> {
    const { ids } = this.#options.org;
    const untold = ids.takeUntold();
    try {
      for (const kind of isAll ? RESOURCE_KINDS : []) {
        for (const record of ids.records(kind)) {
          this.#name(record, writing.pending);
          if (this.#isPauseDue(writing)) await this.#pause(writing);
        }
      }
      for (const record of isAll ? [] : untold) {
        // What has lost its number since is nobody's any more.
        if (ids.recordOf(record.kind, record.key) === record) this.#name(record, writing.pending);
        if (this.#isPauseDue(writing)) await this.#pause(writing);
      }
      await this.#flush(writing.pending);
    } catch (error) {
      ids.putBackUntold(untold);
      throw error;
    }
  }

  /** Who gives ids plays no part in it: it is told by whoever describes the resource. */
  async #writeParents(isAll: boolean, writing: Writing): Promise<void> {
    const { builder } = this.#options.org;
    const applied = builder.takeApplied();
    try {
      for (const kind of PARTS) {
        for (const key of isAll ? builder.all(kind).keys() : (applied.get(kind) ?? [])) {
          const held = builder.find(kind, key);
          if (held !== undefined) this.#parentsOf(held, writing.pending);
          if (this.#isPauseDue(writing)) await this.#pause(writing);
        }
      }
      await this.#flush(writing.pending);
    } catch (error) {
      builder.putBackApplied(applied);
      throw error;
    }
  }

  async #writeTags(writing: Writing): Promise<void> {
    const { org } = this.#options;
    const { pending } = writing;
    for (const [place, [kind]] of FAMILIES.entries()) {
      const seen = new Set<number>();
      for (const { resource, id } of org.builder.all(kind).values()) {
        if (id === 0) continue;
        seen.add(id);
        this.#tags(place, id, resource, pending);
        if (this.#isPauseDue(writing)) await this.#pause(writing);
      }
      for (const id of this.#pairs.get(place)?.keys() ?? []) {
        if (!seen.has(id) && !this.#isThere(kind, id)) this.#tags(place, id, undefined, pending);
        if (this.#isPauseDue(writing)) await this.#pause(writing);
      }
    }
    await this.#flush(pending);
  }

  #isPauseDue({ slices }: Writing): boolean {
    return slices.isDue || this.#rows.count >= MOST_ROWS;
  }

  async #pause({ slices, pending }: Writing): Promise<void> {
    if (this.#rows.count >= MOST_ROWS) await this.#flush(pending);
    if (slices.isDue) await slices.pause();
  }

  /** Whether another hub describes it. */
  #isThere(kind: ResourceKind, id: number): boolean {
    const { ids } = this.#options.org;
    const key = ids.keyOf(kind, id);
    return key !== undefined && ids.recordOf(kind, key)?.goneS === 0;
  }

  #name({ kind, id, key, name, goneS }: IdRecord, pending: (() => void)[]): void {
    const { sharing } = this.#options;
    if (id === 0 || (sharing?.gives === false && !isForeign(kind))) return;
    const term = isForeign(kind) ? 0 : (sharing?.term ?? 0);
    const known = this.#names.get(kind) ?? new Map<number, string>();
    this.#names.set(kind, known);
    const type = deviceTypeOf(kind, key);
    const said = `${goneS === 0 ? '' : 'gone '}${type} ${term} ${crc32(key)} ${name}`;
    if (known.get(id) === said) return;
    this.#rows.addName({ kind, id, deviceType: type, name, key, term, isDeleted: goneS !== 0 }, this.#now());
    pending.push(() => known.set(id, said));
  }

  #parentsOf(held: Held, pending: (() => void)[]): void {
    const { builder, live } = this.#options.org;
    const { id, resource } = held;
    if (id === 0) return;
    const { kind } = resource;
    const known = this.#parents.get(kind) ?? new Map<number, string>();
    this.#parents.set(kind, known);
    const parents = parentsOf({ find: builder.lookup, words: live.resources.words }, held);
    const said = parents.join(' ');
    if (known.get(id) === said) return;
    this.#rows.addParents({ kind, id, parents }, this.#now());
    pending.push(() => known.set(id, said));
  }

  #tags(place: number, id: number, resource: Resource | undefined, pending: (() => void)[]): void {
    const [kind, family, pairsOf] = FAMILIES[place]!;
    const known = this.#pairs.get(place) ?? new Map<number, Pairs>();
    this.#pairs.set(place, known);
    const before = known.get(id) ?? NONE;
    const pairs = (resource === undefined ? undefined : pairsOf(resource)) ?? NONE;
    if (before === pairs) return;
    const old = new Map(before);
    const nowMs = this.#now();
    for (const [name, value] of pairs) {
      if (old.get(name) !== value) this.#rows.addTag({ kind, id, family, name, value, isDeleted: false }, nowMs);
      old.delete(name);
    }
    for (const name of old.keys()) this.#rows.addTag({ kind, id, family, name, value: '', isDeleted: true }, nowMs);
    pending.push(() => (pairs.length === 0 ? known.delete(id) : known.set(id, pairs)));
  }

  async #flush(pending: (() => void)[]): Promise<void> {
    const { append, org } = this.#options;
    const done = pending.splice(0);
    const batches = this.#rows.finish(org.org);
    try {
      if (batches.length > 0) await append(batches);
    } finally {
      this.#rows.reset();
    }
    for (const note of done) note();
  }

  #complain(error: unknown): void {
    const { log, org } = this.#options;
    this.#rows.reset();
    this.#mayLog((suppressed) =>
      log.warn({ org: org.org, cause: errorText(error), suppressed }, 'cannot write dictionaries of tags; tried again'),
    );
  }
}

interface Writing {
  readonly slices: Slices;
  /** To be done when the rows are in the journal. */
  readonly pending: (() => void)[];
}

function deviceTypeOf(kind: ResourceKind, key: string): number {
  return kind === 'pod_group' ? workloadTypeOfKey(key) : (kindFacts(kind).device ?? 0);
}
