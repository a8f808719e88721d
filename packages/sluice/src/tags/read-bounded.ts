/** There is more than is read. */
export class TooLargeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TooLargeError';
  }
}

/** The bytes of an answer, all of them. Throws TooLargeError when there are more than `mostBytes`; the rest is then not read. */
export async function readBounded(body: AsyncIterable<Uint8Array>, mostBytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the rest.
  for await (const part of body) {
    bytes += part.length;
    if (bytes > mostBytes) throw new TooLargeError(`expected an answer of at most ${mostBytes} bytes; got more`);
    parts.push(part);
  }
  return Buffer.concat(parts, bytes);
}
