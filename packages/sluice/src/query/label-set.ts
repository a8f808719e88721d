import { bug } from '../base/errors.ts';
import type { Column } from '../batch/batch.ts';
import { METRIC_NAME } from './matchers.ts';

/** The labels of one series, the metric name among them. */
export interface LabelSet {
  /** As fields of a message: `0a`, length, then `0a` length name, `12` length value; sorted by name. What TimeSeries and ChunkedSeries begin with. */
  readonly labels: Uint8Array;
  /** Sorts as Prometheus sorts label sets: label by label, bytes of the name, then bytes of the value, the shorter one first. */
  readonly key: string;
}

/** A label and where its name and value lie: each a length as varint, then the text. */
interface Label {
  readonly nameBytes: Uint8Array;
  readonly valueBytes: Uint8Array;
}

const nameOfMetric = lengthPrefixed(METRIC_NAME);

/** Reads label sets from a text column with the metric name and a Map(String, String) column with the other labels. */
export function labelSetReader(metricNames: Column, labels: Column): (row: number) => LabelSet {
  if (metricNames.kind !== 'string' || labels.kind !== 'array' || labels.element.kind !== 'tuple') {
    return bug('expected a text column and a column of labels');
  }
  const [names, values] = labels.element.elements;
  if (names?.kind !== 'string' || values?.kind !== 'string') return bug('expected labels of texts');
  return (row) => {
    const set: Label[] = [];
    const metric = valueAt(metricNames, row);
    if (metric.length > 1) set.push({ nameBytes: nameOfMetric, valueBytes: metric });
    for (let at = row === 0 ? 0 : labels.ends[row - 1]!; at < labels.ends[row]!; at++) {
      insertSorted(set, { nameBytes: valueAt(names, at), valueBytes: valueAt(values, at) });
    }
    return encode(set);
  };
}

/** Names and values of a label set, in order. */
export function* labelsOf(set: LabelSet): Generator<readonly [name: string, value: string]> {
  const { labels } = set;
  for (let at = 0; at < labels.length;) {
    at = behindVarint(labels, at + 1) + 1;
    const nameAt = behindVarint(labels, at);
    const nameEnd = nameAt + varintAt(labels, at);
    const valueAtByte = behindVarint(labels, nameEnd + 1);
    const valueEnd = valueAtByte + varintAt(labels, nameEnd + 1);
    yield [decoder.decode(labels.subarray(nameAt, nameEnd)), decoder.decode(labels.subarray(valueAtByte, valueEnd))];
    at = valueEnd;
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function valueAt(column: Extract<Column, { kind: 'string' }>, row: number): Uint8Array {
  return column.bytes.subarray(row === 0 ? 0 : column.ends[row - 1]!, column.ends[row]);
}

/** Stored labels are sorted and the metric name is somewhere between them: a few steps at most. */
function insertSorted(set: Label[], label: Label): void {
  let at = set.length;
  while (at > 0 && compareTexts(set[at - 1]!.nameBytes, label.nameBytes) > 0) at--;
  if (at === set.length) set.push(label);
  else set.splice(at, 0, label);
}

function compareTexts(left: Uint8Array, right: Uint8Array): number {
  const leftStart = behindVarint(left, 0);
  const rightStart = behindVarint(right, 0);
  const length = Math.min(left.length - leftStart, right.length - rightStart);
  for (let index = 0; index < length; index++) {
    const difference = left[leftStart + index]! - right[rightStart + index]!;
    if (difference !== 0) return difference;
  }
  return left.length - leftStart - (right.length - rightStart);
}

let keyScratch = Buffer.alloc(4096);

function encode(set: readonly Label[]): LabelSet {
  let size = 0;
  let keySize = 0;
  for (const { nameBytes, valueBytes } of set) {
    const inner = 2 + nameBytes.length + valueBytes.length;
    size += 1 + varintSize(inner) + inner;
    keySize += 2 * inner;
  }
  const labels = new Uint8Array(size);
  if (keyScratch.length < keySize) keyScratch = Buffer.alloc(keySize * 2);
  let at = 0;
  let keyAt = 0;
  for (const { nameBytes, valueBytes } of set) {
    labels[at++] = 0x0a;
    let length = 2 + nameBytes.length + valueBytes.length;
    for (; length > 127; length = Math.floor(length / 128)) labels[at++] = (length % 128) | 128;
    labels[at++] = length;
    labels[at++] = 0x0a;
    labels.set(nameBytes, at);
    at += nameBytes.length;
    labels[at++] = 0x12;
    labels.set(valueBytes, at);
    at += valueBytes.length;
    keyAt = appendKey(appendKey(keyAt, nameBytes), valueBytes);
  }
  return { labels, key: keyScratch.toString('latin1', 0, keyAt) };
}

/** A text of a key: its bytes, then 0; the bytes 0 and 1 of the text itself become 1 1 and 1 2, which keeps their order. */
function appendKey(start: number, text: Uint8Array): number {
  let at = start;
  for (let index = behindVarint(text, 0); index < text.length; index++) {
    const byte = text[index]!;
    if (byte <= 1) {
      keyScratch[at++] = 1;
      keyScratch[at++] = byte + 1;
    } else {
      keyScratch[at++] = byte;
    }
  }
  keyScratch[at++] = 0;
  return at;
}

function behindVarint(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at]! > 127) at++;
  return at + 1;
}

function varintAt(bytes: Uint8Array, start: number): number {
  let value = 0;
  let factor = 1;
  for (let at = start; ; at++, factor *= 128) {
    value += (bytes[at]! & 127) * factor;
    if (bytes[at]! < 128) return value;
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size++;
  return size;
}

function lengthPrefixed(text: string): Uint8Array {
  return Uint8Array.of(text.length, ...Buffer.from(text));
}
