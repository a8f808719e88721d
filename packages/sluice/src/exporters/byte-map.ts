import { randomInt } from 'node:crypto';

const FIRST_SLOTS = 64;
const MOST_BYTES = 256;
const MOST_ENTRIES = 16_384;
/** How many lookups are watched before a map that hardly ever knows a text is given up, and for how many it then is. */
const TRIAL = 4096;
const PAUSE = 262_144;

/** Nobody can aim texts at one another's slots without knowing it. */
const SEED = randomInt(0x1_0000_0000);

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Works out the number of the bytes [start, end), 0 to 2^32 - 1. */
export type Resolve = (bytes: Uint8Array, start: number, end: number) => number;

/** The same for texts. */
export function resolveText(resolve: (text: string) => number): Resolve {
  return (bytes, start, end) => resolve(decoder.decode(bytes.subarray(start, end)));
}

/**
 * A number for each text of a column, worked out once for texts that occur again: told apart as bytes, so that known ones cost a hash and no string.
 * Long texts, and all of columns whose texts hardly repeat, are worked out each time. Begins anew when it is full.
 */
export class ByteMap {
  readonly #resolve: Resolve;
  #slots = new Int32Array(FIRST_SLOTS).fill(-1);
  #hashes = new Uint32Array(FIRST_SLOTS);
  #values = new Uint32Array(FIRST_SLOTS);
  /** Ends of the texts in the arena. */
  #ends = new Uint32Array(FIRST_SLOTS);
  #arena = new Uint8Array(4096);
  #count = 0;
  #lookups = 0;
  #misses = 0;
  /** Lookups until the map is used again. */
  #pause = 0;

  constructor(resolve: Resolve) {
    this.#resolve = resolve;
  }

  /** Numbers of a text column's rows: bytes and ends as in a Batch. */
  fill(bytes: Uint8Array, ends: Uint32Array, values: Uint8Array | Uint32Array): void {
    let from = 0;
    let lastStart = 0;
    let lastEnd = -1;
    let last = 0;
    for (let row = 0; row < ends.length; row++) {
      const end = ends[row]!;
      let start = from;
      while (bytes[start]! > 127) start++;
      start++;
      from = end;
      if (!isSame(bytes, start, end, lastStart, lastEnd)) {
        last = this.get(bytes, start, end);
        lastStart = start;
        lastEnd = end;
      }
      values[row] = last;
    }
  }

  /** Number of the text [start, end). */
  get(bytes: Uint8Array, start: number, end: number): number {
    if (end - start > MOST_BYTES) return this.#resolve(bytes, start, end);
    if (this.#pause > 0) {
      this.#pause--;
      return this.#resolve(bytes, start, end);
    }
    let hash = SEED;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x0100_0193);
    hash >>>= 0;
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const entry = this.#slots[slot]!;
      if (entry < 0) break;
      if (this.#hashes[entry] === hash && this.#equals(entry, bytes, start, end)) {
        this.#lookups++;
        return this.#values[entry]!;
      }
      slot = (slot + 1) & mask;
    }
    return this.#add(hash, bytes, start, end);
  }

  #equals(entry: number, bytes: Uint8Array, start: number, end: number): boolean {
    const arena = this.#arena;
    let at = entry === 0 ? 0 : this.#ends[entry - 1]!;
    if (this.#ends[entry]! - at !== end - start) return false;
    for (let from = start; from < end; from++) if (arena[at++] !== bytes[from]) return false;
    return true;
  }

  #add(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const value = this.#resolve(bytes, start, end);
    this.#lookups++;
    this.#misses++;
    if (this.#lookups >= TRIAL) {
      if (this.#misses * 2 > this.#lookups) this.#pause = PAUSE;
      this.#lookups = 0;
      this.#misses = 0;
    }
    if (this.#count === MOST_ENTRIES || this.#pause > 0) {
      this.#count = 0;
      this.#slots.fill(-1);
      if (this.#pause > 0) return value;
    }
    if ((this.#count + 1) * 2 > this.#slots.length) this.#grow();
    const entry = this.#count++;
    const at = entry === 0 ? 0 : this.#ends[entry - 1]!;
    const length = end - start;
    if (at + length > this.#arena.length) {
      const grown = new Uint8Array(Math.max(at + length, this.#arena.length * 2));
      grown.set(this.#arena.subarray(0, at));
      this.#arena = grown;
    }
    this.#arena.set(bytes.subarray(start, end), at);
    this.#ends[entry] = at + length;
    this.#hashes[entry] = hash;
    this.#values[entry] = value;
    this.#place(entry);
    return value;
  }

  #place(entry: number): void {
    const mask = this.#slots.length - 1;
    const hash = this.#hashes[entry]!;
    let slot = (hash ^ (hash >>> 15)) & mask;
    while (this.#slots[slot]! >= 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry;
  }

  #grow(): void {
    const slots = this.#slots.length * 2;
    this.#hashes = enlarged(this.#hashes, slots);
    this.#values = enlarged(this.#values, slots);
    this.#ends = enlarged(this.#ends, slots);
    this.#slots = new Int32Array(slots).fill(-1);
    for (let entry = 0; entry < this.#count; entry++) this.#place(entry);
  }
}

function enlarged(array: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(length);
  grown.set(array);
  return grown;
}

function isSame(bytes: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let at = start, other = otherStart; at < end; at++, other++) if (bytes[at] !== bytes[other]) return false;
  return true;
}
