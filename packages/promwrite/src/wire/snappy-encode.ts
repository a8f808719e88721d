/**
 * Snappy block format, encoding. The layout is described with the decoder.
 *
 * The input is cut into fragments of 64 KiB, so that every copy offset fits 16 bits. Within a fragment a hash table
 * remembers where each group of four bytes was seen last; a repeat becomes a copy, what lies between two repeats a
 * literal. After many misses in a row the search takes larger and larger steps, so incompressible input stays cheap.
 */

const FRAGMENT = 65536;
const TABLE_BITS = 14;
const MULTIPLIER = 0x1e35a7bd;
/** Inputs shorter than this are one literal: there is nothing to gain. */
const SHORTEST_SEARCHED = 16;

const table: Uint16Array = new Uint16Array(1 << TABLE_BITS);

/** The largest size that compressing `length` bytes can produce. */
export function maxCompressedLength(length: number): number {
  return 32 + length + Math.ceil(length / 6);
}

/**
 * Compresses bytes to one Snappy block (not the framed format).
 *
 * @param input at most 2^32 - 1 bytes; an empty input gives the single byte 00.
 * @param output a buffer to use if it has `maxCompressedLength(input.length)` bytes; must not share memory with
 *   `input`. Without it a new one is allocated.
 * @returns the compressed block, a view of the buffer used.
 */
export function compressBlock<Buffer extends ArrayBufferLike = ArrayBuffer>(
  input: Uint8Array,
  output?: Uint8Array<Buffer>,
): Uint8Array<Buffer | ArrayBuffer> {
  const worst = maxCompressedLength(input.length);
  const target = output !== undefined && output.length >= worst ? output : new Uint8Array(worst);
  let position = 0;
  let rest = input.length;
  while (rest > 0x7f) {
    target[position++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 128);
  }
  target[position++] = rest;

  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  for (let start = 0; start < input.length; start += FRAGMENT) {
    position = compressFragment(input, view, start, Math.min(start + FRAGMENT, input.length), target, position);
  }
  return target.subarray(0, position);
}

function compressFragment(
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  output: Uint8Array,
  outputStart: number,
): number {
  let position = outputStart;
  let pending = start; // first byte not yet written
  const length = end - start;

  if (length >= SHORTEST_SEARCHED) {
    // A small fragment needs (and clears) only a part of the table.
    let bits = 8;
    while (bits < TABLE_BITS && 1 << bits < length) bits++;
    const shift = 32 - bits;
    table.fill(0, 0, 1 << bits);

    // Reads go 4 bytes at a time, so the search stops a little before the end.
    const limit = end - 8;
    let next = start + 1;

    search: while (next <= limit) {
      let misses = 32;
      let current = next;
      let candidate: number;
      let word = view.getUint32(current, true);
      for (;;) {
        const hash = Math.imul(word, MULTIPLIER) >>> shift;
        candidate = start + table[hash]!;
        table[hash] = current - start;
        if (view.getUint32(candidate, true) === word && candidate < current) break;
        current += misses >>> 5;
        misses++;
        if (current > limit) break search;
        word = view.getUint32(current, true);
      }
      if (current > pending) position = writeLiteral(input, pending, current, output, position);

      do {
        const matchStart = current;
        let back = candidate + 4;
        current += 4;
        while (current <= end - 4) {
          const difference = view.getUint32(current, true) ^ view.getUint32(back, true);
          if (difference !== 0) {
            current += (31 - Math.clz32(difference & -difference)) >>> 3;
            break;
          }
          current += 4;
          back += 4;
        }
        if (current > end - 4) {
          back = candidate + (current - matchStart);
          while (current < end && input[current] === input[back]) {
            current++;
            back++;
          }
        }
        position = writeCopy(output, position, matchStart - candidate, current - matchStart);
        pending = current;
        if (current > limit) break search;

        // Remember the byte before the end of the match too, then look for a match right here.
        const before = view.getUint32(current - 1, true);
        table[Math.imul(before, MULTIPLIER) >>> shift] = current - 1 - start;
        word = view.getUint32(current, true);
        const hash = Math.imul(word, MULTIPLIER) >>> shift;
        candidate = start + table[hash]!;
        table[hash] = current - start;
      } while (view.getUint32(candidate, true) === word && candidate < current);
      next = current + 1;
    }
  }
  return pending < end ? writeLiteral(input, pending, end, output, position) : position;
}

function writeLiteral(input: Uint8Array, start: number, end: number, output: Uint8Array, at: number): number {
  const length = end - start;
  const code = length - 1;
  let position = at;
  if (code < 60) {
    output[position++] = code << 2;
    if (length <= 32) {
      for (let index = start; index < end; index++) output[position++] = input[index]!;
      return position;
    }
  } else if (code < 0x100) {
    output[position++] = 60 << 2;
    output[position++] = code;
  } else {
    // A fragment has at most 65536 bytes, so two bytes always hold length - 1.
    output[position++] = 61 << 2;
    output[position++] = code & 0xff;
    output[position++] = code >>> 8;
  }
  output.set(input.subarray(start, end), position);
  return position + length;
}

function writeCopy(output: Uint8Array, at: number, offset: number, matchLength: number): number {
  let position = at;
  let length = matchLength;
  // Copies of 64; the last ones are cut so that at least 4 bytes remain for the short form.
  while (length >= 68) {
    output[position++] = (63 << 2) | 2;
    output[position++] = offset & 0xff;
    output[position++] = offset >>> 8;
    length -= 64;
  }
  if (length > 64) {
    output[position++] = (59 << 2) | 2;
    output[position++] = offset & 0xff;
    output[position++] = offset >>> 8;
    length -= 60;
  }
  if (length >= 12 || offset >= 2048) {
    output[position++] = ((length - 1) << 2) | 2;
    output[position++] = offset & 0xff;
    output[position++] = offset >>> 8;
  } else {
    output[position++] = ((offset >>> 8) << 5) | ((length - 4) << 2) | 1;
    output[position++] = offset & 0xff;
  }
  return position;
}
