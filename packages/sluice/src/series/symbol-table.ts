import { bug } from '../base/errors.ts';
import type { LinearMemory } from '../base/linear-memory.ts';
import type { MessageSymbols } from '../base/ports.ts';
import type { Arena } from './arena.ts';
import type { ByteFunctions } from './byte-functions.ts';
import { HashIndex } from './hash-index.ts';
import { WordTable } from '../base/word-table.ts';

/**
 * Interned symbols of remote write 2.0: label names and values that occur in forms of active series, each once, with a number from 1 on.
 *
 *   3 words a symbol: 0 address | 1 length | 2 keyed hash
 *
 * Only symbols of accepted series get in, so what a message merely mentions (help texts, trace ids) leaves no trace.
 */
const WORDS = 3;
const LENGTH = 1;
const HASH = 2;
/** Owner numbers of symbols in the arena have this bit, those of forms do not. */
export const SYMBOL_OWNER = 0x80000000;

const FREE = 0xffffffff;
const NOT_INTERNED = 0xffffffff;

export class SymbolTable {
  readonly #memory: LinearMemory;
  readonly #arena: Arena;
  readonly #functions: ByteFunctions;
  readonly #key: Uint32Array;
  readonly #table: WordTable;
  #marks: Uint8Array = new Uint8Array(256);
  #marking = false;
  readonly #index: HashIndex;
  /** Numbers given out so far, the free ones among them. */
  #top = 1;
  readonly #free: number[] = [];

  constructor(parts: { memory: LinearMemory; arena: Arena; functions: ByteFunctions; key: Uint32Array }) {
    this.#memory = parts.memory;
    this.#arena = parts.arena;
    this.#functions = parts.functions;
    this.#key = parts.key;
    this.#table = new WordTable(parts.memory, WORDS);
    this.#index = new HashIndex(this.#table, HASH);
    if (!this.#table.reserve(0)) bug('the memory is exhausted at start');
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

  /** The symbol with these bytes, or 0. */
  find(start: number, end: number): number {
    const { words } = this.#table;
    const length = end - start;
    const hash = this.#hash(start, length);
    for (let step = 0; ; step++) {
      const symbol = this.#index.probe(hash, step);
      if (symbol === 0) return 0;
      if (
        words[symbol * WORDS + HASH] === hash &&
        words[symbol * WORDS + LENGTH] === length &&
        this.#functions.equal(start, words[symbol * WORDS]!, length) === 1
      ) {
        return symbol;
      }
    }
  }

  /** Interns symbol `ref` of a message; 0 when memory is exhausted. */
  intern(symbols: MessageSymbols, ref: number): number {
    const known = symbols.numbers?.[ref] ?? 0;
    const symbol = known === 0 || known === NOT_INTERNED ? this.#intern(symbols, ref) : known;
    if (this.#marking) this.#marks[symbol] = 1;
    if (symbols.numbers !== undefined && symbol !== 0) symbols.numbers[ref] = symbol;
    return symbol;
  }

  #intern(symbols: MessageSymbols, ref: number): number {
    const start = symbols.ranges[ref * 2]!;
    const end = symbols.ranges[ref * 2 + 1]!;
    let symbol = this.find(start, end);
    if (symbol === 0) {
      symbol = this.#free.pop() ?? this.#top;
      if (!this.#reserve(symbol)) return 0;
      if (symbol === this.#top) this.#top++;
      const address = this.#arena.allocate((SYMBOL_OWNER | symbol) >>> 0, end - start);
      if (address === 0) {
        this.#table.words[symbol * WORDS + LENGTH] = FREE;
        this.#free.push(symbol);
        return 0;
      }
      this.#memory.bytes.copyWithin(address, start, end);
      const at = symbol * WORDS;
      this.#table.words[at] = address;
      this.#table.words[at + LENGTH] = end - start;
      this.#table.words[at + HASH] = this.#hash(address, end - start);
      this.#index.insert(symbol);
    }
    return symbol;
  }

  addressOf(symbol: number): number {
    return this.#table.words[symbol * WORDS]!;
  }

  lengthOf(symbol: number): number {
    return this.#table.words[symbol * WORDS + LENGTH]!;
  }

  isAt(symbol: number, address: number): boolean {
    return this.#table.words[symbol * WORDS + LENGTH] !== FREE && this.#table.words[symbol * WORDS] === address;
  }

  moved(symbol: number, address: number): void {
    this.#table.words[symbol * WORDS] = address;
  }

  /** Forgets which symbols are in use; `mark` all that are, then `sweep`. Symbols interned meanwhile are in use. */
  beginMarking(): void {
    this.#marks.fill(0);
    this.#marking = true;
  }

  mark(symbol: number): void {
    this.#marks[symbol] = 1;
  }

  /** Frees symbols that were not marked, some thousands a step. */
  *sweep(): Generator<void> {
    for (let symbol = 1; symbol < this.#top; symbol++) {
      if (symbol % 4096 === 0) yield;
      const at = symbol * WORDS;
      if (this.#marks[symbol] === 1 || this.#table.words[at + LENGTH] === FREE) continue;
      this.#index.remove(symbol);
      this.#arena.free(this.#table.words[at]!, this.#table.words[at + LENGTH]!);
      this.#table.words[at + LENGTH] = FREE;
      this.#free.push(symbol);
    }
    this.#marking = false;
  }

  #hash(start: number, length: number): number {
    const key = this.#key;
    return this.#functions.hash(start, length, key[0]!, key[1]!, key[2]!, key[3]!) >>> 0;
  }

  #reserve(symbol: number): boolean {
    if (!this.#table.reserve(symbol)) return false;
    if (symbol >= this.#marks.length) {
      const marks = new Uint8Array(Math.ceil(symbol * 1.5));
      marks.set(this.#marks);
      this.#marks = marks;
    }
    return true;
  }
}
