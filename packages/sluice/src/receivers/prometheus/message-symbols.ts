import type { ActiveSeries, MessageSymbols } from '../../base/ports.ts';
import type { SampleStage } from '../../base/sample-stage.ts';
import { WordTable } from '../../base/word-table.ts';
import { type ScanSymbols, scanSymbols } from './symbol-scan-code.ts';

/** `number(ref)`: the symbol is not interned, so no known series has it. */
export const NOT_INTERNED = 0xffffffff;

/** The symbol table of a 2.0 message. Which interned symbol a reference means is found out when it is first used. */
export class SymbolReferences implements MessageSymbols {
  readonly #stage: SampleStage;
  /** Start and end by reference. */
  readonly #ranges: WordTable;
  /** Interned number by reference; 0 = not asked yet. */
  readonly #numbers: WordTable;
  readonly #scan: ScanSymbols;

  constructor(stage: SampleStage) {
    this.#stage = stage;
    this.#ranges = new WordTable(stage.memory, 2);
    this.#numbers = new WordTable(stage.memory, 1);
    this.#scan = scanSymbols(stage.memory);
  }

  get count(): number {
    return this.#stage.symbols;
  }

  get ranges(): Uint32Array {
    return this.#ranges.words;
  }

  get numbers(): Uint32Array {
    return this.#numbers.words;
  }

  /** Start and end of a symbol in the memory. */
  range(ref: number): [start: number, end: number] {
    return [this.ranges[ref * 2]!, this.ranges[ref * 2 + 1]!];
  }

  isEmpty(ref: number): boolean {
    return this.ranges[ref * 2] === this.ranges[ref * 2 + 1];
  }

  /**
   * Takes symbols from `at` on and steps over TimeSeries; returns where another field stands, or one that is not in the usual form, or where more than
   * `limit` symbols are reached. False when memory is exhausted.
   */
  scan(at: number, end: number, limit: number): number | false {
    for (let from = at; ;) {
      const room = Math.min(this.count + 4096, limit + 1);
      if (!this.#ranges.reserve(room) || !this.#numbers.reserve(room)) return false;
      this.#stage.placeSymbols(this.#numbers.address, this.#ranges.address);
      from = this.#scan(this.#stage.address, from, end, room) >>> 0;
      if (this.count < room || room > limit) return from;
    }
  }

  /** Adds one symbol after `scan`, which leaves room for it. */
  push(start: number, end: number): void {
    const ref = this.count;
    this.#ranges.words[ref * 2] = start;
    this.#ranges.words[ref * 2 + 1] = end;
    this.#numbers.words[ref] = 0;
    this.#stage.symbols = ref + 1;
  }

  /** Finds out which interned symbol `ref` (below `count`) means, or NOT_INTERNED. */
  resolve(ref: number, series: ActiveSeries): number {
    const found = series.symbol(this.ranges[ref * 2]!, this.ranges[ref * 2 + 1]!);
    const number = found === 0 ? NOT_INTERNED : found;
    this.#numbers.words[ref] = number;
    return number;
  }
}
