import type { LinearMemory } from '../base/linear-memory.ts';
import { WordTable } from '../base/word-table.ts';
import type { ByteFunctions } from './byte-functions.ts';
import { HashIndex } from './hash-index.ts';
import type { SymbolTable } from './symbol-table.ts';

/**
 * What remote write 2.0 said about metrics: each combination once, with a number from 1 on. The forms that it came with have that number.
 *
 *   8 words a record: 0 metric name | 1 type | 2 help | 3 unit (all but the type are symbols) | 4 keyed hash
 *                     5 good until, s: up to then nothing is to be written for it; 0 = it is to be looked at | 6, 7 unused
 */
const WORDS = 8;
const TYPE = 1;
const HELP = 2;
const UNIT = 3;
const HASH = 4;
const GOOD_UNTIL = 5;
const KEY_BYTES = 16;

/** Texts of help and unit that may be interned in all; each record's are counted, shared or not. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;

export class MetadataTable {
  readonly #functions: ByteFunctions;
  readonly #key: Uint32Array;
  readonly #symbols: SymbolTable;
  readonly #table: WordTable;
  readonly #index: HashIndex;
  #top = 1;
  readonly #free: number[] = [];
  #textBytes = 0;
  #marks: Uint8Array = new Uint8Array(256);
  #marking = false;
  /** Changes whenever numbers may have become free. */
  generation = 0;

  constructor(parts: { memory: LinearMemory; functions: ByteFunctions; key: Uint32Array; symbols: SymbolTable }) {
    this.#functions = parts.functions;
    this.#key = parts.key;
    this.#symbols = parts.symbols;
    this.#table = new WordTable(parts.memory, WORDS);
    this.#index = new HashIndex(this.#table, HASH);
  }

  get count(): number {
    return this.#top - 1 - this.#free.length;
  }

  /** Where record 0 is, for assembled code. */
  get address(): number {
    return this.#table.address;
  }

  get bytes(): number {
    return this.#table.bytes + this.#marks.byteLength + this.#index.bytes;
  }

  /** Whether the record says this and is good at `now`, in seconds. */
  isGood(record: number, [type, help, unit]: readonly [number, number, number], now: number): boolean {
    const { words } = this.#table;
    const at = record * WORDS;
    return (
      words[at + TYPE] === type &&
      words[at + HELP] === help &&
      words[at + UNIT] === unit &&
      now < words[at + GOOD_UNTIL]!
    );
  }

  /** The record of this name, type, help and unit; a new one is to be looked at. 0 when there is no room. */
  intern(name: number, type: number, help: number, unit: number): number {
    const candidate = this.#free.at(-1) ?? this.#top;
    if (!this.#reserve(candidate)) return 0;
    const { words } = this.#table;
    const at = candidate * WORDS;
    words[at] = name;
    words[at + TYPE] = type;
    words[at + HELP] = help;
    words[at + UNIT] = unit;
    const key = this.#key;
    const hash =
      this.#functions.hash(this.#table.address + at * 4, KEY_BYTES, key[0]!, key[1]!, key[2]!, key[3]!) >>> 0;
    for (let step = 0; ; step++) {
      const record = this.#index.probe(hash, step);
      if (record === 0) break;
      const other = record * WORDS;
      if (
        words[other] === name &&
        words[other + TYPE] === type &&
        words[other + HELP] === help &&
        words[other + UNIT] === unit
      ) {
        words[at] = 0;
        this.mark(record);
        return record;
      }
    }
    const textBytes = this.#symbols.lengthOf(help) + this.#symbols.lengthOf(unit);
    if (this.#textBytes + textBytes > MAX_TEXT_BYTES) {
      words[at] = 0;
      return 0;
    }
    this.#textBytes += textBytes;
    if (candidate === this.#top) this.#top++;
    else this.#free.pop();
    words[at + HASH] = hash;
    words[at + GOOD_UNTIL] = 0;
    this.#index.insert(candidate);
    this.mark(candidate);
    return candidate;
  }

  setGoodUntil(record: number, seconds: number): void {
    this.#table.words[record * WORDS + GOOD_UNTIL] = seconds;
  }

  /** Begins together with the symbols' marking: `mark` all records in use, then `sweep`. Records interned meanwhile are in use. */
  beginMarking(): void {
    this.#marks.fill(0);
    this.#marking = true;
  }

  /** Marks the record, and its symbols. */
  mark(record: number): void {
    if (!this.#marking || this.#marks[record] === 1) return;
    this.#marks[record] = 1;
    const { words } = this.#table;
    for (const part of [0, HELP, UNIT]) this.#symbols.mark(words[record * WORDS + part]!);
  }

  /** Frees records that were not marked, some thousands a step. Must come before the symbols' sweep. */
  *sweep(): Generator<void> {
    for (let record = 1; record < this.#top; record++) {
      if (record % 4096 === 0) yield;
      const { words } = this.#table;
      const at = record * WORDS;
      if (this.#marks[record] === 1 || words[at] === 0) continue;
      this.generation++;
      this.#textBytes -= this.#symbols.lengthOf(words[at + HELP]!) + this.#symbols.lengthOf(words[at + UNIT]!);
      this.#index.remove(record);
      words[at] = 0;
      words[at + GOOD_UNTIL] = 0;
      this.#free.push(record);
    }
    this.#marking = false;
  }

  #reserve(record: number): boolean {
    if (!this.#table.reserve(record)) return false;
    if (record >= this.#marks.length) {
      const marks = new Uint8Array(Math.ceil(record * 1.5));
      marks.set(this.#marks);
      this.#marks = marks;
    }
    return true;
  }
}
