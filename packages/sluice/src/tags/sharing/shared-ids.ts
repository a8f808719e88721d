import { errorText } from '../../base/errors.ts';
import type { Append } from '../../base/ports.ts';
import type { IdMessage, PublishedId, SharedIdTables } from '../../base/shared-ids.ts';
import type { Batch } from '../../batch/batch.ts';
import { rateLimited, type Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { ResourceKind } from '../description.ts';
import { DictionaryRows } from '../dictionary-rows.ts';
import type { Sharing } from '../dictionary-writer.ts';
import { isResourceKind, RESOURCE_KINDS } from '../kinds.ts';
import type { IdOrigin, OrgInventory } from '../org-inventory.ts';
import { Slices } from '../slices.ts';
import { Asking } from './asking.ts';
import { Requests } from './requests.ts';
import { Reservations, SHARED_KINDS } from './reservations.ts';
import { Role, type RoleState } from './role.ts';
import { TIMING, type Timing } from './timing.ts';

export interface SharedIdsOptions {
  readonly org: OrgInventory;
  /** Names this hub among all, for ever. */
  readonly hub: string;
  /** As people call it. */
  readonly name: string;
  /** `tags.allocator`: whether this hub gives ids while no other one does. */
  readonly mayGive: boolean;
  /** Grows with every change of the inventory. */
  readonly names: { readonly version: number };
  readonly tables: SharedIdTables;
  readonly append: Append<Batch>;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly timing?: Partial<Timing>;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  /** Milliseconds that never go back. */
  readonly clock?: () => number;
}

/**
 * Makes the ids of one organisation's resources the same on all hubs that write to one ClickHouse. One of them gives ids (role.ts) and publishes them
 * in flow_tag.name_map (dictionary-writer.ts); the others learn them there and use 0 until they know one. What only they describe they ask for in
 * flow_tag.id_message. Everything that was learnt is kept in the id file, so a hub works without ClickHouse with what it knows.
 */
export class SharedIds implements Sharing, IdOrigin {
  readonly #options: SharedIdsOptions;
  readonly #timing: Timing;
  readonly #role: Role;
  readonly #requests: Requests;
  readonly #reservations: Reservations;
  readonly #asking: Asking;
  readonly #rows = new DictionaryRows();
  readonly #mayLog = rateLimited(60_000);
  readonly #mayLogTaken = rateLimited(60_000);
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  /** These by the clock that never goes back; -Infinity = never. When reading was last begun. */
  #triedMs = -Infinity;
  /** When the tables were last read, at first when this hub began; and when they were last read whole. */
  #readMs: number;
  #wholeMs = -Infinity;
  /** The term that counts, and since when. */
  #termMs = -Infinity;
  #term = 0;
  /** The greatest term under which ids have been published, and whether others have published some under this hub's own. */
  #publishedTerm = 0;
  #isContested = false;
  #isFailing = false;
  /** Greatest times in the tables. */
  #namesToMs = 0;
  #messagesToMs = 0;
  /** When this hub announced itself last, by its wall clock, and with which role and term. */
  #announcedMs = -Infinity;
  #announcedAs = '';
  /** When this hub last worked out what to ask, by its wall clock, and what that depended on. */
  #askedMs = -Infinity;
  #askedAt = '';

  constructor(options: SharedIdsOptions) {
    const { hub, mayGive, org } = options;
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.#role = new Role({ hub, mayGive, ...this.#timing });
    this.#requests = new Requests(hub);
    this.#reservations = new Reservations(hub);
    this.#readMs = this.#clock();
    org.idOrigin = this;
    this.#asking = new Asking({ hub, ids: org.ids, builder: org.builder });
  }

  /** Whether this hub gives ids. */
  get gives(): boolean {
    return this.#role.state === 'gives';
  }

  get term(): number {
    return this.#role.term;
  }

  get giver(): string {
    return this.gives ? 'this hub' : (this.#role.giver?.name ?? 'nobody');
  }

  get missing(): number {
    return SHARED_KINDS.reduce((sum, kind) => sum + this.#options.org.builder.unnumbered(kind).size, 0);
  }

  start(): void {
    void this.look();
    this.#timer = setInterval(() => void this.look(), this.#timing.busyMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped.abort();
    await this.#running;
  }

  /** Reads what others said and answers, when it is time. Never rejects. */
  async look(): Promise<void> {
    this.#running ??= this.#step()
      .catch((error: unknown) => this.#complain(error))
      .finally(() => {
        this.#running = undefined;
      });
    await this.#running;
  }

  async #step(): Promise<void> {
    const startMs = this.#clock();
    this.#measure(startMs);
    if (startMs - this.#triedMs < this.#pauseMs()) return;
    this.#triedMs = startMs;
    const slices = new Slices();
    await this.#read(slices, startMs);
    this.#isFailing = false;
    this.#settleRole(startMs);
    if (this.gives) this.#answer();
    await this.#say([...this.#announcement(), ...(await this.#ask(slices))]);
  }

  #pauseMs(): number {
    const { busyMs, idleMs, retryMs } = this.#timing;
    const isBusy =
      this.#role.state === 'learns' ||
      this.#role.state === 'applies' ||
      (this.gives && !this.#role.isAlone) ||
      this.missing > 0;
    // The timer itself may come a little early.
    return (this.#isFailing ? retryMs : isBusy ? busyMs : idleMs) - busyMs / 2;
  }

  async #read(slices: Slices, startMs: number): Promise<void> {
    const { org, tables, mayGive } = this.#options;
    const isWhole = startMs - this.#wholeMs >= this.#timing.wholeMs;
    const since = (toMs: number) => (isWhole ? 0 : toMs - this.#timing.overlapMs);
    const { signal } = this.#stopped;
    const changed: (readonly [ResourceKind, string])[] = [];
    let isChanged = false;
    let namesToMs = this.#namesToMs;
    try {
      for await (const rows of tables.published(org.org, since(this.#namesToMs), signal)) {
        for (const row of rows) {
          if (this.#takeName(row, changed)) isChanged = true;
          namesToMs = Math.max(namesToMs, row.timeMs);
          if (slices.isDue) await slices.pause();
        }
      }
    } finally {
      // Numbers that were learnt must be saved, and their resources taken in anew, also when the rest could not be read.
      if (isChanged) org.renumber(changed);
    }
    let messagesToMs = this.#messagesToMs;
    for await (const rows of tables.messages(org.org, since(this.#messagesToMs), mayGive, signal)) {
      for (const row of rows) {
        if (row.record === 'hub') this.#role.note(row, this.#clock());
        else if (row.record === 'reserved') this.#reservations.note(row);
        else this.#requests.note(row);
        messagesToMs = Math.max(messagesToMs, row.timeMs);
        if (slices.isDue) await slices.pause();
      }
    }
    if (isWhole) {
      this.#requests.forget(this.#now());
      this.#wholeMs = startMs;
    }
    this.#namesToMs = namesToMs;
    this.#messagesToMs = messagesToMs;
    this.#readMs = startMs;
  }

  /** False when nothing is new. */
  #takeName(row: PublishedId, changed: (readonly [ResourceKind, string])[]): boolean {
    const { kind, id, key, name, isGone, term, timeMs } = row;
    if (!isResourceKind(kind) || id === 0) return false;
    const { ids } = this.#options.org;
    const record = { kind, id, key, name, goneS: isGone ? Math.floor(timeMs / 1000) : 0, term };
    this.#publishedTerm = Math.max(this.#publishedTerm, term);
    if (this.gives) {
      // What this hub said before a number was changed by hand looks the same, and costs saying everything once more.
      if (term === this.term && ids.differs(record)) this.#isContested = true;
      if (!ids.keep(record)) return false;
      // It may be described here without having a number yet.
      changed.push([kind, key]);
      return true;
    }
    return ids.learn(record, (otherKind, otherKey, isTaken) => {
      changed.push([otherKind, otherKey]);
      if (isTaken) this.#noteTaken(otherKind, otherKey, id);
    });
  }

  /** Works out the role from what was read, and takes it. */
  #settleRole(startMs: number): void {
    const { org } = this.#options;
    const before = this.#role.state;
    if (before !== 'gives') this.#reservations.skip(org.ids, before === 'learns' && org.ids.wasEmpty);
    const state = this.#role.step(startMs, {
      isReady: this.#reservations.isReady(org.ids),
      publishedTerm: this.#publishedTerm,
      isContested: this.#isContested,
    });
    this.#isContested = false;
    if (state === 'gives') this.#reservations.apply(org.ids);
    if (state !== before) this.#become(before, state);
    if (this.term !== this.#term) {
      this.#term = this.term;
      this.#termMs = startMs;
    }
    if (!this.gives) return;
    // What was described before a reservation came back could not be numbered then.
    const unnumbered = [...this.#unnumbered()];
    if (unnumbered.length > 0) org.renumber(unnumbered);
  }

  #become(before: RoleState, state: RoleState): void {
    const { org, log, mayGive, name } = this.#options;
    const { ids } = org;
    const facts = { org: org.org, hub: name, giver: this.giver, term: this.term };
    ids.give(state === 'gives');
    ids.isKept = state === 'gives' ? (kind, key) => this.#requests.has(kind, key) : () => false;
    if (state === 'gives') {
      log.info(facts, 'this hub gives tag ids');
      this.#requests.markAll();
      // What could not be numbered or renamed until now.
      org.renumber(this.#described());
      return;
    }
    if (before === 'gives') {
      log.error(
        facts,
        'another hub gives tag ids, too; this one stops and follows it: set tags.allocator: off on all but one',
      );
    } else if (state === 'follows' && mayGive && this.#role.giver !== undefined) {
      log.warn(
        facts,
        'another hub gives tag ids; this one follows it, and takes its place when nothing is heard of it any more',
      );
    } else if (state === 'follows' && !mayGive) log.info(facts, 'this hub follows another one that gives tag ids');
  }

  /** Numbers what other hubs ask for, and lets go what they describe no more. */
  #answer(): void {
    const { org } = this.#options;
    const { ids, builder } = org;
    const nowS = Math.floor(this.#now() / 1000);
    let count = 0;
    for (const [kind, key] of this.#requests.takeChanged()) {
      // What this hub describes itself it knows best.
      if (builder.find(kind, key) !== undefined) continue;
      count++;
      const request = this.#requests.find(kind, key);
      if (request === undefined) {
        ids.vanish(kind, key, nowS);
        continue;
      }
      const { id, name } = request;
      if (id !== 0 && ids.recordOf(kind, key) === undefined && ids.keyOf(kind, id) === undefined) {
        ids.adopt(kind, key, { id, name });
      }
      if (ids.idOf(kind, key, name) === 0) this.#requests.mark(kind, key);
    }
    // They are saved before they are published.
    if (count > 0) org.renumber([]);
  }

  async #ask(slices: Slices): Promise<IdMessage[]> {
    const { names } = this.#options;
    if (this.#role.state !== 'follows') return [];
    const nowMs = this.#now();
    const isGrace = this.#clock() - this.#termMs < this.#timing.graceMs;
    const at = `${names.version} ${this.#term} ${isGrace}`;
    if (at === this.#askedAt && nowMs - this.#askedMs < this.#timing.graceMs) return [];
    const due = await this.#asking.due(isGrace ? 0 : this.#term, nowMs, slices);
    this.#askedAt = at;
    this.#askedMs = nowMs;
    return due;
  }

  /** What this hub is, and the numbers that it reserves; nothing when that was said lately. */
  #announcement(): IdMessage[] {
    const { hub, name, org } = this.#options;
    const { state } = this.#role;
    const isGiving = state === 'gives' || state === 'applies';
    const timeMs = Math.max(this.#now(), this.#announcedMs + 1);
    const as = `${state} ${this.term}`;
    const said: IdMessage[] = [];
    const base = { hub, key: '', timeMs };
    if (
      as !== this.#announcedAs ||
      timeMs - this.#announcedMs >= (isGiving ? this.#timing.givesMs : this.#timing.followsMs)
    ) {
      const term = isGiving ? this.term : 0;
      said.push({ ...base, record: 'hub', kind: '', name, id: term, isGone: state !== 'gives' });
    }
    // Two that apply would go on reserving above each other.
    const reserves = isGiving && !(state === 'applies' && this.#role.isOutranked);
    for (const [kind, id] of reserves ? this.#reservations.due(org.ids) : []) {
      said.push({ ...base, record: 'reserved', kind, name: '', id, isGone: false });
    }
    return said;
  }

  async #say(messages: readonly IdMessage[]): Promise<void> {
    if (messages.length === 0) return;
    const { append, org } = this.#options;
    const as = `${this.#role.state} ${this.term}`;
    for (let at = 0; at < messages.length; at += MOST_ROWS) {
      const piece = messages.slice(at, at + MOST_ROWS);
      try {
        for (const message of piece) this.#rows.addMessage(message);
        await append(this.#rows.finish(org.org));
      } finally {
        this.#rows.reset();
      }
      this.#asking.told(piece.filter(({ record }) => record === 'request'));
      for (const { record, kind, id, timeMs } of piece) {
        if (record === 'reserved' && isResourceKind(kind)) this.#reservations.said(kind, id);
        if (record !== 'hub') continue;
        this.#announcedMs = timeMs;
        this.#announcedAs = as;
      }
    }
  }

  *#unnumbered(): Iterable<readonly [ResourceKind, string]> {
    const { builder, ids } = this.#options.org;
    for (const kind of SHARED_KINDS) {
      if (!this.#reservations.hasRoom(ids, kind)) continue;
      for (const key of builder.unnumbered(kind)) yield [kind, key];
    }
  }

  *#described(): Iterable<readonly [ResourceKind, string]> {
    for (const kind of RESOURCE_KINDS) for (const key of this.#options.org.builder.all(kind).keys()) yield [kind, key];
  }

  #noteTaken(kind: ResourceKind, key: string, id: number): void {
    const { metrics, log, org } = this.#options;
    metrics.tagIdConflicts.inc({ org: org.org, kind });
    this.#mayLogTaken((suppressed) =>
      log.error(
        { org: org.org, kind, key, id, suppressed },
        'the id that a resource had here is that of another one on the hub that gives ids; it gets another id',
      ),
    );
  }

  #measure(nowMs: number): void {
    const { metrics, org } = this.#options;
    const labels = { org: org.org };
    metrics.tagIdGiver.set(labels, this.gives ? 1 : 0);
    metrics.tagIdsMissing.set(labels, this.missing);
    metrics.tagIdsAge.set(labels, (nowMs - this.#readMs) / 1000);
    const { giver } = this.#role;
    if (giver !== undefined && !this.gives) metrics.tagIdGiverAge.set(labels, Math.max(0, nowMs - giver.seenMs) / 1000);
    else metrics.tagIdGiverAge.remove(labels);
  }

  #complain(error: unknown): void {
    if (this.#stopped.signal.aborted) return;
    this.#isFailing = true;
    const { log, org } = this.#options;
    // A database that is being opened is none yet, and one that is away is told of elsewhere.
    if (this.#clock() - this.#readMs < this.#timing.patienceMs) return;
    this.#mayLog((suppressed) =>
      log.warn(
        { org: org.org, cause: errorText(error), suppressed },
        'cannot share tag ids with other hubs; what is known stays, what is new has none until it works again',
      ),
    );
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  #clock(): number {
    return (this.#options.clock ?? (() => performance.now()))();
  }
}

const MOST_ROWS = 2000;
