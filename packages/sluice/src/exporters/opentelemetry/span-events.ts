/*
 * An event on the wire, field 11 of a Span: 1 time ns (8 bytes) | 2 name | 3 KeyValue* | 4 number of attributes that were dropped
 *
 * Rows that came in as spans keep theirs as JSON, as DeepFlow's server writes it:
 * [{"time_unix_nano":1,"name":"n","attributes":[{"key":"k","value":{"Value":{"StringValue":"v"}}}]}]
 */

const EVENT = 0x5a;

/** Deepest value within a value that is taken. */
const MAX_DEPTH = 16;

/** The events of a row in the form of fields of its span; undefined when the text is not what it should be. */
export function eventsFromJson(text: string): Buffer | undefined {
  // Whole numbers may have more digits than a double.
  const exact = text.replaceAll(/("time_unix_nano"|"IntValue"):(-?\d+)/g, '$1:"$2"');
  try {
    const events: unknown = JSON.parse(exact);
    if (events === null) return Buffer.alloc(0);
    return Array.isArray(events) ? Buffer.concat(events.map((event) => field(EVENT, eventBody(event)))) : undefined;
  } catch {
    return undefined;
  }
}

function eventBody(event: unknown): Buffer {
  const { time_unix_nano: time, name, attributes, dropped_attributes_count: dropped } = objectOf(event);
  const parts: Buffer[] = [];
  if (time !== undefined) parts.push(Buffer.of(0x09), fixed64(BigInt(textOf(time))));
  if (name !== undefined) parts.push(textField(0x12, textOf(name)));
  for (const attribute of listOf(attributes)) parts.push(field(0x1a, keyValue(attribute, 0)));
  if (typeof dropped === 'number') parts.push(Buffer.of(0x20), varint(BigInt(dropped)));
  return Buffer.concat(parts);
}

function keyValue(attribute: unknown, depth: number): Buffer {
  const { key, value } = objectOf(attribute);
  const parts: Buffer[] = [];
  if (key !== undefined) parts.push(textField(0x0a, textOf(key)));
  if (value !== undefined) parts.push(field(0x12, anyValue(value, depth)));
  return Buffer.concat(parts);
}

function anyValue(wrapped: unknown, depth: number): Buffer {
  if (depth > MAX_DEPTH) throw new TypeError('nested too deeply');
  const value = objectOf(wrapped)['Value'];
  if (value === null || value === undefined) return Buffer.alloc(0);
  const [[kind, content] = ['nothing', undefined]] = Object.entries(objectOf(value));
  switch (kind) {
    case 'StringValue':
      return textField(0x0a, textOf(content));
    case 'BoolValue':
      return Buffer.of(0x10, content === true ? 1 : 0);
    case 'IntValue':
      return Buffer.concat([Buffer.of(0x18), varint(BigInt.asUintN(64, BigInt(textOf(content))))]);
    case 'DoubleValue': {
      const bytes = Buffer.alloc(9);
      bytes[0] = 0x21;
      // What JSON has no word for is text.
      bytes.writeDoubleLE(Number(content), 1);
      return bytes;
    }
    case 'BytesValue':
      return field(0x3a, Buffer.from(textOf(content), 'base64'));
    case 'ArrayValue':
      return field(
        0x2a,
        values(content, (one) => field(0x0a, anyValue(one, depth + 1))),
      );
    case 'KvlistValue':
      return field(
        0x32,
        values(content, (one) => field(0x0a, keyValue(one, depth + 1))),
      );
    default:
      throw new TypeError(`no value is of the kind ${kind}`);
  }
}

function values(content: unknown, write: (value: unknown) => Buffer): Buffer {
  return Buffer.concat(listOf(objectOf(content)['values']).map(write));
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new TypeError('expected an object');
  return { ...value };
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new TypeError('expected a list');
  return value;
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('expected a text');
  return value.toWellFormed();
}

function textField(tag: number, value: string): Buffer {
  return field(tag, Buffer.from(value));
}

function field(tag: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag), varint(BigInt(body.length)), body]);
}

function fixed64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes;
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
