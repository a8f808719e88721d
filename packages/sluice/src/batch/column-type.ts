import { bug } from '../base/errors.ts';

/** How the values of a ClickHouse type lie in memory; the same shape as in a Native block. */
export type ColumnType =
  /** `width` bytes a value, little-endian (IPv6, UUID and FixedString as ClickHouse sends them). */
  | { readonly kind: 'fixed'; readonly width: number }
  | { readonly kind: 'string' }
  | { readonly kind: 'nullable'; readonly inner: ColumnType }
  | { readonly kind: 'array'; readonly element: ColumnType }
  /** Map(K, V) is Array(Tuple(K, V)); a Tuple is its element columns in order. */
  | { readonly kind: 'tuple'; readonly elements: readonly ColumnType[] };

const widths = new Map<string, number>([
  ['Bool', 1],
  ['UInt8', 1],
  ['Int8', 1],
  ['Enum8', 1],
  ['UInt16', 2],
  ['Int16', 2],
  ['Enum16', 2],
  ['Date', 2],
  ['UInt32', 4],
  ['Int32', 4],
  ['Float32', 4],
  ['Date32', 4],
  ['DateTime', 4],
  ['IPv4', 4],
  ['UInt64', 8],
  ['Int64', 8],
  ['Float64', 8],
  ['DateTime64', 8],
  ['UInt128', 16],
  ['Int128', 16],
  ['UUID', 16],
  ['IPv6', 16],
  ['UInt256', 32],
  ['Int256', 32],
]);

const parsed = new Map<string, ColumnType>();

/** Reads a ClickHouse type text. Throws for a type Sluice has no layout for. `LowCardinality(T)` lies as T: the engine converts on insert. */
export function parseColumnType(text: string): ColumnType {
  let type = parsed.get(text);
  if (type === undefined) {
    type = parse(text.trim());
    if (parsed.size < 4096) parsed.set(text, type);
  }
  return type;
}

/** The type text without LowCardinality, as a Native block that we write must declare it. */
export function plainTypeText(text: string): string {
  const start = text.indexOf('LowCardinality(');
  if (start < 0) return text;
  const open = start + 'LowCardinality'.length;
  const close = closingBracket(text, open);
  return plainTypeText(text.slice(0, start) + text.slice(open + 1, close) + text.slice(close + 1));
}

function parse(text: string): ColumnType {
  const open = text.indexOf('(');
  const name = open < 0 ? text : text.slice(0, open);
  const inside = open < 0 ? '' : text.slice(open + 1, closingBracket(text, open));
  switch (name) {
    case 'String':
      return { kind: 'string' };
    case 'FixedString':
      return { kind: 'fixed', width: Number(inside) };
    case 'LowCardinality':
      return parse(inside.trim());
    case 'SimpleAggregateFunction':
      return parse(splitArguments(inside)[1] ?? bug(`no type in ${text}`));
    case 'Nullable':
      return { kind: 'nullable', inner: parse(inside.trim()) };
    case 'Array':
      return { kind: 'array', element: parse(inside.trim()) };
    case 'Map':
      return { kind: 'array', element: { kind: 'tuple', elements: splitArguments(inside).map(parse) } };
    case 'Tuple':
      return { kind: 'tuple', elements: splitArguments(inside).map((part) => parse(withoutElementName(part))) };
    case 'Decimal': {
      const precision = Number(splitArguments(inside)[0]);
      return { kind: 'fixed', width: precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32 };
    }
    default: {
      const width = widths.get(name);
      if (width === undefined)
        throw new Error(`cannot lay out ClickHouse type ${JSON.stringify(text)}: no such type here`);
      return { kind: 'fixed', width };
    }
  }
}

/** Elements of a Tuple may be named: `Tuple(a UInt8, b String)`. */
function withoutElementName(text: string): string {
  const match = /^[A-Za-z_][A-Za-z0-9_]*\s+(?=[A-Z])/.exec(text);
  return match === null ? text : text.slice(match[0].length);
}

function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '\\' && quoted) i++;
    else if (c === "'") quoted = !quoted;
    else if (quoted) continue;
    else if (c === '(') depth++;
    else if (c === ')') depth--;
    else if (c === ',' && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  parts.push(text.slice(start).trim());
  return parts;
}

function closingBracket(text: string, open: number): number {
  let depth = 0;
  let quoted = false;
  for (let i = open; i < text.length; i++) {
    const c = text[i];
    if (c === '\\' && quoted) i++;
    else if (c === "'") quoted = !quoted;
    else if (quoted) continue;
    else if (c === '(') depth++;
    else if (c === ')' && --depth === 0) return i;
  }
  throw new Error(`cannot read ClickHouse type ${JSON.stringify(text)}: a bracket is not closed`);
}
