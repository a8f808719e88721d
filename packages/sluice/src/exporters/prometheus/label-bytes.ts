import { putVarint, varintSize } from '../varint.ts';

/**
 * A label as it stands in a TimeSeries of remote write 1.0 (field 1):
 *
 *   0A | varint length of the rest | 0A | varint length | name | 12 | varint length | value
 */
export const LABEL_TAG = 0x0a;
const NAME_TAG = 0x0a;
const VALUE_TAG = 0x12;

/** The label that holds the name of the metric. */
export const METRIC_NAME = '__name__';

const encoder = new TextEncoder();

/** What stands between a label's length and its value's length: `0A | length | name | 12`. */
export function labelHead(name: string): Uint8Array {
  const text = encoder.encode(name);
  const head = new Uint8Array(2 + varintSize(text.length) + text.length);
  head[0] = NAME_TAG;
  const at = putVarint(head, 1, text.length);
  head.set(text, at);
  head[at + text.length] = VALUE_TAG;
  return head;
}

export function encodeLabel(name: string, value: string): Uint8Array {
  const head = labelHead(name);
  const text = encoder.encode(value);
  const body = head.length + varintSize(text.length) + text.length;
  const label = new Uint8Array(1 + varintSize(body) + body);
  label[0] = LABEL_TAG;
  let at = putVarint(label, 1, body);
  label.set(head, at);
  at = putVarint(label, at + head.length, text.length);
  label.set(text, at);
  return label;
}

/** Order of label names: by the bytes of their UTF-8. */
export function compareNames(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
