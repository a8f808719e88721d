import { randomBytes } from 'node:crypto';

/**
 * Two keyed 32-bit hashes of a text in UTF-8, which stand for the text in tables of names: nobody can aim for a collision, and 50,000 names have
 * one by chance once in 10^10 hubs.
 */
export class TextHash {
  low = 0;
  high = 0;

  set(text: Uint8Array): void {
    let low = SEED[0]!;
    let high = SEED[1]!;
    for (let i = 0; i < text.length; i++) {
      const byte = text[i]! + 1;
      low = Math.imul(low ^ byte, 0x85eb_ca6b);
      low ^= low >>> 13;
      high = Math.imul(high ^ byte, 0xc2b2_ae35);
      high ^= high >>> 16;
    }
    this.low = Math.imul(low ^ text.length, 0x27d4_eb2f) >>> 0;
    this.high = Math.imul(high ^ text.length, 0x1656_67b1) >>> 0;
  }
}

const SEED = new Uint32Array(2);
SEED.set(new Uint32Array(randomBytes(8).slice().buffer.slice(0, 8)));
