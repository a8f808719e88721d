import { ADDRESS } from '../cells.ts';
import { putUnsigned, putUnsigned64 } from './digits.ts';
import { Fragment, type JsonOut } from './json-out.ts';
import { MOST_BYTES, putQuoted } from './json-text.ts';
import { NameFragments } from './name-fragments.ts';

/** How a field is written: the usual kinds are dealt with in `putFields` itself, the others by a function of their own. */
export const OTHER = 0;
export const UNSIGNED_8 = 1;
export const UNSIGNED_16 = 2;
export const UNSIGNED_32 = 3;
export const UNSIGNED_64 = 4;
export const TEXT = 5;
export const NAMED = 6;

export type FieldKind =
  | typeof OTHER
  | typeof UNSIGNED_8
  | typeof UNSIGNED_16
  | typeof UNSIGNED_32
  | typeof UNSIGNED_64
  | typeof TEXT
  | typeof NAMED;

/** Writes a field of a row from `at` on, or nothing where it is left out; tells where it ends. */
export type PutField = (out: JsonOut, at: number, row: number) => number;

const NO_VIEW = new DataView(new ArrayBuffer(0));
const NO_KEY = new Fragment(new Uint8Array(0));
const NO_NAMES = new NameFragments({ texts: [], json: [] }, NO_KEY);

/**
 * One field of the rows of a Batch as `,"key":value`. Made once for a Batch. Every field has the same shape, and each of its arrays is of one type, so
 * that the loop over the fields of a row needs neither calls through pointers nor looks at types.
 */
export class JsonField {
  readonly kind: FieldKind;
  /** With comma and colon. */
  readonly key: Fragment;
  /** Bytes that no row's text exceeds, key included, beside what `ends` adds. */
  most = 0;
  /** Numbers of each width, and words of texts and lists, as the kind needs them. */
  u8: Uint8Array = new Uint8Array(0);
  u16: Uint16Array = new Uint16Array(0);
  u32: Uint32Array = new Uint32Array(0);
  bytes: Uint8Array = this.u8;
  view: DataView = NO_VIEW;
  names: NameFragments = NO_NAMES;
  /** Rows without a value have a 1 here. */
  nulls: Uint8Array | undefined = undefined;
  /** 0 is left out: an empty text, an empty name, the number. */
  skipsZero = false;
  put: PutField | undefined = undefined;
  /** Of texts and lists: a row's value takes at most `factor` times the difference of its end to the one before. */
  ends: Uint32Array | undefined = undefined;
  factor = 0;
  /** `ends` counts elements, which end here. */
  elementEnds: Uint32Array | undefined = undefined;

  constructor(kind: FieldKind, key: Fragment) {
    this.kind = kind;
    this.key = key;
    this.most = key.length + 16;
  }
}

/** Bytes that the value of a row takes at most where it may be of any length. */
export function listBytes({ ends, elementEnds, factor }: JsonField, row: number): number {
  if (ends === undefined) return 0;
  const first = row === 0 ? 0 : ends[row - 1]!;
  const last = ends[row]!;
  if (last === first || elementEnds === undefined) return (last - first) * factor;
  return (elementEnds[last - 1]! - (first === 0 ? 0 : elementEnds[first - 1]!)) * factor;
}

/**
 * Writes the fields of a row one after the other. All but long texts and lists must have room; where there is none for one of them before `limit`, the
 * answer is -1.
 */
export function putFields(
  fields: readonly JsonField[],
  out: JsonOut,
  start: number,
  row: number,
  limit: number,
): number {
  const { bytes, view } = out;
  let at = start;
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!;
    const { nulls } = field;
    if (nulls !== undefined && nulls[row] === 1) continue;
    switch (field.kind) {
      case UNSIGNED_8: {
        const value = field.u8[row]!;
        if (value !== 0 || !field.skipsZero) at = putUnsigned(bytes, field.key.put(view, at), value);
        break;
      }
      case UNSIGNED_16: {
        const value = field.u16[row]!;
        if (value !== 0 || !field.skipsZero) at = putUnsigned(bytes, field.key.put(view, at), value);
        break;
      }
      case UNSIGNED_32: {
        const value = field.u32[row]!;
        if (value !== 0 || !field.skipsZero) at = putUnsigned(bytes, field.key.put(view, at), value);
        break;
      }
      case UNSIGNED_64: {
        const low = field.u32[row * 2]!;
        const high = field.u32[row * 2 + 1]!;
        if (low === 0 && high === 0 && field.skipsZero) break;
        at = putUnsigned64(bytes, field.key.put(view, at), low, high);
        break;
      }
      case TEXT: {
        const ends = field.u32;
        const text = field.bytes;
        const end = ends[row]!;
        let from = row === 0 ? 0 : ends[row - 1]!;
        // Behind the length, of one byte or more.
        while (text[from]! > 127) from++;
        from++;
        if (from === end && field.skipsZero) break;
        if (at + (end - from) * MOST_BYTES > limit) return -1;
        at = putQuoted(out, field.key.put(view, at), text, field.view, from, end);
        break;
      }
      case NAMED: {
        const index = field.u32[row]!;
        if (index === 0 && field.skipsZero) break;
        at = index === ADDRESS ? field.put!(out, at, row) : field.names.put(view, at, index);
        break;
      }
      case OTHER:
        if (field.ends !== undefined && at + listBytes(field, row) > limit) return -1;
        at = field.put!(out, at, row);
        break;
    }
  }
  return at;
}
