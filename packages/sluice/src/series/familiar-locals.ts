/*
 * What the functions of the hot loop share: the layouts they read, and the numbers of their locals.
 */

/** Byte offsets in the records of forms, series, symbols and metadata; their layouts stand in the files of the tables. */
export const FORM = {
  address: 0,
  sizeAndKind: 4,
  series: 8,
  successor: 12,
  seen: 20,
  metadata: 28,
  shift: 5,
} as const;
export const SERIES = { seen: 0, due: 4, shift: 5 } as const;
export const SYMBOL = { address: 0, length: 4, size: 12 } as const;
export const METADATA = { type: 4, help: 8, unit: 12, goodUntil: 20, shift: 5 } as const;
export const ID_SHIFT = 4;

/** Parameters. */
export const [stage, forms, records, ids, now, symbolTable, metadataTable] = [0, 1, 2, 3, 4, 5, 6] as const;
export const PARAMETERS = 7;

/** The walk: `p` moves on within the TimeSeries that ends at `stop`; its guess is `form`, of this `number`. */
export const [at, end, previous, rows, p, stop, form, number] = [7, 8, 9, 10, 11, 12, 13, 14] as const;
/** Within one field or comparison. */
export const [fieldEnd, length, part, left, right, series] = [15, 16, 17, 18, 19, 20] as const;
/** References and what they mean. */
export const [word, wordEnd, ref, symbol, guess, metadata] = [21, 22, 23, 24, 25, 26] as const;
export const [symbols, numbers, ranges] = [27, 28, 29] as const;
export const I32_LOCALS = 23;

export const [value, time, minTaken, maxTaken] = [30, 31, 32, 33] as const;
export const I64_LOCALS = 4;
