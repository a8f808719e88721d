/**
 * Values of one selected field in one Batch, in the form in which exporters write them. Rows are indexes in the Batch. `nulls[row] === 1` = the row has
 * no value (an optional number that is absent).
 */
export type Cells =
  | {
      readonly kind: 'unsigned' | 'signed';
      readonly values: Uint8Array | Uint16Array | Uint32Array | Int8Array | Int16Array | Int32Array;
      readonly nulls?: Uint8Array;
    }
  /** 2 words a row, low and high. */
  | { readonly kind: 'unsigned64' | 'signed64'; readonly words: Uint32Array; readonly nulls?: Uint8Array }
  | { readonly kind: 'float'; readonly values: Float64Array; readonly nulls?: Uint8Array }
  /** Length as LEB128, then UTF-8 (not checked), one value after the other; `ends` as in a text column. */
  | { readonly kind: 'text'; readonly bytes: Uint8Array; readonly ends: Uint32Array }
  /** A name in place of a number: `table` at `index[row]`. */
  | NamedCells
  /** Addresses as dotted text; `nulls` where the row has one of the other family. */
  | { readonly kind: 'ipv4'; readonly values: Uint32Array; readonly nulls?: Uint8Array }
  /** 16 bytes a row. */
  | { readonly kind: 'ipv6'; readonly bytes: Uint8Array; readonly nulls?: Uint8Array }
  /** 48 bits in 2 words a row; text `aa:bb:cc:dd:ee:ff`. */
  | { readonly kind: 'mac'; readonly words: Uint32Array }
  /** Lists: `ends[row]` counts elements. */
  | {
      readonly kind: 'texts';
      readonly ends: Uint32Array;
      readonly bytes: Uint8Array;
      readonly elementEnds: Uint32Array;
    }
  | { readonly kind: 'floats'; readonly ends: Uint32Array; readonly values: Float64Array };

export interface NamedCells {
  readonly kind: 'named';
  /** 0 = no name (an empty tag); ADDRESS = the text of the row's address. */
  readonly index: Uint32Array;
  readonly table: NameTable;
  /** Where there is no value at all, not even an empty name. */
  readonly nulls?: Uint8Array;
  /** Where an index may be ADDRESS. */
  readonly address?: { readonly isIpv4: Uint8Array; readonly ipv4: Uint32Array; readonly ipv6: Uint8Array };
}

export const ADDRESS = 0xffffffff;

/** Texts by index, the empty one at 0, in the forms that encoders copy. Grows, never changes. */
export interface NameTable {
  readonly texts: readonly Uint8Array[];
  /** With quotes and escapes of JSON. */
  readonly json: readonly Uint8Array[];
}
