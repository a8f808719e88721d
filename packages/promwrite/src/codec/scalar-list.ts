/**
 * Repeated scalars, packed or not: a decoder must accept both forms, and both mixed. They grow in typed arrays, which
 * keep the bits of a NaN and cost 8 bytes a value whatever a sender does.
 */
import type { ProtobufReader } from '../wire/protobuf-reader.ts';

const NO_DOUBLES: Float64Array<ArrayBuffer> = new Float64Array(0);
const NO_INTEGERS: BigInt64Array<ArrayBuffer> = new BigInt64Array(0);

/** Collects `repeated double`. */
export class DoubleList {
  #values: Float64Array<ArrayBuffer> = NO_DOUBLES;
  #length = 0;

  /** Reads one value (tag with wire type 1). */
  read(reader: ProtobufReader): void {
    if (this.#length === this.#values.length) this.#grow(Math.max(4, this.#length * 2));
    this.#values[this.#length++] = reader.double();
  }

  /** Reads a packed run (tag with wire type 2). */
  readPacked(reader: ProtobufReader): void {
    const outer = reader.enter();
    this.#grow(this.#length + ((reader.end - reader.position) >>> 3));
    while (reader.hasMore()) this.#values[this.#length++] = reader.double();
    reader.leave(outer);
  }

  toArray(): Float64Array<ArrayBuffer> {
    return this.#length === this.#values.length ? this.#values : this.#values.slice(0, this.#length);
  }

  #grow(capacity: number): void {
    const larger = new Float64Array(capacity);
    larger.set(this.#values.subarray(0, this.#length));
    this.#values = larger;
  }
}

/** Collects `repeated sint64`. */
export class Sint64List {
  #values: BigInt64Array<ArrayBuffer> = NO_INTEGERS;
  #length = 0;

  /** Reads one value (tag with wire type 0). */
  read(reader: ProtobufReader): void {
    if (this.#length === this.#values.length) this.#grow(Math.max(4, this.#length * 2));
    this.#values[this.#length++] = reader.sint64();
  }

  /** Reads a packed run (tag with wire type 2). */
  readPacked(reader: ProtobufReader): void {
    const outer = reader.enter();
    let count = 0;
    for (let index = reader.position; index < reader.end; index++) {
      if (reader.bytes[index]! < 0x80) count++;
    }
    this.#grow(this.#length + count);
    while (reader.hasMore()) this.#values[this.#length++] = reader.sint64();
    reader.leave(outer);
  }

  toArray(): BigInt64Array<ArrayBuffer> {
    return this.#length === this.#values.length ? this.#values : this.#values.slice(0, this.#length);
  }

  #grow(capacity: number): void {
    const larger = new BigInt64Array(capacity);
    larger.set(this.#values.subarray(0, this.#length));
    this.#values = larger;
  }
}
