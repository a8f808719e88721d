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

type TextColumn = Extract<Column, { kind: 'string' }>;

const metricNameText = Buffer.from(METRIC_NAME);

/** Reads label sets from a text column with the metric name and a Map(String, String) column with the other labels, sorted by name. */
export function labelSetReader(metricNames: Column, labels: Column): (row: number) => LabelSet {
  if (metricNames.kind !== 'string' || labels.kind !== 'array' || labels.element.kind !== 'tuple') {
    return bug('expected a text column and a column of labels');
  }
  const [names, values] = labels.element.elements;
  if (names?.kind !== 'string' || values?.kind !== 'string') return bug('expected labels of texts');
  const out = new LabelSetWriter();
  return (row) => {
    const first = row === 0 ? 0 : labels.ends[row - 1]!;
    const end = labels.ends[row]!;
    const metricStart = startOf(metricNames, row);
    const metricEnd = metricNames.ends[row]!;
    // The column's text is a length and what it says: one byte is the empty text.
    let metricDue = metricEnd - metricStart > 1;
    out.reset();
    for (let at = first; at < end; at++) {
      if (metricDue && isBehindMetricName(names, at)) {
        out.add(metricNameField, 0, metricNameField.length, metricNames.bytes, metricStart, metricEnd);
        metricDue = false;
      }
      out.add(names.bytes, startOf(names, at), names.ends[at]!, values.bytes, startOf(values, at), values.ends[at]!);
    }
    if (metricDue) out.add(metricNameField, 0, metricNameField.length, metricNames.bytes, metricStart, metricEnd);
    return out.finish();
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

/** A label to be added to others: name and value, each with its length in front. */
export interface AddedLabel {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

export function addedLabel(name: string, value: string): AddedLabel {
  return { name: withLength(name), value: withLength(value) };
}

/** The label set with further labels, sorted by the bytes of their names, each once. Of one name the set's own label stays. */
export function withLabels(set: LabelSet, added: readonly AddedLabel[]): LabelSet {
  const { labels } = set;
  const out = new LabelSetWriter();
  let next = 0;
  const put = ({ name, value }: AddedLabel) => out.add(name, 0, name.length, value, 0, value.length);
  for (let at = 0; at < labels.length;) {
    const nameStart = behindVarint(labels, at + 1) + 1;
    const nameEnd = behindVarint(labels, nameStart) + varintAt(labels, nameStart);
    const valueStart = nameEnd + 1;
    const valueEnd = behindVarint(labels, valueStart) + varintAt(labels, valueStart);
    for (; next < added.length; next++) {
      const order = compareNames(added[next]!.name, labels.subarray(nameStart, nameEnd));
      if (order > 0) break;
      if (order < 0) put(added[next]!);
    }
    out.add(labels, nameStart, nameEnd, labels, valueStart, valueEnd);
    at = valueEnd;
  }
  for (; next < added.length; next++) put(added[next]!);
  return out.finish();
}

/** Order of two texts with their lengths in front. */
export function compareNames(left: Uint8Array, right: Uint8Array): number {
  return Buffer.compare(left.subarray(behindVarint(left, 0)), right.subarray(behindVarint(right, 0)));
}

function withLength(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

/** A text as it stands in a column: its length, then the text. */
const metricNameField = Uint8Array.of(metricNameText.length, ...metricNameText);

function startOf(column: TextColumn, row: number): number {
  return row === 0 ? 0 : column.ends[row - 1]!;
}

/** True when the label's name sorts behind `__name__`. */
function isBehindMetricName(names: TextColumn, at: number): boolean {
  const start = behindVarint(names.bytes, startOf(names, at));
  const length = names.ends[at]! - start;
  for (let index = 0; index < metricNameText.length; index++) {
    if (index === length) return false;
    const difference = names.bytes[start + index]! - metricNameText[index]!;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** Puts one label set together; its memory is used again for the next. */
class LabelSetWriter {
  #fields = Buffer.alloc(1024);
  #fieldsEnd = 0;
  #key = Buffer.alloc(1024);
  #keyEnd = 0;

  reset(): void {
    this.#fieldsEnd = 0;
    this.#keyEnd = 0;
  }

  /** Name and value as ranges with their lengths in front. */
  add(
    names: Uint8Array,
    nameStart: number,
    nameEnd: number,
    values: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    let length = 2 + nameEnd - nameStart + valueEnd - valueStart;
    this.#reserve(length + 6);
    const fields = this.#fields;
    let at = this.#fieldsEnd;
    fields[at++] = 0x0a;
    for (; length > 127; length >>>= 7) fields[at++] = (length & 127) | 128;
    fields[at++] = length;
    fields[at++] = 0x0a;
    for (let from = nameStart; from < nameEnd; from++) fields[at++] = names[from]!;
    fields[at++] = 0x12;
    for (let from = valueStart; from < valueEnd; from++) fields[at++] = values[from]!;
    this.#fieldsEnd = at;
    this.#addToKey(names, nameStart, nameEnd);
    this.#addToKey(values, valueStart, valueEnd);
  }

  finish(): LabelSet {
    return {
      labels: new Uint8Array(this.#fields.subarray(0, this.#fieldsEnd)),
      key: this.#key.toString('latin1', 0, this.#keyEnd),
    };
  }

  /** A text of the key: its bytes, then 0; the bytes 0 and 1 of the text itself become 1 1 and 1 2, which keeps their order. */
  #addToKey(text: Uint8Array, start: number, end: number): void {
    const key = this.#key;
    let at = this.#keyEnd;
    for (let from = behindVarint(text, start); from < end; from++) {
      const byte = text[from]!;
      if (byte <= 1) {
        key[at++] = 1;
        key[at++] = byte + 1;
      } else {
        key[at++] = byte;
      }
    }
    key[at++] = 0;
    this.#keyEnd = at;
  }

  #reserve(count: number): void {
    if (this.#fieldsEnd + count > this.#fields.length) this.#fields = grown(this.#fields, this.#fieldsEnd + count);
    if (this.#keyEnd + 2 * count > this.#key.length) this.#key = grown(this.#key, this.#keyEnd + 2 * count);
  }
}

function grown(buffer: Buffer, needed: number): Buffer<ArrayBuffer> {
  const larger = Buffer.alloc(needed * 2);
  buffer.copy(larger);
  return larger;
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
