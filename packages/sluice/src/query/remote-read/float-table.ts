import { bug } from '../../base/errors.ts';
import type { NativeBlock } from '../../batch/native.ts';
import { IdTable } from './id-table.ts';

const TWO_32 = 4_294_967_296;
/** Buffers above this size hold one answer and nothing else: smaller ones may be slices of a pool. */
const OWN_BUFFER_BYTES = 1 << 20;

interface Points {
  readonly times: DataView;
  readonly values: DataView;
}

/**
 * Float samples of many series, fetched whole in whatever order the database read them: `series_id`, `time`, `value`.
 *
 * The rows come in stretches of one series (a run), as the table's parts are sorted by it. The runs are noted in one pass; then each series' points can
 * be had in any order of series. Rows of series that were not asked for are passed over.
 */
export class FloatTable {
  /** Points of the series gathered last; the values' bits as two Uint32 each (low, high). */
  times = new Float64Array(512);
  values = new Uint32Array(1024);
  readonly #blocks: Points[] = [];
  readonly #buffers = new Set<ArrayBuffer>();
  /** Per series: its first and last run (-1 = none) and its rows. */
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #rows: Uint32Array;
  /** Per run: block, first row, end, next run of the series (-1 = none). */
  #runs = new Int32Array(4 * 1024);
  #runCount = 0;

  constructor(blocks: readonly NativeBlock[], seriesIds: readonly bigint[]) {
    const ids = new IdTable(seriesIds);
    this.#first = new Int32Array(seriesIds.length).fill(-1);
    this.#last = new Int32Array(seriesIds.length).fill(-1);
    this.#rows = new Uint32Array(seriesIds.length);
    for (const block of blocks) this.#addBlock(block, ids);
  }

  /** Puts the points of a series into `times` and `values`, times strictly ascending, of several for one time the first; returns how many. */
  gather(index: number): number {
    const most = this.#rows[index]!;
    if (most === 0) return 0;
    if (most > this.times.length) {
      this.times = new Float64Array(most * 2);
      this.values = new Uint32Array(most * 4);
    }
    let count = 0;
    let last = -Infinity;
    let ascending = true;
    for (let run = this.#first[index]!; run >= 0; run = this.#runs[run * 4 + 3]!) {
      const block = this.#blocks[this.#runs[run * 4]!]!;
      const end = this.#runs[run * 4 + 2]! * 8;
      const { times, values } = block;
      const outTimes = this.times;
      const outValues = this.values;
      for (let at = this.#runs[run * 4 + 1]! * 8; at < end; at += 8) {
        const time = times.getInt32(at + 4, true) * TWO_32 + times.getUint32(at, true);
        if (time === last) continue;
        if (time < last) ascending = false;
        last = time;
        outTimes[count] = time;
        outValues[count * 2] = values.getUint32(at, true);
        outValues[count * 2 + 1] = values.getUint32(at + 4, true);
        count++;
      }
    }
    return ascending ? count : this.#sort(count);
  }

  /** The points as blocks of one series each, in the order of these indices, with the ids in front. */
  async *inOrder(order: readonly number[], seriesIds: readonly bigint[]): AsyncGenerator<NativeBlock> {
    for (const index of order) {
      const rows = this.gather(index);
      if (rows > 0) yield blockOf(rows, seriesIds[index]!, this.times, this.values);
    }
    this.free();
  }

  /** Gives the memory of the rows back; nothing may be gathered afterwards. */
  free(): void {
    this.#blocks.length = 0;
    for (const buffer of this.#buffers) buffer.transfer(0);
    this.#buffers.clear();
  }

  #addBlock(block: NativeBlock, ids: IdTable): void {
    const series = this.#words(block, 0);
    const number = this.#blocks.length;
    this.#blocks.push({ times: this.#words(block, 1), values: this.#words(block, 2) });
    const end = block.rows * 8;
    for (let at = 0; at < end;) {
      const start = at;
      const low = series.getUint32(at, true);
      const high = series.getUint32(at + 4, true);
      do at += 8;
      while (at < end && series.getUint32(at, true) === low && series.getUint32(at + 4, true) === high);
      const index = ids.indexOf(low, high);
      if (index >= 0) this.#addRun(index, number, start / 8, at / 8);
    }
  }

  #addRun(index: number, block: number, start: number, end: number): void {
    const run = this.#runCount++;
    if (run * 4 === this.#runs.length) {
      const grown = new Int32Array(this.#runs.length * 2);
      grown.set(this.#runs);
      this.#runs = grown;
    }
    this.#runs[run * 4] = block;
    this.#runs[run * 4 + 1] = start;
    this.#runs[run * 4 + 2] = end;
    this.#runs[run * 4 + 3] = -1;
    const last = this.#last[index]!;
    if (last < 0) this.#first[index] = run;
    else this.#runs[last * 4 + 3] = run;
    this.#last[index] = run;
    this.#rows[index]! += end - start;
  }

  #words(block: NativeBlock, index: number): DataView {
    const data = block.columns[index]?.data;
    if (data?.kind !== 'fixed' || data.width !== 8)
      return bug(`expected a column of 8 bytes a value; got ${data?.kind}`);
    const { buffer, byteOffset, byteLength } = data.bytes;
    if (buffer instanceof ArrayBuffer && buffer.byteLength > OWN_BUFFER_BYTES) this.#buffers.add(buffer);
    return new DataView(buffer, byteOffset, byteLength);
  }

  /** Runs overlap, or did not come in order: rare, so no merge but a (stable) sort. */
  #sort(count: number): number {
    const { times, values } = this;
    const order = new Uint32Array(count).map((_, at) => at);
    order.sort((a, b) => times[a]! - times[b]! || a - b);
    const sortedTimes = new Float64Array(times.length);
    const sortedValues = new Uint32Array(values.length);
    let kept = 0;
    for (const at of order) {
      if (kept > 0 && sortedTimes[kept - 1] === times[at]) continue;
      sortedTimes[kept] = times[at]!;
      sortedValues[kept * 2] = values[at * 2]!;
      sortedValues[kept * 2 + 1] = values[at * 2 + 1]!;
      kept++;
    }
    this.times = sortedTimes;
    this.values = sortedValues;
    return kept;
  }
}

function blockOf(rows: number, seriesId: bigint, times: Float64Array, values: Uint32Array): NativeBlock {
  const columns: [string, string, Uint8Array][] = [
    ['series_id', 'UInt64', new Uint8Array(new BigUint64Array(rows).fill(seriesId).buffer)],
    ['time', "DateTime64(3, 'UTC')", new Uint8Array(BigInt64Array.from(times.subarray(0, rows), BigInt).buffer)],
    ['value', 'Float64', new Uint8Array(values.slice(0, rows * 2).buffer)],
  ];
  return {
    rows,
    end: 0,
    columns: columns.map(([name, type, bytes]) => ({ name, type, data: { kind: 'fixed', width: 8, bytes } })),
  };
}
