import { longOf, wireFields, type WireField } from './wire-fields.ts';

/** Spans as one line of JSON, in OTLP's own JSON spelling. */

const decoder = new TextDecoder();

/** A span and its resource, as they stand in an item. */
export function showSpan(resource: Uint8Array, span: Uint8Array): string {
  return JSON.stringify({ resource: { attributes: attributesOf(resource, 1) }, span: spanOf(span) });
}

function spanOf(bytes: Uint8Array): Record<string, unknown> {
  const span: Record<string, unknown> = {};
  const attributes = attributesOf(bytes, 9);
  const events: unknown[] = [];
  for (const field of wireFields(bytes)) {
    const body = bytes.subarray(field.start, field.end);
    switch (field.number) {
      case 1:
        span['traceId'] = Buffer.from(body).toString('hex');
        break;
      case 2:
        span['spanId'] = Buffer.from(body).toString('hex');
        break;
      case 4:
        span['parentSpanId'] = Buffer.from(body).toString('hex');
        break;
      case 5:
        span['name'] = decoder.decode(body);
        break;
      case 6:
        span['kind'] = field.low;
        break;
      case 7:
        span['startTimeUnixNano'] = unsignedText(field);
        break;
      case 8:
        span['endTimeUnixNano'] = unsignedText(field);
        break;
      case 11:
        events.push(eventOf(body));
        break;
      case 15:
        span['status'] = statusOf(body);
        break;
      default:
        break;
    }
  }
  span['attributes'] = attributes;
  if (events.length > 0) span['events'] = events;
  return span;
}

function eventOf(bytes: Uint8Array): Record<string, unknown> {
  const event: Record<string, unknown> = {};
  for (const field of wireFields(bytes)) {
    if (field.number === 1) event['timeUnixNano'] = unsignedText(field);
    else if (field.number === 2) event['name'] = decoder.decode(bytes.subarray(field.start, field.end));
    else if (field.number === 4) event['droppedAttributesCount'] = field.low;
  }
  const attributes = attributesOf(bytes, 3);
  return attributes.length === 0 ? event : { ...event, attributes };
}

function statusOf(bytes: Uint8Array): Record<string, unknown> {
  const status: Record<string, unknown> = {};
  for (const field of wireFields(bytes)) {
    if (field.number === 2) status['message'] = decoder.decode(bytes.subarray(field.start, field.end));
    else if (field.number === 3) status['code'] = field.low;
  }
  return status;
}

function attributesOf(bytes: Uint8Array, number: number): Record<string, unknown>[] {
  const attributes: Record<string, unknown>[] = [];
  for (const field of wireFields(bytes)) {
    if (field.number === number) attributes.push(keyValue(bytes.subarray(field.start, field.end)));
  }
  return attributes;
}

function keyValue(bytes: Uint8Array): Record<string, unknown> {
  const entry: Record<string, unknown> = { key: '' };
  for (const field of wireFields(bytes)) {
    const body = bytes.subarray(field.start, field.end);
    if (field.number === 1) entry['key'] = decoder.decode(body);
    else if (field.number === 2) entry['value'] = anyValue(body);
  }
  return entry;
}

function anyValue(bytes: Uint8Array): Record<string, unknown> {
  for (const field of wireFields(bytes)) {
    const body = bytes.subarray(field.start, field.end);
    switch (field.number) {
      case 1:
        return { stringValue: decoder.decode(body) };
      case 2:
        return { boolValue: field.low !== 0 };
      case 3:
        return { intValue: String(longOf(field)) };
      case 4:
        return { doubleValue: doubleOf(body) };
      case 5:
        return { arrayValue: { values: listOf(body, anyValue) } };
      case 6:
        return { kvlistValue: { values: listOf(body, keyValue) } };
      case 7:
        return { bytesValue: Buffer.from(body).toString('base64') };
      default:
        break;
    }
  }
  return {};
}

function listOf(bytes: Uint8Array, read: (body: Uint8Array) => Record<string, unknown>): Record<string, unknown>[] {
  return [...wireFields(bytes)].map(({ start, end }) => read(bytes.subarray(start, end)));
}

/** JSON has no word for what is not finite. */
function doubleOf(bytes: Uint8Array): number | string {
  const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
  return Number.isFinite(value) ? value : String(value);
}

function unsignedText(field: WireField): string {
  return String(BigInt.asUintN(64, longOf(field)));
}
