/** Goes through the numbers of a packed repeated field: varints, one behind the other. */
export class Varints {
  /** The present one, as unsigned halves. */
  low = 0;
  high = 0;
  /** Whether the field ended for a mistake in it. */
  isMalformed = false;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #stop = 0;

  /** Begins the field whose content is [start, end). */
  begin(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#stop = end;
    this.isMalformed = false;
  }

  /** Goes to the next number; false at the end, or where the field is malformed. */
  next(): boolean {
    if (this.#at >= this.#stop) return false;
    const bytes = this.#bytes;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70 && this.#at < this.#stop; shift += 7) {
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
    this.isMalformed = true;
    return false;
  }
}
