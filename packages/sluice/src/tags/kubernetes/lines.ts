/** Cuts a stream of bytes into lines. A line longer than `mostBytes` is left out, and told as `undefined`. */
export class Lines {
  readonly #mostBytes: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #isTooLong = false;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Lines that end in this chunk, without empty ones. What follows the last line end waits for the next chunk. */
  *push(chunk: Uint8Array): Generator<Buffer | undefined> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      if (end < 0) break;
      this.#add(chunk.subarray(start, end));
      start = end + 1;
      if (this.#isTooLong) yield undefined;
      else if (this.#bytes > 0) yield Buffer.concat(this.#parts, this.#bytes);
      this.#reset();
    }
    this.#add(chunk.subarray(start));
  }

  #add(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#mostBytes) {
      this.#isTooLong = true;
      this.#parts = [];
    } else if (part.length > 0) this.#parts.push(part);
  }

  #reset(): void {
    this.#parts = [];
    this.#bytes = 0;
    this.#isTooLong = false;
  }
}

const LINE_FEED = 10;
