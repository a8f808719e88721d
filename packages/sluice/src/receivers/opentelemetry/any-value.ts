import { FieldScan } from '../field-scan.ts';

/*
 * A value of an attribute on the wire (AnyValue), of which one field is set:
 *
 *   1 string | 2 bool (varint) | 3 int (varint, two's complement) | 4 double (8 bytes) | 5 ArrayValue: 1 AnyValue* | 6 KeyValueList: 1 KeyValue* | 7 bytes
 *   KeyValue: 1 key | 2 AnyValue
 */

export const ValueKind = { NONE: 0, STRING: 1, BOOL: 2, INT: 3, DOUBLE: 4, ARRAY: 5, LIST: 6, BYTES: 7 } as const;

/** Values within values go so deep; deeper ones are malformed. */
const MAX_DEPTH = 32;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const doubles = new Float64Array(1);
const halves = new Uint32Array(doubles.buffer);

/** One value, or attribute with key and value, read at its uppermost level. */
export class AttributeScan {
  /** Bounds of the key of an attribute. */
  keyStart = 0;
  keyEnd = 0;
  /** Whether the attribute came with a value at all. */
  hasValue = false;
  /** One of ValueKind. */
  kind: number = ValueKind.NONE;
  /** Halves of a bool, an int or a double. */
  low = 0;
  high = 0;
  /** Bounds of a string, of bytes, or of the message of an array or list. */
  start = 0;
  end = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  readonly #scan = new FieldScan();

  /** Reads the KeyValue in [start, end); false when it is malformed. */
  readAttribute(bytes: Uint8Array, start: number, end: number): boolean {
    const scan = this.#scan;
    this.keyStart = 0;
    this.keyEnd = 0;
    let valueStart = -1;
    let valueEnd = 0;
    scan.begin(bytes, start, end);
    while (scan.next()) {
      if (scan.field > 2) continue;
      if (scan.wireType !== 2) return false;
      if (scan.field === 1) {
        this.keyStart = scan.start;
        this.keyEnd = scan.end;
      } else {
        valueStart = scan.start;
        valueEnd = scan.end;
      }
    }
    if (scan.isMalformed) return false;
    this.hasValue = valueStart >= 0;
    return this.readValue(bytes, Math.max(valueStart, 0), valueEnd);
  }

  /** Reads the AnyValue in [start, end); of several fields the last counts. */
  readValue(bytes: Uint8Array, start: number, end: number): boolean {
    const scan = this.#scan;
    this.#bytes = bytes;
    this.kind = ValueKind.NONE;
    scan.begin(bytes, start, end);
    while (scan.next()) {
      const { field, wireType } = scan;
      if (field > ValueKind.BYTES) continue;
      if (wireType !== wireTypes[field]) return false;
      this.kind = field;
      this.low = scan.low;
      this.high = scan.high;
      this.start = scan.start;
      this.end = scan.end;
    }
    return !scan.isMalformed;
  }

  /** Characters of a string, '' of anything else. */
  get string(): string {
    return this.kind === ValueKind.STRING ? decoder.decode(this.#bytes.subarray(this.start, this.end)) : '';
  }

  get isEmptyString(): boolean {
    return this.kind === ValueKind.STRING && this.start === this.end;
  }

  get double(): number {
    halves[0] = this.low;
    halves[1] = this.high;
    return doubles[0]!;
  }

  /** An int as a number, to the precision of one. */
  get int(): number {
    return (this.high | 0) * 4_294_967_296 + this.low;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(this.start, this.end);
  }
}

/** Wire type of each field of AnyValue. */
const wireTypes: readonly number[] = [-1, 2, 0, 0, 1, 2, 2, 2];

/**
 * Text of a value as DeepFlow stores it: a string that is not empty as it is, else what protobuf's text format has behind the first colon: `5`, `true`,
 * `1.5`, `""`, `{values:{string_value:"a"} values:{int_value:1}}`. Undefined when the value is malformed.
 */
export function valueText(value: AttributeScan): string | undefined {
  if (value.kind === ValueKind.STRING) return value.isEmptyString ? '""' : value.string;
  const text = protobufText(value, 0);
  return text === undefined ? undefined : text.slice(text.indexOf(':') + 1);
}

function protobufText(value: AttributeScan, depth: number): string | undefined {
  switch (value.kind) {
    case ValueKind.STRING:
      return `string_value:${quoted(value.string)}`;
    case ValueKind.BOOL:
      return `bool_value:${(value.low | value.high) !== 0}`;
    case ValueKind.INT:
      return `int_value:${intText(value)}`;
    case ValueKind.DOUBLE:
      return `double_value:${doubleText(value.double)}`;
    case ValueKind.BYTES:
      return `bytes_value:${quotedBytes(value.bytes)}`;
    case ValueKind.ARRAY:
      return wrapped('array_value', elements(value, depth, protobufText));
    case ValueKind.LIST:
      return wrapped(
        'kvlist_value',
        entries(value, depth, (key, entry, deeper) => {
          const text = entry === undefined ? '' : protobufText(entry, deeper);
          if (text === undefined) return undefined;
          const name = key === '' ? '' : `key:${quoted(key)}`;
          const inner = entry === undefined ? '' : `value:{${text}}`;
          return [name, inner].filter((part) => part !== '').join(' ');
        }),
      );
    default:
      return '';
  }
}

function wrapped(name: string, parts: readonly string[] | undefined): string | undefined {
  return parts === undefined ? undefined : `${name}:{${parts.map((part) => `values:{${part}}`).join(' ')}}`;
}

/**
 * A value as DeepFlow's server writes it into the JSON of events: `{"Value":{"StringValue":"a"}}`. Undefined when the value is malformed.
 */
export function valueJson(value: AttributeScan, depth = 0): string | undefined {
  switch (value.kind) {
    case ValueKind.STRING:
      return oneOf('StringValue', JSON.stringify(value.string));
    case ValueKind.BOOL:
      return oneOf('BoolValue', String((value.low | value.high) !== 0));
    case ValueKind.INT:
      return oneOf('IntValue', intText(value));
    case ValueKind.DOUBLE:
      // JSON has no word for what is not finite.
      return oneOf('DoubleValue', Number.isFinite(value.double) ? String(value.double) : `"${value.double}"`);
    case ValueKind.BYTES:
      return oneOf('BytesValue', `"${Buffer.from(value.bytes).toString('base64')}"`);
    case ValueKind.ARRAY:
      return listed('ArrayValue', elements(value, depth, valueJson));
    case ValueKind.LIST:
      return listed(
        'KvlistValue',
        entries(value, depth, (key, entry, deeper) => attributeJson(key, entry, deeper)),
      );
    default:
      return '{"Value":null}';
  }
}

/** `{"key":"k","value":{...}}`, without what is not set. */
export function attributeJson(key: string, value: AttributeScan | undefined, depth = 0): string | undefined {
  const text = value === undefined ? '' : valueJson(value, depth);
  if (text === undefined) return undefined;
  const parts = [key === '' ? '' : `"key":${JSON.stringify(key)}`, text === '' ? '' : `"value":${text}`];
  return `{${parts.filter((part) => part !== '').join(',')}}`;
}

function oneOf(name: string, text: string): string {
  return `{"Value":{"${name}":${text}}}`;
}

function listed(name: string, parts: readonly string[] | undefined): string | undefined {
  if (parts === undefined) return undefined;
  return oneOf(name, parts.length === 0 ? '{}' : `{"values":[${parts.join(',')}]}`);
}

type Write<T> = (value: T, depth: number) => string | undefined;

/** What `write` makes of each element of an array. */
function elements(array: AttributeScan, depth: number, write: Write<AttributeScan>): string[] | undefined {
  return within(array, depth, (bytes, start, end) => {
    const element = new AttributeScan();
    return element.readValue(bytes, start, end) ? write(element, depth + 1) : undefined;
  });
}

/** What `write` makes of each entry of a list of keys and values. */
function entries(
  list: AttributeScan,
  depth: number,
  write: (key: string, value: AttributeScan | undefined, depth: number) => string | undefined,
): string[] | undefined {
  return within(list, depth, (bytes, start, end) => {
    const entry = new AttributeScan();
    if (!entry.readAttribute(bytes, start, end)) return undefined;
    const key = decoder.decode(bytes.subarray(entry.keyStart, entry.keyEnd));
    return write(key, entry.hasValue ? entry : undefined, depth + 1);
  });
}

function within(
  value: AttributeScan,
  depth: number,
  each: (bytes: Uint8Array, start: number, end: number) => string | undefined,
): string[] | undefined {
  if (depth >= MAX_DEPTH) return undefined;
  const bytes = value.bytes;
  const texts: string[] = [];
  const scan = new FieldScan();
  scan.begin(bytes, 0, bytes.length);
  while (scan.next()) {
    if (scan.field !== 1) continue;
    const text = scan.wireType === 2 ? each(bytes, scan.start, scan.end) : undefined;
    if (text === undefined) return undefined;
    texts.push(text);
  }
  return scan.isMalformed ? undefined : texts;
}

function intText({ low, high }: AttributeScan): string {
  return String(BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)));
}

/** Shortest digits, with an exponent of two digits at least below 1e-4 and from 1e6 on. */
function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const size = Math.abs(value);
  // Neither needs an exponent in JavaScript.
  if (size >= 1e-4 && size < 1e6) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

/** In double quotes; characters that are not printed as escapes. */
function quoted(text: string): string {
  // eslint-disable-next-line no-control-regex
  return `"${text.replaceAll(/["\\\u0000-\u001f\u007f]/g, escaped)}"`;
}

function quotedBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    text += byte < 0x20 || byte > 0x7e || character === '"' || character === '\\' ? escaped(character) : character;
  }
  return `"${text}"`;
}

const escapes: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(character: string): string {
  return escapes[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
