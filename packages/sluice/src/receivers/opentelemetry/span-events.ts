import type { BoundsList } from '../bounds-list.ts';
import { FieldScan } from '../field-scan.ts';
import { attributeJson, AttributeScan } from './any-value.ts';

/*
 * An event of a span on the wire: 1 time ns (8 bytes) | 2 name | 3 KeyValue* | 4 number of attributes that were dropped
 */

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Events as the JSON that DeepFlow's server writes: `[{"time_unix_nano":1,"name":"n","attributes":[{"key":"k","value":{"Value":{"StringValue":"v"}}}]}]`,
 * without what is 0 or empty; `null` when there are none. Undefined when one is malformed.
 */
export function eventsJson(bytes: Uint8Array, events: BoundsList): string | undefined {
  if (events.count === 0) return 'null';
  const texts: string[] = [];
  for (let i = 0; i < events.count; i++) {
    const text = eventJson(bytes, events.start(i), events.end(i));
    if (text === undefined) return undefined;
    texts.push(text);
  }
  return `[${texts.join(',')}]`;
}

function eventJson(bytes: Uint8Array, start: number, end: number): string | undefined {
  const scan = new FieldScan();
  let time = 0n;
  let name = '';
  let dropped = 0;
  const attributes: string[] = [];
  scan.begin(bytes, start, end);
  while (scan.next()) {
    if (scan.field > 4) continue;
    if (scan.wireType !== wireTypes[scan.field]) return undefined;
    if (scan.field === 1) time = (BigInt(scan.high) << 32n) | BigInt(scan.low);
    else if (scan.field === 2) name = decoder.decode(bytes.subarray(scan.start, scan.end));
    else if (scan.field === 4) dropped = scan.low;
    else {
      const text = attributeText(bytes, scan.start, scan.end);
      if (text === undefined) return undefined;
      attributes.push(text);
    }
  }
  if (scan.isMalformed) return undefined;
  const parts: string[] = [];
  if (time !== 0n) parts.push(`"time_unix_nano":${time}`);
  if (name !== '') parts.push(`"name":${JSON.stringify(name)}`);
  if (attributes.length > 0) parts.push(`"attributes":[${attributes.join(',')}]`);
  if (dropped !== 0) parts.push(`"dropped_attributes_count":${dropped}`);
  return `{${parts.join(',')}}`;
}

const wireTypes: readonly number[] = [-1, 1, 2, 2, 0];

function attributeText(bytes: Uint8Array, start: number, end: number): string | undefined {
  const attribute = new AttributeScan();
  if (!attribute.readAttribute(bytes, start, end)) return undefined;
  const key = decoder.decode(bytes.subarray(attribute.keyStart, attribute.keyEnd));
  return attributeJson(key, attribute.hasValue ? attribute : undefined);
}
