import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ResourceKind } from './description.ts';
import { GoneRecords } from './gone-records.ts';
import { IdFile, type IdRecord } from './id-file.ts';
import { kindFacts, RESOURCE_KINDS } from './kinds.ts';

export interface IdsOptions {
  readonly path: string;
  readonly org: number;
  /**
   * Whether numbers are made here. `shared`: hubs agree which of them makes them (sharing/); until `give` is called a resource has none (0) until it is
   * known (`learn`).
   */
  readonly allocates: boolean | 'shared';
  readonly metrics: Metrics;
  readonly log: Log;
}

/**
 * Numbers of resources: the same resource has the same one over restarts, and no number means two resources.
 *
 * Numbers of a kind go up from 1. A resource that is gone keeps its number, and its name, for 31 days, the longest that rows are usually kept (of more
 * than 200,000 gone ones of a kind the first are forgotten earlier; numbers still only go up). Where columns are 16 bits wide the numbers below come
 * into use again once all have been used, each after its resource has been forgotten; when there is none left, further resources have none.
 */
export class Ids {
  readonly #options: IdsOptions;
  readonly #file: IdFile;
  readonly #kinds = new Map<ResourceKind, KindIds>(
    RESOURCE_KINDS.map((kind) => [
      kind,
      {
        byKey: new Map(),
        byId: new Map(),
        next: kindFacts(kind).firstId ?? 1,
        below: Infinity,
        gone: new GoneRecords(),
        retryS: 0,
      },
    ]),
  );
  /** What is to be written. */
  readonly #changed = new Set<IdRecord>();
  /** What is to be told others. */
  #untold = new Set<IdRecord>();
  #gives: boolean;
  /** Whether somebody else than this hub's own sources describes a resource. */
  isKept: (kind: ResourceKind, key: string) => boolean = () => false;
  /** The file knew nothing. */
  readonly wasEmpty: boolean;

  /** Throws SluiceError `format_too_new` and `data_dir_unusable`. */
  constructor(options: IdsOptions) {
    this.#options = options;
    const { path, log, allocates } = options;
    this.#gives = allocates === true;
    const { file, isClosed } = IdFile.open(path, log, (record) => this.#load(record));
    this.#file = file;
    this.wasEmpty = file.lines === 0;
    for (const [kind, ids] of this.#kinds) {
      if (allocates === 'shared') ids.below = 0;
      for (const record of ids.byKey.values()) if (record.goneS !== 0) ids.gone.add(record);
      // What was given out last may not have reached the disk.
      if (!isClosed) ids.next += kindFacts(kind).mostIds <= 0xffff ? SKIP_NARROW : SKIP_WIDE;
    }
  }

  /** The number of a resource that is described; 0 = it has none. */
  idOf(kind: ResourceKind, key: string, name: string): number {
    const ids = this.#of(kind);
    const known = ids.byKey.get(key);
    if (known !== undefined) {
      if (!this.#isLearnt(known)) this.#note(ids, known, name);
      return known.id;
    }
    const id = this.#gives ? this.#allocate(kind, ids) : 0;
    if (id !== 0) this.#add(ids, { kind, id, key, name, goneS: 0, term: 0 });
    return id;
  }

  /**
   * Takes a number that somebody else has given. False: it already means another resource that is still described; agents and processes, whose
   * numbers are never made here, get theirs in any case. Where another hub gives the numbers, its word counts.
   */
  adopt(kind: ResourceKind, key: string, { id, name }: { readonly id: number; readonly name: string }): boolean {
    const ids = this.#of(kind);
    const holder = ids.byId.get(id);
    if (holder?.key === key) {
      if (!this.#isLearnt(holder)) this.#note(ids, holder, name);
      return true;
    }
    const before = ids.byKey.get(key);
    if (this.#isLearnt(holder) || this.#isLearnt(before)) return false;
    if (holder !== undefined && holder.goneS === 0 && !isForeign(kind)) return false;
    this.#replace(ids, { kind, id, key, name, goneS: 0, term: 0 });
    return true;
  }

  /** Nobody describes the resource any more. */
  vanish(kind: ResourceKind, key: string, nowS: number): void {
    const ids = this.#of(kind);
    const record = ids.byKey.get(key);
    if (record === undefined || record.goneS !== 0 || this.#isLearnt(record) || this.isKept(kind, key)) return;
    this.#setGone(ids, record, nowS);
    this.#write(record);
  }

  /** Whether numbers are made here now. */
  get gives(): boolean {
    return this.#gives;
  }

  /** From now on numbers are made here, or not any more. */
  give(gives: boolean): void {
    this.#gives = gives;
  }

  /** Only numbers below one are made; of kinds whose hubs share them, none before this is said. */
  limit(kind: ResourceKind, below: number): void {
    this.#of(kind).below = below;
  }

  /** The next number that would be made. */
  nextOf(kind: ResourceKind): number {
    return this.#of(kind).next;
  }

  /** No number below one is made any more, as others may have been given it. */
  skipTo(kind: ResourceKind, next: number): void {
    const ids = this.#of(kind);
    ids.next = Math.max(ids.next, next);
  }

  /** What is known of a resource's number. */
  recordOf(kind: ResourceKind, key: string): Readonly<IdRecord> | undefined {
    return this.#of(kind).byKey.get(key);
  }

  /**
   * Takes over what the hub that makes the numbers has published; false when nothing is new. `changed` is called with each resource whose number is
   * another one now, or none; its last argument says that the number has been taken from a resource that is still described.
   */
  learn(record: IdRecord, changed: (kind: ResourceKind, key: string, isTaken: boolean) => void): boolean {
    const { kind, id, key, name, goneS, term } = record;
    if (isForeign(kind)) return false;
    const ids = this.#of(kind);
    const known = ids.byKey.get(key);
    const holder = ids.byId.get(id);
    // What a hub said that gave the numbers before.
    if ((known?.term ?? 0) > term || (holder?.term ?? 0) > term) return false;
    if (known !== undefined && known === holder) {
      if (known.name === name && known.term === term && (known.goneS === 0) === (goneS === 0)) return false;
      known.name = name;
      known.term = term;
      // Since when it is gone stays what it was.
      if (known.goneS === 0 || goneS === 0) this.#setGone(ids, known, goneS);
      this.#write(known);
      return true;
    }
    this.#replace(ids, { ...record });
    if (holder !== undefined) changed(kind, holder.key, holder.goneS === 0);
    changed(kind, key, false);
    return true;
  }

  /** Takes over what another hub once published, where it means nothing else here: for the hub that makes the numbers. False when it does. */
  keep(record: IdRecord): boolean {
    const ids = this.#of(record.kind);
    if (isForeign(record.kind) || ids.byKey.has(record.key) || ids.byId.has(record.id)) return false;
    this.#add(ids, { ...record });
    return true;
  }

  /** Whether a number that was published means another resource here, or its resource has another number. */
  differs({ kind, id, key }: IdRecord): boolean {
    const ids = this.#of(kind);
    return ids.byKey.get(key) !== ids.byId.get(id);
  }

  /** Records that changed since they were last taken. */
  takeUntold(): ReadonlySet<IdRecord> {
    const untold = this.#untold;
    this.#untold = new Set();
    return untold;
  }

  /** They could not be told. */
  putBackUntold(records: Iterable<IdRecord>): void {
    for (const record of records) this.#untold.add(record);
  }

  /** Name of a number, also of a resource that is gone. */
  nameOf(kind: ResourceKind, id: number): string {
    return this.#of(kind).byId.get(id)?.name ?? '';
  }

  /** Key of a number. */
  keyOf(kind: ResourceKind, id: number): string | undefined {
    return this.#of(kind).byId.get(id)?.key;
  }

  /** Resources of a kind that have a number, those that are gone included. */
  *records(kind: ResourceKind): Iterable<IdRecord> {
    yield* this.#of(kind).byKey.values();
  }

  /**
   * Writes what is new, before anybody sees it, a piece at a time with `pause` in between, and forgets what is long gone. What could not be written is
   * tried again with the next call. Throws SluiceError `data_dir_unusable`.
   */
  async save(nowS: number, pause: () => Promise<void>): Promise<void> {
    for (const ids of this.#kinds.values()) this.#forget(ids, nowS);
    while (this.#changed.size > 0) {
      const piece = firstOf(this.#changed, PIECE_RECORDS);
      this.#file.append(piece);
      for (const record of piece) this.#changed.delete(record);
      if (this.#changed.size > 0) await pause();
    }
    if (this.#file.lines > 2 * this.#persistent() + MOST_REPLACED) void this.#file.rewrite(this.#all(), pause);
  }

  close(): void {
    this.#file.close();
  }

  #of(kind: ResourceKind): KindIds {
    return this.#kinds.get(kind)!;
  }

  #load(record: IdRecord): void {
    const ids = this.#of(record.kind);
    const before = ids.byKey.get(record.key);
    if (before !== undefined) ids.byId.delete(before.id);
    const holder = ids.byId.get(record.id);
    if (holder !== undefined) ids.byKey.delete(holder.key);
    ids.byKey.set(record.key, record);
    ids.byId.set(record.id, record);
    this.#pass(record.kind, ids, record.id);
  }

  /** What was learnt is what the hub that makes the numbers says, as long as this one does not. */
  #isLearnt(record: IdRecord | undefined): boolean {
    return record !== undefined && record.term > 0 && !this.#gives;
  }

  /** Adds a record in place of those that have its number or its key. */
  #replace(ids: KindIds, record: IdRecord): void {
    const holder = ids.byId.get(record.id);
    if (holder !== undefined) this.#drop(ids, holder);
    const before = ids.byKey.get(record.key);
    if (before !== undefined) this.#drop(ids, before);
    this.#add(ids, record);
  }

  #add(ids: KindIds, record: IdRecord): void {
    ids.byKey.set(record.key, record);
    ids.byId.set(record.id, record);
    if (record.goneS !== 0) ids.gone.add(record);
    this.#pass(record.kind, ids, record.id);
    this.#write(record);
  }

  #drop(ids: KindIds, record: IdRecord): void {
    ids.byKey.delete(record.key);
    ids.byId.delete(record.id);
    ids.gone.delete(record);
  }

  /** 0 = it is there. */
  #setGone(ids: KindIds, record: IdRecord, goneS: number): void {
    ids.gone.delete(record);
    record.goneS = goneS;
    if (goneS !== 0) ids.gone.add(record);
  }

  /** A number given by hand does not make the ones below it unusable, unless they were given out one after the other. */
  #pass(kind: ResourceKind, ids: KindIds, id: number): void {
    const { mostIds } = kindFacts(kind);
    if (id >= ids.next && (mostIds > 0xffff || id - ids.next <= SKIP_NARROW)) ids.next = id + 1;
  }

  #note(ids: KindIds, record: IdRecord, name: string): void {
    if (record.goneS === 0 && record.name === name) return;
    this.#setGone(ids, record, 0);
    record.name = name;
    this.#write(record);
  }

  #write(record: IdRecord): void {
    this.#untold.add(record);
    if (!isForeign(record.kind)) this.#changed.add(record);
  }

  #allocate(kind: ResourceKind, ids: KindIds): number {
    const { mostIds, firstId = 1 } = kindFacts(kind);
    while (ids.next <= mostIds && ids.next < ids.below) {
      const id = ids.next++;
      if (!ids.byId.has(id)) return id;
    }
    // More of them are being reserved.
    if (ids.next <= mostIds) return 0;
    const nowS = Date.now() / 1000;
    this.#forget(ids, nowS);
    if (nowS >= ids.retryS) {
      for (let id = firstId; id <= mostIds && id < firstId + 0xffff; id++) if (!ids.byId.has(id)) return id;
      ids.retryS = nowS + RETRY_S;
      this.#options.log.error(
        { org: this.#options.org, kind, most: mostIds },
        'there are more resources of a kind than its columns have numbers for; further ones have none',
      );
    }
    this.#options.metrics.tagIdsExhausted.inc({ org: this.#options.org, kind });
    return 0;
  }

  #forget(ids: KindIds, nowS: number): void {
    for (const record of ids.gone.takeDue({ beforeS: nowS - FORGET_AFTER_S, most: MOST_GONE })) this.#drop(ids, record);
  }

  #persistent(): number {
    let count = 0;
    for (const [kind, ids] of this.#kinds) if (!isForeign(kind)) count += ids.byKey.size;
    return count;
  }

  *#all(): Iterable<IdRecord> {
    for (const [kind, ids] of this.#kinds) if (!isForeign(kind)) yield* ids.byKey.values();
  }
}

interface KindIds {
  readonly byKey: Map<string, IdRecord>;
  readonly byId: Map<number, IdRecord>;
  next: number;
  /** Only numbers below are made. */
  below: number;
  readonly gone: GoneRecords;
  /** Epoch seconds until when it is known that no number is left. */
  retryS: number;
}

function firstOf<T>(all: Iterable<T>, count: number): T[] {
  const found: T[] = [];
  for (const one of all) if (found.push(one) >= count) break;
  return found;
}

/** Kinds whose numbers are made and kept elsewhere: they are not written here. */
export function isForeign(kind: ResourceKind): boolean {
  return kind === 'agent' || kind === 'gprocess';
}

/** A few milliseconds of work. */
const PIECE_RECORDS = 1000;
const FORGET_AFTER_S = 31 * 86_400;
const MOST_GONE = 200_000;
const MOST_REPLACED = 50_000;
const RETRY_S = 60;
/** More numbers than are given out in a second, which is what a power failure can take. */
const SKIP_NARROW = 64;
const SKIP_WIDE = 10_000;
