import type { ItemWriter } from '../../delivery/item-writer.ts';
import { spanNames } from './attribute-names.ts';
import type { ListColumn, LogColumns, TextColumn } from './log-columns.ts';

/*
 * Attributes are a map: two of one name are not allowed. Names that rows bring along (a span that was imported has `http.method` both among its
 * attributes and as the type of the request) can be those of others. As in DeepFlow the last value stays, in the place of the first.
 */

/** More names than this in one row are not compared with each other, but looked at after they have been written. */
const MOST_COMPARED = 32;

/** Tells which rows may have two attributes of one name. */
export class TwinCheck {
  readonly #lists: readonly ListColumn<TextColumn>[];
  readonly #starts = new Uint32Array(MOST_COMPARED);
  readonly #ends = new Uint32Array(MOST_COMPARED);
  readonly #from: Uint8Array[] = [];

  constructor(columns: LogColumns) {
    this.#lists = [columns.texts('attribute_names'), columns.texts('metrics_names')];
  }

  mayHaveTwins(row: number): boolean {
    let count = 0;
    for (const { start, end, elements } of this.#lists) {
      const last = end(row);
      for (let i = start(row); i < last; i++) {
        if (count === MOST_COMPARED) return true;
        const from = elements.start(i);
        const to = elements.end(i);
        if (spanNames.has(elements.bytes, from, to) || this.#isKnown(elements.bytes, from, to, count)) return true;
        this.#from[count] = elements.bytes;
        this.#starts[count] = from;
        this.#ends[count] = to;
        count++;
      }
    }
    return false;
  }

  #isKnown(bytes: Uint8Array, start: number, end: number, count: number): boolean {
    for (let other = 0; other < count; other++) {
      const from = this.#starts[other]!;
      if (this.#ends[other]! - from !== end - start) continue;
      const otherBytes = this.#from[other]!;
      let at = start;
      while (at < end && bytes[at] === otherBytes[from + at - start]) at++;
      if (at === end) return true;
    }
    return false;
  }
}

/** Leaves one of the attributes of each name among those written from `start` on. */
export function removeTwins(writer: ItemWriter, start: number): void {
  const written = Buffer.from(writer.bytes.subarray(start, writer.at));
  const attributes = new Map<string, Uint8Array>();
  for (let at = 0; at < written.length;) {
    const [length, body] = readVarint(written, at + 1);
    const [keyLength, key] = readVarint(written, body + 1);
    const end = body + length;
    attributes.set(written.toString('latin1', key, key + keyLength), written.subarray(at, end));
    at = end;
  }
  writer.at = start;
  for (const attribute of attributes.values()) {
    writer.bytes.set(attribute, writer.at);
    writer.at += attribute.length;
  }
}

function readVarint(bytes: Uint8Array, start: number): readonly [value: number, next: number] {
  let value = 0;
  let at = start;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value >>> 0, at];
  }
}
