import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  constants,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import { errorText } from '../base/errors.ts';

/**
 * Frames as an agent writes them (sizes include the header):
 *
 *   size u32 BE | type u8 | version u16 = 0x8000 | encoder u8 | team u32 | organisation u16 | 2 reserved | agent u16 | 1 reserved | body
 *
 * Numbers but the size are little-endian. Types 0 and 1 have only size and type before the body. The body, once uncompressed, is a row of records, each
 * with its length (u32 LE) before it.
 */
export interface RecordedFrame {
  readonly type: number;
  readonly encoder: number;
  readonly org: number;
  readonly team: number;
  readonly agent: number;
  readonly records: readonly Uint8Array[];
  /** As recorded. */
  readonly bytes: Uint8Array;
}

/** A file that cannot be replayed. */
export class FrameFileError extends Error {}

const HEADER_BYTES = 19;
const SHORT_HEADER_BYTES = 5;
const SHORT_TYPES: readonly number[] = [0, 1];
const VERSION = 0x8000;
const ZLIB = 1;
const GZIP = 2;
const ZSTD = 3;
/** As agents do: no length in the head of the compressed body, a window of 2 MiB. */
const ZSTD_PARAMETERS = { [constants.ZSTD_c_contentSizeFlag]: 0, [constants.ZSTD_c_windowLog]: 21 };

/** Frames of the files, of `.bin` files below folders, in the order given and by name. Throws FrameFileError for what is no row of frames. */
export function readFrames(paths: readonly string[]): RecordedFrame[] {
  return paths.flatMap((path) => [...reading(path, () => [...filesBelow(path)])]).flatMap((file) => parseFile(file));
}

/** A frame with other records or another sender. */
export function encodeFrame(frame: Omit<RecordedFrame, 'bytes'>): Uint8Array {
  const body = compress(frame.encoder, joinRecords(frame.records));
  const isShort = SHORT_TYPES.includes(frame.type);
  const header = Buffer.alloc(isShort ? SHORT_HEADER_BYTES : HEADER_BYTES);
  header.writeUInt32BE(header.length + body.length, 0);
  header[4] = frame.type;
  if (!isShort) {
    header.writeUInt16LE(VERSION, 5);
    header[7] = frame.encoder;
    header.writeUInt32LE(frame.team, 8);
    header.writeUInt16LE(frame.org, 12);
    header.writeUInt16LE(frame.agent, 16);
  }
  return Buffer.concat([header, body]);
}

function* filesBelow(path: string): Generator<string> {
  if (!statSync(path).isDirectory()) {
    yield path;
    return;
  }
  for (const name of readdirSync(path).toSorted()) {
    const child = join(path, name);
    if (statSync(child).isDirectory()) yield* filesBelow(child);
    else if (name.endsWith('.bin')) yield child;
  }
}

function parseFile(file: string): RecordedFrame[] {
  const bytes = reading(file, () => readFileSync(file));
  if (bytes.length === 0)
    throw new FrameFileError(`cannot replay ${file}: expected frames of an agent; the file is empty`);
  const frames: RecordedFrame[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = at + SHORT_HEADER_BYTES <= bytes.length ? bytes.readUInt32BE(at) : 0;
    const least = SHORT_TYPES.includes(bytes[at + 4] ?? 0) ? SHORT_HEADER_BYTES : HEADER_BYTES;
    if (size < least || at + size > bytes.length) {
      throw new FrameFileError(
        at === 0
          ? `cannot replay ${file}: expected a frame as an agent writes it, which begins with its size (4 bytes, big-endian); got ${describe(bytes, size)}; give files that were recorded from an agent's connection`
          : `cannot replay ${file}: expected a whole frame at byte ${at}; got ${describe(bytes.subarray(at), size)}; record it again, or cut it off there`,
      );
    }
    try {
      frames.push(parseFrame(bytes.subarray(at, at + size)));
    } catch (error) {
      throw new FrameFileError(
        `cannot replay ${file}: the frame at byte ${at} cannot be taken apart: ${errorText(error)}; record it again, or leave the file out`,
        { cause: error },
      );
    }
    at += size;
  }
  return frames;
}

/** The rest of a file that does not begin with a whole frame. */
function describe(bytes: Buffer, size: number): string {
  if (bytes.length < SHORT_HEADER_BYTES) return `${bytes.length} bytes`;
  if (size <= bytes.length) return `a size of ${size}, less than a frame's header`;
  return `a size of ${size}, but ${bytes.length} bytes are left`;
}

/** What the file system says of a path, in words. */
function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const why =
      code === 'ENOENT'
        ? 'there is no such file or folder; give files of recorded frames, or folders with .bin files'
        : code === 'EACCES'
          ? 'this user may not read it'
          : errorText(cause);
    throw new FrameFileError(`cannot replay ${path}: ${why}`, { cause });
  }
}

function parseFrame(bytes: Buffer): RecordedFrame {
  const type = bytes[4]!;
  const isShort = SHORT_TYPES.includes(type);
  const encoder = isShort ? 0 : bytes[7]!;
  const body = uncompress(encoder, bytes.subarray(isShort ? SHORT_HEADER_BYTES : HEADER_BYTES));
  return {
    type,
    encoder,
    org: isShort ? 0 : bytes.readUInt16LE(12),
    team: isShort ? 0 : bytes.readUInt32LE(8),
    agent: isShort ? 0 : bytes.readUInt16LE(16),
    records: splitRecords(body),
    bytes,
  };
}

function splitRecords(body: Buffer): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let at = 0; at < body.length;) {
    const length = body.readUInt32LE(at);
    if (at + 4 + length > body.length) throw new Error('a record is longer than its frame');
    records.push(body.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return records;
}

function joinRecords(records: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const record of records) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(record.length);
    parts.push(length, record);
  }
  return Buffer.concat(parts);
}

function uncompress(encoder: number, body: Buffer): Buffer {
  if (encoder === ZLIB) return inflateSync(body);
  if (encoder === GZIP) return gunzipSync(body);
  return encoder === ZSTD ? zstdDecompressSync(body) : body;
}

function compress(encoder: number, body: Buffer): Buffer {
  if (encoder === ZLIB) return deflateSync(body);
  if (encoder === GZIP) return gzipSync(body);
  return encoder === ZSTD ? zstdCompressSync(body, { params: ZSTD_PARAMETERS }) : body;
}
