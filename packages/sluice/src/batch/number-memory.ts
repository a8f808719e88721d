/** Bytes seen as numbers of each width. */
export class NumberMemory {
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;

  /** `size`: bytes, a multiple of 8. */
  constructor(size: number) {
    this.u8 = new Uint8Array(size);
    this.u16 = new Uint16Array(this.u8.buffer);
    this.u32 = new Uint32Array(this.u8.buffer);
    this.f64 = new Float64Array(this.u8.buffer);
  }
}

/** Numbers of one column. Write through the view that fits; a 64-bit value as two Uint32: low, high. */
export class FixedValues {
  readonly width: number;
  /** Where they begin in the block's memory: bytes, a multiple of 64. */
  start = 0;
  u8 = new Uint8Array(0);
  u16 = new Uint16Array(0);
  u32 = new Uint32Array(0);
  i32 = new Int32Array(0);
  f64 = new Float64Array(0);

  constructor(width: number) {
    this.width = width;
  }

  /** Moves to another memory: room for `capacity` values from `start`. Takes the values along. */
  place(memory: NumberMemory, start: number, capacity: number): void {
    const { buffer } = memory.u8;
    const old = this.u8;
    const bytes = capacity * this.width;
    this.start = start;
    this.u8 = new Uint8Array(buffer, start, bytes);
    this.u16 = new Uint16Array(buffer, start, bytes >> 1);
    this.u32 = new Uint32Array(buffer, start, bytes >> 2);
    this.i32 = new Int32Array(buffer, start, bytes >> 2);
    this.f64 = new Float64Array(buffer, start, bytes >> 3);
    this.u8.set(old);
  }
}

/**
 * Lays the numbers of all columns into one memory, columns one after the other, each a cache line further than it need be: memories of their own would
 * all begin at a page, so that a row's values would fight for one set of the cache (three times the time of a row).
 */
export function placeTogether(columns: readonly (FixedValues | undefined)[], capacity: number): NumberMemory {
  let size = 0;
  const starts = columns.map((values) => {
    const start = size;
    if (values !== undefined) size += ((capacity * values.width + 63) & ~63) + 64;
    return start;
  });
  const memory = new NumberMemory(size);
  for (const [index, values] of columns.entries()) values?.place(memory, starts[index]!, capacity);
  return memory;
}
