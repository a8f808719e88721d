/** The same bytes, to be read and written a word at a time. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A larger memory that begins with the same bytes. */
export function grown(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const replaced = new Uint8Array(size);
  replaced.set(bytes);
  return replaced;
}
