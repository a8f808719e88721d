import { bug } from '../base/errors.ts';
import type { LinearMemory } from '../base/linear-memory.ts';
import type { FormKind } from '../base/ports.ts';
import { WordTable } from '../base/word-table.ts';
import { type Arena, MAX_ENTRY_BYTES } from './arena.ts';
import type { ByteFunctions } from './byte-functions.ts';
import { HashIndex } from './hash-index.ts';
import { FORM, type HashKey } from './series-layout.ts';
import type { SeriesRecords } from './series-records.ts';

const {
  words: WORDS,
  address: ADDRESS,
  sizeAndKind: SIZE_AND_KIND,
  series: SERIES,
  successor: SUCCESSOR,
  hash: HASH,
  seen: SEEN,
  next: NEXT,
  metadata: METADATA,
} = FORM;

/** Forms 0 and 1 are the starts of messages. */
const FIRST = 2;
const FORMS_PER_SERIES = 8;

export interface FormTableOptions {
  readonly memory: LinearMemory;
  readonly arena: Arena;
  readonly functions: ByteFunctions;
  readonly key: HashKey;
  readonly records: SeriesRecords;
}

/** The spellings in which series come: label bytes of 1.0 messages, symbols of 2.0 messages. Each names one series and remembers which one came next. */
export class FormTable {
  readonly table: WordTable;
  /** One more than the greatest number. */
  end = FIRST;
  /** Forms that have left, in all. */
  left = 0;
  /** Epoch seconds: when what is found is seen. */
  now = 0;
  readonly #memory: LinearMemory;
  readonly #arena: Arena;
  readonly #functions: ByteFunctions;
  readonly #key: HashKey;
  readonly #records: SeriesRecords;
  readonly #index: HashIndex;
  readonly #free: number[] = [];

  constructor({ memory, arena, functions, key, records }: FormTableOptions) {
    this.#memory = memory;
    this.#arena = arena;
    this.#functions = functions;
    this.#key = key;
    this.#records = records;
    this.table = new WordTable(memory, WORDS);
    this.#index = new HashIndex(this.table, HASH);
    if (!this.table.reserve(FIRST - 1)) bug('the memory is exhausted at start');
    // The start of a 2.0 message, so that its successor is one too.
    this.table.words[WORDS + SIZE_AND_KIND] = 1;
  }

  get bytes(): number {
    return this.table.bytes + this.#index.bytes;
  }

  get count(): number {
    return this.end - FIRST - this.#free.length;
  }

  /** About so many forms will come; false when memory is exhausted. */
  expect(count: number): boolean {
    this.#index.expect(count);
    return this.table.reserve(count);
  }

  /** See ActiveSeries. */
  follow(previous: number, start: number, limit: number): number {
    const forms = this.table.words;
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
        forms[at + SEEN] = this.now;
        if (tries > 0) forms[previous * WORDS + SUCCESSOR] = guess;
        return guess;
      }
      guess = forms[at + SUCCESSOR]!;
    }
    return -1;
  }

  /** A guess may have left meanwhile, or its number may stand for a form of the other kind now. */
  #isLive(at: number, previous: number): boolean {
    const forms = this.table.words;
    return (
      forms[at + SERIES] !== 0 && ((forms[at + SIZE_AND_KIND]! ^ forms[previous * WORDS + SIZE_AND_KIND]!) & 1) === 0
    );
  }

  /** The form of this kind whose bytes are exactly those of [start, end), or -1. */
  find(kind: FormKind, start: number, end: number): number {
    const forms = this.table.words;
    const size = (end - start) * 2 + kind;
    const hash = this.#hash(start, end - start);
    for (let step = 0; ; step++) {
      const form = this.#index.probe(hash, step);
      if (form === 0) return -1;
      const at = form * WORDS;
      if (
        forms[at + HASH] === hash &&
        forms[at + SIZE_AND_KIND] === size &&
        this.#functions.equal(start, forms[at]!, end - start) === 1
      ) {
        forms[at + SEEN] = this.now;
        return form;
      }
    }
  }

  link(previous: number, form: number): void {
    this.table.words[previous * WORDS + SUCCESSOR] = form;
  }

  address(form: number): number {
    return this.table.words[form * WORDS + ADDRESS]!;
  }

  setAddress(form: number, address: number): void {
    this.table.words[form * WORDS + ADDRESS] = address;
  }

  length(form: number): number {
    return this.table.words[form * WORDS + SIZE_AND_KIND]! >>> 1;
  }

  isSymbolic(form: number): boolean {
    return (this.table.words[form * WORDS + SIZE_AND_KIND]! & 1) === 1;
  }

  /** The series that it names; 0 = there is no such form. */
  seriesOf(form: number): number {
    return this.table.words[form * WORDS + SERIES]!;
  }

  metadata(form: number): number {
    return this.table.words[form * WORDS + METADATA]!;
  }

  setMetadata(form: number, record: number): void {
    this.table.words[form * WORDS + METADATA] = record;
  }

  /** A further form of the same series, or 0. */
  next(form: number): number {
    return this.table.words[form * WORDS + NEXT]!;
  }

  /** Adds the 1.0 form [start, end); 0 when it is too long or memory is exhausted. */
  add(series: number, start: number, end: number): number {
    const form = this.begin(0, series, end - start);
    if (form !== 0) {
      this.#memory.bytes.copyWithin(this.address(form), start, end);
      this.index(form);
    }
    return form;
  }

  /** A form without its bytes and not to be found yet; 0 when it is too long or memory is exhausted. */
  begin(kind: FormKind, series: number, length: number): number {
    if (length > MAX_ENTRY_BYTES) return 0;
    const form = this.#free.pop() ?? this.end;
    if (!this.table.reserve(form)) return 0;
    if (form === this.end) this.end++;
    const at = form * WORDS;
    this.table.words.fill(0, at, at + WORDS);
    const address = this.#arena.allocate(form, length);
    if (address === 0) {
      this.#free.push(form);
      return 0;
    }
    this.#dropOldest(series);
    const { words } = this.table;
    words[at] = address;
    words[at + SIZE_AND_KIND] = length * 2 + kind;
    words[at + SERIES] = series;
    words[at + SEEN] = this.now;
    words[at + NEXT] = this.#records.firstForm(series);
    this.#records.setFirstForm(series, form);
    return form;
  }

  /** Its bytes are there: it can be found. */
  index(form: number): void {
    this.table.words[form * WORDS + HASH] = this.#hash(this.address(form), this.length(form));
    this.#index.insert(form);
  }

  /** Drops all forms of a series. */
  dropAll(series: number): void {
    for (let form = this.#records.firstForm(series); form !== 0; form = this.#records.firstForm(series)) {
      this.#drop(series, form);
    }
  }

  /** Drops the forms of a series that were not seen since `oldest`, but the one seen last. */
  dropUnseen(series: number, oldest: number): void {
    let best = this.#records.firstForm(series);
    for (let form = best; form !== 0; form = this.next(form)) if (this.#seen(form) > this.#seen(best)) best = form;
    for (let form = this.#records.firstForm(series); form !== 0;) {
      const next = this.next(form);
      if (form !== best && this.#seen(form) < oldest) this.#drop(series, form);
      form = next;
    }
  }

  /** Makes room for one more form of the series. */
  #dropOldest(series: number): void {
    let count = 0;
    let oldest = 0;
    for (let form = this.#records.firstForm(series); form !== 0; form = this.next(form)) {
      count++;
      // Of equally old ones the later in the list: it was added first.
      if (oldest === 0 || this.#seen(form) <= this.#seen(oldest)) oldest = form;
    }
    if (count >= FORMS_PER_SERIES) this.#drop(series, oldest);
  }

  #drop(series: number, form: number): void {
    let before = 0;
    for (let other = this.#records.firstForm(series); other !== form; other = this.next(other)) before = other;
    if (before === 0) this.#records.setFirstForm(series, this.next(form));
    else this.table.words[before * WORDS + NEXT] = this.next(form);
    this.#index.remove(form);
    this.#arena.free(this.address(form), this.length(form));
    this.table.words[form * WORDS + SERIES] = 0;
    this.#free.push(form);
    this.left++;
  }

  #seen(form: number): number {
    return this.table.words[form * WORDS + SEEN]!;
  }

  #hash(start: number, length: number): number {
    const key = this.#key;
    return this.#functions.hash(start, length, key[0]!, key[1]!, key[2]!, key[3]!) >>> 0;
  }
}
