import { putIpv4, putIpv6, putMac } from '../../base/address-text.ts';
import { ADDRESS, type Cells, type NamedCells } from '../cells.ts';
import type { SelectedField } from '../selection.ts';
import { MOST_DIGITS, MOST_FLOAT, putFloat, putSigned, putUnsigned, putUnsigned64 } from './digits.ts';
import type { JsonBlock } from './json-block.ts';
import { eachRow, type JsonField, type PutField } from './json-field.ts';
import { type Fragment, fragment, viewOf } from './json-out.ts';
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
const MINUS = 0x2d;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const NULL = fragment('null');
/** What copies of keys write beyond their end, and quotes. */
const SLACK = 16;

/** How a field is written: under which key, and whether empty values are left out: texts and lists, in metrics 0 too. */
interface Style {
  readonly key: Fragment;
  readonly skipsEmpty: boolean;
  readonly skipsZero: boolean;
  readonly isQuoted: boolean;
}

/** A field of the rows of a Batch, as `cells` has its values. */
export function jsonField(field: SelectedField, cells: Cells, options: JsonOptions): JsonField {
  const style: Style = {
    key: fragment(`,${JSON.stringify(field.jsonKey)}:`),
    skipsEmpty: field.isMetric ? !options.exportEmptyMetrics : !options.exportEmptyTag,
    skipsZero: field.isMetric && !options.exportEmptyMetrics,
    isQuoted: options.int64 === 'string',
  };
  const most = style.key.length + SLACK;
  switch (cells.kind) {
    case 'unsigned':
      return { most: most + MOST_DIGITS, put: unsigned(cells, style) };
    case 'signed':
      return { most: most + MOST_DIGITS, put: signed(cells, style) };
    case 'unsigned64':
    case 'signed64':
      return { most: most + MOST_DIGITS, put: wide(cells, style) };
    case 'float':
      return { most: most + MOST_FLOAT, put: eachRow(float(cells.values, style), cells.nulls) };
    case 'text':
      return { most, lists: { ends: cells.ends, factor: MOST_BYTES }, put: text(cells, style) };
    case 'named':
      return named(field.jsonKey, cells, style);
    case 'ipv4':
      return { most: most + IPV6_BYTES, put: ipv4(cells, style) };
    case 'ipv6': {
      const put = quoted(style, (bytes, at, row) => putIpv6(bytes, at, cells.bytes, row * 16));
      return { most: most + IPV6_BYTES, put: eachRow(put, cells.nulls) };
    }
    case 'mac': {
      const { words } = cells;
      const put = quoted(style, (bytes, at, row) => putMac(bytes, at, words[row * 2]!, words[row * 2 + 1]!));
      return { most: most + IPV6_BYTES, put: eachRow(put, undefined) };
    }
    case 'texts': {
      // An element is at least its length's byte, which leaves room for two quotes and a comma.
      const lists = { ends: cells.ends, factor: MOST_BYTES, elementEnds: cells.elementEnds };
      return { most, lists, put: eachRow(texts(cells, style), undefined) };
    }
    case 'floats': {
      const lists = { ends: cells.ends, factor: MOST_FLOAT + 1 };
      return { most, lists, put: eachRow(floats(cells, style), undefined) };
    }
  }
}

type Numbers = Extract<Cells, { kind: 'unsigned' | 'signed' }>;

function unsigned({ values, nulls }: Numbers, { key, skipsZero }: Style): JsonField['put'] {
  return (block) => {
    gather(values, block);
    const { numbers, rows, ends, count } = block;
    const { bytes, view } = block.out;
    for (let i = 0; i < count; i++) {
      if (nulls !== undefined && nulls[rows[i]!] === 1) continue;
      const value = numbers[i]!;
      if (value === 0 && skipsZero) continue;
      ends[i] = putUnsigned(bytes, key.put(view, ends[i]!), value);
    }
  };
}

function signed({ values, nulls }: Numbers, { key, skipsZero }: Style): JsonField['put'] {
  return (block) => {
    gather(values, block);
    const { numbers, rows, ends, count } = block;
    const { bytes, view } = block.out;
    for (let i = 0; i < count; i++) {
      if (nulls !== undefined && nulls[rows[i]!] === 1) continue;
      const value = numbers[i]! | 0;
      if (value === 0 && skipsZero) continue;
      ends[i] = putSigned(bytes, key.put(view, ends[i]!), value);
    }
  };
}

/** The numbers of the rows of a block. A loop for each width: one over all of them would be several times as slow. */
function gather(values: Numbers['values'], block: JsonBlock): void {
  if (values instanceof Uint8Array) gather8(values, block);
  else if (values instanceof Uint16Array) gather16(values, block);
  else if (values instanceof Uint32Array) gather32(values, block);
  else gatherSigned(values, block);
}

function gather8(values: Uint8Array, { rows, numbers, count }: JsonBlock): void {
  for (let i = 0; i < count; i++) numbers[i] = values[rows[i]!]!;
}

function gather16(values: Uint16Array, { rows, numbers, count }: JsonBlock): void {
  for (let i = 0; i < count; i++) numbers[i] = values[rows[i]!]!;
}

function gather32(values: Uint32Array, { rows, numbers, count }: JsonBlock): void {
  for (let i = 0; i < count; i++) numbers[i] = values[rows[i]!]!;
}

function gatherSigned(values: Int8Array | Int16Array | Int32Array, { rows, numbers, count }: JsonBlock): void {
  for (let i = 0; i < count; i++) numbers[i] = values[rows[i]!]!;
}

type WideNumbers = Extract<Cells, { kind: 'unsigned64' | 'signed64' }>;

function wide({ kind, words, nulls }: WideNumbers, { key, skipsZero, isQuoted }: Style): JsonField['put'] {
  const isSigned = kind === 'signed64';
  return ({ out: { bytes, view }, rows, ends, count }) => {
    for (let i = 0; i < count; i++) {
      const row = rows[i]!;
      if (nulls !== undefined && nulls[row] === 1) continue;
      let low = words[row * 2]!;
      let high = words[row * 2 + 1]!;
      if (skipsZero && low === 0 && high === 0) continue;
      let at = key.put(view, ends[i]!);
      if (isQuoted) bytes[at++] = QUOTE;
      if (isSigned && high >= 0x8000_0000) {
        bytes[at++] = MINUS;
        low = (~low + 1) >>> 0;
        high = (low === 0 ? ~high + 1 : ~high) >>> 0;
      }
      at = putUnsigned64(bytes, at, low, high);
      if (isQuoted) bytes[at++] = QUOTE;
      ends[i] = at;
    }
  };
}

function text(cells: Extract<Cells, { kind: 'text' }>, { key, skipsEmpty }: Style): JsonField['put'] {
  const { bytes, ends: textEnds } = cells;
  const source = viewOf(bytes);
  return ({ out, rows, ends, count }) => {
    const { view } = out;
    for (let i = 0; i < count; i++) {
      const row = rows[i]!;
      const end = textEnds[row]!;
      let from = row === 0 ? 0 : textEnds[row - 1]!;
      // Behind the length, of one byte or more.
      while (bytes[from]! > 127) from++;
      from++;
      if (from === end && skipsEmpty) continue;
      ends[i] = putQuoted(out, key.put(view, ends[i]!), bytes, source, from, end);
    }
  };
}

function named(jsonKey: string, { index, table, nulls, address }: NamedCells, style: Style): JsonField {
  const { key, skipsEmpty } = style;
  const names = nameFragments(table, jsonKey, key);
  const most = SLACK + Math.max(names.prepare(), key.length + IPV6_BYTES);
  const putAddress = address === undefined ? undefined : addressOf(address, style);
  const put: JsonField['put'] = ({ out, rows, ends, count }) => {
    const { view } = out;
    for (let i = 0; i < count; i++) {
      const row = rows[i]!;
      if (nulls !== undefined && nulls[row] === 1) continue;
      let at = index[row]!;
      if (at === ADDRESS && putAddress !== undefined) {
        const end = putAddress(out, ends[i]!, row);
        if (end >= 0) {
          ends[i] = end;
          continue;
        }
        at = 0;
      }
      if (at !== 0 || !skipsEmpty) ends[i] = names.put(view, ends[i]!, at);
    }
  };
  return { most, put };
}

/** -1 where a row has no address. */
function addressOf({ isIpv4, ipv4: addresses, ipv6 }: NonNullable<NamedCells['address']>, style: Style): PutField {
  const put4 = quoted(style, (bytes, at, row) => putIpv4(bytes, at, addresses[row]!));
  const put6 = quoted(style, (bytes, at, row) => putIpv6(bytes, at, ipv6, row * 16));
  return (out, at, row) => {
    if (isIpv4[row] === 1) return put4(out, at, row);
    return isUnspecified(ipv6, row * 16) ? -1 : put6(out, at, row);
  };
}

function ipv4({ values, nulls }: Extract<Cells, { kind: 'ipv4' }>, { key }: Style): JsonField['put'] {
  return ({ out: { bytes, view }, rows, ends, count }) => {
    for (let i = 0; i < count; i++) {
      const row = rows[i]!;
      if (nulls !== undefined && nulls[row] === 1) continue;
      let at = key.put(view, ends[i]!);
      bytes[at] = QUOTE;
      at = putIpv4(bytes, at + 1, values[row]!);
      bytes[at] = QUOTE;
      ends[i] = at + 1;
    }
  };
}

function quoted({ key }: Style, put: (bytes: Uint8Array, at: number, row: number) => number): PutField {
  return ({ bytes, view }, at, row) => {
    const start = key.put(view, at);
    bytes[start] = QUOTE;
    const end = put(bytes, start + 1, row);
    bytes[end] = QUOTE;
    return end + 1;
  };
}

/** What is no number in JSON is left out. */
function float(values: Float64Array, { key, skipsZero }: Style): PutField {
  return (out, at, row) => {
    const value = values[row]!;
    if ((skipsZero && value === 0) || !Number.isFinite(value)) return at;
    return putFloat(out.bytes, key.put(out.view, at), value);
  };
}
function texts(cells: Extract<Cells, { kind: 'texts' }>, { key, skipsEmpty }: Style): PutField {
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
function floats(cells: Extract<Cells, { kind: 'floats' }>, { key, skipsEmpty }: Style): PutField {
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
