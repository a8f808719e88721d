/** Writes protobuf messages whose length is known only behind them: room for it is left, and filled with a varint of always five bytes. */
export class WireWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** A varint field; `value` as 64 bits, two's complement. */
  varint(field: number, value: bigint): void {
    this.#tag(field, 0);
    let rest = BigInt.asUintN(64, value);
    while (rest > 127n) {
      this.#bytes[this.#length++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  fixed64(field: number, value: bigint): void {
    this.#tag(field, 1);
    this.#view.setBigUint64(this.#length, BigInt.asUintN(64, value), true);
    this.#length += 8;
  }

  double(field: number, value: number): void {
    this.#tag(field, 1);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  bytes(field: number, value: Uint8Array): void {
    this.message(field, () => {
      this.#reserve(value.length);
      this.#bytes.set(value, this.#length);
      this.#length += value.length;
    });
  }

  text(field: number, value: string): void {
    this.message(field, () => {
      this.#reserve(value.length * 3);
      this.#length += encoder.encodeInto(value, this.#bytes.subarray(this.#length)).written;
    });
  }

  /** A field of bytes that `write` writes. */
  message(field: number, write: () => void): void {
    this.#tag(field, 2);
    const at = this.#length;
    this.#length += LENGTH_BYTES;
    write();
    let size = this.#length - at - LENGTH_BYTES;
    for (let i = 0; i < LENGTH_BYTES - 1; i++) {
      this.#bytes[at + i] = (size & 127) | 128;
      size >>>= 7;
    }
    this.#bytes[at + LENGTH_BYTES - 1] = size;
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #tag(field: number, wireType: number): void {
    this.#reserve(MARGIN);
    // Fields of these messages are below 16.
    this.#bytes[this.#length++] = (field << 3) | wireType;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#length + count, this.#bytes.length * 2));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

const LENGTH_BYTES = 5;
/** A tag and the longest number. */
const MARGIN = 16;
const encoder = new TextEncoder();
