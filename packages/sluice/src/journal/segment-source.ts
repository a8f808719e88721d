import { open, readFile, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { segmentPaths } from './layout.ts';
import { decodeIndex, type IndexedBlock } from './segment-index.ts';

/** A block read back from a segment. */
export type ReadBlock =
  | { readonly kind: 'read'; readonly block: IndexedBlock; readonly bytes: Buffer }
  /** Its bytes are not those that were written. */
  | { readonly kind: 'damaged'; readonly block: IndexedBlock };

/** Reads blocks of one segment, open or sealed. The files are opened at the first read. */
export class SegmentSource {
  readonly firstRow: number;
  readonly path: string;
  readonly #indexPath: string;
  #data: FileHandle | undefined;
  #blocks: readonly IndexedBlock[] = [];
  #closed = false;

  constructor(folder: string, firstRow: number) {
    const paths = segmentPaths(folder, firstRow);
    this.firstRow = firstRow;
    this.path = paths.data;
    this.#indexPath = paths.index;
  }

  /** The block that holds row `row` of the segment, or the next one behind it; undefined when the index names none. Throws what the file system throws. */
  async read(row: number): Promise<ReadBlock | undefined> {
    let block = this.#find(row);
    if (block === undefined) {
      // An open segment has grown since.
      const index = decodeIndex(await readFile(this.#indexPath));
      this.#blocks = index.kind === 'read' ? index.entries.filter((entry) => entry !== undefined) : [];
      block = this.#find(row);
    }
    if (block === undefined) return undefined;
    const data = this.#data ?? (await open(this.path, 'r'));
    this.#data = data;
    if (this.#closed) {
      await this.close();
      return undefined;
    }
    const bytes = Buffer.allocUnsafeSlow(block.length);
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await data.read(bytes, done, bytes.length - done, block.offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    if (done < bytes.length || crc32(bytes) !== block.crc) return { kind: 'damaged', block };
    return { kind: 'read', block, bytes };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const data = this.#data;
    this.#data = undefined;
    await data?.close();
  }

  #find(row: number): IndexedBlock | undefined {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const block = this.#blocks[middle]!;
      if (block.row + block.rows <= row) low = middle + 1;
      else high = middle;
    }
    return this.#blocks[low];
  }
}
