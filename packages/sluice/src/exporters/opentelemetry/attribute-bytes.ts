import { isUtf8 } from 'node:buffer';
import type { ItemWriter } from '../../delivery/item-writer.ts';
import { putVarint, putVarint64, varintSize } from '../varint.ts';

/*
 * An attribute on the wire, a field of a Resource (tag 0x0a) or of a Span (tag 0x4a):
 *
 *   tag | length | 0x0a | length | key | 0x12 | length | value
 *   value: 0x0a | length | text     0x10 | 0 or 1     0x18 | varint     0x21 | 8 bytes, little-endian
 *
 * Lengths are varints. Text must be UTF-8, which receivers check: what is none is repaired.
 */

/** Name of an attribute, ready to be written. */
export interface AttributeKey {
  readonly tag: number;
  /** From the key's own tag to that of the value. */
  readonly bytes: Uint8Array;
}

export const RESOURCE_ATTRIBUTE = 0x0a;
export const SPAN_ATTRIBUTE = 0x4a;

const KEY = 0x0a;
const VALUE = 0x12;
const TEXT = 0x0a;
const BOOL = 0x10;
const INT = 0x18;
const DOUBLE = 0x21;
/** Most that an attribute takes beyond key and text: its tag, three lengths, the tags of value and text. */
const OVERHEAD = 20;
/** From this length on, native copying is quicker than a loop. */
const LONG = 64;
/** Below this all lengths of an attribute are one byte each, for a key and a text. */
const SHORT = 62;

const encoder = new TextEncoder();

export function attributeKey(tag: number, name: string): AttributeKey {
  const text = encoder.encode(name);
  const bytes = new Uint8Array(text.length + 2 + varintSize(text.length));
  bytes[0] = KEY;
  const at = putVarint(bytes, 1, text.length);
  bytes.set(text, at);
  bytes[at + text.length] = VALUE;
  return { tag, bytes };
}

/** A text as a length and the bytes; false when it is no UTF-8. */
function putCounted(writer: ItemWriter, { from, start, end }: TextSpan): boolean {
  const { bytes } = writer;
  let at = putVarint(bytes, writer.at, end - start);
  if (end - start >= LONG) {
    const text = from.subarray(start, end);
    bytes.set(text, at);
    writer.at = at + text.length;
    return isUtf8(text);
  }
  let seen = 0;
  for (let i = start; i < end; i++) {
    const character = from[i]!;
    bytes[at++] = character;
    seen |= character;
  }
  writer.at = at;
  return seen < 0x80 || isUtf8(from.subarray(start, end));
}

/** Whether [start, end) is UTF-8. */
export function isText(from: Uint8Array, start: number, end: number): boolean {
  if (end - start < LONG) {
    let seen = 0;
    for (let i = start; i < end; i++) seen |= from[i]!;
    if (seen < 0x80) return true;
  }
  return isUtf8(from.subarray(start, end));
}

/** The text in [start, end) with what is no UTF-8 replaced. */
export function repaired(from: Uint8Array, start: number, end: number): Uint8Array {
  return encoder.encode(new TextDecoder('utf-8', { ignoreBOM: true }).decode(from.subarray(start, end)));
}

export function putText(writer: ItemWriter, key: AttributeKey, from: Uint8Array, start: number, end: number): void {
  const length = end - start;
  if (length >= LONG) {
    const text = from.subarray(start, end);
    putPlainText(writer, key, isUtf8(text) ? text : repaired(text, 0, length));
    return;
  }
  const before = writer.at;
  putStart(writer, key, length);
  const { bytes } = writer;
  let at = writer.at;
  let seen = 0;
  for (let i = start; i < end; i++) {
    const character = from[i]!;
    bytes[at++] = character;
    seen |= character;
  }
  writer.at = at;
  if (seen < 0x80 || isUtf8(from.subarray(start, end))) return;
  writer.at = before;
  putPlainText(writer, key, repaired(from, start, end));
}

/** Text that is known to be UTF-8: its first `length` bytes. */
export function putPlainText(
  writer: ItemWriter,
  key: AttributeKey,
  text: Uint8Array,
  length: number = text.length,
): void {
  putStart(writer, key, length);
  writer.bytes.set(length === text.length ? text : text.subarray(0, length), writer.at);
  writer.at += length;
}

/** What stands before a text of so many bytes; there is room for the text behind it. */
function putStart(writer: ItemWriter, { tag, bytes: key }: AttributeKey, length: number): void {
  writer.reserve(key.length + length + OVERHEAD);
  const { bytes } = writer;
  let at = writer.at;
  bytes[at] = tag;
  if (length < SHORT && key.length < SHORT) {
    bytes[at + 1] = key.length + length + 3;
    bytes.set(key, at + 2);
    at += key.length + 2;
    bytes[at] = length + 2;
    bytes[at + 1] = TEXT;
    bytes[at + 2] = length;
    writer.at = at + 3;
    return;
  }
  const value = 1 + varintSize(length) + length;
  at = putVarint(bytes, at + 1, key.length + varintSize(value) + value);
  bytes.set(key, at);
  at = putVarint(bytes, at + key.length, value);
  bytes[at++] = TEXT;
  writer.at = putVarint(bytes, at, length);
}

/** Bytes [start, end) of a row's text. */
export interface TextSpan {
  from: Uint8Array;
  start: number;
  end: number;
}

/** An attribute whose name is text of a row too. */
export function putNamedText(writer: ItemWriter, tag: number, name: TextSpan, text: TextSpan): void {
  const before = writer.at;
  const nameLength = name.end - name.start;
  const length = text.end - text.start;
  writer.reserve(nameLength + length + OVERHEAD + 6);
  const value = 1 + varintSize(length) + length;
  writer.bytes[writer.at++] = tag;
  const entry = 1 + varintSize(nameLength) + nameLength + 1 + varintSize(value) + value;
  writer.at = putVarint(writer.bytes, writer.at, entry);
  writer.bytes[writer.at++] = KEY;
  const isName = putCounted(writer, name);
  writer.bytes[writer.at++] = VALUE;
  writer.at = putVarint(writer.bytes, writer.at, value);
  writer.bytes[writer.at++] = TEXT;
  if (putCounted(writer, text) && isName) return;
  writer.at = before;
  putNamedText(writer, tag, repairedSpan(name), repairedSpan(text));
}

/** A double by its 8 bytes, under a name that is text of a row. */
export function putNamedDouble(
  writer: ItemWriter,
  tag: number,
  name: TextSpan,
  value: { readonly from: Uint8Array; readonly start: number },
): void {
  const before = writer.at;
  const nameLength = name.end - name.start;
  writer.reserve(nameLength + OVERHEAD + 14);
  writer.bytes[writer.at++] = tag;
  writer.at = putVarint(writer.bytes, writer.at, 1 + varintSize(nameLength) + nameLength + 11);
  writer.bytes[writer.at++] = KEY;
  if (!putCounted(writer, name)) {
    writer.at = before;
    putNamedDouble(writer, tag, repairedSpan(name), value);
    return;
  }
  const { bytes } = writer;
  let at = writer.at;
  bytes[at++] = VALUE;
  bytes[at++] = 9;
  bytes[at++] = DOUBLE;
  for (let i = 0; i < 8; i++) bytes[at++] = value.from[value.start + i]!;
  writer.at = at;
}

function repairedSpan({ from, start, end }: TextSpan): TextSpan {
  const text = repaired(from, start, end);
  return { from: text, start: 0, end: text.length };
}

/** A whole number of 64 bits, given as halves. */
export function putInt(writer: ItemWriter, { tag, bytes: key }: AttributeKey, low: number, high: number): void {
  writer.reserve(key.length + OVERHEAD + 10);
  const { bytes } = writer;
  // The longest attribute name has well below 100 bytes, so that each length is one byte.
  const start = writer.at;
  let at = start + 2;
  bytes[start] = tag;
  bytes.set(key, at);
  at += key.length;
  const value = at++;
  bytes[at++] = INT;
  at = high === 0 ? putVarint(bytes, at, low) : putVarint64(bytes, at, low, high);
  bytes[value] = at - value - 1;
  bytes[start + 1] = at - start - 2;
  writer.at = at;
}

/** Attributes as they were encoded before. */
export function putEncoded(writer: ItemWriter, attributes: Uint8Array): void {
  writer.reserve(attributes.length);
  writer.bytes.set(attributes, writer.at);
  writer.at += attributes.length;
}

/** A text attribute to be written often. */
export function encodedText(key: AttributeKey, text: string): Uint8Array {
  const value = encoder.encode(text);
  const body = new Uint8Array(key.bytes.length + value.length + OVERHEAD);
  const inner = 1 + varintSize(value.length) + value.length;
  body[0] = key.tag;
  let at = putVarint(body, 1, key.bytes.length + varintSize(inner) + inner);
  body.set(key.bytes, at);
  at = putVarint(body, at + key.bytes.length, inner);
  body[at++] = TEXT;
  at = putVarint(body, at, value.length);
  body.set(value, at);
  return body.slice(0, at + value.length);
}

export function encodedBool(key: AttributeKey, value: boolean): Uint8Array {
  return Uint8Array.of(key.tag, key.bytes.length + 3, ...key.bytes, 2, BOOL, value ? 1 : 0);
}
