/**
 * Bits, most significant first within each byte, without alignment; the last byte is filled up with zeros.
 *
 * Besides plain bits it writes the two families of whole numbers that chunks are made of:
 *
 *   varint / uvarint   Go's LEB128 groups of 7 bits (zigzag for signed), each group as 8 bits at the current position
 *   varbit             a prefix of ones that says how many bits follow; a value of n bits covers -(2^(n-1) - 1) .. 2^(n-1), one above two's complement:
 *
 *     0          0 bits     zero         11110      12 bits
 *     10         3 bits                  111110     18 bits
 *     110        6 bits                  1111110    25 bits
 *     1110       9 bits                  11111110   56 bits      11111111   64 bits
 *
 * 64-bit numbers are given as two 32-bit halves.
 */
export class BitWriter {
  /** Only [0, length) is written, and only after `finish`. */
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;
  /** Over `bytes`; replaced with them. */
  view: DataView<ArrayBuffer>;
  /** Bits behind `length`, from the top, and how many. For loops that take over for a while. */
  pending = 0;
  pendingBits = 0;

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Starts again, keeping the memory. */
  reset(): void {
    this.length = 0;
    this.pending = 0;
    this.pendingBits = 0;
  }

  /** Makes room for `count` more bytes; the writes below do not check. */
  reserve(count: number): void {
    const needed = this.length + count + 8;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  /** The low `count` (1..32) bits of `value`; the bits above them must be 0. */
  bits(value: number, count: number): void {
    const free = 32 - this.pendingBits;
    if (count < free) {
      this.pending |= value << (free - count);
      this.pendingBits += count;
      return;
    }
    const rest = count - free;
    const word = this.pending | (value >>> rest);
    const { bytes } = this;
    const at = this.length;
    bytes[at] = word >>> 24;
    bytes[at + 1] = word >>> 16;
    bytes[at + 2] = word >>> 8;
    bytes[at + 3] = word;
    this.length = at + 4;
    this.pendingBits = rest;
    this.pending = rest === 0 ? 0 : value << (32 - rest);
  }

  /** 64 bits. */
  bits64(low: number, high: number): void {
    this.bits(high, 32);
    this.bits(low, 32);
  }

  /** A whole number from 0 to 2^53 as a uvarint. */
  uvarint(value: number): void {
    let rest = value;
    while (rest > 127) {
      this.bits((rest % 128) | 128, 8);
      rest = Math.floor(rest / 128);
    }
    this.bits(rest, 8);
  }

  /** A whole number from -2^52 to 2^52 as a zigzag varint. */
  varint(value: number): void {
    this.uvarint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** A signed 64-bit number as varbit. */
  varbit(low: number, high: number): void {
    const value = low | 0;
    if (high === value >> 31) {
      if (value === 0) return this.bits(0, 1);
      if (value >= -3 && value <= 4) return this.bits(0b10_000 | (value & 7), 5);
      if (value >= -31 && value <= 32) return this.bits(0b110_000000 | (value & 63), 9);
      if (value >= -255 && value <= 256) return this.bits(0b1110_000000000 | (value & 511), 13);
      if (value >= -2047 && value <= 2048) return this.bits((0b11110 << 12) | (value & 4095), 17);
      if (value >= -131_071 && value <= 131_072) return this.bits((0b111110 << 18) | (value & 0x3ffff), 24);
      if (value >= -16_777_215 && value <= 16_777_216) {
        return this.bits(((0b1111110 << 25) | (value & 0x1ffffff)) >>> 0, 32);
      }
    }
    const fits =
      (high > -0x800000 && high < 0x800000) || (high === -0x800000 ? value !== 0 : high === 0x800000 && value === 0);
    if (fits) {
      this.bits(0b11111110, 8);
      this.bits(high & 0xffffff, 24);
      this.bits(value, 32);
      return;
    }
    this.bits(0b11111111, 8);
    this.bits64(value, high);
  }

  /** An unsigned 64-bit number as varbit. */
  unsignedVarbit(low: number, high: number): void {
    const value = low >>> 0;
    if (high === 0) {
      if (value === 0) return this.bits(0, 1);
      if (value < 8) return this.bits(0b10_000 | value, 5);
      if (value < 64) return this.bits(0b110_000000 | value, 9);
      if (value < 512) return this.bits(0b1110_000000000 | value, 13);
      if (value < 4096) return this.bits((0b11110 << 12) | value, 17);
      if (value < 0x40000) return this.bits((0b111110 << 18) | value, 24);
      if (value < 0x2000000) return this.bits(((0b1111110 << 25) | value) >>> 0, 32);
    }
    if (high >>> 0 < 0x1000000) {
      this.bits(0b11111110, 8);
      this.bits(high, 24);
      this.bits(value, 32);
      return;
    }
    this.bits(0b11111111, 8);
    this.bits64(value, high);
  }

  /** Fills the last byte up with zeros. */
  finish(): void {
    let word = this.pending;
    for (let left = this.pendingBits; left > 0; left -= 8) {
      this.bytes[this.length++] = word >>> 24;
      word <<= 8;
    }
    this.pending = 0;
    this.pendingBits = 0;
  }

  /** What was written, as a view. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}
