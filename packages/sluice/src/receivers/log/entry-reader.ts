/**
 * Finds the entries in a text of JSON objects without understanding them, so that a broken one costs no other:
 *
 *   [{...}, {...}]     an array, as Vector and agents send it
 *   {...}\n{...}       or objects one after the other
 *
 * Entries end where their brackets are closed (those in strings do not count). What is no object is an entry as well, for the caller to refuse.
 */
export class EntryReader {
  /** Bounds of the entry found last. */
  start = 0;
  end = 0;
  /** Whether the text ended in the middle of an entry, or before the array did. */
  isTorn = false;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #stop = 0;
  #isArray = false;

  /** Where reading goes on. */
  get at(): number {
    return this.#at;
  }

  /** Begins the text in [start, end). */
  begin(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#stop = end;
    this.#skipSpace();
    this.#isArray = bytes[this.#at] === OPEN_LIST && this.#at < end;
    if (this.#isArray) this.#at++;
    this.isTorn = false;
  }

  /** Goes to the next entry; false when there is none. */
  next(): boolean {
    this.#skipSpace();
    if (this.#at >= this.#stop) {
      this.isTorn = this.#isArray;
      return false;
    }
    if (this.#isArray && this.#bytes[this.#at] === CLOSE_LIST) {
      this.#isArray = false;
      this.#at++;
      return this.next();
    }
    this.start = this.#at;
    if (!this.#skipValue()) {
      this.isTorn = true;
      return false;
    }
    this.end = this.#at;
    return true;
  }

  /** White space, and the commas between entries. */
  #skipSpace(): void {
    const bytes = this.#bytes;
    while (this.#at < this.#stop) {
      const byte = bytes[this.#at]!;
      if (byte !== COMMA && !isSpace(byte)) return;
      this.#at++;
    }
  }

  /** False when the text ends before the value does. */
  #skipValue(): boolean {
    const bytes = this.#bytes;
    let depth = 0;
    do {
      const byte = bytes[this.#at++]!;
      if (byte === QUOTE) {
        if (!this.#skipString()) return false;
      } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) depth++;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) depth--;
      else if (depth === 0) this.#skipWord();
    } while (depth > 0 && this.#at < this.#stop);
    return depth <= 0;
  }

  /** From behind the opening quote to behind the closing one. */
  #skipString(): boolean {
    const bytes = this.#bytes;
    const stop = this.#stop;
    let at = this.#at;
    while (at < stop) {
      const byte = bytes[at++]!;
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) {
        this.#at = at;
        return true;
      }
    }
    this.#at = stop;
    return false;
  }

  #skipWord(): void {
    const bytes = this.#bytes;
    while (this.#at < this.#stop) {
      const byte = bytes[this.#at]!;
      if (byte === COMMA || byte === CLOSE_LIST || byte === OPEN_OBJECT || isSpace(byte)) return;
      this.#at++;
    }
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
