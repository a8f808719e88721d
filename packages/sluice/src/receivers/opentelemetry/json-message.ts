import { errorText, SluiceError } from '../../base/errors.ts';
import { WireWriter } from './wire-writer.ts';

/**
 * OTLP traces as JSON, written anew as the protobuf message that they stand for: one decoder does for both.
 *
 * Names in camel case, ids in hexadecimal, bytes in base64, 64-bit integers as text or number, kinds and status codes as number or name; unknown fields
 * are ignored, null is an absent field.
 *
 * Throws SluiceError `bad_request` with the path of what is wrong.
 */
export function messageOfJson(body: Uint8Array): Uint8Array {
  let root: unknown;
  try {
    root = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new SluiceError('bad_request', `cannot read the traces: expected JSON; ${errorText(error)}`);
  }
  const writer = new WireWriter();
  const message = objectOf(root, '$');
  for (const [at, one] of items(message, '$', 'resourceSpans')) writer.message(1, () => resourceSpans(writer, one, at));
  return writer.finish();
}

/** Values within values go so deep. */
const MAX_DEPTH = 32;

type JsonObject = Readonly<Record<string, unknown>>;

function resourceSpans(writer: WireWriter, value: unknown, path: string): void {
  const from = objectOf(value, path);
  const resource = from['resource'];
  if (isThere(resource)) {
    const at = `${path}.resource`;
    writer.message(1, () => attributes(writer, objectOf(resource, at), at, 1));
  }
  for (const [at, scope] of items(from, path, 'scopeSpans')) {
    writer.message(2, () => {
      for (const [spanAt, one] of items(objectOf(scope, at), at, 'spans')) {
        writer.message(2, () => span(writer, objectOf(one, spanAt), spanAt));
      }
    });
  }
}

function span(writer: WireWriter, from: JsonObject, path: string): void {
  hexField(writer, from, path, 'traceId', 1);
  hexField(writer, from, path, 'spanId', 2);
  hexField(writer, from, path, 'parentSpanId', 4);
  textField(writer, from, path, 'name', 5);
  enumField(writer, from, path, { name: 'kind', field: 6, names: kinds });
  timeField(writer, from, path, 'startTimeUnixNano', 7);
  timeField(writer, from, path, 'endTimeUnixNano', 8);
  attributes(writer, from, path, 9);
  for (const [at, one] of items(from, path, 'events')) {
    writer.message(11, () => {
      const event = objectOf(one, at);
      timeField(writer, event, at, 'timeUnixNano', 1);
      textField(writer, event, at, 'name', 2);
      attributes(writer, event, at, 3);
      const dropped = event['droppedAttributesCount'];
      if (isThere(dropped)) writer.varint(4, integer(dropped, `${at}.droppedAttributesCount`));
    });
  }
  for (const [at, link] of items(from, path, 'links')) {
    writer.message(13, () => attributes(writer, objectOf(link, at), at, 4));
  }
  const status = from['status'];
  if (!isThere(status)) return;
  const at = `${path}.status`;
  writer.message(15, () => {
    const code = objectOf(status, at);
    textField(writer, code, at, 'message', 2);
    enumField(writer, code, at, { name: 'code', field: 3, names: statusCodes });
  });
}

function attributes(writer: WireWriter, from: JsonObject, path: string, field: number): void {
  for (const [at, one] of items(from, path, 'attributes')) writer.message(field, () => attribute(writer, one, at, 0));
}

function attribute(writer: WireWriter, value: unknown, path: string, depth: number): void {
  const from = objectOf(value, path);
  textField(writer, from, path, 'key', 1);
  const inner = from['value'];
  if (isThere(inner)) writer.message(2, () => anyValue(writer, inner, `${path}.value`, depth));
}

function anyValue(writer: WireWriter, value: unknown, path: string, depth: number): void {
  if (depth > MAX_DEPTH) throw wrong(path, `at most ${MAX_DEPTH} values within each other`, 'more');
  const from = objectOf(value, path);
  for (const [name, inner] of Object.entries(from)) {
    const at = `${path}.${name}`;
    if (!isThere(inner)) continue;
    switch (name) {
      case 'stringValue':
        writer.text(1, textOf(inner, at));
        break;
      case 'boolValue':
        if (typeof inner !== 'boolean') throw wrong(at, 'true or false', inner);
        writer.varint(2, inner ? 1n : 0n);
        break;
      case 'intValue':
        writer.varint(3, integer(inner, at));
        break;
      case 'doubleValue':
        writer.double(4, doubleOf(inner, at));
        break;
      case 'arrayValue':
        writer.message(5, () => {
          for (const [itemAt, item] of items(objectOf(inner, at), at, 'values')) {
            writer.message(1, () => anyValue(writer, item, itemAt, depth + 1));
          }
        });
        break;
      case 'kvlistValue':
        writer.message(6, () => {
          for (const [itemAt, item] of items(objectOf(inner, at), at, 'values')) {
            writer.message(1, () => attribute(writer, item, itemAt, depth + 1));
          }
        });
        break;
      case 'bytesValue':
        writer.bytes(7, Buffer.from(textOf(inner, at), 'base64'));
        break;
      default:
    }
  }
}

const kinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'].map(
  (name) => `SPAN_KIND_${name}`,
);
const statusCodes = ['UNSET', 'OK', 'ERROR'].map((name) => `STATUS_CODE_${name}`);

function enumField(
  writer: WireWriter,
  from: JsonObject,
  path: string,
  { name, field, names }: { readonly name: string; readonly field: number; readonly names: readonly string[] },
): void {
  const value = from[name];
  if (!isThere(value)) return;
  const number = typeof value === 'string' ? names.indexOf(value) : -1;
  writer.varint(field, number >= 0 ? BigInt(number) : integer(value, `${path}.${name}`));
}

function textField(writer: WireWriter, from: JsonObject, path: string, name: string, field: number): void {
  const value = from[name];
  if (isThere(value)) writer.text(field, textOf(value, `${path}.${name}`));
}

function hexField(writer: WireWriter, from: JsonObject, path: string, name: string, field: number): void {
  const value = from[name];
  if (!isThere(value)) return;
  const text = textOf(value, `${path}.${name}`);
  if (!/^(?:[\da-f]{2})*$/i.test(text)) throw wrong(`${path}.${name}`, 'an id in hexadecimal', value);
  writer.bytes(field, Buffer.from(text, 'hex'));
}

function timeField(writer: WireWriter, from: JsonObject, path: string, name: string, field: number): void {
  const value = from[name];
  if (isThere(value)) writer.fixed64(field, integer(value, `${path}.${name}`));
}

/** Elements of an array with their paths; none when it is absent. */
function items(from: JsonObject, path: string, name: string): readonly (readonly [path: string, value: unknown])[] {
  const value = from[name];
  if (!isThere(value)) return [];
  if (!Array.isArray(value)) throw wrong(`${path}.${name}`, 'an array', value);
  return value.map((one: unknown, index) => [`${path}.${name}[${index}]`, one] as const);
}

function objectOf(value: unknown, path: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'an object', value);
  return value as JsonObject;
}

function textOf(value: unknown, path: string): string {
  if (typeof value !== 'string') throw wrong(path, 'a text', value);
  return value;
}

function integer(value: unknown, path: string): bigint {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  throw wrong(path, 'a whole number, as a number or a text', value);
}

function doubleOf(value: unknown, path: string): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && /^(?:NaN|-?Infinity|[+-]?[\d.]+(?:e[+-]?\d+)?)$/i.test(value)) return Number(value);
  throw wrong(path, 'a number', value);
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function wrong(path: string, expected: string, got: unknown): SluiceError {
  const text = (JSON.stringify(got) ?? 'nothing').slice(0, 60);
  return new SluiceError(
    'bad_request',
    `cannot read the traces: expected ${expected} at ${path.slice(0, 200)}; got ${text}`,
  );
}
