import { crc32 } from 'node:zlib';
import type { SegmentBlock } from './types.ts';

/*
 * The index beside each segment. All numbers little-endian.
 *
 *   preamble    8 bytes  "SLUICEIX"
 *               u32      format version: 1
 *               u32      CRC-32 of the 12 bytes before: a flipped bit is not taken for a newer format
 *   head        u32      catalog version the rows were written with
 *               u32      length of the column list in bytes
 *               n bytes  column list, JSON: [["metric_id","UInt64"],...], types as they stand in the blocks
 *               u32      CRC-32 of the head up to here (without the preamble)
 *   entries     40 bytes for each block, in order:
 *               u32      offset in the segment      u32  length
 *               u32      row of the segment it begins with  u32  rows
 *               f64      least time of its rows     f64  greatest, epoch milliseconds
 *               u32      CRC-32 of the block        u32  CRC-32 of this entry's 36 bytes before
 *
 * Preamble and the place of the version never change; what follows may, with a higher version. An entry is written after its block, so an entry
 * without a block is a sign of power loss, a block without an entry was never acknowledged.
 */

export const INDEX_VERSION = 1;
export const ENTRY_BYTES = 40;
const MAGIC = Buffer.from('SLUICEIX', 'latin1');
const PREAMBLE_BYTES = 16;

/** A block and the row of the segment that it begins with (0 for the first). */
export interface IndexedBlock extends SegmentBlock {
  readonly row: number;
}

export interface IndexHead {
  readonly catalogVersion: number;
  /** Name and plain type of each column in the blocks. */
  readonly columns: readonly (readonly [name: string, type: string])[];
}

export type DecodedIndex =
  /** `entries[i]` is undefined where the checksum of entry i fails; a torn or empty last entry is left out. */
  | {
      readonly kind: 'read';
      readonly head: IndexHead;
      readonly entries: readonly (IndexedBlock | undefined)[];
      readonly headBytes: number;
      /** Bytes of a torn last entry. */
      readonly torn: number;
    }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'damaged'; readonly why: string };

/** Preamble and head of an index. */
export function encodeIndexHead(head: IndexHead): Buffer {
  const columns = Buffer.from(JSON.stringify(head.columns), 'utf8');
  const out = Buffer.alloc(PREAMBLE_BYTES + 8 + columns.length + 4);
  MAGIC.copy(out);
  out.writeUInt32LE(INDEX_VERSION, 8);
  out.writeUInt32LE(crc32(out.subarray(0, 12)), 12);
  out.writeUInt32LE(head.catalogVersion, PREAMBLE_BYTES);
  out.writeUInt32LE(columns.length, PREAMBLE_BYTES + 4);
  columns.copy(out, PREAMBLE_BYTES + 8);
  out.writeUInt32LE(crc32(out.subarray(PREAMBLE_BYTES, out.length - 4)), out.length - 4);
  return out;
}

/** Writes the entry of a block into `out` at `at`. */
export function encodeIndexEntry(out: Buffer, at: number, block: IndexedBlock): void {
  out.writeUInt32LE(block.offset, at);
  out.writeUInt32LE(block.length, at + 4);
  out.writeUInt32LE(block.row, at + 8);
  out.writeUInt32LE(block.rows, at + 12);
  out.writeDoubleLE(block.minTime, at + 16);
  out.writeDoubleLE(block.maxTime, at + 24);
  out.writeUInt32LE(block.crc, at + 32);
  out.writeUInt32LE(crc32(out.subarray(at, at + 36)), at + 36);
}

/** A whole index: what recovery writes in place of a damaged one. */
export function encodeIndex(head: IndexHead, blocks: readonly IndexedBlock[]): Buffer {
  const encoded = encodeIndexHead(head);
  const out = Buffer.alloc(encoded.length + blocks.length * ENTRY_BYTES);
  encoded.copy(out);
  for (const [index, block] of blocks.entries()) encodeIndexEntry(out, encoded.length + index * ENTRY_BYTES, block);
  return out;
}

/** Reads the bytes of an index file. Never throws: what cannot be trusted is said in the result. */
export function decodeIndex(bytes: Buffer): DecodedIndex {
  if (bytes.length < PREAMBLE_BYTES) return { kind: 'damaged', why: `it has ${bytes.length} bytes` };
  if (!bytes.subarray(0, 8).equals(MAGIC)) return { kind: 'damaged', why: 'it does not begin with SLUICEIX' };
  if (crc32(bytes.subarray(0, 12)) !== bytes.readUInt32LE(12)) {
    return { kind: 'damaged', why: 'the checksum of its preamble is wrong' };
  }
  const version = bytes.readUInt32LE(8);
  if (version > INDEX_VERSION) return { kind: 'newer', version };
  const length = bytes.length < PREAMBLE_BYTES + 8 ? Infinity : bytes.readUInt32LE(PREAMBLE_BYTES + 4);
  const headBytes = PREAMBLE_BYTES + 8 + length + 4;
  if (headBytes > bytes.length) return { kind: 'damaged', why: 'its head is cut off' };
  if (crc32(bytes.subarray(PREAMBLE_BYTES, headBytes - 4)) !== bytes.readUInt32LE(headBytes - 4)) {
    return { kind: 'damaged', why: 'the checksum of its head is wrong' };
  }
  const columns: unknown = JSON.parse(bytes.toString('utf8', PREAMBLE_BYTES + 8, headBytes - 4));
  if (!isColumnList(columns)) return { kind: 'damaged', why: 'its column list is not one' };
  const entries: (IndexedBlock | undefined)[] = [];
  let at = headBytes;
  for (; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) entries.push(decodeIndexEntry(bytes, at));
  let torn = bytes.length - at;
  // Space that the file system had set aside but not filled when the power failed.
  while (
    entries.length > 0 &&
    entries.at(-1) === undefined &&
    isZero(bytes, headBytes + (entries.length - 1) * ENTRY_BYTES)
  ) {
    entries.pop();
    torn += ENTRY_BYTES;
  }
  return {
    kind: 'read',
    head: { catalogVersion: bytes.readUInt32LE(PREAMBLE_BYTES), columns },
    entries,
    headBytes,
    torn,
  };
}

function isColumnList(value: unknown): value is [name: string, type: string][] {
  return Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isText));
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isZero(bytes: Buffer, at: number): boolean {
  for (let i = at; i < at + ENTRY_BYTES; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** The entry at `at`, or undefined when its checksum fails. */
export function decodeIndexEntry(bytes: Buffer, at: number): IndexedBlock | undefined {
  if (crc32(bytes.subarray(at, at + 36)) !== bytes.readUInt32LE(at + 36)) return undefined;
  return {
    offset: bytes.readUInt32LE(at),
    length: bytes.readUInt32LE(at + 4),
    row: bytes.readUInt32LE(at + 8),
    rows: bytes.readUInt32LE(at + 12),
    minTime: bytes.readDoubleLE(at + 16),
    maxTime: bytes.readDoubleLE(at + 24),
    crc: bytes.readUInt32LE(at + 32),
  };
}
