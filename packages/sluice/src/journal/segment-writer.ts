import { crc32 } from 'node:zlib';
import { errorText } from '../base/errors.ts';
import type { EncodedBlock } from '../batch/native.ts';
import { plainTypeText } from '../batch/column-type.ts';
import { removeSync, writeAllSync, writeFailure, type Files } from './files.ts';
import type { SegmentPaths } from './layout.ts';
import { ENTRY_BYTES, encodeIndexEntry, encodeIndexHead } from './segment-index.ts';
import type { Source } from './types.ts';

export interface SegmentWriterOptions {
  readonly files: Files;
  readonly paths: SegmentPaths;
  readonly source: Source;
  readonly catalogVersion: number;
  readonly firstRow: number;
  readonly monotonicMs: number;
  readonly epochMs: number;
}

/** Reused for every entry of every segment: writes are synchronous. */
const entry = Buffer.alloc(ENTRY_BYTES);

/** Creates the two files of a segment. Throws SluiceError; then neither is there. */
export function openSegment(options: SegmentWriterOptions): SegmentWriter {
  const { files, paths, source } = options;
  const head = encodeIndexHead({
    catalogVersion: options.catalogVersion,
    columns: source.columns.map((column) => [column.name, plainTypeText(column.type)] as const),
  });
  let data: number | undefined;
  let index: number | undefined;
  try {
    data = files.createSync(paths.data);
    index = files.createSync(paths.index);
    writeAllSync(files, index, [head], 0);
    return new SegmentWriter(options, { data, index, head });
  } catch (error) {
    for (const fd of [data, index]) if (fd !== undefined) tryTo(() => files.closeSync(fd));
    if (data !== undefined) tryTo(() => removeSync(files, paths.data));
    if (index !== undefined) tryTo(() => removeSync(files, paths.index));
    throw writeFailure(error, paths.data);
  }
}

/** The open segment of a partition. Its descriptors stay open until it is sealed and, if need be, synced. */
export class SegmentWriter {
  readonly paths: SegmentPaths;
  readonly source: Source;
  readonly columns: readonly string[];
  readonly catalogVersion: number;
  readonly firstRow: number;
  /** When it was begun: for its age, and for people. */
  readonly openedMs: number;
  readonly createdMs: number;
  rows = 0;
  bytes = 0;
  indexBytes: number;
  indexCrc: number;
  minTime = Infinity;
  maxTime = -Infinity;
  /** No block will follow; the descriptors are closed when nothing waits to be synced. */
  sealed = false;
  closed = false;
  readonly #files: Files;
  readonly #data: number;
  readonly #index: number;
  /** A failed write has left bytes that could not be cut off yet. */
  #ragged = false;

  constructor(
    options: SegmentWriterOptions,
    open: { readonly data: number; readonly index: number; readonly head: Buffer },
  ) {
    this.paths = options.paths;
    this.source = options.source;
    this.columns = options.source.columns.map((column) => column.name);
    this.catalogVersion = options.catalogVersion;
    this.firstRow = options.firstRow;
    this.openedMs = options.monotonicMs;
    this.createdMs = options.epochMs;
    this.#files = options.files;
    this.#data = open.data;
    this.#index = open.index;
    this.indexBytes = open.head.length;
    this.indexCrc = crc32(open.head);
  }

  get nextRow(): number {
    return this.firstRow + this.rows;
  }

  /** Adds a block and its index entry. Throws SluiceError; then both files end where they ended before. */
  write(block: EncodedBlock, minTime: number, maxTime: number): void {
    let crc = 0;
    for (const chunk of block.chunks) crc = crc32(chunk, crc);
    try {
      this.cutRagged();
      writeAllSync(this.#files, this.#data, block.chunks, this.bytes);
      encodeIndexEntry(entry, 0, {
        offset: this.bytes,
        length: block.bytes,
        row: this.rows,
        rows: block.rows,
        minTime,
        maxTime,
        crc,
      });
      const wrote = this.#files.writeSync(this.#index, entry, this.indexBytes);
      if (wrote < ENTRY_BYTES)
        throw Object.assign(new Error(`wrote ${wrote} bytes of an index entry`), { code: 'ENOSPC' });
    } catch (error) {
      this.#ragged = true;
      // When even that fails, the next write or the sealing tries again, and recovery after a crash.
      tryTo(() => this.cutRagged());
      throw writeFailure(error, this.paths.data);
    }
    this.indexCrc = crc32(entry, this.indexCrc);
    this.indexBytes += ENTRY_BYTES;
    this.bytes += block.bytes;
    this.rows += block.rows;
    if (minTime < this.minTime) this.minTime = minTime;
    if (maxTime > this.maxTime) this.maxTime = maxTime;
  }

  /** Cuts what a failed write has left. Throws what the file system throws. */
  cutRagged(): void {
    if (!this.#ragged) return;
    this.#files.ftruncateSync(this.#data, this.bytes);
    this.#files.ftruncateSync(this.#index, this.indexBytes);
    this.#ragged = false;
  }

  async sync(): Promise<void> {
    await Promise.all([this.#files.fdatasync(this.#data), this.#files.fdatasync(this.#index)]);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    tryTo(() => this.#files.closeSync(this.#data));
    tryTo(() => this.#files.closeSync(this.#index));
  }

  /** Removes a segment that has no rows. */
  discard(): void {
    this.close();
    tryTo(() => removeSync(this.#files, this.paths.data));
    tryTo(() => removeSync(this.#files, this.paths.index));
  }
}

/** For clean-up after an error that is reported already. */
function tryTo(action: () => void): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}
