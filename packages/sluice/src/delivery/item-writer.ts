const FIRST_BYTES = 16 * 1024;
const FIRST_ITEMS = 64;
const NOTHING = new Uint8Array(0);

/**
 * Items of one lane and partition being encoded. An encoder reserves room, writes the body into `bytes` from `at` on, moves `at`, and ends the item.
 * A head is what the protocol needs beside the body (a message's key, the resource of a span); its layout is the protocol's own.
 */
export class ItemWriter {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  /** Where the next byte of the body goes. */
  at = 0;
  count = 0;
  /** Ends of the bodies in `bytes`. */
  ends: Uint32Array<ArrayBuffer> = new Uint32Array(FIRST_ITEMS);
  heads: Uint8Array<ArrayBuffer> = NOTHING;
  headEnds: Uint32Array<ArrayBuffer> = new Uint32Array(FIRST_ITEMS);
  /** Place of each item's row in its partition; of several rows that were merged into one item, the least. */
  rows: Float64Array<ArrayBuffer> = new Float64Array(FIRST_ITEMS);
  /** Time of each item, epoch milliseconds. */
  times: Float64Array<ArrayBuffer> = new Float64Array(FIRST_ITEMS);
  /** Least row of the items; a later item may have been merged into it. */
  leastRow: number = Infinity;
  /** What the encoder keeps with the batch while it is open. */
  state: unknown;

  /** Makes room for so many more bytes; `bytes` may be replaced. */
  reserve(more: number): void {
    const needed = this.at + more;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }

  /** Where the body of the item that is being written begins. */
  get itemStart(): number {
    return this.count === 0 ? 0 : this.ends[this.count - 1]!;
  }

  /** Ends the item written since the last end. The first `headLength` bytes of the head are copied. */
  end(row: number, timeMs: number, head: Uint8Array = NOTHING, headLength: number = head.length): void {
    if (this.count === this.ends.length) this.#grow();
    const at = this.count === 0 ? 0 : this.headEnds[this.count - 1]!;
    if (headLength > 0) {
      if (at + headLength > this.heads.length) {
        const grown = new Uint8Array(Math.max(at + headLength, this.heads.length * 2, 1024));
        grown.set(this.heads.subarray(0, at));
        this.heads = grown;
      }
      this.heads.set(headLength === head.length ? head : head.subarray(0, headLength), at);
    }
    this.headEnds[this.count] = at + headLength;
    this.ends[this.count] = this.at;
    this.rows[this.count] = row;
    this.times[this.count] = timeMs;
    this.count++;
    if (row < this.leastRow) this.leastRow = row;
  }

  /** Forgets what was written since the last end. */
  abandon(): void {
    this.at = this.itemStart;
  }

  /** Forgets everything; the memory stays. */
  clear(): void {
    this.at = 0;
    this.count = 0;
    this.leastRow = Infinity;
    this.state = undefined;
  }

  /** Forgets the items from `count` on. What was merged into earlier ones stays. */
  truncate(count: number): void {
    this.count = Math.min(this.count, count);
    this.at = this.itemStart;
  }

  #grow(): void {
    const length = this.ends.length * 2;
    this.ends = copied(this.ends, new Uint32Array(length));
    this.headEnds = copied(this.headEnds, new Uint32Array(length));
    this.rows = copied(this.rows, new Float64Array(length));
    this.times = copied(this.times, new Float64Array(length));
  }
}

function copied<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
