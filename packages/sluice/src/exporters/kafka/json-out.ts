/** Memory that rows are written into. `view` and `bytes` are the same; both are replaced when it grows. */
export class JsonOut {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }
}

/**
 * Text that is copied again and again, eight bytes at a time: up to 7 bytes more than its length are written. The steps are doubles, which is safe as
 * no valid UTF-8 looks like a NaN: that would need a byte of 0xf0 or more before one of 0x7f or 0xff.
 */
export class Fragment {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly #steps: Float64Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.length = bytes.length;
    this.#steps = new Float64Array((bytes.length + 7) >> 3);
    new Uint8Array(this.#steps.buffer).set(bytes);
  }

  put(view: DataView, at: number): number {
    const steps = this.#steps;
    for (let i = 0; i < steps.length; i++) view.setFloat64(at + i * 8, steps[i]!, true);
    return at + this.length;
  }
}

const encoder = new TextEncoder();

export function fragment(text: string): Fragment {
  return new Fragment(encoder.encode(text));
}

export function viewOf<T extends ArrayBufferLike>(bytes: Uint8Array<T>): DataView<T> {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
