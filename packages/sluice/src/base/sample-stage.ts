import { bug } from './errors.ts';
import { BLOCK_BYTES, type LinearMemory } from './linear-memory.ts';

/**
 * Float samples of the message that is being decoded, as four columns in a LinearMemory, and the state of the walk over the message. Both are there so
 * that assembled code can take the familiar majority of a message by itself; the rest is added with `push`.
 *
 *   state:   u32 at | u32 end | u32 previous form | u32 rows | i64 least time accepted | i64 greatest | i64 least time taken | i64 greatest
 *            u32 number of symbols | u32 address of their interned numbers, u32 each | u32 address of their ranges, u32 start, u32 end each
 *            u32 number of TimeSeries | u32 where the first one is, 0 = none yet
 *   columns: metric ids, series ids, times (ms), values: 8 bytes a row, low half first
 */
export const STAGE_ROWS = 4096;

/** Byte offsets from the stage's address. */
export const STAGE = {
  at: 0,
  end: 4,
  previous: 8,
  rows: 12,
  minAccepted: 16,
  maxAccepted: 24,
  minTaken: 32,
  maxTaken: 40,
  symbols: 48,
  numbers: 52,
  ranges: 56,
  entries: 60,
  firstEntry: 64,
  metricIds: 4096,
  seriesIds: 4096 + STAGE_ROWS * 8,
  times: 4096 + STAGE_ROWS * 16,
  values: 4096 + STAGE_ROWS * 24,
} as const;

const MAX_INT64 = 0x7fffffffffffffffn;

export class SampleStage {
  readonly memory: LinearMemory;
  readonly address: number;

  constructor(memory: LinearMemory) {
    this.memory = memory;
    this.address = memory.allocate();
    if (this.address === 0) bug(`the memory is exhausted; expected a free block of ${BLOCK_BYTES} bytes`);
  }

  /** Empties the stage for the message [at, end); times are accepted from `min` to `max`, epoch milliseconds. */
  begin(at: number, end: number, min: number, max: number): void {
    this.#put(STAGE.at, at);
    this.#put(STAGE.end, end);
    this.#put(STAGE.symbols, 0);
    this.#put(STAGE.entries, 0);
    this.#put(STAGE.firstEntry, 0);
    this.memory.view.setBigInt64(this.address + STAGE.minAccepted, BigInt(Math.ceil(min)), true);
    this.memory.view.setBigInt64(this.address + STAGE.maxAccepted, BigInt(Math.floor(max)), true);
    this.clear();
  }

  /** Forgets the rows. */
  clear(): void {
    this.#put(STAGE.rows, 0);
    this.memory.view.setBigInt64(this.address + STAGE.minTaken, MAX_INT64, true);
    this.memory.view.setBigInt64(this.address + STAGE.maxTaken, -MAX_INT64, true);
  }

  get at(): number {
    return this.#get(STAGE.at);
  }

  set at(at: number) {
    this.#put(STAGE.at, at);
  }

  get previous(): number {
    return this.#get(STAGE.previous);
  }

  set previous(form: number) {
    this.#put(STAGE.previous, form);
  }

  get rows(): number {
    return this.#get(STAGE.rows);
  }

  get isFull(): boolean {
    return this.rows === STAGE_ROWS;
  }

  /** Symbols of the message so far. */
  get symbols(): number {
    return this.#get(STAGE.symbols);
  }

  set symbols(count: number) {
    this.#put(STAGE.symbols, count);
  }

  /** TimeSeries of the message so far, and where the first is (0 = there is none). */
  get entries(): number {
    return this.#get(STAGE.entries);
  }

  get firstEntry(): number {
    return this.#get(STAGE.firstEntry);
  }

  sawEntry(at: number): void {
    this.#put(STAGE.entries, this.entries + 1);
    if (this.firstEntry === 0) this.#put(STAGE.firstEntry, at);
  }

  /** Where the symbols' interned numbers and their ranges stand. */
  placeSymbols(numbers: number, ranges: number): void {
    this.#put(STAGE.numbers, numbers);
    this.#put(STAGE.ranges, ranges);
  }

  /** Adds a row; there must be room for it. Ids are the 4 words of the series; time and value unsigned halves. */
  push(ids: Uint32Array, series: number, timeLow: number, timeHigh: number, valueLow: number, valueHigh: number): void {
    const { words } = this.memory;
    const row = this.rows;
    const at = this.address / 4 + row * 2;
    const id = series * 4;
    words[at + STAGE.metricIds / 4] = ids[id]!;
    words[at + STAGE.metricIds / 4 + 1] = ids[id + 1]!;
    words[at + STAGE.seriesIds / 4] = ids[id + 2]!;
    words[at + STAGE.seriesIds / 4 + 1] = ids[id + 3]!;
    words[at + STAGE.times / 4] = timeLow;
    words[at + STAGE.times / 4 + 1] = timeHigh;
    words[at + STAGE.values / 4] = valueLow;
    words[at + STAGE.values / 4 + 1] = valueHigh;
    this.#put(STAGE.rows, row + 1);
  }

  /** The rows' part of a column (`STAGE.times`, ...) as words; a view. */
  column(offset: number): Uint32Array {
    const start = (this.address + offset) / 4;
    return this.memory.words.subarray(start, start + this.rows * 2);
  }

  /** Least and greatest time that assembled code took, epoch milliseconds; Infinity and -Infinity when none. Exact below 2^53. */
  takenTimes(): { readonly min: number; readonly max: number } {
    const min = this.memory.view.getBigInt64(this.address + STAGE.minTaken, true);
    const max = this.memory.view.getBigInt64(this.address + STAGE.maxTaken, true);
    return min > max ? { min: Infinity, max: -Infinity } : { min: Number(min), max: Number(max) };
  }

  #get(offset: number): number {
    return this.memory.words[(this.address + offset) / 4]!;
  }

  #put(offset: number, value: number): void {
    this.memory.words[(this.address + offset) / 4] = value;
  }
}
