/**
 * UTF-8 in both directions, tuned for label names and values: short, mostly ASCII, and repeated endlessly.
 */

const fatalDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Direct-mapped cache of strings seen lately, keyed by a hash of their bytes. The bytes are kept beside the string and
 * compared on every hit, so a collision costs time but never correctness. Size fixed: 8192 strings of up to 64 bytes.
 */
const CACHE_SLOTS = 8192;
const SLOT_BYTES = 64;

interface StringCache {
  readonly strings: string[];
  readonly lengths: Uint8Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

let cache: StringCache | undefined;

/** Made on first use, so that a program that only sends does not pay for it. */
function makeCache(): StringCache {
  const bytes = new Uint8Array(CACHE_SLOTS * SLOT_BYTES);
  return {
    strings: Array.from({ length: CACHE_SLOTS }, () => ''),
    lengths: new Uint8Array(CACHE_SLOTS),
    bytes,
    view: new DataView(bytes.buffer),
  };
}

/**
 * Decodes `bytes[start, end)`; `undefined` if they are not valid UTF-8. A byte order mark is kept as a character.
 *
 * @param view a view over `bytes` with the same indexes.
 */
export function decodeUtf8(bytes: Uint8Array, view: DataView, start: number, end: number): string | undefined {
  const length = end - start;
  if (length === 0) return '';
  if (length > SLOT_BYTES) return decodeUncached(bytes, start, end);
  cache ??= makeCache();

  let hash = length;
  let union = 0;
  let index = start;
  for (; index + 4 <= end; index += 4) {
    const word = view.getUint32(index, true) | 0;
    union |= word;
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; index < end; index++) {
    const byte = bytes[index]!;
    union |= byte;
    hash = Math.imul(hash ^ byte, 0x85ebca6b);
    hash ^= hash >>> 13;
  }

  const slot = hash & (CACHE_SLOTS - 1);
  const base = slot * SLOT_BYTES;
  if (cache.lengths[slot] === length && sameBytes(bytes, view, start, cache.bytes, cache.view, base, length)) {
    return cache.strings[slot];
  }
  const text = (union & 0x80808080) === 0 ? decodeAscii(bytes, start, end) : decodeUncached(bytes, start, end);
  if (text === undefined) return undefined;
  for (let offset = 0; offset < length; offset++) cache.bytes[base + offset] = bytes[start + offset]!;
  cache.lengths[slot] = length;
  cache.strings[slot] = text;
  return text;
}

/** True if `length` bytes at `left` and at `right` are equal. */
export function sameBytes(
  leftBytes: Uint8Array,
  leftView: DataView,
  left: number,
  rightBytes: Uint8Array,
  rightView: DataView,
  right: number,
  length: number,
): boolean {
  let offset = 0;
  for (; offset + 4 <= length; offset += 4) {
    if (leftView.getUint32(left + offset, true) !== rightView.getUint32(right + offset, true)) return false;
  }
  for (; offset < length; offset++) {
    if (leftBytes[left + offset] !== rightBytes[right + offset]) return false;
  }
  return true;
}

function decodeAscii(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  let index = start;
  for (; index + 8 <= end; index += 8) {
    text += String.fromCharCode(
      bytes[index]!,
      bytes[index + 1]!,
      bytes[index + 2]!,
      bytes[index + 3]!,
      bytes[index + 4]!,
      bytes[index + 5]!,
      bytes[index + 6]!,
      bytes[index + 7]!,
    );
  }
  for (; index < end; index++) text += String.fromCharCode(bytes[index]!);
  return text;
}

function decodeUncached(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return fatalDecoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

/** Encodes `text` into `target` at `offset` (room for 3 bytes a UTF-16 unit is needed); returns the bytes written. */
export function encodeUtf8Into(text: string, target: Uint8Array, offset: number): number {
  return encoder.encodeInto(text, target.subarray(offset)).written;
}

/**
 * Compares two strings by the bytes of their UTF-8 form, the order Prometheus sorts labels in.
 *
 * JavaScript's own comparison goes by UTF-16 unit and puts characters above U+FFFF (as surrogates, 0xd800..0xdfff)
 * before U+E000..U+FFFF; the adjustment below moves them behind.
 *
 * @returns negative, 0 or positive, as for `Array.prototype.sort`.
 */
export function compareUtf8(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    let a = left.charCodeAt(index);
    let b = right.charCodeAt(index);
    if (a !== b) {
      if (a >= 0xd800 && b >= 0xd800) {
        a = a >= 0xe000 ? a - 0x800 : a + 0x2000;
        b = b >= 0xe000 ? b - 0x800 : b + 0x2000;
      }
      return a - b;
    }
  }
  return left.length - right.length;
}
