import type { LinearMemory } from '../base/linear-memory.ts';
import { WordTable } from '../base/word-table.ts';
import { HashIndex } from './hash-index.ts';
import { RECORD, type HashKey } from './series-layout.ts';

const {
  words: WORDS,
  seen: SEEN,
  due: DUE,
  firstForm: FIRST_FORM,
  idHash: ID_HASH,
  check: CHECK,
  validFrom: VALID_FROM,
} = RECORD;
const TWO_32 = 4_294_967_296;

const ANNOUNCE_SECONDS = 24 * 3600;
/** Announcements come up to this much earlier, different for each series, so that they do not all fall due in one minute. */
const ANNOUNCE_SPREAD_SECONDS = 2 * 3600;

/** The series: their ids, when they were seen, when they are to be announced. Numbered from 1; a number is given again when its series has left. */
export class SeriesRecords {
  readonly table: WordTable;
  readonly idTable: WordTable;
  readonly #index: HashIndex;
  readonly #key: HashKey;
  readonly #free: number[] = [];
  /** One more than the greatest number. */
  end = 1;
  /** Epoch seconds: when what is touched is seen. */
  now = 0;

  constructor(memory: LinearMemory, key: HashKey) {
    this.table = new WordTable(memory, WORDS);
    this.idTable = new WordTable(memory, 4);
    this.#index = new HashIndex(this.table, ID_HASH);
    this.#key = key;
  }

  get bytes(): number {
    return this.table.bytes + this.idTable.bytes + this.#index.bytes;
  }

  get active(): number {
    return this.end - 1 - this.#free.length;
  }

  /** Four words a series: ids of its metric and its own. */
  get ids(): Uint32Array {
    return this.idTable.words;
  }

  /** Room for a series of this number; false when memory is exhausted. */
  reserve(number: number): boolean {
    return this.table.reserve(number) && this.idTable.reserve(number);
  }

  /** About so many series will come. */
  expect(count: number): void {
    this.#index.expect(count);
  }

  /** The series with this id, or 0. */
  find(idLow: number, idHigh: number): number {
    const hash = this.#hash(idLow, idHigh);
    for (let step = 0; ; step++) {
      const series = this.#index.probe(hash, step);
      if (series === 0) return 0;
      if (this.ids[series * 4 + 2] === idLow && this.ids[series * 4 + 3] === idHigh) return series;
    }
  }

  /** A series without forms, seen now and due to be announced; 0 when memory is exhausted. */
  add(ids: readonly number[], check: readonly number[]): number {
    const series = this.#free.pop() ?? this.end;
    if (!this.reserve(series)) return 0;
    if (series === this.end) this.end++;
    const { ids: idWords } = this;
    for (let word = 0; word < 4; word++) idWords[series * 4 + word] = ids[word]!;
    const { words } = this.table;
    const at = series * WORDS;
    words[at + SEEN] = this.now;
    words[at + DUE] = 0;
    words[at + FIRST_FORM] = 0;
    words[at + ID_HASH] = this.#hash(ids[2]!, ids[3]!);
    words[at + CHECK] = check[0]!;
    words[at + CHECK + 1] = check[1]!;
    this.#index.insert(series);
    return series;
  }

  /** A series without forms leaves. */
  drop(series: number): void {
    this.#index.remove(series);
    this.#free.push(series);
  }

  /** True while the number stands for a series. */
  isActive(series: number): boolean {
    return series > 0 && series < this.end && this.firstForm(series) !== 0;
  }

  firstForm(series: number): number {
    return this.table.words[series * WORDS + FIRST_FORM]!;
  }

  setFirstForm(series: number, form: number): void {
    this.table.words[series * WORDS + FIRST_FORM] = form;
  }

  /** Marks a series as seen; tells whether its announcement is due. */
  touch(series: number): boolean {
    const { now } = this;
    const { words } = this.table;
    const at = series * WORDS;
    words[at + SEEN] = now;
    return words[at + DUE]! <= now;
  }

  seen(series: number): number {
    return this.table.words[series * WORDS + SEEN]!;
  }

  /** Two words of the digest beside the id: they differ when two label sets have one id. */
  check(series: number): readonly [number, number] {
    const at = series * WORDS + CHECK;
    return [this.table.words[at]!, this.table.words[at + 1]!];
  }

  /** Epoch milliseconds. */
  validFrom(series: number): number {
    const at = series * WORDS + VALID_FROM;
    return this.table.words[at]! + this.table.words[at + 1]! * TWO_32;
  }

  setValidFrom(series: number, milliseconds: number): void {
    const at = series * WORDS + VALID_FROM;
    this.table.words[at] = milliseconds % TWO_32;
    this.table.words[at + 1] = milliseconds / TWO_32;
  }

  /** When it was announced last, epoch seconds; 0 = it is due. */
  announced(series: number): number {
    const due = this.table.words[series * WORDS + DUE]!;
    return due === 0 ? 0 : due - this.#interval(series);
  }

  setAnnounced(series: number, seconds: number): void {
    this.table.words[series * WORDS + DUE] = seconds === 0 ? 0 : seconds + this.#interval(series);
  }

  #interval(series: number): number {
    return ANNOUNCE_SECONDS - (this.ids[series * 4 + 2]! % ANNOUNCE_SPREAD_SECONDS);
  }

  /** Ids are bytes of SHA-256 already; the key keeps their place in the table secret. */
  #hash(low: number, high: number): number {
    let hash = Math.imul(low ^ this.#key[4]!, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ high ^ this.#key[5]!, 0x85ebca77);
    return (hash ^ (hash >>> 13)) >>> 0;
  }
}
