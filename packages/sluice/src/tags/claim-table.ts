/**
 * A hash table over keys of a few words that remembers who held a key when. A claim says: from this second until before that one the key means this
 * value. Several may claim a key; the one of the greatest rank that is valid at the time asked for has it, of equal ranks the one added last.
 *
 * A claim is made in two steps, so that many can be prepared over several turns of the event loop and begin all at once: `add` puts it into its place,
 * valid at no time; `begin` and `end` say when.
 *
 * Layout: buckets of chains. An entry is a few words in a row, so that finding it costs one line of the processor's cache and its bucket another:
 *
 *     0 from, 1 to (epoch seconds), 2 value, 3 next entry of the chain + 1, 4... the key's words
 *
 * Ranks stand apart, as only adding needs them. In all 24 bytes and the key for an entry, and 4 to 8 for its bucket.
 */
export class ClaimTable {
  /** The key asked for or added: to be filled in before `find` and `add`. */
  readonly key: Uint32Array;
  readonly #width: number;
  readonly #stride: number;
  /** First entry of each chain + 1, 0 = none; a power of two of them. */
  #buckets = new Uint32Array(16);
  #entries: Uint32Array;
  #ranks = new Float64Array(16);
  /** Entries in use and free ones below this. */
  #top = 0;
  /** First of the free entries + 1, which are chained too; 0 = none. */
  #free = 0;
  #size = 0;

  constructor(width: number) {
    this.key = new Uint32Array(width);
    this.#width = width;
    this.#stride = width + KEY;
    this.#entries = new Uint32Array(16 * this.#stride);
  }

  /** Claims of all times. */
  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#buckets.byteLength + this.#entries.byteLength + this.#ranks.byteLength;
  }

  /** A word of the key of a claim. */
  keyWord(entry: number, word: number): number {
    return this.#entries[entry * this.#stride + KEY + word]!;
  }

  /** The value of a claim. */
  value(entry: number): number {
    return this.#entries[entry * this.#stride + VALUE]!;
  }

  /** The value of `key` at a second, 0 = none. */
  find(second: number): number {
    const at = this.#valid(this.#buckets[this.#bucketOf(this.key, 0)]!, second);
    return at < 0 ? 0 : this.#entries[at + VALUE]!;
  }

  /** Calls `visit` with every value of `key` at a second, best first, until it returns false. */
  visit(second: number, visit: (value: number) => boolean): void {
    const entries = this.#entries;
    let at = this.#valid(this.#buckets[this.#bucketOf(this.key, 0)]!, second);
    while (at >= 0 && visit(entries[at + VALUE]!)) at = this.#valid(entries[at + NEXT]!, second);
  }

  /** Calls `visit` with every claim of `key`, best first. */
  history(visit: (from: number, to: number, value: number) => void): void {
    const entries = this.#entries;
    let next = this.#buckets[this.#bucketOf(this.key, 0)]!;
    while (next !== 0) {
      const at = (next - 1) * this.#stride;
      if (entries[at + FROM] !== NEVER && this.#hasKey(at)) {
        visit(entries[at + FROM]!, entries[at + TO]!, entries[at + VALUE]!);
      }
      next = entries[at + NEXT]!;
    }
  }

  /** Makes a claim on `key` that is valid at no time yet; its number stays the same until it is removed. */
  add(value: number, rank: number): number {
    if (this.#size === this.#buckets.length) this.#rehash();
    const entry = this.#take();
    const entries = this.#entries;
    const at = entry * this.#stride;
    entries[at + FROM] = NEVER;
    entries[at + TO] = NEVER;
    entries[at + VALUE] = value;
    for (let i = 0; i < this.#width; i++) entries[at + KEY + i] = this.key[i]!;
    this.#ranks[entry] = rank;
    this.#link(entry, this.#bucketOf(this.key, 0));
    this.#size++;
    return entry;
  }

  begin(entry: number, second: number): void {
    this.#entries[entry * this.#stride + FROM] = second;
  }

  end(entry: number, second: number): void {
    this.#entries[entry * this.#stride + TO] = second;
  }

  remove(entry: number): void {
    const entries = this.#entries;
    const stride = this.#stride;
    const own = entry * stride;
    const bucket = this.#bucketOf(entries, own + KEY);
    const next = entries[own + NEXT]!;
    if (this.#buckets[bucket] === entry + 1) this.#buckets[bucket] = next;
    else {
      let at = (this.#buckets[bucket]! - 1) * stride;
      while (entries[at + NEXT] !== entry + 1) at = (entries[at + NEXT]! - 1) * stride;
      entries[at + NEXT] = next;
    }
    entries[own + NEXT] = this.#free;
    this.#free = entry + 1;
    this.#size--;
  }

  /** Where the first valid entry of `key` stands, from `next` of a chain on; -1 = there is none. */
  #valid(next: number, second: number): number {
    const entries = this.#entries;
    const stride = this.#stride;
    while (next !== 0) {
      const at = (next - 1) * stride;
      if (second >= entries[at]! && second < entries[at + TO]! && this.#hasKey(at)) return at;
      next = entries[at + NEXT]!;
    }
    return -1;
  }

  #hasKey(at: number): boolean {
    const entries = this.#entries;
    const { key } = this;
    for (let i = 0; i < key.length; i++) if (entries[at + KEY + i] !== key[i]) return false;
    return true;
  }

  #bucketOf(words: Uint32Array, at: number): number {
    let hash = 0x9e37_79b9;
    for (let i = 0; i < this.#width; i++) {
      hash = Math.imul(hash ^ words[at + i]!, 0x85eb_ca6b);
      hash ^= hash >>> 15;
    }
    return hash & (this.#buckets.length - 1);
  }

  /** Puts an entry into its chain: before the first of the same key that is not better, else at the end. */
  #link(entry: number, bucket: number): void {
    const entries = this.#entries;
    const stride = this.#stride;
    const rank = this.#ranks[entry]!;
    let before = -1;
    let next = this.#buckets[bucket]!;
    while (next !== 0) {
      const at = (next - 1) * stride;
      if (this.#ranks[next - 1]! <= rank && this.#hasKey(at)) break;
      before = at;
      next = entries[at + NEXT]!;
    }
    entries[entry * stride + NEXT] = next;
    if (before < 0) this.#buckets[bucket] = entry + 1;
    else entries[before + NEXT] = entry + 1;
  }

  #take(): number {
    if (this.#free !== 0) {
      const entry = this.#free - 1;
      this.#free = this.#entries[entry * this.#stride + NEXT]!;
      return entry;
    }
    if (this.#top === this.#ranks.length) this.#grow();
    return this.#top++;
  }

  #grow(): void {
    const length = this.#ranks.length * 2;
    this.#entries = grown(this.#entries, new Uint32Array(length * this.#stride));
    this.#ranks = grown(this.#ranks, new Float64Array(length));
  }

  /** Doubles the buckets. The entries of a chain go to one of two new ones, in their order. */
  #rehash(): void {
    const old = this.#buckets;
    const buckets = new Uint32Array(old.length * 2);
    this.#buckets = buckets;
    const entries = this.#entries;
    const stride = this.#stride;
    for (const first of old) {
      let lowTail = -1;
      let highTail = -1;
      for (let next = first; next !== 0;) {
        const at = (next - 1) * stride;
        const following = entries[at + NEXT]!;
        const bucket = this.#bucketOf(entries, at + KEY);
        const isHigh = bucket >= old.length;
        const tail = isHigh ? highTail : lowTail;
        if (tail < 0) buckets[bucket] = next;
        else entries[tail + NEXT] = next;
        entries[at + NEXT] = 0;
        if (isHigh) highTail = at;
        else lowTail = at;
        next = following;
      }
    }
  }
}

/** Words of an entry. */
const FROM = 0;
const TO = 1;
const VALUE = 2;
const NEXT = 3;
const KEY = 4;

/** The end of what has no end, and the beginning of what has not begun. */
export const NEVER = 0xffff_ffff;

function grown<T extends { set(from: T): void }>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
