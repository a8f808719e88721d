import * as fs from 'node:fs';
import { crc32 } from 'node:zlib';
import { SluiceError, errorText } from '../base/errors.ts';
import { decodeNative, type NativeBlock } from '../batch/native.ts';
import { errorCode } from './files.ts';
import type { SegmentPaths } from './layout.ts';
import { decodeIndex, type IndexHead, type IndexedBlock } from './segment-index.ts';
import { timeRange } from './time-range.ts';
import type { Source } from './types.ts';

/** Something wrong with a segment. */
export interface SegmentProblem {
  /**
   * `torn`: bytes at the end without a whole block; `damaged`: bytes that are not what was written; `index`: the index had to be made from the data;
   * `missing`: the index names rows whose data is not there.
   */
  readonly kind: 'torn' | 'damaged' | 'index' | 'missing';
  readonly file: string;
  readonly offset: number;
  readonly length: number;
  /** Rows concerned, as far as they are known. */
  readonly rows: number;
  readonly message: string;
}

/** What a segment's two files hold. Nothing was changed on the disk. */
export interface SegmentCheck {
  readonly head: IndexHead;
  /** Blocks that are whole, in order. */
  readonly blocks: readonly IndexedBlock[];
  readonly problems: readonly SegmentProblem[];
  readonly dataBytes: number;
  readonly indexBytes: number;
  readonly indexCrc: number;
}

export interface CheckOptions {
  /** The table, for the times of blocks whose index entry is lost; unknown tables get times of 0. */
  readonly source: Source | undefined;
  /** Put into an index that has to be made anew. */
  readonly catalogVersion: number;
  /** Segments that end at or below this row are not read through: nobody wants them any more. */
  readonly skipBelow?: number;
  readonly firstRow?: number;
}

const CHUNK_BYTES = 1 << 20;
/** A segment without an index is read whole; nothing of ours is larger. */
const MAX_REBUILD_BYTES = 1 << 30;
/** One for all segments: a check is synchronous. */
const chunk = Buffer.allocUnsafe(CHUNK_BYTES);

/**
 * Compares a segment with its index: every block's place, length and checksum. Throws SluiceError `format_too_new`, or what the file system throws.
 * Takes 1 MiB of memory, and the size of the segment where the index is gone.
 */
export function checkSegment(paths: SegmentPaths, options: CheckOptions): SegmentCheck {
  const index = readIfThere(paths.index);
  const decoded = index === undefined ? undefined : decodeIndex(index);
  if (decoded?.kind === 'newer') {
    throw new SluiceError(
      'format_too_new',
      `cannot read ${paths.index}: expected journal format 1; got ${decoded.version}, written by a newer Sluice; start that version`,
    );
  }
  const fd = openIfThere(paths.data);
  try {
    const dataBytes = fd === undefined ? 0 : fs.fstatSync(fd).size;
    if (decoded?.kind !== 'read') {
      const why = decoded === undefined ? 'it is missing' : decoded.why;
      return rebuilt({ paths, options, fd, dataBytes, why, indexBytes: index?.length ?? 0 });
    }
    const found = collect(paths, fd, dataBytes, decoded, options);
    const last = decoded.entries.at(-1);
    const unwanted =
      options.skipBelow !== undefined &&
      last !== undefined &&
      (options.firstRow ?? 0) + last.row + last.rows <= options.skipBelow;
    const blocks = unwanted || fd === undefined ? found.blocks : verified(paths, fd, found);
    return {
      head: decoded.head,
      blocks,
      problems: found.problems,
      dataBytes,
      indexBytes: index!.length,
      indexCrc: crc32(index!),
    };
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

interface Found {
  readonly blocks: IndexedBlock[];
  readonly problems: SegmentProblem[];
}

/** Takes the index's word for the blocks; what it does not cover is decoded where an entry is damaged, and torn where there never was one. */
function collect(
  paths: SegmentPaths,
  fd: number | undefined,
  dataBytes: number,
  index: { readonly entries: readonly (IndexedBlock | undefined)[]; readonly torn: number },
  options: CheckOptions,
): Found {
  const found: Found = { blocks: [], problems: [] };
  let at = 0;
  let row = 0;
  let lostEntries = 0;
  for (const entry of index.entries) {
    if (entry === undefined || entry.offset < at || entry.row < row || entry.length === 0 || entry.rows === 0) {
      lostEntries++;
      continue;
    }
    if (entry.offset + entry.length > dataBytes) {
      const rows = entry.row - row + entry.rows;
      found.problems.push({
        kind: 'missing',
        file: paths.data,
        offset: Math.min(at, dataBytes),
        length: Math.max(0, dataBytes - at),
        rows,
        message: `the index names a block of ${entry.length} bytes at ${entry.offset}; the segment ends at ${dataBytes}`,
      });
      at = dataBytes;
      row = entry.row + entry.rows;
      continue;
    }
    if (entry.offset > at)
      hole(found, { paths, fd, options, start: at, end: entry.offset, row, rows: entry.row - row });
    else if (entry.row > row) found.problems.push(damaged(paths, at, 0, entry.row - row, 'rows are missing'));
    found.blocks.push(entry);
    at = entry.offset + entry.length;
    row = entry.row + entry.rows;
    lostEntries = 0;
  }
  if (at < dataBytes) {
    if (lostEntries > 0) hole(found, { paths, fd, options, start: at, end: dataBytes, row, rows: undefined });
    else {
      const message = `${dataBytes - at} bytes behind the last block were never acknowledged`;
      found.problems.push({ kind: 'torn', file: paths.data, offset: at, length: dataBytes - at, rows: 0, message });
    }
  }
  if (index.torn > 0) {
    const message = `the last entry is cut off`;
    found.problems.push({ kind: 'index', file: paths.index, offset: 0, length: index.torn, rows: 0, message });
  }
  return found;
}

interface Hole {
  readonly paths: SegmentPaths;
  readonly fd: number | undefined;
  readonly options: CheckOptions;
  readonly start: number;
  readonly end: number;
  /** Row of the segment it begins with. */
  readonly row: number;
  /** Rows it must have, where the next entry tells. */
  readonly rows: number | undefined;
}

/** Bytes whose index entry is damaged: taken when they decode to exactly the rows that are missing, else damaged. */
function hole(found: Found, region: Hole): void {
  const { paths, fd, start, end } = region;
  const bytes = fd === undefined ? Buffer.alloc(0) : readRange(fd, start, end - start);
  const walk = walkBlocks(bytes, region.options.source);
  if (walk.end === bytes.length && (region.rows === undefined || walk.rows === region.rows)) {
    for (const block of walk.blocks) {
      found.blocks.push({ ...block, offset: block.offset + start, row: block.row + region.row });
    }
    const message = `the index entry of the block at ${start} is damaged; it was made anew from the data`;
    found.problems.push({ kind: 'index', file: paths.index, offset: start, length: 0, rows: 0, message });
    return;
  }
  const why = 'its index entry is damaged and its bytes are not a block';
  found.problems.push(damaged(paths, start, end - start, region.rows ?? 0, why));
}

function damaged(paths: SegmentPaths, offset: number, length: number, rows: number, why: string): SegmentProblem {
  return {
    kind: 'damaged',
    file: paths.data,
    offset,
    length,
    rows,
    message: `the block at ${offset} is damaged: ${why}`,
  };
}

/** Leaves out the blocks whose bytes do not have the index's checksum. Reads the segment once, a chunk at a time. */
function verified(paths: SegmentPaths, fd: number, found: Found): IndexedBlock[] {
  const good: IndexedBlock[] = [];
  let filled = 0;
  let chunkStart = 0;
  for (const block of found.blocks) {
    let crc = 0;
    let at = block.offset;
    const end = block.offset + block.length;
    while (at < end) {
      if (at < chunkStart || at >= chunkStart + filled) {
        chunkStart = at;
        filled = fs.readSync(fd, chunk, 0, CHUNK_BYTES, at);
        if (filled === 0) break;
      }
      const stop = Math.min(end, chunkStart + filled);
      crc = crc32(chunk.subarray(at - chunkStart, stop - chunkStart), crc);
      at = stop;
    }
    if (at === end && crc === block.crc) good.push(block);
    else found.problems.push(damaged(paths, block.offset, block.length, block.rows, 'its checksum is wrong'));
  }
  return good;
}

interface Rebuild {
  readonly paths: SegmentPaths;
  readonly options: CheckOptions;
  readonly fd: number | undefined;
  readonly dataBytes: number;
  readonly why: string;
  readonly indexBytes: number;
}

/** The index is gone: the blocks are found by decoding the segment from its start. */
function rebuilt({ paths, options, fd, dataBytes, why, indexBytes }: Rebuild): SegmentCheck {
  const readable = fd !== undefined && dataBytes <= MAX_REBUILD_BYTES;
  const walk = walkBlocks(readable ? readRange(fd, 0, dataBytes) : Buffer.alloc(0), options.source);
  const problems: SegmentProblem[] = [];
  if (dataBytes === 0) {
    problems.push({ kind: 'torn', file: paths.data, offset: 0, length: 0, rows: 0, message: 'the segment is empty' });
  } else if (walk.blocks.length > 0) {
    const message = `cannot use the index: ${why}; ${walk.blocks.length} blocks were found in the data`;
    problems.push({ kind: 'index', file: paths.index, offset: 0, length: indexBytes, rows: 0, message });
  }
  if (walk.end < dataBytes) {
    const whole = walk.blocks.length === 0;
    const message = whole
      ? `the index cannot be used (${why}) and the file does not begin with a block`
      : `${dataBytes - walk.end} bytes behind the last block are not a block`;
    // Without an index nothing tells a torn tail from damage: the bytes are kept aside.
    problems.push({
      kind: 'damaged',
      file: paths.data,
      offset: walk.end,
      length: dataBytes - walk.end,
      rows: 0,
      message,
    });
  }
  const head = { catalogVersion: options.catalogVersion, columns: walk.columns };
  return { head, blocks: walk.blocks, problems, dataBytes, indexBytes, indexCrc: 0 };
}

interface Walk {
  readonly blocks: IndexedBlock[];
  readonly columns: readonly (readonly [string, string])[];
  readonly rows: number;
  /** Where the first byte stands that belongs to no block. */
  readonly end: number;
}

/** Finds blocks by decoding them one after the other; stops where the bytes are no block of the first one's columns. */
function walkBlocks(bytes: Buffer, source: Source | undefined): Walk {
  const blocks: IndexedBlock[] = [];
  let columns: readonly (readonly [string, string])[] = [];
  let at = 0;
  let row = 0;
  while (at < bytes.length) {
    const block = tryDecode(bytes, at);
    if (block === undefined || block.rows === 0 || block.columns.length === 0) break;
    const its = block.columns.map((column) => [column.name, column.type] as const);
    if (blocks.length === 0) columns = its;
    else if (JSON.stringify(its) !== JSON.stringify(columns)) break;
    const time = block.columns.find((column) => column.name === source?.time.column);
    blocks.push({
      offset: at,
      length: block.end - at,
      row,
      rows: block.rows,
      ...timeRange(source?.time.unit ?? 'ms', time?.data),
      crc: crc32(bytes.subarray(at, block.end)),
    });
    row += block.rows;
    at = block.end;
  }
  return { blocks, columns, rows: row, end: at };
}

function tryDecode(bytes: Buffer, at: number): NativeBlock | undefined {
  try {
    return decodeNative(bytes, at);
  } catch {
    // Whatever these bytes are, they are no block: the caller says so.
    return undefined;
  }
}

/** Bytes [start, start + length) of an open file; fewer when it ends before. */
export function readRange(fd: number, start: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const got = fs.readSync(fd, bytes, done, length - done, start + done);
    if (got === 0) break;
    done += got;
  }
  return bytes.subarray(0, done);
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return fs.readFileSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new SluiceError('data_dir_unusable', `cannot read ${path}: ${errorText(error)}`, { cause: error });
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return fs.openSync(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new SluiceError('data_dir_unusable', `cannot read ${path}: ${errorText(error)}`, { cause: error });
  }
}
