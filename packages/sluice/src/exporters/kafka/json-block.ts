import { JsonOut } from './json-out.ts';

/**
 * A few rows that are written side by side, field by field: each field is a short loop over one column, whose key, memory and kind stay the same. Row by
 * row, each of a hundred fields would have to fetch its own.
 */
const BLOCK_ROWS = 32;

/** Memory in which the rows of a block stand, each with room for the most that it may become. A larger row has memory of its own. */
const USUAL_BYTES = 1024 * 1024;

export class JsonBlock {
  out: JsonOut = new JsonOut(new Uint8Array(0));
  count = 0;
  /** By place in the block: the row in the Batch, and where its text begins and ends in `out`. */
  readonly rows: Int32Array = new Int32Array(BLOCK_ROWS);
  readonly starts: Int32Array = new Int32Array(BLOCK_ROWS);
  readonly ends: Int32Array = new Int32Array(BLOCK_ROWS);
  /** Numbers of the field that is being written. */
  readonly numbers: Uint32Array = new Uint32Array(BLOCK_ROWS);
  /** Bytes that were asked for. */
  readonly #room: Float64Array = new Float64Array(BLOCK_ROWS);

  /** Takes over rows[from, to), or as many as the block holds. */
  begin(rows: Uint32Array, from: number, to: number): void {
    this.count = Math.min(to - from, BLOCK_ROWS);
    for (let i = 0; i < this.count; i++) this.rows[i] = rows[from + i]!;
    this.#room.fill(0);
  }

  /** Asks for bytes more, for each row what `ends` says of it: `factor` for each unit that it has of them. */
  addRoom({ ends, elementEnds, factor }: ListEnds): void {
    for (let i = 0; i < this.count; i++) {
      const row = this.rows[i]!;
      let first = row === 0 ? 0 : ends[row - 1]!;
      let last = ends[row]!;
      if (last === first) continue;
      if (elementEnds !== undefined) {
        first = first === 0 ? 0 : elementEnds[first - 1]!;
        last = elementEnds[last - 1]!;
      }
      this.#room[i]! += (last - first) * factor;
    }
  }

  /** Gives each row its space: what was asked for, and `most` besides. Of rows for which there is none the block is rid. */
  place(most: number): void {
    const needed = this.#room[0]! + most;
    if (needed > this.out.bytes.length || this.out.bytes.length > USUAL_BYTES) {
      const length = Math.max(needed, USUAL_BYTES);
      if (length !== this.out.bytes.length) this.out = new JsonOut(new Uint8Array(length));
    }
    let at = 0;
    let i = 0;
    for (; i < this.count; i++) {
      const end = at + this.#room[i]! + most;
      if (end > this.out.bytes.length) break;
      this.starts[i] = at;
      this.ends[i] = at;
      at = end;
    }
    this.count = i;
  }
}

/** What a row's texts or lists are measured by. */
export interface ListEnds {
  /** Ends of the rows: a row's value takes at most `factor` times the difference of its end to the one before. */
  readonly ends: Uint32Array;
  readonly factor: number;
  /** `ends` counts elements, which end here. */
  readonly elementEnds?: Uint32Array;
}
