import { ItemWriter } from './item-writer.ts';

/** Writers that wait to be used again, in bytes of one exporter. */
const MOST_BYTES = 8 * 1024 * 1024;

/** Memory of writers that were sent, for the next ones. One that grew beyond what a batch needs is let go. */
export class WriterPool {
  readonly #free: ItemWriter[] = [];
  readonly #mostOf: number;
  #bytes = 0;

  /** `batchBytes`: what a batch may take. */
  constructor(batchBytes: number) {
    this.#mostOf = Math.min(MOST_BYTES / 2, 4 * batchBytes + 256 * 1024);
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(): ItemWriter {
    const writer = this.#free.pop();
    if (writer === undefined) return new ItemWriter();
    this.#bytes -= memoryOf(writer);
    return writer;
  }

  give(writer: ItemWriter): void {
    const bytes = memoryOf(writer);
    if (bytes > this.#mostOf || this.#bytes + bytes > MOST_BYTES) return;
    writer.clear();
    this.#bytes += bytes;
    this.#free.push(writer);
  }
}

/** Bytes of memory that a writer holds. */
export function memoryOf(writer: ItemWriter): number {
  const { bytes, heads, ends, headEnds, rows, times } = writer;
  return bytes.length + heads.length + ends.byteLength + headEnds.byteLength + rows.byteLength + times.byteLength;
}
