/**
 * Snappy block format, decoding.
 *
 * Layout: a varint of at most 5 bytes with the decoded length, then elements. The low two bits of an element's first
 * byte (its tag) say what it is:
 *
 * | bits | element | length | offset |
 * | ---- | ------- | ------ | ------ |
 * | 00 | literal | upper 6 bits + 1; values 60..63 mean that 1..4 little-endian bytes hold length - 1 | the bytes follow |
 * | 01 | copy | bits 2..4 + 4 | bits 5..7 and one byte, 11 bits |
 * | 10 | copy | upper 6 bits + 1 | two bytes, little-endian |
 * | 11 | copy | upper 6 bits + 1 | four bytes, little-endian |
 *
 * A copy repeats bytes already written, `offset` back from the end; it may overlap itself. Strict: an offset of 0 or
 * beyond the start, an element behind the declared length, a short or long output are all refused. The framed format
 * (`ff 06 00 00 sNaPpY`) is another format and is refused too.
 */
import { WireError } from './wire-error.ts';

/** Limit on the decoded size if the caller gives none: 32 MiB, as Prometheus has it. */
export const DEFAULT_MAX_DECODED_BYTES: number = 32 * 1024 * 1024;

/** From this length on, built-in block moves beat a loop over words. */
const LONG_MOVE = 64;

/**
 * Reads the length that a Snappy block declares, without decoding it. Check it against a limit before allocating.
 *
 * @throws WireError (`malformed`) if the header is not a varint of at most 32 bits.
 */
export function uncompressedLength(input: Uint8Array): number {
  return readHeader(input) % HEADER_UNIT;
}

/** A header is passed around as `size * HEADER_UNIT + declared length`, which stays a safe integer. */
const HEADER_UNIT = 4294967296;

function readHeader(input: Uint8Array): number {
  let length = 0;
  for (let index = 0; index < 5; index++) {
    const byte = input[index];
    if (byte === undefined) throw malformed('the length header is cut off', index);
    if (index === 4 && byte > 0x0f) break;
    length += (byte & 0x7f) * 2 ** (index * 7);
    if (byte < 0x80) return (index + 1) * HEADER_UNIT + length;
  }
  throw malformed('the length header is longer than 32 bits', 4);
}

/**
 * Decodes a Snappy block.
 *
 * The declared length is checked before anything is allocated: it must not exceed `maxLength` (bytes) nor what the
 * compressed size can produce at all (Snappy expands at most 21.34 times).
 *
 * @param input the compressed block, whole.
 * @param maxLength limit on the decoded size in bytes, default 32 MiB.
 * @param output a buffer to decode into if the result fits; nothing behind the decoded length is touched. Must not
 *   share memory with `input`. Without it, or if it is too small, a new one is allocated.
 * @returns the decoded bytes: a view of `output`, or a new array.
 * @throws WireError `limit` if the block declares more than `maxLength`, `malformed` if it is corrupt.
 */
export function uncompressBlock(
  input: Uint8Array,
  maxLength: number = DEFAULT_MAX_DECODED_BYTES,
  output?: Uint8Array,
): Uint8Array {
  const header = readHeader(input);
  const declared = header % HEADER_UNIT;
  const headerSize = Math.floor(header / HEADER_UNIT);
  if (declared > maxLength) {
    throw new WireError(
      `cannot uncompress snappy: the block declares ${declared} bytes; at most ${maxLength} are allowed`,
      'limit',
      0,
    );
  }
  if (declared > 22 * input.length + 64) {
    throw malformed(`${input.length} compressed bytes cannot hold the declared ${declared}`, 0);
  }
  const target = output !== undefined && output.length >= declared ? output : new Uint8Array(declared);
  decodeElements(input, headerSize, target, declared);
  return target.length === declared ? target : target.subarray(0, declared);
}

function decodeElements(input: Uint8Array, headerSize: number, output: Uint8Array, outputEnd: number): void {
  const inputEnd = input.length;
  const inputView = new DataView(input.buffer, input.byteOffset, inputEnd);
  const outputView = new DataView(output.buffer, output.byteOffset, outputEnd);
  let from = headerSize;
  let to = 0;

  while (from < inputEnd) {
    const tag = input[from++]!;
    let length = (tag >>> 2) + 1;
    let offset: number;

    switch (tag & 3) {
      case 0: {
        if (length > 60) {
          const lengthBytes = length - 60;
          if (from + lengthBytes > inputEnd) throw malformed('a literal length is cut off', from);
          length = 1;
          for (let index = 0; index < lengthBytes; index++) {
            length += input[from++]! * 2 ** (index * 8);
          }
        }
        if (length > inputEnd - from) throw malformed('a literal reaches beyond the input', from);
        if (length > outputEnd - to) throw malformed('a literal reaches beyond the declared length', from);
        const stop = to + length;
        if (length >= LONG_MOVE) {
          output.set(input.subarray(from, from + length), to);
        } else if (from + length + 3 <= inputEnd && stop + 3 <= outputEnd) {
          // Whole words: up to 3 bytes too many are written and overwritten by the next element.
          for (let read = from, write = to; write < stop; read += 4, write += 4) {
            outputView.setUint32(write, inputView.getUint32(read, true), true);
          }
        } else {
          for (let read = from, write = to; write < stop;) output[write++] = input[read++]!;
        }
        from += length;
        to = stop;
        continue;
      }
      case 1:
        if (from >= inputEnd) throw malformed('a copy is cut off', from);
        length = ((tag >>> 2) & 7) + 4;
        offset = ((tag >>> 5) << 8) | input[from]!;
        from += 1;
        break;
      case 2:
        if (from + 2 > inputEnd) throw malformed('a copy is cut off', from);
        offset = inputView.getUint16(from, true);
        from += 2;
        break;
      default:
        if (from + 4 > inputEnd) throw malformed('a copy is cut off', from);
        offset = inputView.getUint32(from, true);
        from += 4;
    }

    if (offset === 0 || offset > to) throw malformed('a copy offset lies outside of what was decoded', from);
    if (length > outputEnd - to) throw malformed('a copy reaches beyond the declared length', from);
    const stop = to + length;
    if (offset >= 4 && stop + 3 <= outputEnd) {
      for (let read = to - offset; to < stop; read += 4, to += 4) {
        outputView.setUint32(to, outputView.getUint32(read, true), true);
      }
      to = stop;
    } else {
      for (let read = to - offset; to < stop;) output[to++] = output[read++]!;
    }
  }
  if (to !== outputEnd) throw malformed(`the block decodes to ${to} bytes but declares ${outputEnd}`, inputEnd);
}

function malformed(problem: string, offset: number): WireError {
  return new WireError(`cannot uncompress snappy: ${problem}`, 'malformed', offset);
}
