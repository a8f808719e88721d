/*
 * All state of series is in tables of Uint32, one cache line a look-up:
 *
 *   8 words a form:   0 address of its bytes | 1 length * 2 + kind | 2 series (0 = free) | 3 form that followed it last time | 4 keyed hash
 *                     5 seen, s | 6 next form of the series | 7 metadata that came with it, a record's number (2.0; 0 = none)
 *   8 words a series: 0 seen, s | 1 announcement due from, s | 2 first form (0 = free) | 3 keyed hash of the id | 4, 5 bytes 8..15 of the digest
 *                     6, 7 valid from, ms
 *
 * Forms 0 and 1 stand for the start of a message of that kind. Only the label bytes in the forms are kept: canonical labels are made from one of them
 * when they are wanted, which is rare.
 *
 * Files take the words that they need to constants of their own: those the compiler knows as numbers.
 */

export const FORM = {
  words: 8,
  address: 0,
  sizeAndKind: 1,
  series: 2,
  successor: 3,
  hash: 4,
  seen: 5,
  next: 6,
  metadata: 7,
} as const;

export const RECORD = { words: 8, seen: 0, due: 1, firstForm: 2, idHash: 3, check: 4, validFrom: 6 } as const;

/** Secret words of the process: the first four key the hashes of bytes, the others those of ids. */
export type HashKey = Uint32Array;
