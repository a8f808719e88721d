import { putVarint, varintSize } from '../varint.ts';

const SYMBOL_TAG = 0x22;

/** The symbols of one request of remote write 2.0, by their bytes: each text once, the empty one as number 0. */
export class Symbols {
  /** Symbol + 1 by hash, 0 = free; at most half full. */
  #slots = new Int32Array(1024);
  #bytes = new Uint8Array(16 * 1024);
  /** ends[n]: where symbol n ends in the bytes. */
  #ends = new Uint32Array(512);
  #hashes = new Uint32Array(512);
  #count = 1;
  #size = 2;

  get count(): number {
    return this.#count;
  }

  /** Bytes that the symbols take in the request. */
  get size(): number {
    return this.#size;
  }

  reset(): void {
    this.#slots.fill(0);
    this.#count = 1;
    this.#size = 2;
  }

  /** Number of the text bytes[start, end), added if it is new. */
  reference(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length === 0) return 0;
    let hash = length;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x0100_0193);
    hash = (hash ^ (hash >>> 15)) >>> 0;
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (; ; slot = (slot + 1) & mask) {
      const symbol = this.#slots[slot]! - 1;
      if (symbol < 0) break;
      if (this.#hashes[symbol] === hash && this.#isEqual(symbol, bytes, start, length)) return symbol;
    }
    return this.#add(slot, hash, bytes.subarray(start, end));
  }

  text(symbol: number): string {
    return symbol === 0 ? '' : Buffer.from(this.#bytes.subarray(this.#ends[symbol - 1], this.#ends[symbol])).toString();
  }

  /** Writes all symbols: `22 | varint length | text` each. */
  put(out: Uint8Array, start: number): number {
    let at = start;
    out[at++] = SYMBOL_TAG;
    out[at++] = 0;
    for (let symbol = 1; symbol < this.#count; symbol++) {
      const from = this.#ends[symbol - 1]!;
      const to = this.#ends[symbol]!;
      out[at++] = SYMBOL_TAG;
      at = putVarint(out, at, to - from);
      for (let i = from; i < to; i++) out[at++] = this.#bytes[i]!;
    }
    return at;
  }

  #isEqual(symbol: number, bytes: Uint8Array, start: number, length: number): boolean {
    const from = this.#ends[symbol - 1]!;
    if (this.#ends[symbol]! - from !== length) return false;
    for (let i = 0; i < length; i++) if (this.#bytes[from + i] !== bytes[start + i]) return false;
    return true;
  }

  #add(slot: number, hash: number, text: Uint8Array): number {
    const symbol = this.#count++;
    if (symbol === this.#ends.length) this.#grow();
    const from = this.#ends[symbol - 1]!;
    const to = from + text.length;
    if (to > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(to, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, from));
      this.#bytes = larger;
    }
    this.#bytes.set(text, from);
    this.#ends[symbol] = to;
    this.#hashes[symbol] = hash;
    this.#size += 1 + varintSize(text.length) + text.length;
    if (this.#slots.length === this.#ends.length * 2) this.#slots[slot] = symbol + 1;
    else this.#place();
    return symbol;
  }

  #grow(): void {
    const size = this.#ends.length * 2;
    const ends = new Uint32Array(size);
    ends.set(this.#ends);
    this.#ends = ends;
    const hashes = new Uint32Array(size);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
  }

  /** Puts all symbols into slots for twice as many. */
  #place(): void {
    this.#slots = new Int32Array(this.#ends.length * 2);
    const mask = this.#slots.length - 1;
    for (let symbol = 1; symbol < this.#count; symbol++) {
      let slot = this.#hashes[symbol]! & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = symbol + 1;
    }
  }
}
