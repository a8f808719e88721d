const SMALLEST = 1 << 16;
const LARGEST = 1 << 25;

/**
 * Buffers for bodies of 64 KiB and more, in sizes of powers of two. A fresh one of that size costs a page fault per 4 KiB, more than reading into it;
 * those that come back are kept up to `keepBytes` in all.
 */
export class BodyPool {
  readonly #free = new Map<number, Buffer[]>();
  readonly #keepBytes: number;
  #kept = 0;

  constructor(keepBytes: number) {
    this.#keepBytes = keepBytes;
  }

  /** Bytes of the buffers that wait for use. */
  get keptBytes(): number {
    return this.#kept;
  }

  /** A buffer of at least `size` bytes with anything in it. */
  take(size: number): Buffer {
    const rounded = size <= SMALLEST ? SMALLEST : 2 ** Math.ceil(Math.log2(size));
    const buffer = this.#free.get(rounded)?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(rounded);
    this.#kept -= rounded;
    return buffer;
  }

  /** Takes back a buffer that `take` gave, once nothing points into it. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    if (size > LARGEST || this.#kept + size > this.#keepBytes) return;
    const list = this.#free.get(size);
    if (list === undefined) this.#free.set(size, [buffer]);
    else list.push(buffer);
    this.#kept += size;
  }
}
