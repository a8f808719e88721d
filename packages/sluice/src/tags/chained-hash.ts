import { randomBytes } from 'node:crypto';

/**
 * Two seeded 32-bit hashes of a chain of numbers and texts, each link made from the one before: a table's hash is the beginning of those of its
 * fields, a field's that of those of its values. Four bytes a step; signed, as only such numbers are kept without an object each.
 *
 * They stand for texts in tables of names. Of 50,000 texts two have the same by chance once in 10^10 hubs. The seed, another one at each start, keeps
 * everybody from knowing a hash, but this is no cryptographic one: who chooses texts for it may find such as collide whatever the seed. So it is only
 * for where that costs little: a name or value is not noted in a dictionary, or a pod's name leads to another pod of its cluster.
 */
export class ChainedHash {
  low = 0;
  high = 0;

  /** The beginning of all chains. */
  begin(): this {
    this.low = SEED[0]!;
    this.high = SEED[1]!;
    return this;
  }

  /** Goes on from a link that was made earlier. */
  from(low: number, high: number): this {
    this.low = low;
    this.high = high;
    return this;
  }

  number(value: number): this {
    this.low = mixLow(this.low, value);
    this.high = mixHigh(this.high, value);
    return this;
  }

  /** Bytes [start, end). */
  text(view: DataView, start: number, end: number): this {
    let { low, high } = this;
    let at = start;
    for (; at + 4 <= end; at += 4) {
      const word = view.getInt32(at, true);
      low = mixLow(low, word);
      high = mixHigh(high, word);
    }
    // The length keeps texts apart that differ in zeros at their end.
    let last = end - start;
    for (; at < end; at++) last = (last << 8) ^ view.getUint8(at);
    this.low = mixLow(low, last);
    this.high = mixHigh(high, last);
    return this;
  }

  /** The same of bytes that no view is at hand for, at half the speed: making one would cost an object. */
  bytes(text: Uint8Array): this {
    let { low, high } = this;
    let at = 0;
    for (; at + 4 <= text.length; at += 4) {
      const word = text[at]! | (text[at + 1]! << 8) | (text[at + 2]! << 16) | (text[at + 3]! << 24);
      low = mixLow(low, word);
      high = mixHigh(high, word);
    }
    let last = text.length;
    for (; at < text.length; at++) last = (last << 8) ^ text[at]!;
    this.low = mixLow(low, last);
    this.high = mixHigh(high, last);
    return this;
  }
}

function mixLow(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x85eb_ca6b);
  return mixed ^ (mixed >>> 15);
}

function mixHigh(hash: number, word: number): number {
  const mixed = Math.imul(((hash << 5) | (hash >>> 27)) ^ word, 0xc2b2_ae35);
  return mixed ^ (mixed >>> 13);
}

const SEED = new Int32Array(2);
SEED.set(new Int32Array(randomBytes(8).slice().buffer.slice(0, 8)));
