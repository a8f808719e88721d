/**
 * Steps over the fields of a protobuf message without taking them into columns: for what must be known before the walk (which table a record belongs
 * to), and for small messages that make no row. Layout and strictness as in wire-walker.ts.
 */
export class FieldScan {
  /** The present field. */
  field = 0;
  wireType = 0;
  /** Its number (wire types 0, 1, 5), or that of a packed field, as unsigned halves. */
  low = 0;
  high = 0;
  /** Bounds of its bytes (wire type 2). */
  start = 0;
  end = 0;
  /** Whether the message ended for a mistake in it. */
  isMalformed = false;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #stop = 0;

  /** Where the next field begins. */
  get at(): number {
    return this.#at;
  }

  /** Begins the message in [start, end). */
  begin(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#stop = end;
    this.isMalformed = false;
  }

  /** Goes to the next field; false at the end of the message, or where it is malformed. */
  next(): boolean {
    if (this.#at >= this.#stop) return false;
    this.isMalformed = !this.#step();
    return !this.isMalformed;
  }

  /** Goes to the next number of a packed field, whose content was begun like a message; false at the end, or where it is malformed. */
  nextPacked(): boolean {
    if (this.#at >= this.#stop) return false;
    this.isMalformed = !this.#varint();
    return !this.isMalformed;
  }

  #step(): boolean {
    if (!this.#varint() || this.high !== 0 || this.low < 8) return false;
    this.field = this.low >>> 3;
    this.wireType = this.low & 7;
    switch (this.wireType) {
      case 0:
        return this.#varint();
      case 1:
        return this.#fixed(8);
      case 2: {
        if (!this.#varint() || this.high !== 0 || this.low > this.#stop - this.#at) return false;
        this.start = this.#at;
        this.#at += this.low;
        this.end = this.#at;
        return true;
      }
      case 5:
        return this.#fixed(4);
      default:
        return false;
    }
  }

  #varint(): boolean {
    const bytes = this.#bytes;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#stop) return false;
      const byte = bytes[this.#at++]!;
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 128) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return true;
      }
    }
    return false;
  }

  #fixed(size: 4 | 8): boolean {
    if (this.#stop - this.#at < size) return false;
    this.low = this.#word(this.#at);
    this.high = size === 8 ? this.#word(this.#at + 4) : 0;
    this.#at += size;
    return true;
  }

  #word(at: number): number {
    const bytes = this.#bytes;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }
}
