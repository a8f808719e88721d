import { FieldScan } from '../field-scan.ts';

export interface ExtraLabel {
  readonly name: string;
  readonly value: string;
}

const TIME_SERIES_FIELD = 1;
const LABEL_FIELD = 1;
const NAME_FIELD = 1;
/** Tag of field 1 with bytes: a TimeSeries in a WriteRequest, a label in a TimeSeries, a name in a label. */
const FIRST_BYTES_TAG = 0x0a;
const SECOND_BYTES_TAG = 0x12;
/** The length of a TimeSeries has one byte at least and five at most. */
const LENGTH_GROWTH = 4;

/**
 * Adds labels to every TimeSeries of a 1.0 WriteRequest, in one pass over its bytes: behind the label fields that a TimeSeries begins with, so that
 * the labels still lie in one piece. A label that the series has itself is not added: the series' own wins. Of several with one name the last counts;
 * those without a name or a value are none. What is malformed is copied as it is, for the decoder to complain about.
 */
export class ExtraLabels {
  readonly #labels: readonly Field[];
  readonly #bytes: number;
  readonly #request = new FieldScan();
  readonly #series = new FieldScan();
  readonly #label = new FieldScan();
  /** By label: whether the present series has it itself. */
  readonly #isOwn: Uint8Array;

  constructor(labels: readonly ExtraLabel[]) {
    const byName = new Map(labels.map((label) => [label.name, label]));
    this.#labels = [...byName.values()].filter(({ name, value }) => name !== '' && value !== '').map(fieldOf);
    this.#bytes = this.#labels.reduce((sum, { field }) => sum + field.length, 0);
    this.#isOwn = new Uint8Array(this.#labels.length);
  }

  get isEmpty(): boolean {
    return this.#labels.length === 0;
  }

  /** Most bytes that the message [start, end) has with the labels. */
  mostBytes(bytes: Uint8Array, start: number, end: number): number {
    const request = this.#request;
    let most = end - start;
    request.begin(bytes, start, end);
    while (request.next()) if (isSeries(request)) most += this.#bytes + LENGTH_GROWTH;
    return most;
  }

  /** Writes the message [start, end) with the labels to `at` of the same memory, where there is room for `mostBytes`; returns where it ends. */
  write(bytes: Uint8Array, start: number, end: number, at: number): number {
    const request = this.#request;
    let to = at;
    let done = start;
    request.begin(bytes, start, end);
    while (request.next()) {
      if (isSeries(request)) to = this.#timeSeries(bytes, request.start, request.end, to);
      else to = copy(bytes, done, request.at, to);
      done = request.at;
    }
    return copy(bytes, done, end, to);
  }

  #timeSeries(bytes: Uint8Array, start: number, end: number, at: number): number {
    const labelsEnd = this.#findLabels(bytes, start, end);
    let size = end - start;
    for (const [index, { field }] of this.#labels.entries()) if (this.#isOwn[index] === 0) size += field.length;
    bytes[at] = FIRST_BYTES_TAG;
    let to = copy(bytes, start, labelsEnd, writeLength(bytes, at + 1, size));
    for (const [index, { field }] of this.#labels.entries()) {
      if (this.#isOwn[index] === 1) continue;
      bytes.set(field, to);
      to += field.length;
    }
    return copy(bytes, labelsEnd, end, to);
  }

  /** Sets `isOwn`; returns where the label fields end that the TimeSeries begins with. */
  #findLabels(bytes: Uint8Array, start: number, end: number): number {
    const series = this.#series;
    let labelsEnd = start;
    let before = start;
    this.#isOwn.fill(0);
    series.begin(bytes, start, end);
    while (series.next()) {
      if (series.field === LABEL_FIELD && series.wireType === 2) {
        this.#markOwn(bytes, series.start, series.end);
        if (labelsEnd === before) labelsEnd = series.at;
      }
      before = series.at;
    }
    return labelsEnd;
  }

  #markOwn(bytes: Uint8Array, start: number, end: number): void {
    const label = this.#label;
    label.begin(bytes, start, end);
    while (label.next()) {
      if (label.field !== NAME_FIELD || label.wireType !== 2) continue;
      for (const [index, { name }] of this.#labels.entries()) {
        if (isEqual(bytes, label.start, label.end, name)) this.#isOwn[index] = 1;
      }
    }
  }
}

interface Field {
  readonly name: Uint8Array;
  /** The label as a field of a TimeSeries. */
  readonly field: Uint8Array;
}

function isSeries(request: FieldScan): boolean {
  return request.field === TIME_SERIES_FIELD && request.wireType === 2;
}

function fieldOf({ name, value }: ExtraLabel): Field {
  const nameBytes = Buffer.from(name);
  const valueBytes = Buffer.from(value);
  const field = new Uint8Array(nameBytes.length + valueBytes.length + 18);
  let to = withLength(field, 0, FIRST_BYTES_TAG, nameBytes);
  to = withLength(field, to, SECOND_BYTES_TAG, valueBytes);
  const label = field.slice(0, to);
  return { name: nameBytes, field: field.slice(0, withLength(field, 0, FIRST_BYTES_TAG, label)) };
}

function withLength(target: Uint8Array, at: number, tag: number, bytes: Uint8Array): number {
  target[at] = tag;
  const to = writeLength(target, at + 1, bytes.length);
  target.set(bytes, to);
  return to + bytes.length;
}

function writeLength(target: Uint8Array, at: number, length: number): number {
  let to = at;
  let rest = length;
  while (rest > 127) {
    target[to++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  target[to++] = rest;
  return to;
}

function copy(bytes: Uint8Array, start: number, end: number, to: number): number {
  bytes.copyWithin(to, start, end);
  return to + end - start;
}

function isEqual(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  if (end - start !== other.length) return false;
  for (let i = 0; i < other.length; i++) if (bytes[start + i] !== other[i]) return false;
  return true;
}
