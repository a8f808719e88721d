import type { FamilyMetadata } from 'promwrite';
import { METRIC_TYPES } from 'promwrite/wire';
import { LABEL_TAG, METRIC_NAME } from './label-bytes.ts';
import { Symbols } from './symbols.ts';
import { putVarint, skipVarint, varintAt, varintSize } from '../varint.ts';

const SERIES_TAG = 0x2a;
const REFERENCES_TAG = 0x0a;
const METADATA_TAG = 0x2a;
const NAME = Buffer.from(METRIC_NAME);
/** Most bytes of what stands in a series beside its references and its sample: tags, lengths, metadata. */
const SERIES_ROOM = 48;
const REFERENCE_ROOM = 5;

/**
 * Items, which are series of a remote write 1.0 request, as a request of 2.0:
 *
 *   22 | length | symbol                                                      each symbol, the empty one first
 *   2A | length | 0A | length | references of names and values | sample | 2A | length | 08 type 18 help 20 unit
 *
 * A sample looks the same in both. Series of one row follow each other and share all labels but the name: when what stands behind the name is the same as
 * with the series before, its references are taken over.
 */
export class RequestV2 {
  readonly #metadata: ReadonlyMap<string, FamilyMetadata>;
  readonly #symbols = new Symbols();
  /** Metadata fields by symbol of the metric's name: undefined = not looked at yet. */
  readonly #fields = new Map<number, Uint8Array>();
  #out = new Uint8Array(64 * 1024);
  #at = 0;
  /** References of the labels behind the name, as varints: those of the series before. */
  #after = new Uint8Array(512);
  #afterLength = 0;
  /** Where those labels stand. */
  #afterStart = 0;
  #afterEnd = 0;
  #before = new Uint8Array(512);
  /** Symbol of the value of the label that was taken last. */
  #lastValue = 0;

  constructor(metadata: ReadonlyMap<string, FamilyMetadata>) {
    this.#metadata = metadata;
  }

  /** The request for items one after the other. */
  encode(bodies: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    this.#symbols.reset();
    this.#fields.clear();
    this.#at = 0;
    this.#afterEnd = this.#afterStart = 0;
    const whole = Buffer.from(bodies.buffer, bodies.byteOffset, bodies.length);
    for (let at = 0; at < whole.length;) {
      const start = skipVarint(whole, at + 1);
      at = start + varintAt(whole, at + 1);
      this.#series(whole, start, at);
    }
    const request = new Uint8Array(this.#symbols.size + this.#at);
    const symbolsEnd = this.#symbols.put(request, 0);
    request.set(this.#out.subarray(0, this.#at), symbolsEnd);
    return request;
  }

  #series(bytes: Buffer, start: number, end: number): void {
    let at = start;
    let beforeLength = 0;
    let name = 0;
    // Labels before the name, and the name itself.
    while (bytes[at] === LABEL_TAG && name === 0) {
      const nameLengthAt = skipVarint(bytes, at + 1) + 1;
      const isName = isMetricName(bytes, nameLengthAt);
      if (beforeLength + 2 * REFERENCE_ROOM > this.#before.length) this.#before = doubled(this.#before);
      beforeLength = this.#label(bytes, at, { out: this.#before, at: beforeLength });
      if (isName) name = this.#lastValue;
      at = labelEnd(bytes, at);
    }
    at = this.#behindName(bytes, at, end);
    const fields = name === 0 ? EMPTY : this.#metadataFields(name);
    const references = beforeLength + this.#afterLength;
    const body = 1 + varintSize(references) + references + (end - at) + fields.length;
    this.#reserve(SERIES_ROOM + body);
    const out = this.#out;
    let to = this.#at;
    out[to] = SERIES_TAG;
    to = putVarint(out, to + 1, body);
    out[to] = REFERENCES_TAG;
    to = putVarint(out, to + 1, references);
    for (let i = 0; i < beforeLength; i++) out[to++] = this.#before[i]!;
    for (let i = 0; i < this.#afterLength; i++) out[to++] = this.#after[i]!;
    for (let i = at; i < end; i++) out[to++] = bytes[i]!;
    for (let i = 0; i < fields.length; i++) out[to++] = fields[i]!;
    this.#at = to;
  }

  /** References of the labels from `start` on; answers where the labels end. */
  #behindName(bytes: Buffer, start: number, end: number): number {
    const length = this.#afterEnd - this.#afterStart;
    const likely = start + length;
    if (
      length > 0 &&
      likely < end &&
      bytes[likely] !== LABEL_TAG &&
      bytes.compare(bytes, this.#afterStart, this.#afterEnd, start, likely) === 0
    )
      return likely;
    let at = start;
    this.#afterLength = 0;
    while (at < end && bytes[at] === LABEL_TAG) {
      if (this.#afterLength + 2 * REFERENCE_ROOM > this.#after.length) this.#after = doubled(this.#after);
      this.#afterLength = this.#label(bytes, at, { out: this.#after, at: this.#afterLength });
      at = labelEnd(bytes, at);
    }
    this.#afterStart = start;
    this.#afterEnd = at;
    return at;
  }

  #label(bytes: Buffer, start: number, { out, at }: { readonly out: Uint8Array; readonly at: number }): number {
    // 0A length | 0A length name | 12 length value
    const lengthAt = skipVarint(bytes, start + 1) + 1;
    const nameAt = skipVarint(bytes, lengthAt);
    const nameEnd = nameAt + varintAt(bytes, lengthAt);
    const valueAt = skipVarint(bytes, nameEnd + 1);
    const valueEnd = valueAt + varintAt(bytes, nameEnd + 1);
    const name = this.#symbols.reference(bytes, nameAt, nameEnd);
    this.#lastValue = this.#symbols.reference(bytes, valueAt, valueEnd);
    return putVarint(out, putVarint(out, at, name), this.#lastValue);
  }

  #metadataFields(name: number): Uint8Array {
    let fields = this.#fields.get(name);
    if (fields === undefined) {
      fields = this.#encodeMetadata(this.#metadata.get(this.#symbols.text(name)));
      this.#fields.set(name, fields);
    }
    return fields;
  }

  #encodeMetadata(metadata: FamilyMetadata | undefined): Uint8Array {
    if (metadata === undefined) return EMPTY;
    const type = METRIC_TYPES.indexOf(metadata.type ?? 'unknown');
    const help = this.#referenceOf(metadata.help ?? '');
    const unit = this.#referenceOf(metadata.unit ?? '');
    const out = new Uint8Array(2 + 3 * 6);
    out[2] = 0x08;
    let at = putVarint(out, 3, type);
    for (const [tag, reference] of [
      [0x18, help],
      [0x20, unit],
    ] as const) {
      if (reference === 0) continue;
      out[at] = tag;
      at = putVarint(out, at + 1, reference);
    }
    out[0] = METADATA_TAG;
    out[1] = at - 2;
    return out.subarray(0, at);
  }

  #referenceOf(text: string): number {
    const bytes = Buffer.from(text);
    return this.#symbols.reference(bytes, 0, bytes.length);
  }

  #reserve(more: number): void {
    const needed = this.#at + more;
    if (needed <= this.#out.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#out.length * 2));
    larger.set(this.#out.subarray(0, this.#at));
    this.#out = larger;
  }
}

const EMPTY = new Uint8Array(0);

function labelEnd(bytes: Uint8Array, label: number): number {
  return skipVarint(bytes, label + 1) + varintAt(bytes, label + 1);
}

/** Whether the label's name, whose length stands at `lengthAt`, is that of the metric. */
function isMetricName(bytes: Uint8Array, lengthAt: number): boolean {
  if (bytes[lengthAt] !== NAME.length) return false;
  for (let i = 0; i < NAME.length; i++) if (bytes[lengthAt + 1 + i] !== NAME[i]) return false;
  return true;
}

function doubled(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}
