import type { LabelList } from '../base/label-fields.ts';
import type { SeriesTagger } from '../base/ports.ts';
import type { Log } from '../telemetry/log.ts';
import { Periodic } from '../telemetry/periodic.ts';
import { NO_TARGETS, type TargetTable } from './prometheus-targets/target-table.ts';
import type { OrgInventory } from './org-inventory.ts';
import { TAGGING_LABELS } from './series-resource.ts';
import { SeriesTagRules, TAG_WORDS } from './series-tags.ts';
import { Slices } from './slices.ts';

export interface SeriesSubjectsOptions {
  readonly org: OrgInventory;
  /** Targets as they are now; another object when they have changed. Absent: there are none. */
  readonly targets?: () => TargetTable;
  readonly log: Log;
  /** How often it is looked whether anything has changed. Default 4 s. */
  readonly intervalMs?: number;
  readonly now?: () => number;
}

const INTERVAL_MS = 4000;
/** Nothing is concluded from an inventory whose sources have only begun, for so long. */
const SETTLE_MS = 30_000;

/**
 * Subjects of series (base/ports.ts). Nobody tells which of them a change of the inventory is about; so, when its answers have changed or targets have,
 * all subjects are worked out again, a few milliseconds at a time, at most every 4 s. There are far fewer of them than series: those of one target,
 * or of one pod, are one. A subject takes some 7 us (26 the first time) and 350 bytes.
 */
export class SeriesSubjects implements SeriesTagger {
  generation = 0;
  readonly #options: SeriesSubjectsOptions;
  readonly #rules: SeriesTagRules;
  readonly #now: () => number;
  readonly #listeners = new Set<(changed: readonly number[] | undefined) => void>();
  readonly #byKey = new Map<string, number>();
  /** By number; undefined = not in use. */
  #keys: (string | undefined)[] = [undefined];
  #free: number[] = [];
  #rows = new Uint32Array(64 * TAG_WORDS);
  #signatures = new Uint32Array(64);
  readonly #row = new Uint32Array(TAG_WORDS);
  #wanted = new Set(TAGGING_LABELS);
  /** Lengths of names that are wanted. */
  #lengths = lengthsOf(this.#wanted);
  #targets: TargetTable = NO_TARGETS;
  #version = 0;
  /** Nothing is known yet, or not enough: only agents count. */
  #isEmpty = true;
  readonly #settledMs: number;
  /** A look has failed, and not all of what had changed is worked out. */
  #isUnfinished = false;
  readonly #looking: Periodic;
  #isStopped = false;

  constructor(options: SeriesSubjectsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#rules = new SeriesTagRules(options.org);
    this.#settledMs = this.#now() + SETTLE_MS;
    this.#takeTargets();
    this.#isEmpty = !this.#isReady();
    if (!this.#isEmpty) this.generation = 1;
    this.#version = this.#versionNow();
    this.#looking = new Periodic({
      work: () => this.#look(),
      pauseMs: options.intervalMs ?? INTERVAL_MS,
      log: options.log,
      failure: 'cannot work out the tags of series anew; tried again',
      fields: { org: options.org.org },
    });
  }

  /** Looks for changes from now on. */
  start(): void {
    this.#looking.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#listeners.clear();
    await this.#looking.stop();
  }

  get size(): number {
    return this.#byKey.size;
  }

  subjectOf(labels: LabelList, bytes: Uint8Array, agent: number): number {
    if (this.#isEmpty && agent === 0) return 0;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const told: (string | number)[] = [agent];
    for (let i = 0; i < labels.count; i++) {
      const start = labels.nameStart(i);
      const end = labels.nameEnd(i);
      if (this.#lengths[Math.min(end - start, MOST_LENGTH)] === 0) continue;
      const name = buffer.toString('utf8', start, end);
      if (this.#wanted.has(name)) told.push(name, buffer.toString('utf8', labels.valueStart(i), labels.valueEnd(i)));
    }
    if (told.length === 1 && agent === 0) return 0;
    const key = JSON.stringify(told);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const subject = this.#free.pop() ?? this.#keys.length;
    this.#keys[subject] = key;
    this.#byKey.set(key, subject);
    if (subject >= this.#signatures.length) this.#grow(subject + 1);
    this.#workOut(subject, key);
    return subject;
  }

  tagsOf(subject: number): Uint32Array {
    return this.#rows.subarray(subject * TAG_WORDS, (subject + 1) * TAG_WORDS);
  }

  signatureOf(subject: number): number {
    return this.#signatures[subject]!;
  }

  release(subjects: Iterable<number>): void {
    for (const subject of subjects) {
      const key = this.#keys[subject];
      if (key === undefined) continue;
      this.#byKey.delete(key);
      this.#keys[subject] = undefined;
      this.#signatures[subject] = 0;
      this.#free.push(subject);
    }
  }

  subjects(): Iterable<number> {
    return this.#byKey.values();
  }

  onChange(listener: (changed: readonly number[] | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Works out anew what may have changed, and tells. Never rejects. */
  async look(): Promise<void> {
    await this.#looking.run();
  }

  async #look(): Promise<void> {
    const version = this.#versionNow();
    const isEmpty = !this.#isReady();
    const isKnown = version === this.#version && (this.#options.targets?.() ?? NO_TARGETS) === this.#targets;
    if (isKnown && isEmpty === this.#isEmpty && !this.#isUnfinished) return;
    this.#isUnfinished = true;
    this.#version = version;
    const isVoid = this.#takeTargets();
    if (isEmpty !== this.#isEmpty || isVoid) {
      this.#isEmpty = isEmpty;
      this.#forgetAll();
      for (const listener of this.#listeners) listener(undefined);
    } else await this.#workOutAll();
    this.#isUnfinished = false;
  }

  /** Enough is known: after a start every source has had its time to say something. */
  #isReady(): boolean {
    const { inventory, sources } = this.#options.org;
    if (inventory.isEmpty) return false;
    return this.#now() >= this.#settledMs || sources.every((source) => source.state().kind !== 'starting');
  }

  #versionNow(): number {
    const { inventory } = this.#options.org;
    return inventory.isEmpty ? 0 : inventory.versionAt(Math.floor(this.#now() / 1000));
  }

  async #workOutAll(): Promise<void> {
    const slices = new Slices();
    let changed: number[] = [];
    const generation = this.generation;
    for (const [key, subject] of this.#byKey) {
      if (slices.isDue) await slices.pause();
      if (this.generation !== generation || this.#isStopped) return;
      if (this.#keys[subject] === key && this.#workOut(subject, key)) changed.push(subject);
      if (changed.length >= MOST_TOLD) {
        this.#tell(changed);
        changed = [];
      }
    }
    if (changed.length > 0) this.#tell(changed);
  }

  #tell(changed: readonly number[]): void {
    for (const listener of this.#listeners) listener(changed);
  }

  /** True: its tags are other ones than before. */
  #workOut(subject: number, key: string): boolean {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `subjectOf` has written it
    const [agent, ...told] = JSON.parse(key) as [number, ...string[]];
    const labels = new Map<string, string>();
    for (let i = 0; i < told.length; i += 2) labels.set(told[i]!, told[i + 1]!);
    this.#rules.write({ labels, agent, atS: Math.floor(this.#now() / 1000) }, this.#targets, this.#row);
    const signature = signatureOfRow(this.#row);
    if (this.#signatures[subject] === signature) return false;
    this.#rows.set(this.#row, subject * TAG_WORDS);
    this.#signatures[subject] = signature;
    return true;
  }

  /** True: other labels count now. */
  #takeTargets(): boolean {
    const targets = this.#options.targets?.() ?? NO_TARGETS;
    if (targets === this.#targets) return false;
    this.#targets = targets;
    const wanted = new Set([...TAGGING_LABELS, ...targets.names]);
    if (wanted.size === this.#wanted.size && [...wanted].every((name) => this.#wanted.has(name))) return false;
    this.#wanted = wanted;
    this.#lengths = lengthsOf(wanted);
    return true;
  }

  #forgetAll(): void {
    this.generation++;
    this.#byKey.clear();
    this.#keys = [undefined];
    this.#free = [];
    this.#signatures.fill(0);
  }

  #grow(count: number): void {
    const size = Math.max(count, this.#signatures.length * 2);
    const rows = new Uint32Array(size * TAG_WORDS);
    rows.set(this.#rows);
    this.#rows = rows;
    const signatures = new Uint32Array(size);
    signatures.set(this.#signatures);
    this.#signatures = signatures;
  }
}

/** So many changed subjects are told at a time. */
const MOST_TOLD = 1000;
const MOST_LENGTH = 63;

function lengthsOf(names: ReadonlySet<string>): Uint8Array {
  const lengths = new Uint8Array(MOST_LENGTH + 1);
  for (const name of names) lengths[Math.min(Buffer.byteLength(name), MOST_LENGTH)] = 1;
  return lengths;
}

function signatureOfRow(row: Uint32Array): number {
  let hash = 1;
  for (const word of row) {
    hash = Math.imul(hash ^ word, 0x85eb_ca6b);
    hash ^= hash >>> 15;
  }
  return Math.imul(hash, 0xc2b2_ae35) >>> 0 || 1;
}
