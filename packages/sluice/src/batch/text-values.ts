import type { Column } from './batch.ts';
import { writeVarint } from './builder.ts';
import { grown, viewOf } from './byte-memory.ts';

/** Length-prefixed texts, one after the other. Those not appended are empty, and filled in when they are asked for or others follow. */
export class TextValues {
  length = 0;
  /** ends[i]: where value i ends. */
  ends: Uint32Array;
  count = 0;
  #bytes = new Uint8Array(1024);
  #view = viewOf(this.#bytes);
  /** Values whose end is written. */
  #filled = 0;

  constructor(capacity: number) {
    this.ends = new Uint32Array(capacity);
  }

  appendAt(index: number, source: DataView, start: number, end: number): void {
    if (this.#filled < index) this.#fill(index);
    const size = end - start;
    if (this.length + size + MARGIN > this.#bytes.length) this.#reserve(size + MARGIN);
    let at = this.length;
    if (size < 128) {
      this.#bytes[at++] = size;
      copyWords(source, start, end, this.#view, at);
    } else {
      at = writeVarint(this.#bytes, at, size);
      this.#bytes.set(new Uint8Array(source.buffer, source.byteOffset + start, size), at);
    }
    at += size;
    this.length = at;
    this.ends[index] = at;
    this.#filled = index + 1;
  }

  append(source: DataView, start: number, end: number): void {
    if (this.count === this.ends.length) this.grow(this.count * 2);
    this.appendAt(this.count++, source, start, end);
  }

  /** Bytes that the first `rows` values take. */
  lengthAt(rows: number): number {
    return this.length + Math.max(0, rows - this.#filled);
  }

  value(index: number): Uint8Array {
    if (this.#filled <= index) this.#fill(index + 1);
    let at = index === 0 ? 0 : this.ends[index - 1]!;
    while (this.#bytes[at]! > 127) at++;
    return this.#bytes.subarray(at + 1, this.ends[index]);
  }

  grow(capacity: number): void {
    const ends = new Uint32Array(capacity);
    ends.set(this.ends);
    this.ends = ends;
  }

  reset(): void {
    this.length = 0;
    this.count = 0;
    this.#filled = 0;
  }

  /** Leaves the first `count` of the values appended. */
  keep(count: number): void {
    this.count = count;
    this.length = count === 0 ? 0 : this.ends[count - 1]!;
    this.#filled = count;
  }

  finish(rows: number): Column {
    if (this.#filled < rows) this.#fill(rows);
    return { kind: 'string', bytes: this.#bytes.subarray(0, this.length), ends: this.ends.subarray(0, rows) };
  }

  /** Empty values up to the one before `index`. */
  #fill(index: number): void {
    const count = index - this.#filled;
    if (this.length + count > this.#bytes.length) this.#reserve(count);
    this.#bytes.fill(0, this.length, this.length + count);
    for (let i = this.#filled; i < index; i++) this.ends[i] = ++this.length;
    this.#filled = index;
  }

  #reserve(count: number): void {
    this.#bytes = grown(this.#bytes, Math.max(this.length + count, this.#bytes.length * 2));
    this.#view = viewOf(this.#bytes);
  }
}

/** Room for a length of up to five bytes and for what `copyWords` writes too much. */
const MARGIN = 8;

/** Copies [start, end), four bytes a step: a third of what a byte a step takes. May write up to three bytes behind the last one. */
function copyWords(source: DataView, start: number, end: number, target: DataView, at: number): void {
  let to = at;
  let from = start;
  if (end + 3 <= source.byteLength) {
    for (; from < end; from += 4) {
      target.setUint32(to, source.getUint32(from, true), true);
      to += 4;
    }
  } else for (; from < end; from++) target.setUint8(to++, source.getUint8(from));
}
