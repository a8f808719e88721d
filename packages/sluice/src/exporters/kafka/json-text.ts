import type { JsonOut } from './json-out.ts';

/**
 * Text in JSON: quotes, escapes as Go's and JavaScript's encoders write them for the characters that need one, everything else as it is. What is not
 * UTF-8 becomes U+FFFD, by the rule of the Encoding Standard (as TextDecoder does it).
 */

/** Bytes that one byte of text can become: `\u001f`. */
export const MOST_BYTES = 6;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HEX = new TextEncoder().encode('0123456789abcdef');

/** By byte: 0 = stands for itself, 1 = `\u00xx`, else the letter behind the backslash. From 0x80 on 0: those are looked at otherwise. */
const ESCAPES = new Uint8Array(256).fill(1, 0, 0x20);
for (const [char, letter] of ['""', '\\\\', '\bb', '\ff', '\nn', '\rr', '\tt']) {
  ESCAPES[char!.charCodeAt(0)] = letter!.charCodeAt(0);
}

/** Writes text[start, end) from `at` on, with its quotes; `source` is a view of the same bytes. Room for `MOST_BYTES` a byte and 6 more is needed. */
export function putQuoted(
  out: JsonOut,
  at: number,
  text: Uint8Array,
  source: DataView,
  start: number,
  end: number,
): number {
  out.bytes[at] = QUOTE;
  const close = putEscaped(out, at + 1, text, source, start, end);
  out.bytes[close] = QUOTE;
  return close + 1;
}

/** The same without the quotes. */
export function putEscaped(
  out: JsonOut,
  at: number,
  text: Uint8Array,
  source: DataView,
  start: number,
  end: number,
): number {
  const { bytes, view } = out;
  let to = at;
  let from = start;
  for (;;) {
    // Four plain bytes a step. The test may also take a byte for special that stands behind one that is: those go one by one.
    while (from + 4 <= end) {
      const word = source.getInt32(from, true);
      if (isSpecial(word)) break;
      view.setInt32(to, word, true);
      from += 4;
      to += 4;
    }
    if (from >= end) return to;
    const stop = Math.min(from + 4, end);
    while (from < stop) {
      const byte = text[from]!;
      if (byte >= 0x80) {
        const length = sequenceLength(text, from, end);
        if (length > 0) for (let i = 0; i < length; i++) bytes[to++] = text[from++]!;
        else {
          bytes[to++] = 0xef;
          bytes[to++] = 0xbf;
          bytes[to++] = 0xbd;
          from -= length;
        }
        continue;
      }
      const escape = ESCAPES[byte]!;
      from++;
      if (escape === 0) bytes[to++] = byte;
      else {
        bytes[to++] = BACKSLASH;
        if (escape === 1) {
          bytes[to++] = 0x75;
          bytes[to++] = 0x30;
          bytes[to++] = 0x30;
          bytes[to++] = HEX[byte >> 4]!;
          bytes[to++] = HEX[byte & 15]!;
        } else bytes[to++] = escape;
      }
    }
  }
}

/** Whether one of four bytes is below 0x20, a quote, a backslash or not ASCII. */
function isSpecial(word: number): boolean {
  const quote = word ^ 0x2222_2222;
  const backslash = word ^ 0x5c5c_5c5c;
  const found = word | (word - 0x2020_2020) | (quote - 0x0101_0101) | (backslash - 0x0101_0101);
  return (found & -0x7f7f_7f80) !== 0;
}

/** Bytes of the UTF-8 sequence at `at`; if it is none, minus the number of bytes that one U+FFFD stands for. */
function sequenceLength(text: Uint8Array, at: number, end: number): number {
  const lead = text[at]!;
  const length = lead < 0xc2 || lead > 0xf4 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // Of the second byte, some leads take only a part: no overlong forms, no surrogates, nothing above U+10FFFF.
  let least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  let most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  for (let i = 1; i < length; i++) {
    const byte = at + i < end ? text[at + i]! : 0;
    if (byte < least || byte > most) return -i;
    least = 0x80;
    most = 0xbf;
  }
  return length === 1 ? -1 : length;
}
