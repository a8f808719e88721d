/**
 * The labels of one series or exemplar as ranges of a byte array, and their canonical bytes: per label, sorted by name bytes, without empty values,
 *
 *   0A | varint length of the rest | 0A | varint length | name | 12 | varint length | value
 *
 * which is field 1 of a remote-write 1.0 TimeSeries exactly as an orderly sender writes it.
 */
const LABEL_TAG = 0x0a;
const NAME_TAG = 0x0a;
const VALUE_TAG = 0x12;

export class LabelList {
  #count = 0;
  /** 4 a label: name start, name end, value start, value end. */
  #ranges: Uint32Array = new Uint32Array(64 * 4);

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
  }

  push(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const at = this.#count * 4;
    if (at === this.#ranges.length) {
      const grown = new Uint32Array(at * 2);
      grown.set(this.#ranges);
      this.#ranges = grown;
    }
    this.#ranges[at] = nameStart;
    this.#ranges[at + 1] = nameEnd;
    this.#ranges[at + 2] = valueStart;
    this.#ranges[at + 3] = valueEnd;
    this.#count++;
  }

  nameStart(index: number): number {
    return this.#ranges[index * 4]!;
  }

  nameEnd(index: number): number {
    return this.#ranges[index * 4 + 1]!;
  }

  valueStart(index: number): number {
    return this.#ranges[index * 4 + 2]!;
  }

  valueEnd(index: number): number {
    return this.#ranges[index * 4 + 3]!;
  }

  /**
   * Takes over the labels of bytes[start, end): label fields of a 1.0 TimeSeries that were checked to be well-formed, though their parts may come in
   * any order, twice, or beside unknown ones.
   */
  parse(bytes: Uint8Array, start: number, end: number): void {
    this.clear();
    for (let at = start; at < end;) {
      at = skipVarint(bytes, at);
      const labelEnd = varintAt(bytes, at) + skipVarint(bytes, at);
      at = skipVarint(bytes, at);
      let [nameStart, nameEnd, valueStart, valueEnd] = [at, at, at, at];
      while (at < labelEnd) {
        const tag = varintAt(bytes, at);
        const from = skipVarint(bytes, at);
        at = skipValue(bytes, from, tag & 7);
        if (tag === NAME_TAG) [nameStart, nameEnd] = [skipVarint(bytes, from), at];
        else if (tag === VALUE_TAG) [valueStart, valueEnd] = [skipVarint(bytes, from), at];
      }
      this.push(nameStart, nameEnd, valueStart, valueEnd);
    }
  }

  /** Sorts by name bytes. Sender's order is mostly right already, so insertion is cheapest. */
  sort(bytes: Uint8Array): void {
    const ranges = this.#ranges;
    for (let index = 1; index < this.#count; index++) {
      for (let at = index; at > 0 && this.compareNames(bytes, at - 1, at) > 0; at--) {
        const a = (at - 1) * 4;
        for (let field = a; field < a + 4; field++) {
          const kept = ranges[field]!;
          ranges[field] = ranges[field + 4]!;
          ranges[field + 4] = kept;
        }
      }
    }
  }

  compareNames(bytes: Uint8Array, left: number, right: number): number {
    return compareRanges(bytes, this.nameStart(left), this.nameEnd(left), this.nameStart(right), this.nameEnd(right));
  }

  /** Drops labels whose value is empty: an absent label and an empty one are the same. */
  dropEmpty(): void {
    let kept = 0;
    for (let index = 0; index < this.#count; index++) {
      if (this.valueStart(index) === this.valueEnd(index)) continue;
      if (kept !== index) this.#ranges.copyWithin(kept * 4, index * 4, index * 4 + 4);
      kept++;
    }
    this.#count = kept;
  }

  /** Canonical bytes of the labels as they stand (sort first), in memory of their own. */
  encode(bytes: Uint8Array): Uint8Array {
    let total = 0;
    for (let index = 0; index < this.#count; index++) {
      const body = this.#bodyLength(index);
      total += 1 + varintSize(body) + body;
    }
    const out = new Uint8Array(total);
    let at = 0;
    for (let index = 0; index < this.#count; index++) {
      out[at++] = LABEL_TAG;
      at = putVarint(out, at, this.#bodyLength(index));
      out[at++] = NAME_TAG;
      at = putRange(out, at, bytes, this.nameStart(index), this.nameEnd(index));
      out[at++] = VALUE_TAG;
      at = putRange(out, at, bytes, this.valueStart(index), this.valueEnd(index));
    }
    return out;
  }

  #bodyLength(index: number): number {
    const name = this.nameEnd(index) - this.nameStart(index);
    const value = this.valueEnd(index) - this.valueStart(index);
    return 2 + varintSize(name) + name + varintSize(value) + value;
  }
}

function compareRanges(bytes: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): number {
  const length = Math.min(end - start, otherEnd - otherStart);
  for (let i = 0; i < length; i++) {
    const difference = bytes[start + i]! - bytes[otherStart + i]!;
    if (difference !== 0) return difference;
  }
  return end - start - (otherEnd - otherStart);
}

function putRange(out: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  const from = putVarint(out, at, end - start);
  for (let i = start; i < end; i++) out[from + i - start] = bytes[i]!;
  return from + end - start;
}

function putVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest > 127) {
    out[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) size++;
  return size;
}

function varintAt(bytes: Uint8Array, start: number): number {
  let value = 0;
  for (let at = start, shift = 0; shift < 35; at++, shift += 7) {
    const byte = bytes[at] ?? 0;
    value |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  return value;
}

function skipVarint(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at]! > 127) at++;
  return at + 1;
}

/** Where the value of a field of this wire type ends. */
function skipValue(bytes: Uint8Array, start: number, wireType: number): number {
  if (wireType === 0) return skipVarint(bytes, start);
  if (wireType === 2) return varintAt(bytes, start) + skipVarint(bytes, start);
  return start + (wireType === 1 ? 8 : 4);
}
