import { randomFillSync } from 'node:crypto';
import { bug } from '../base/errors.ts';
import type { LinearMemory } from '../base/linear-memory.ts';
import type { ActiveSeries, FormKind, MessageSymbols, SeriesAdded, SymbolicMetadata } from '../base/ports.ts';
import type { SampleStage } from '../base/sample-stage.ts';
import { Arena } from './arena.ts';
import { byteFunctions } from './byte-functions.ts';
import { type FamiliarFunctions, familiarFunctions } from './familiar-code.ts';
import { FormLabels } from './form-labels.ts';
import { FormTable } from './form-table.ts';
import { MetadataTable } from './metadata-table.ts';
import { SeriesDigest } from './series-digest.ts';
import { SeriesRecords } from './series-records.ts';
import { dropUnseen, freeUnused, packArena } from './series-upkeep.ts';
import { SymbolTable } from './symbol-table.ts';
import { TagState } from './tag-state.ts';

const IDLE_SECONDS = 3600;
/** Beyond this share of the limit, new series need the room that idle ones have. */
const ROOM_SHARE = 0.9;
/** Records of metadata that may exist beyond one a form, until those that are not in use are swept. */
const SPARE_METADATA = 1024;

/** What the dictionary keeps of a series. */
export interface SeriesEntry {
  readonly ids: readonly [number, number, number, number];
  readonly check: readonly [number, number];
  readonly validFromMs: number;
  readonly announcedSeconds: number;
  readonly labels: Uint8Array;
  /** Agent it came through and signature of its tags, when last announced; 0 = none. */
  readonly agent: number;
  readonly signature: number;
}

/** A series as a record of the dictionary has it. */
export type RestoredSeries = Omit<SeriesEntry, 'labels' | 'agent' | 'signature'>;

/** Tags of a series as a record of the dictionary has them. */
export interface RestoredTags {
  readonly idLow: number;
  readonly idHigh: number;
  readonly validFromMs: number;
  readonly agent: number;
  readonly signature: number;
}

export interface SeriesTableOptions {
  readonly memory: LinearMemory;
  /** Greatest number of active series. */
  readonly limit: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** SHA-256, at least its first 16 bytes. */
  readonly digest?: (bytes: Uint8Array) => Uint8Array;
}

/** The active series (series-records.ts) and the spellings by which they are recognised (form-table.ts); layout: series-layout.ts. */
export class SeriesTable implements ActiveSeries {
  readonly memory: LinearMemory;
  readonly tags: TagState = new TagState();
  /** Series that were added and that left, in all. */
  added = 0;
  idled = 0;
  /** Told of announced series, for the dictionary. */
  onAnnounced: ((series: Iterable<number>) => void) | undefined;
  readonly #limit: number;
  readonly #clock: () => number;
  readonly #digest: SeriesDigest;
  readonly #familiar: FamiliarFunctions;
  readonly #arena: Arena;
  readonly #symbols: SymbolTable;
  readonly #metadata: MetadataTable;
  readonly #records: SeriesRecords;
  readonly #forms: FormTable;
  readonly #labels: FormLabels;
  #numbers: Uint32Array = new Uint32Array(128);
  /** Metadata that forms had before: symbols may be out of use, as when forms have left. */
  #replaced = 0;
  /** Of both, when the last sweep began. */
  #swept = 0;
  #now = 0;

  constructor({ memory, limit, now, digest }: SeriesTableOptions) {
    const key = randomFillSync(new Uint32Array(6));
    const functions = byteFunctions(memory);
    this.memory = memory;
    this.#limit = limit;
    this.#clock = now;
    this.#digest = new SeriesDigest(digest);
    this.#familiar = familiarFunctions(memory);
    const arena = (this.#arena = new Arena(memory));
    const symbols = (this.#symbols = new SymbolTable({ memory, arena, functions, key }));
    this.#metadata = new MetadataTable({ memory, functions, key, symbols });
    const records = (this.#records = new SeriesRecords(memory, key));
    const forms = (this.#forms = new FormTable({ memory, arena, functions, key, records }));
    this.#labels = new FormLabels({ memory, forms, symbols });
    if (!records.reserve(0)) bug('the memory is exhausted at start');
    this.begin();
  }

  get ids(): Uint32Array {
    return this.#records.ids;
  }

  get active(): number {
    return this.#records.active;
  }

  get forms(): number {
    return this.#forms.count;
  }

  get symbolCount(): number {
    return this.#symbols.count;
  }

  get metadataCount(): number {
    return this.#metadata.count;
  }

  get metadataGeneration(): number {
    return this.#metadata.generation;
  }

  /** Bytes that the series take, tables and arena. */
  get bytes(): number {
    const parts = [this.#records, this.#forms, this.#symbols, this.#metadata, this.tags, this.#arena];
    return parts.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  begin(): void {
    const now = Math.floor(this.#clock() / 1000);
    this.#now = now;
    this.#forms.now = now;
    this.#records.now = now;
  }

  takeFamiliar(kind: FormKind, stage: SampleStage): void {
    const take = kind === 0 ? this.#familiar.takeFamiliarV1 : this.#familiar.takeFamiliarV2;
    take(
      stage.address,
      this.#forms.table.address,
      this.#records.table.address,
      this.#records.idTable.address,
      this.#now,
      this.#symbols.address,
      this.#metadata.address,
    );
  }

  follow(previous: number, start: number, limit: number): number {
    return this.#forms.follow(previous, start, limit);
  }

  find(kind: FormKind, previous: number, start: number, end: number): number {
    const form = this.#forms.find(kind, start, end);
    if (form !== -1) this.#forms.link(previous, form);
    return form;
  }

  link(previous: number, form: number): void {
    this.#forms.link(previous, form);
  }

  formLength(form: number): number {
    return this.#forms.length(form);
  }

  seriesOf(form: number): number {
    return this.#forms.seriesOf(form);
  }

  touch(series: number): boolean {
    return this.#records.touch(series);
  }

  add(start: number, end: number, labels: Uint8Array): SeriesAdded {
    const resolved = this.#resolve(labels);
    if (resolved.kind === 'refused') return resolved;
    return this.#added(resolved, this.#forms.add(resolved.series, start, end));
  }

  addSymbolic(symbols: MessageSymbols, refs: Uint32Array, count: number, labels: Uint8Array): SeriesAdded {
    const resolved = this.#resolve(labels);
    if (resolved.kind === 'refused') return resolved;
    let form = 0;
    if (count > this.#numbers.length) this.#numbers = new Uint32Array(count);
    const numbers = this.#numbers;
    let complete = true;
    for (let i = 0; i < count; i++) {
      numbers[i] = this.#symbols.intern(symbols, refs[i]!);
      complete &&= numbers[i] !== 0;
    }
    if (complete) {
      form = this.#forms.begin(1, resolved.series, count * 4);
      if (form !== 0) {
        const at = this.#forms.address(form) / 4;
        for (let i = 0; i < count; i++) this.memory.words[at + i] = numbers[i]!;
        this.#forms.index(form);
      }
    }
    return this.#added(resolved, form);
  }

  symbol(start: number, end: number): number {
    return this.#symbols.find(start, end);
  }

  metricName(form: number): string {
    const symbol = this.#labels.nameSymbol(form);
    const start = this.#symbols.addressOf(symbol);
    return this.memory.bytes.toString('utf8', start, start + this.#symbols.lengthOf(symbol));
  }

  hasMetadata(form: number, type: number, help: number, unit: number): boolean {
    const record = this.#forms.metadata(form);
    return record !== 0 && this.#metadata.isGood(record, [type, help, unit], this.#now);
  }

  setMetadata(form: number, symbols: MessageSymbols, { type, helpRef, unitRef }: SymbolicMetadata): number {
    let record = 0;
    if (this.#metadata.count < this.forms + SPARE_METADATA) {
      const help = this.#symbols.intern(symbols, helpRef);
      const unit = this.#symbols.intern(symbols, unitRef);
      if (help !== 0 && unit !== 0) record = this.#metadata.intern(this.#labels.nameSymbol(form), type, help, unit);
    }
    const before = this.#forms.metadata(form);
    if (record !== before && before !== 0) this.#replaced++;
    this.#forms.setMetadata(form, record);
    // What was interned for no record is to be swept.
    if (record === 0) this.#replaced++;
    return record;
  }

  setMetadataGood(record: number, untilSeconds: number): void {
    if (record !== 0) this.#metadata.setGoodUntil(record, untilSeconds);
  }

  /** The active series with this id, or 0. */
  seriesWithId(idLow: number, idHigh: number): number {
    return this.#records.find(idLow, idHigh);
  }

  labels(series: number): Uint8Array {
    return this.#labels.canonical(this.#records.firstForm(series));
  }

  validFrom(series: number): number {
    return this.#records.validFrom(series);
  }

  renew(series: number, nowMs: number): void {
    this.#records.setValidFrom(series, Math.max(nowMs, this.validFrom(series) + 1));
    this.#records.setAnnounced(series, 0);
  }

  announced(series: Iterable<number>): void {
    const now = Math.floor(this.#clock() / 1000);
    for (const number of series) this.#records.setAnnounced(number, now);
    this.onAnnounced?.(series);
  }

  /** Makes a row in prometheus.series due for every series: the database is another one. */
  reannounceAll(): void {
    for (let series = 1; series < this.end; series++) this.#records.setAnnounced(series, 0);
  }

  isActive(series: number): boolean {
    return this.#records.isActive(series);
  }

  get end(): number {
    return this.#records.end;
  }

  /** What the dictionary is to keep of a series. */
  entry(series: number): SeriesEntry {
    const id = series * 4;
    return {
      ids: [this.ids[id]!, this.ids[id + 1]!, this.ids[id + 2]!, this.ids[id + 3]!],
      check: this.#records.check(series),
      validFromMs: this.validFrom(series),
      announcedSeconds: this.#records.announced(series),
      labels: this.labels(series),
      agent: this.tags.agent(series),
      signature: this.tags.signature(series),
    };
  }

  /** About this many series will be restored. */
  expect(count: number): void {
    const expected = Math.min(count, this.#limit);
    this.#records.expect(expected);
    // If memory does not suffice for it, `restore` will find out.
    if (this.#forms.expect(expected)) this.#records.reserve(expected);
  }

  /** Takes a series over from the dictionary; `labels` lie at [start, end) of the memory. Returns its number, or 0 when the limit is reached. */
  restore(entry: RestoredSeries, start: number, end: number): number {
    let series = this.#records.find(entry.ids[2], entry.ids[3]);
    if (series === 0) {
      if (this.active >= this.#limit) return 0;
      series = this.#records.add(entry.ids, entry.check);
      if (series === 0) return 0;
      if (this.#forms.add(series, start, end) === 0) {
        this.#drop(series);
        return 0;
      }
    }
    this.#records.setValidFrom(series, entry.validFromMs);
    this.#records.setAnnounced(series, entry.announcedSeconds);
    return series;
  }

  /** A restored series was announced again at this time. */
  restoreAnnounced(idLow: number, idHigh: number, announcedSeconds: number): void {
    const series = this.#records.find(idLow, idHigh);
    if (series !== 0) this.#records.setAnnounced(series, announcedSeconds);
  }

  /** A restored series was announced with these tags. */
  restoreTags({ idLow, idHigh, validFromMs, agent, signature }: RestoredTags): void {
    const series = this.#records.find(idLow, idHigh);
    if (series === 0) return;
    this.#records.setValidFrom(series, validFromMs);
    this.tags.setAnnounced(series, agent, signature);
  }

  /**
   * Lets idle series and forms leave, frees symbols and packs memory, in steps of well under a millisecond. Nothing that is seen within an hour moves
   * its number. Series seen after `neededSince` (epoch seconds) stay however idle they are, as long as there is room for new ones.
   */
  *upkeep(neededSince = Infinity): Generator<void> {
    this.begin();
    const parts = {
      memory: this.memory,
      arena: this.#arena,
      records: this.#records,
      forms: this.#forms,
      symbols: this.#symbols,
      metadata: this.#metadata,
    };
    const forms = this.#now - IDLE_SECONDS;
    const series = this.active < this.#limit * ROOM_SHARE ? Math.min(forms, neededSince) : forms;
    yield* dropUnseen(parts, { series, forms }, (idle) => {
      this.#drop(idle);
      this.idled++;
    });
    const outOfUse = this.#forms.left + this.#replaced;
    if (outOfUse !== this.#swept) {
      this.#swept = outOfUse;
      yield* freeUnused(parts);
    }
    yield* packArena(parts);
  }

  #resolve(labels: Uint8Array): Resolved | { readonly kind: 'refused'; readonly reason: 'limit' | 'collision' } {
    const records = this.#records;
    const whole = this.#digest.ofLabels(labels);
    const series = records.find(whole[0], whole[1]);
    if (series !== 0) {
      const check = records.check(series);
      if (check[0] !== whole[2] || check[1] !== whole[3]) return { kind: 'refused', reason: 'collision' };
      return { kind: 'known', series };
    }
    if (this.active >= this.#limit) return { kind: 'refused', reason: 'limit' };
    const [metricLow, metricHigh] = this.#digest.ofMetric(labels);
    const number = records.add([metricLow, metricHigh, whole[0], whole[1]], [whole[2], whole[3]]);
    if (number === 0) return { kind: 'refused', reason: 'limit' };
    records.setValidFrom(number, this.#clock());
    this.added++;
    return { kind: 'new', series: number };
  }

  #added(resolved: Resolved, form: number): SeriesAdded {
    if (form !== 0) return { kind: resolved.kind, form, series: resolved.series };
    if (resolved.kind === 'new') this.#drop(resolved.series);
    return { kind: 'refused', reason: 'limit' };
  }

  #drop(series: number): void {
    this.#forms.dropAll(series);
    this.#records.drop(series);
    this.tags.drop(series);
  }
}

interface Resolved {
  readonly kind: 'known' | 'new';
  readonly series: number;
}
