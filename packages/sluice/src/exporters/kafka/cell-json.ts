import { bug } from '../../base/errors.ts';
import { putIpv4, putIpv6, putMac } from '../address-text.ts';
import type { Cells, NamedCells } from '../cells.ts';
import type { SelectedField } from '../selection.ts';
import { MOST_DIGITS, MOST_FLOAT, putFloat, putSigned, putSigned64, putUnsigned64 } from './digits.ts';
import {
  JsonField,
  NAMED,
  OTHER,
  type PutField,
  TEXT,
  UNSIGNED_16,
  UNSIGNED_32,
  UNSIGNED_64,
  UNSIGNED_8,
} from './json-field.ts';
import { type Fragment, fragment, type JsonOut, viewOf } from './json-out.ts';
import { MOST_BYTES, putQuoted } from './json-text.ts';
import { nameFragments } from './name-fragments.ts';

export interface JsonOptions {
  readonly exportEmptyTag: boolean;
  readonly exportEmptyMetrics: boolean;
  readonly int64: 'number' | 'string';
}

const IPV6_BYTES = 39;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const NULL = fragment('null');

/** Whether empty values are left out: texts and lists, in metrics 0 too. */
interface Style {
  readonly skipsEmpty: boolean;
  readonly skipsZero: boolean;
  readonly isQuoted: boolean;
}

/** A field of the rows of a Batch, as `cells` has its values. */
export function jsonField(field: SelectedField, cells: Cells, options: JsonOptions): JsonField {
  const key = fragment(`,${JSON.stringify(field.jsonKey)}:`);
  const style: Style = {
    skipsEmpty: field.isMetric ? !options.exportEmptyMetrics : !options.exportEmptyTag,
    skipsZero: field.isMetric && !options.exportEmptyMetrics,
    isQuoted: options.int64 === 'string',
  };
  return usual(field.jsonKey, key, cells, style) ?? other(key, cells, style);
}

/** The kinds that `putFields` knows. */
function usual(jsonKey: string, key: Fragment, cells: Cells, style: Style): JsonField | undefined {
  switch (cells.kind) {
    case 'unsigned':
      return unsigned(key, cells.values, cells.nulls, style);
    case 'unsigned64': {
      if (style.isQuoted) return undefined;
      const field = new JsonField(UNSIGNED_64, key);
      field.u32 = cells.words;
      field.nulls = cells.nulls;
      field.skipsZero = style.skipsZero;
      field.most += MOST_DIGITS;
      return field;
    }
    case 'text': {
      const field = new JsonField(TEXT, key);
      field.u32 = cells.ends;
      field.bytes = cells.bytes;
      field.view = viewOf(cells.bytes);
      field.skipsZero = style.skipsEmpty;
      field.ends = cells.ends;
      field.factor = MOST_BYTES;
      return field;
    }
    case 'named':
      return named(jsonKey, key, cells, style);
    case 'signed':
    case 'signed64':
    case 'float':
    case 'ipv4':
    case 'ipv6':
    case 'mac':
    case 'texts':
    case 'floats':
      return undefined;
  }
}

function unsigned(
  key: Fragment,
  values: Numbers,
  nulls: Uint8Array | undefined,
  { skipsZero }: Style,
): JsonField | undefined {
  let field;
  if (values instanceof Uint8Array) {
    field = new JsonField(UNSIGNED_8, key);
    field.u8 = values;
  } else if (values instanceof Uint16Array) {
    field = new JsonField(UNSIGNED_16, key);
    field.u16 = values;
  } else if (values instanceof Uint32Array) {
    field = new JsonField(UNSIGNED_32, key);
    field.u32 = values;
  } else return undefined;
  field.nulls = nulls;
  field.skipsZero = skipsZero;
  field.most += MOST_DIGITS;
  return field;
}

function named(jsonKey: string, key: Fragment, cells: NamedCells, { skipsEmpty }: Style): JsonField {
  const { index, table, nulls, address } = cells;
  const field = new JsonField(NAMED, key);
  field.u32 = index;
  field.names = nameFragments(table, jsonKey, key);
  field.nulls = nulls;
  field.skipsZero = skipsEmpty;
  field.most += Math.max(field.names.prepare(), key.length + IPV6_BYTES);
  if (address === undefined) return field;
  field.put = (out, at, row) => {
    const isIpv4 = address.isIpv4[row] === 1;
    if (!isIpv4 && isUnspecified(address.ipv6, row * 16)) return skipsEmpty ? at : field.names.put(out.view, at, 0);
    return quoted(out, key.put(out.view, at), (bytes, to) =>
      isIpv4 ? putIpv4(bytes, to, address.ipv4[row]!) : putIpv6(bytes, to, address.ipv6, row * 16),
    );
  };
  return field;
}

function other(key: Fragment, cells: Cells, style: Style): JsonField {
  const field = new JsonField(OTHER, key);
  field.put = putOf(key, cells, style);
  if ('nulls' in cells) field.nulls = cells.nulls;
  field.most += MOST_FLOAT;
  if (cells.kind === 'texts') {
    field.ends = cells.ends;
    // An element is at least its length's byte, which leaves room for two quotes and a comma.
    field.factor = MOST_BYTES;
    field.elementEnds = cells.elementEnds;
  } else if (cells.kind === 'floats') {
    field.ends = cells.ends;
    field.factor = MOST_FLOAT + 1;
  }
  return field;
}

function putOf(key: Fragment, cells: Cells, style: Style): PutField {
  switch (cells.kind) {
    case 'unsigned':
    case 'signed':
      return signed(key, cells.values, style);
    case 'unsigned64':
      return wide(key, cells.words, style, putUnsigned64);
    case 'signed64':
      return wide(key, cells.words, style, putSigned64);
    case 'float':
      return float(key, cells.values, style);
    case 'ipv4':
      return (out, at, row) =>
        quoted(out, key.put(out.view, at), (bytes, to) => putIpv4(bytes, to, cells.values[row]!));
    case 'ipv6':
      return (out, at, row) =>
        quoted(out, key.put(out.view, at), (bytes, to) => putIpv6(bytes, to, cells.bytes, row * 16));
    case 'mac':
      return (out, at, row) =>
        quoted(out, key.put(out.view, at), (bytes, to) =>
          putMac(bytes, to, cells.words[row * 2]!, cells.words[row * 2 + 1]!),
        );
    case 'texts':
      return texts(key, cells, style);
    case 'floats':
      return floats(key, cells, style);
    case 'text':
    case 'named':
      return bug(`${cells.kind} has a way of its own`);
  }
}

function quoted(out: JsonOut, at: number, put: (bytes: Uint8Array, at: number) => number): number {
  out.bytes[at] = QUOTE;
  const end = put(out.bytes, at + 1);
  out.bytes[end] = QUOTE;
  return end + 1;
}

type Numbers = Extract<Cells, { kind: 'unsigned' | 'signed' }>['values'];

function signed(key: Fragment, values: Numbers, { skipsZero }: Style): PutField {
  return (out, at, row) => {
    const value = values[row]!;
    return skipsZero && value === 0 ? at : putSigned(out.bytes, key.put(out.view, at), value);
  };
}

type PutHalves = (bytes: Uint8Array, at: number, low: number, high: number) => number;

function wide(key: Fragment, words: Uint32Array, { skipsZero, isQuoted }: Style, putHalves: PutHalves): PutField {
  return (out, at, row) => {
    const low = words[row * 2]!;
    const high = words[row * 2 + 1]!;
    if (skipsZero && low === 0 && high === 0) return at;
    const to = key.put(out.view, at);
    if (!isQuoted) return putHalves(out.bytes, to, low, high);
    return quoted(out, to, (bytes, start) => putHalves(bytes, start, low, high));
  };
}

/** What is no number in JSON is left out. */
function float(key: Fragment, values: Float64Array, { skipsZero }: Style): PutField {
  return (out, at, row) => {
    const value = values[row]!;
    if ((skipsZero && value === 0) || !Number.isFinite(value)) return at;
    return putFloat(out.bytes, key.put(out.view, at), value);
  };
}

function texts(key: Fragment, cells: Extract<Cells, { kind: 'texts' }>, { skipsEmpty }: Style): PutField {
  const { ends, bytes, elementEnds } = cells;
  const source = viewOf(bytes);
  return (out, at, row) => {
    const first = row === 0 ? 0 : ends[row - 1]!;
    const last = ends[row]!;
    if (first === last && skipsEmpty) return at;
    let to = key.put(out.view, at);
    out.bytes[to++] = OPEN;
    for (let element = first; element < last; element++) {
      if (element > first) out.bytes[to++] = COMMA;
      let start = element === 0 ? 0 : elementEnds[element - 1]!;
      while (bytes[start]! > 127) start++;
      to = putQuoted(out, to, bytes, source, start + 1, elementEnds[element]!);
    }
    out.bytes[to] = CLOSE;
    return to + 1;
  };
}

/** What is no number in JSON is `null`, so that the places of the others stay. */
function floats(key: Fragment, cells: Extract<Cells, { kind: 'floats' }>, { skipsEmpty }: Style): PutField {
  const { ends, values } = cells;
  return (out, at, row) => {
    const first = row === 0 ? 0 : ends[row - 1]!;
    const last = ends[row]!;
    if (first === last && skipsEmpty) return at;
    let to = key.put(out.view, at);
    out.bytes[to++] = OPEN;
    for (let element = first; element < last; element++) {
      if (element > first) out.bytes[to++] = COMMA;
      const value = values[element]!;
      to = Number.isFinite(value) ? putFloat(out.bytes, to, value) : NULL.put(out.view, to);
    }
    out.bytes[to] = CLOSE;
    return to + 1;
  };
}

/** Whether all 16 bytes are zero: no address. */
export function isUnspecified(source: Uint8Array, from: number): boolean {
  for (let i = 0; i < 16; i++) if (source[from + i] !== 0) return false;
  return true;
}
