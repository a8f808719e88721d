import { bug } from '../../base/errors.ts';
import type { NativeBlock } from '../../batch/native.ts';
import { histogramRows, type HistogramRows } from './histogram-rows.ts';

const TWO_32 = 4_294_967_296;
const nothing = new Uint32Array(0);

/** Walks over the rows of one table, run by run: a run is the rows of one series within a block. Asks for the next block while one is worked on. */
export class PointCursor {
  times: Uint32Array = nothing;
  values: Uint32Array = nothing;
  row = 0;
  runEnd = 0;
  /** Place of the current series in the order of ids; Infinity at the end. */
  rank = -1;
  #rows = 0;
  #ids: Uint32Array = nothing;
  #block: NativeBlock | undefined;
  #histograms: HistogramRows | undefined;
  readonly #rooms: Uint8Array<ArrayBuffer>[] = [];
  readonly #ranks: ReadonlyMap<bigint, number>;
  readonly #blocks: AsyncIterator<NativeBlock>;
  #next: Promise<IteratorResult<NativeBlock>>;

  constructor(blocks: AsyncIterator<NativeBlock>, ranks: ReadonlyMap<bigint, number>) {
    this.#ranks = ranks;
    this.#blocks = blocks;
    this.#next = this.#ask();
  }

  get isUsedUp(): boolean {
    return this.row === this.#rows && this.rank !== Infinity;
  }

  /** Time of the current row. */
  get time(): number {
    return (this.times[this.row * 2 + 1]! | 0) * TWO_32 + this.times[this.row * 2]!;
  }

  /** Goes on to the next block. */
  async load(): Promise<void> {
    do {
      const result = await this.#next;
      if (result.done === true) {
        this.rank = Infinity;
        this.#block = undefined;
        return;
      }
      this.#next = this.#ask();
      this.#take(result.value);
    } while (this.row === this.#rows);
  }

  /** The histograms of the current block. */
  histograms(): HistogramRows {
    return (this.#histograms ??= histogramRows(this.#block ?? bug('there is a block')));
  }

  /** Goes on to a row of the current run, or to its end: then to the next run of a series that was asked for. */
  moveTo(row: number): void {
    this.row = row;
    while (this.row === this.runEnd && this.row < this.#rows) this.#startRun();
  }

  async close(): Promise<void> {
    this.#next.catch(() => {});
    await this.#blocks.return?.();
  }

  #ask(): Promise<IteratorResult<NativeBlock>> {
    const next = this.#blocks.next();
    // Whoever awaits it sees the failure; nobody may come to.
    next.catch(() => {});
    return next;
  }

  #take(block: NativeBlock): void {
    this.#block = block;
    this.#histograms = undefined;
    this.#rows = block.rows;
    this.#ids = this.#words(0, block);
    this.times = this.#words(1, block);
    this.values = block.columns[2]!.name === 'value' ? this.#words(2, block) : nothing;
    this.runEnd = 0;
    this.moveTo(0);
  }

  /** A column of 64-bit values as Uint32; in memory of our own, used again for each block, when it is not aligned. */
  #words(index: number, block: NativeBlock): Uint32Array {
    const { data } = block.columns[index]!;
    if (data.kind !== 'fixed' || data.width !== 8) return bug(`expected a column of 8 bytes a value; got ${data.kind}`);
    const { bytes } = data;
    if (bytes.byteOffset % 4 === 0) return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    let room = this.#rooms[index];
    if (room === undefined || room.length < bytes.length) this.#rooms[index] = room = new Uint8Array(bytes.length);
    room.set(bytes);
    return new Uint32Array(room.buffer, 0, bytes.length / 4);
  }

  /** Finds the run that begins at `row`; skips it when its series was not asked for. */
  #startRun(): void {
    const ids = this.#ids;
    const low = ids[this.row * 2]!;
    const high = ids[this.row * 2 + 1]!;
    let end = this.row + 1;
    while (end < this.#rows && ids[end * 2] === low && ids[end * 2 + 1] === high) end++;
    this.runEnd = end;
    const rank = this.#ranks.get((BigInt(high) << 32n) | BigInt(low));
    if (rank === undefined) this.row = end;
    else this.rank = rank;
  }
}
