import { hash as digestOf, randomFillSync } from 'node:crypto';
import { bug } from '../base/errors.ts';
import { LabelList } from '../base/label-fields.ts';
import type { LinearMemory } from '../base/linear-memory.ts';
import type { ActiveSeries, FormKind, MessageSymbols, SeriesAdded, SymbolicMetadata } from '../base/ports.ts';
import type { SampleStage } from '../base/sample-stage.ts';
import { Arena, MAX_ENTRY_BYTES } from './arena.ts';
import { type ByteFunctions, byteFunctions } from './byte-functions.ts';
import { type FamiliarFunctions, familiarFunctions } from './familiar-code.ts';
import { HashIndex } from './hash-index.ts';
import { MetadataTable } from './metadata-table.ts';
import { SYMBOL_OWNER, SymbolTable } from './symbol-table.ts';
import { TagState } from './tag-state.ts';
import { WordTable } from '../base/word-table.ts';

/*
 * All state is in tables of Uint32, one cache line a look-up:
 *
 *   8 words a form:   0 address of its bytes | 1 length * 2 + kind | 2 series (0 = free) | 3 form that followed it last time | 4 keyed hash
 *                     5 seen, s | 6 next form of the series | 7 metadata that came with it, a record's number (2.0; 0 = none)
 *   8 words a series: 0 seen, s | 1 announcement due from, s | 2 first form (0 = free) | 3 keyed hash of the id | 4, 5 bytes 8..15 of the digest
 *                     6, 7 valid from, ms
 *
 * Forms 0 and 1 stand for the start of a message of that kind. Only the label bytes in the forms are kept: canonical labels are made from one of them
 * when they are wanted, which is rare.
 */
const WORDS = 8;
const SIZE_AND_KIND = 1;
const SERIES = 2;
const SUCCESSOR = 3;
const HASH = 4;
const FORM_SEEN = 5;
const NEXT = 6;
const METADATA = 7;

const SEEN = 0;
const DUE = 1;
const FIRST_FORM = 2;
const ID_HASH = 3;
const CHECK = 4;
const VALID_FROM = 6;

const REMEMBERED_METRICS = 4096;
const FORMS_PER_SERIES = 8;
const ANNOUNCE_SECONDS = 24 * 3600;
/** Announcements come up to this much earlier, different for each series, so that they do not all fall due in one minute. */
const ANNOUNCE_SPREAD_SECONDS = 2 * 3600;
const IDLE_SECONDS = 3600;
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
  readonly #digest: (bytes: Uint8Array) => Uint8Array;
  readonly #functions: ByteFunctions;
  readonly #familiar: FamiliarFunctions;
  readonly #key: Uint32Array = randomFillSync(new Uint32Array(6));
  readonly #arena: Arena;
  readonly #symbols: SymbolTable;
  readonly #metadata: MetadataTable;
  readonly #list: LabelList = new LabelList();
  #numbers: Uint32Array = new Uint32Array(128);
  readonly #forms: WordTable;
  readonly #records: WordTable;
  readonly #ids: WordTable;
  readonly #formIndex: HashIndex;
  readonly #seriesIndex: HashIndex;
  /** Ids of metric names used lately: new series mostly have a known name. */
  readonly #metricIds = new Map<string, readonly [number, number]>();
  #formTop = 2;
  #seriesTop = 1;
  readonly #freeForms: number[] = [];
  readonly #freeSeries: number[] = [];
  /** Forms that left, and metadata that forms had before: symbols may be out of use. */
  #outOfUse = 0;
  #now = 0;

  constructor(options: SeriesTableOptions) {
    this.memory = options.memory;
    this.#limit = options.limit;
    this.#clock = options.now;
    this.#digest = options.digest ?? sha256;
    this.#functions = byteFunctions(options.memory);
    this.#familiar = familiarFunctions(options.memory);
    this.#arena = new Arena(options.memory);
    this.#symbols = new SymbolTable({
      memory: options.memory,
      arena: this.#arena,
      functions: this.#functions,
      key: this.#key,
    });
    this.#metadata = new MetadataTable({
      memory: options.memory,
      functions: this.#functions,
      key: this.#key,
      symbols: this.#symbols,
    });
    this.#forms = new WordTable(options.memory, WORDS);
    this.#records = new WordTable(options.memory, WORDS);
    this.#ids = new WordTable(options.memory, 4);
    this.#formIndex = new HashIndex(this.#forms, HASH);
    this.#seriesIndex = new HashIndex(this.#records, ID_HASH);
    if (!this.#forms.reserve(1) || !this.#records.reserve(0) || !this.#ids.reserve(0))
      bug('the memory is exhausted at start');
    // The start of a 2.0 message, so that its successor is one too.
    this.#forms.words[WORDS + SIZE_AND_KIND] = 1;
    this.begin();
  }

  get ids(): Uint32Array {
    return this.#ids.words;
  }

  get active(): number {
    return this.#seriesTop - 1 - this.#freeSeries.length;
  }

  get forms(): number {
    return this.#formTop - 2 - this.#freeForms.length;
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
    const tables = this.#ids.bytes + this.#forms.bytes + this.#records.bytes;
    return (
      tables +
      this.#formIndex.bytes +
      this.#seriesIndex.bytes +
      this.#symbols.bytes +
      this.#metadata.bytes +
      this.tags.bytes +
      this.#arena.bytes
    );
  }

  begin(): void {
    this.#now = Math.floor(this.#clock() / 1000);
  }

  takeFamiliar(kind: FormKind, stage: SampleStage): void {
    const take = kind === 0 ? this.#familiar.takeFamiliarV1 : this.#familiar.takeFamiliarV2;
    take(
      stage.address,
      this.#forms.address,
      this.#records.address,
      this.#ids.address,
      this.#now,
      this.#symbols.address,
      this.#metadata.address,
    );
  }

  follow(previous: number, start: number, limit: number): number {
    const forms = this.#forms.words;
    let guess = forms[previous * WORDS + SUCCESSOR]!;
    // The second try: one series of the sender's order was left out this time.
    for (let tries = 0; tries < 2 && guess !== 0; tries++) {
      const at = guess * WORDS;
      const length = forms[at + SIZE_AND_KIND]! >>> 1;
      if (
        start + length <= limit &&
        this.#functions.equal(start, forms[at]!, length) === 1 &&
        this.#isLive(at, previous)
      ) {
        forms[at + FORM_SEEN] = this.#now;
        if (tries > 0) forms[previous * WORDS + SUCCESSOR] = guess;
        return guess;
      }
      guess = forms[at + SUCCESSOR]!;
    }
    return -1;
  }

  /** A guess may have left meanwhile, or its number may stand for a form of the other kind now. */
  #isLive(at: number, previous: number): boolean {
    const forms = this.#forms.words;
    return (
      forms[at + SERIES] !== 0 && ((forms[at + SIZE_AND_KIND]! ^ forms[previous * WORDS + SIZE_AND_KIND]!) & 1) === 0
    );
  }

  find(kind: FormKind, previous: number, start: number, end: number): number {
    const forms = this.#forms.words;
    const size = (end - start) * 2 + kind;
    const hash = this.#hash(start, end - start);
    for (let step = 0; ; step++) {
      const form = this.#formIndex.probe(hash, step);
      if (form === 0) return -1;
      const at = form * WORDS;
      if (
        forms[at + HASH] === hash &&
        forms[at + SIZE_AND_KIND] === size &&
        this.#functions.equal(start, forms[at]!, end - start) === 1
      ) {
        forms[at + FORM_SEEN] = this.#now;
        forms[previous * WORDS + SUCCESSOR] = form;
        return form;
      }
    }
  }

  link(previous: number, form: number): void {
    this.#forms.words[previous * WORDS + SUCCESSOR] = form;
  }

  formLength(form: number): number {
    return this.#forms.words[form * WORDS + SIZE_AND_KIND]! >>> 1;
  }

  seriesOf(form: number): number {
    return this.#forms.words[form * WORDS + SERIES]!;
  }

  touch(series: number): boolean {
    const at = series * WORDS;
    this.#records.words[at + SEEN] = this.#now;
    return this.#records.words[at + DUE]! <= this.#now;
  }

  add(start: number, end: number, labels: Uint8Array): SeriesAdded {
    const resolved = this.#resolve(labels);
    if (resolved.kind === 'refused') return resolved;
    const form = this.#addForm(0, resolved.series, start, end);
    return this.#added(resolved, form);
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
      form = this.#newForm(1, resolved.series, count * 4);
      if (form !== 0) {
        const at = this.#forms.words[form * WORDS]! / 4;
        for (let i = 0; i < count; i++) this.memory.words[at + i] = numbers[i]!;
        this.#index(form);
      }
    }
    return this.#added(resolved, form);
  }

  symbol(start: number, end: number): number {
    return this.#symbols.find(start, end);
  }

  metricName(form: number): string {
    const symbol = this.#nameSymbol(form);
    const start = this.#symbols.addressOf(symbol);
    return this.memory.bytes.toString('utf8', start, start + this.#symbols.lengthOf(symbol));
  }

  hasMetadata(form: number, type: number, help: number, unit: number): boolean {
    const record = this.#forms.words[form * WORDS + METADATA]!;
    return record !== 0 && this.#metadata.isGood(record, [type, help, unit], this.#now);
  }

  setMetadata(form: number, symbols: MessageSymbols, { type, helpRef, unitRef }: SymbolicMetadata): number {
    let record = 0;
    if (this.#metadata.count < this.forms + SPARE_METADATA) {
      const help = this.#symbols.intern(symbols, helpRef);
      const unit = this.#symbols.intern(symbols, unitRef);
      if (help !== 0 && unit !== 0) record = this.#metadata.intern(this.#nameSymbol(form), type, help, unit);
    }
    const at = form * WORDS + METADATA;
    if (record !== this.#forms.words[at] && this.#forms.words[at] !== 0) this.#outOfUse++;
    this.#forms.words[at] = record;
    // What was interned for no record is to be swept.
    if (record === 0) this.#outOfUse++;
    return record;
  }

  setMetadataGood(record: number, untilSeconds: number): void {
    if (record !== 0) this.#metadata.setGoodUntil(record, untilSeconds);
  }

  /** The symbol of the metric name in a 2.0 form. */
  #nameSymbol(form: number): number {
    const { words } = this.memory;
    const start = this.#forms.words[form * WORDS]! / 4;
    const end = start + (this.#forms.words[form * WORDS + SIZE_AND_KIND]! >>> 1) / 4;
    for (let word = start; word < end; word += 2) {
      const label = words[word]!;
      if (this.#symbols.lengthOf(label) !== NAME_LABEL.length) continue;
      const name = this.#symbols.addressOf(label) / 4;
      const isName = words[name] === NAME_WORDS[0] && words[name + 1] === NAME_WORDS[1];
      if (isName && this.#symbols.lengthOf(words[word + 1]!) > 0) return words[word + 1]!;
    }
    return bug(`form ${form} has no metric name`);
  }

  /** The active series with this id, or 0. */
  seriesWithId(idLow: number, idHigh: number): number {
    return this.#lookUp(idLow, idHigh);
  }

  labels(series: number): Uint8Array {
    const form = this.#records.words[series * WORDS + FIRST_FORM]!;
    const at = form * WORDS;
    const address = this.#forms.words[at]!;
    const length = this.#forms.words[at + SIZE_AND_KIND]! >>> 1;
    const list = this.#list;
    if ((this.#forms.words[at + SIZE_AND_KIND]! & 1) === 0) list.parse(this.memory.bytes, address, address + length);
    else {
      list.clear();
      for (let word = address / 4; word < (address + length) / 4; word += 2) {
        const name = this.memory.words[word]!;
        const value = this.memory.words[word + 1]!;
        const nameStart = this.#symbols.addressOf(name);
        const valueStart = this.#symbols.addressOf(value);
        list.push(
          nameStart,
          nameStart + this.#symbols.lengthOf(name),
          valueStart,
          valueStart + this.#symbols.lengthOf(value),
        );
      }
    }
    list.dropEmpty();
    list.sort(this.memory.bytes);
    return list.encode(this.memory.bytes);
  }

  validFrom(series: number): number {
    const at = series * WORDS + VALID_FROM;
    return this.#records.words[at]! + this.#records.words[at + 1]! * 4294967296;
  }

  renew(series: number, nowMs: number): void {
    this.#setValidFrom(series, Math.max(nowMs, this.validFrom(series) + 1));
    this.#records.words[series * WORDS + DUE] = 0;
  }

  announced(series: Iterable<number>): void {
    const now = Math.floor(this.#clock() / 1000);
    for (const number of series) this.#setAnnounced(number, now);
    this.onAnnounced?.(series);
  }

  /** Makes a row in prometheus.series due for every series: the database is another one. */
  reannounceAll(): void {
    for (let series = 1; series < this.#seriesTop; series++) this.#records.words[series * WORDS + DUE] = 0;
  }

  /** True while the number stands for a series. */
  isActive(series: number): boolean {
    return series > 0 && series < this.#seriesTop && this.#records.words[series * WORDS + FIRST_FORM] !== 0;
  }

  /** One more than the greatest series number. */
  get end(): number {
    return this.#seriesTop;
  }

  /** What the dictionary is to keep of a series. */
  entry(series: number): SeriesEntry {
    const at = series * WORDS;
    const due = this.#records.words[at + DUE]!;
    const id = series * 4;
    return {
      ids: [this.ids[id]!, this.ids[id + 1]!, this.ids[id + 2]!, this.ids[id + 3]!],
      check: [this.#records.words[at + CHECK]!, this.#records.words[at + CHECK + 1]!],
      validFromMs: this.validFrom(series),
      announcedSeconds: due === 0 ? 0 : due - announceSeconds(this.ids[id + 2]!),
      labels: this.labels(series),
      agent: this.tags.agent(series),
      signature: this.tags.signature(series),
    };
  }

  /** About this many series will be restored. */
  expect(count: number): void {
    const expected = Math.min(count, this.#limit);
    this.#formIndex.expect(expected);
    this.#seriesIndex.expect(expected);
    // If memory does not suffice for it, `restore` will find out.
    if (this.#forms.reserve(expected) && this.#records.reserve(expected)) this.#ids.reserve(expected);
  }

  /** Takes a series over from the dictionary; `labels` lie at [start, end) of the memory. Returns its number, or 0 when the limit is reached. */
  restore(entry: RestoredSeries, start: number, end: number): number {
    let series = this.#lookUp(entry.ids[2], entry.ids[3]);
    if (series === 0) {
      if (this.active >= this.#limit) return 0;
      series = this.#newSeries(entry.ids, entry.check);
      if (series === 0) return 0;
      if (this.#addForm(0, series, start, end) === 0) {
        this.#dropSeries(series);
        return 0;
      }
    }
    this.#setValidFrom(series, entry.validFromMs);
    this.#setAnnounced(series, entry.announcedSeconds);
    return series;
  }

  /** A restored series was announced again at this time. */
  restoreAnnounced(idLow: number, idHigh: number, announcedSeconds: number): void {
    const series = this.#lookUp(idLow, idHigh);
    if (series !== 0) this.#setAnnounced(series, announcedSeconds);
  }

  /** A restored series was announced with these tags. */
  restoreTags({ idLow, idHigh, validFromMs, agent, signature }: RestoredTags): void {
    const series = this.#lookUp(idLow, idHigh);
    if (series === 0) return;
    this.#setValidFrom(series, validFromMs);
    this.tags.setAnnounced(series, agent, signature);
  }

  /**
   * Lets idle series and forms leave, frees symbols and packs memory, in steps of well under a millisecond. Nothing that is seen within an hour moves
   * its number.
   */
  *upkeep(): Generator<void> {
    this.begin();
    const oldest = this.#now - IDLE_SECONDS;
    for (let series = 1; series < this.#seriesTop; series++) {
      if (series % 1024 === 0) yield;
      const at = series * WORDS;
      if (this.#records.words[at + FIRST_FORM] === 0) continue;
      if (this.#records.words[at + SEEN]! < oldest) {
        this.#dropSeries(series);
        this.idled++;
      } else if (this.#forms.words[this.#records.words[at + FIRST_FORM]! * WORDS + NEXT] !== 0)
        this.#dropForms(series, oldest);
    }
    if (this.#outOfUse > 0) {
      this.#outOfUse = 0;
      this.#symbols.beginMarking();
      this.#metadata.beginMarking();
      for (let form = 2; form < this.#formTop; form++) {
        if (form % 512 === 0) yield;
        const at = form * WORDS;
        if (this.#forms.words[at + SERIES] === 0 || (this.#forms.words[at + SIZE_AND_KIND]! & 1) === 0) continue;
        const start = this.#forms.words[at]! / 4;
        const end = start + (this.#forms.words[at + SIZE_AND_KIND]! >>> 1) / 4;
        for (let word = start; word < end; word++) this.#symbols.mark(this.memory.words[word]!);
        if (this.#forms.words[at + METADATA] !== 0) this.#metadata.mark(this.#forms.words[at + METADATA]!);
      }
      yield* this.#metadata.sweep();
      yield* this.#symbols.sweep();
    }
    const move = {
      alive: (owner: number, address: number): boolean =>
        owner >= SYMBOL_OWNER
          ? this.#symbols.isAt(owner - SYMBOL_OWNER, address)
          : this.#forms.words[owner * WORDS + SERIES] !== 0 && this.#forms.words[owner * WORDS] === address,
      moved: (owner: number, to: number): void => {
        if (owner >= SYMBOL_OWNER) this.#symbols.moved(owner - SYMBOL_OWNER, to);
        else this.#forms.words[owner * WORDS] = to;
      },
    };
    for (let block = this.#arena.sparse(); block !== 0; block = this.#arena.sparse()) {
      if (!this.#arena.evacuate(block, move)) return;
      yield;
    }
  }

  #resolve(labels: Uint8Array): Resolved | { readonly kind: 'refused'; readonly reason: 'limit' | 'collision' } {
    const whole = wordsOf(this.#digest(labels));
    const series = this.#lookUp(whole[0], whole[1]);
    if (series !== 0) {
      const at = series * WORDS + CHECK;
      if (this.#records.words[at] !== whole[2] || this.#records.words[at + 1] !== whole[3])
        return { kind: 'refused', reason: 'collision' };
      return { kind: 'known', series };
    }
    if (this.active >= this.#limit) return { kind: 'refused', reason: 'limit' };
    const [metricLow, metricHigh] = this.#metricId(metricName(labels));
    const number = this.#newSeries([metricLow, metricHigh, whole[0], whole[1]], [whole[2], whole[3]]);
    if (number === 0) return { kind: 'refused', reason: 'limit' };
    this.#setValidFrom(number, this.#clock());
    this.added++;
    return { kind: 'new', series: number };
  }

  #metricId(name: Uint8Array): readonly [low: number, high: number] {
    const key = Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
    let id = this.#metricIds.get(key);
    if (id === undefined) {
      const [low, high] = wordsOf(this.#digest(name));
      id = [low, high];
      if (this.#metricIds.size === REMEMBERED_METRICS) this.#metricIds.clear();
      this.#metricIds.set(key, id);
    }
    return id;
  }

  #added(resolved: Resolved, form: number): SeriesAdded {
    if (form !== 0) return { kind: resolved.kind, form, series: resolved.series };
    if (resolved.kind === 'new') this.#dropSeries(resolved.series);
    return { kind: 'refused', reason: 'limit' };
  }

  #lookUp(idLow: number, idHigh: number): number {
    const hash = this.#idHash(idLow, idHigh);
    for (let step = 0; ; step++) {
      const series = this.#seriesIndex.probe(hash, step);
      if (series === 0) return 0;
      if (this.ids[series * 4 + 2] === idLow && this.ids[series * 4 + 3] === idHigh) return series;
    }
  }

  /** 0 when memory is exhausted. */
  #newSeries(ids: readonly number[], check: readonly number[]): number {
    const series = this.#freeSeries.pop() ?? this.#seriesTop;
    if (!this.#records.reserve(series) || !this.#ids.reserve(series)) return 0;
    if (series === this.#seriesTop) this.#seriesTop++;
    const idWords = this.#ids.words;
    for (let word = 0; word < 4; word++) idWords[series * 4 + word] = ids[word]!;
    const at = series * WORDS;
    this.#records.words[at + SEEN] = this.#now;
    this.#records.words[at + DUE] = 0;
    this.#records.words[at + FIRST_FORM] = 0;
    this.#records.words[at + ID_HASH] = this.#idHash(ids[2]!, ids[3]!);
    this.#records.words[at + CHECK] = check[0]!;
    this.#records.words[at + CHECK + 1] = check[1]!;
    this.#seriesIndex.insert(series);
    return series;
  }

  #addForm(kind: FormKind, series: number, start: number, end: number): number {
    const form = this.#newForm(kind, series, end - start);
    if (form !== 0) {
      this.memory.bytes.copyWithin(this.#forms.words[form * WORDS]!, start, end);
      this.#index(form);
    }
    return form;
  }

  /** A form without its bytes and not in the index yet; 0 when it is too long or memory is exhausted. */
  #newForm(kind: FormKind, series: number, length: number): number {
    if (length > MAX_ENTRY_BYTES) return 0;
    const form = this.#freeForms.pop() ?? this.#formTop;
    if (!this.#forms.reserve(form)) return 0;
    if (form === this.#formTop) this.#formTop++;
    const at = form * WORDS;
    for (let word = at; word < at + WORDS; word++) this.#forms.words[word] = 0;
    const address = this.#arena.allocate(form, length);
    if (address === 0) {
      this.#freeForms.push(form);
      return 0;
    }
    this.#dropOldestForm(series);
    this.#forms.words[at] = address;
    this.#forms.words[at + SIZE_AND_KIND] = length * 2 + kind;
    this.#forms.words[at + SERIES] = series;
    this.#forms.words[at + FORM_SEEN] = this.#now;
    this.#forms.words[at + NEXT] = this.#records.words[series * WORDS + FIRST_FORM]!;
    this.#records.words[series * WORDS + FIRST_FORM] = form;
    return form;
  }

  #index(form: number): void {
    const at = form * WORDS;
    this.#forms.words[at + HASH] = this.#hash(this.#forms.words[at]!, this.#forms.words[at + SIZE_AND_KIND]! >>> 1);
    this.#formIndex.insert(form);
  }

  /** Makes room for one more form of the series. */
  #dropOldestForm(series: number): void {
    let count = 0;
    let oldest = 0;
    for (
      let form = this.#records.words[series * WORDS + FIRST_FORM]!;
      form !== 0;
      form = this.#forms.words[form * WORDS + NEXT]!
    ) {
      count++;
      // Of equally old ones the later in the list: it was added first.
      if (
        oldest === 0 ||
        this.#forms.words[form * WORDS + FORM_SEEN]! <= this.#forms.words[oldest * WORDS + FORM_SEEN]!
      )
        oldest = form;
    }
    if (count >= FORMS_PER_SERIES) this.#dropForm(series, oldest);
  }

  /** Drops the forms of an active series that were not seen since `oldest`, but the first one seen. */
  #dropForms(series: number, oldest: number): void {
    let best = this.#records.words[series * WORDS + FIRST_FORM]!;
    for (let form = best; form !== 0; form = this.#forms.words[form * WORDS + NEXT]!) {
      if (this.#forms.words[form * WORDS + FORM_SEEN]! > this.#forms.words[best * WORDS + FORM_SEEN]!) best = form;
    }
    for (let form = this.#records.words[series * WORDS + FIRST_FORM]!; form !== 0;) {
      const next = this.#forms.words[form * WORDS + NEXT]!;
      if (form !== best && this.#forms.words[form * WORDS + FORM_SEEN]! < oldest) this.#dropForm(series, form);
      form = next;
    }
  }

  #dropForm(series: number, form: number): void {
    const at = form * WORDS;
    let before = 0;
    for (
      let other = this.#records.words[series * WORDS + FIRST_FORM]!;
      other !== form;
      other = this.#forms.words[other * WORDS + NEXT]!
    )
      before = other;
    if (before === 0) this.#records.words[series * WORDS + FIRST_FORM] = this.#forms.words[at + NEXT]!;
    else this.#forms.words[before * WORDS + NEXT] = this.#forms.words[at + NEXT]!;
    this.#formIndex.remove(form);
    this.#arena.free(this.#forms.words[at]!, this.#forms.words[at + SIZE_AND_KIND]! >>> 1);
    this.#forms.words[at + SERIES] = 0;
    this.#freeForms.push(form);
    this.#outOfUse++;
  }

  #dropSeries(series: number): void {
    for (
      let form = this.#records.words[series * WORDS + FIRST_FORM]!;
      form !== 0;
      form = this.#records.words[series * WORDS + FIRST_FORM]!
    ) {
      this.#dropForm(series, form);
    }
    this.#seriesIndex.remove(series);
    this.tags.drop(series);
    this.#freeSeries.push(series);
  }

  #setValidFrom(series: number, milliseconds: number): void {
    const at = series * WORDS + VALID_FROM;
    this.#records.words[at] = milliseconds % 4294967296;
    this.#records.words[at + 1] = milliseconds / 4294967296;
  }

  #setAnnounced(series: number, seconds: number): void {
    this.#records.words[series * WORDS + DUE] =
      seconds === 0 ? 0 : seconds + announceSeconds(this.ids[series * 4 + 2]!);
  }

  #hash(start: number, length: number): number {
    const key = this.#key;
    return this.#functions.hash(start, length, key[0]!, key[1]!, key[2]!, key[3]!) >>> 0;
  }

  /** Ids are bytes of SHA-256 already; the key keeps their place in the table secret. */
  #idHash(low: number, high: number): number {
    let hash = Math.imul(low ^ this.#key[4]!, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ high ^ this.#key[5]!, 0x85ebca77);
    return (hash ^ (hash >>> 13)) >>> 0;
  }
}

interface Resolved {
  readonly kind: 'known' | 'new';
  readonly series: number;
}

const NAME_LABEL = Buffer.from('__name__');
/** The same as words; symbols begin at whole words. */
const NAME_WORDS = [NAME_LABEL.readUInt32LE(0), NAME_LABEL.readUInt32LE(4)] as const;

function announceSeconds(idLow: number): number {
  return ANNOUNCE_SECONDS - (idLow % ANNOUNCE_SPREAD_SECONDS);
}

function sha256(bytes: Uint8Array): Uint8Array {
  return digestOf('sha256', bytes, 'buffer');
}

function wordsOf(digest: Uint8Array): readonly [number, number, number, number] {
  const word = (at: number): number =>
    (digest[at]! | (digest[at + 1]! << 8) | (digest[at + 2]! << 16) | (digest[at + 3]! << 24)) >>> 0;
  return [word(0), word(4), word(8), word(12)];
}

/** The value of `__name__` in canonical label fields. */
function metricName(fields: Uint8Array): Uint8Array {
  for (let at = 0; at < fields.length;) {
    const [bodyLength, body] = varint(fields, at + 1);
    const [nameLength, name] = varint(fields, body + 1);
    const [valueLength, value] = varint(fields, name + nameLength + 1);
    if (nameLength === NAME_LABEL.length && NAME_LABEL.every((byte, i) => fields[name + i] === byte)) {
      return fields.subarray(value, value + valueLength);
    }
    at = body + bodyLength;
  }
  return fields.subarray(0, 0);
}

function varint(bytes: Uint8Array, at: number): readonly [value: number, end: number] {
  let value = 0;
  let end = at;
  while (bytes[end]! > 127) value |= (bytes[end]! & 127) << (7 * (end++ - at));
  return [value | (bytes[end]! << (7 * (end - at))), end + 1];
}
