import { open, rename, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { SluiceError } from '../base/errors.ts';
import type { RestoredSeries, RestoredTags, SeriesEntry } from './series-table.ts';

/*
 * The dictionary of series on disk, an append-only log (docs/series-format.md). All numbers little-endian.
 *
 *   head, 16 bytes:  "SLUICEDI" | u32 format version | u32 zero
 *   frame:           u32 payload length | u32 CRC-32 of the payload | payload: records one after the other
 *   record 1:        u8 1 | u64 metric id | u64 series id | 8 more bytes of the digest | f64 valid from, ms | u32 announced, s | u32 length | labels
 *   record 2:        u8 2 | u64 series id | u32 announced, s: the series was announced again
 *   record 3:        u8 3 | u32 length | identity of the database, UTF-8: nothing before counts as announced there
 *   record 4:        u8 4 | u64 series id | f64 valid from, ms | u32 agent | u32 signature of its tags: how the series was last announced
 *
 * Version 1 has no record 4.
 *
 * Whatever follows the last frame that is whole is cut off. A series lost so is announced once more when its next sample comes.
 */
const MAGIC = 'SLUICEDI';
const HEAD_BYTES = 16;
const FRAME_HEAD_BYTES = 8;
const MAX_FRAME_BYTES = 64 * 1024 * 1024;
const READ_BYTES = 4 * 1024 * 1024;

export const DICTIONARY_VERSION = 2;

/** What `load` hands over, record by record; valid during the call. */
export interface DictionaryVisitor {
  /** Called first: bytes of the file. */
  size(bytes: number): void;
  series(entry: RestoredSeries, bytes: Buffer, labelsStart: number, labelsEnd: number): void;
  announced(idLow: number, idHigh: number, seconds: number): void;
  tags(tags: RestoredTags): void;
  storage(identity: string): void;
}

/** Collects records for one frame. */
export class DictionaryFrame {
  #bytes: Buffer = Buffer.alloc(64 * 1024);
  #length = FRAME_HEAD_BYTES;

  get length(): number {
    return this.#length;
  }

  series(entry: SeriesEntry): void {
    const at = this.#room(49 + entry.labels.length);
    const bytes = this.#bytes;
    bytes[at] = 1;
    entry.ids.forEach((word, index) => bytes.writeUInt32LE(word, at + 1 + index * 4));
    entry.check.forEach((word, index) => bytes.writeUInt32LE(word, at + 17 + index * 4));
    bytes.writeDoubleLE(entry.validFromMs, at + 25);
    bytes.writeUInt32LE(entry.announcedSeconds, at + 33);
    bytes.writeUInt32LE(entry.labels.length, at + 37);
    bytes.set(entry.labels, at + 41);
    this.#length = at + 41 + entry.labels.length;
  }

  announced(idLow: number, idHigh: number, seconds: number): void {
    const at = this.#room(13);
    this.#bytes[at] = 2;
    this.#bytes.writeUInt32LE(idLow, at + 1);
    this.#bytes.writeUInt32LE(idHigh, at + 5);
    this.#bytes.writeUInt32LE(seconds, at + 9);
    this.#length = at + 13;
  }

  tags({ ids, validFromMs, agent, signature }: SeriesEntry): void {
    const at = this.#room(25);
    this.#bytes[at] = 4;
    this.#bytes.writeUInt32LE(ids[2], at + 1);
    this.#bytes.writeUInt32LE(ids[3], at + 5);
    this.#bytes.writeDoubleLE(validFromMs, at + 9);
    this.#bytes.writeUInt32LE(agent, at + 17);
    this.#bytes.writeUInt32LE(signature, at + 21);
    this.#length = at + 25;
  }

  storage(identity: string): void {
    const text = Buffer.from(identity);
    const at = this.#room(5 + text.length);
    this.#bytes[at] = 3;
    this.#bytes.writeUInt32LE(text.length, at + 1);
    this.#bytes.set(text, at + 5);
    this.#length = at + 5 + text.length;
  }

  /** The finished frame, a view; empty when nothing was added. `clear` before the next one. */
  finish(): Buffer {
    if (this.#length === FRAME_HEAD_BYTES) return this.#bytes.subarray(0, 0);
    const payload = this.#bytes.subarray(FRAME_HEAD_BYTES, this.#length);
    this.#bytes.writeUInt32LE(payload.length, 0);
    this.#bytes.writeUInt32LE(crc32(payload), 4);
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = FRAME_HEAD_BYTES;
  }

  #room(size: number): number {
    if (this.#length + size > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(this.#length + size, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    return this.#length;
  }
}

export class DictionaryFile {
  readonly #path: string;
  #file: FileHandle;
  #length: number;

  private constructor(file: FileHandle, filePath: string, length: number) {
    this.#file = file;
    this.#path = filePath;
    this.#length = length;
  }

  /** Bytes of the file that are whole. */
  get length(): number {
    return this.#length;
  }

  /**
   * Opens or makes the file and hands its records over. `cut` is the number of damaged bytes that were cut off its end. Throws `format_too_new` for
   * a file of a newer Sluice, and the system's error when the file cannot be used.
   */
  static async load(filePath: string, visitor: DictionaryVisitor): Promise<{ file: DictionaryFile; cut: number }> {
    const file = await open(filePath, 'a+').then(async (created) => {
      await created.close();
      return open(filePath, 'r+');
    });
    try {
      const { size } = await file.stat();
      const head = Buffer.alloc(HEAD_BYTES);
      await file.read(head, 0, HEAD_BYTES, 0);
      if (size < HEAD_BYTES || head.toString('latin1', 0, 8) !== MAGIC) {
        await writeHead(file);
        return { file: new DictionaryFile(file, filePath, HEAD_BYTES), cut: size };
      }
      const version = head.readUInt32LE(8);
      if (version > DICTIONARY_VERSION) {
        throw new SluiceError(
          'format_too_new',
          `cannot read ${filePath}: expected format version ${DICTIONARY_VERSION} or older; got ${version}; start the newer Sluice, or remove the file (every series is announced again then)`,
        );
      }
      // What is appended from now on may be of this version.
      if (version < DICTIONARY_VERSION) await writeAll(file, versionBytes(), 8);
      visitor.size(size);
      const end = await readFrames(file, size, visitor);
      if (end < size) await file.truncate(end);
      return { file: new DictionaryFile(file, filePath, end), cut: size - end };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Appends a frame; when that fails, the file is cut back and the error thrown. */
  async append(frame: Buffer): Promise<void> {
    if (frame.length === 0) return;
    try {
      await writeAll(this.#file, frame, this.#length);
    } catch (error) {
      await this.#file.truncate(this.#length).catch(() => undefined);
      throw error;
    }
    this.#length += frame.length;
  }

  /** Puts a new file in the place of this one: what `frames` yields, written aside, fsynced, renamed. */
  async replace(frames: AsyncIterable<Buffer>): Promise<void> {
    const aside = `${this.#path}.new`;
    const file = await open(aside, 'w', 0o600);
    let length = HEAD_BYTES;
    try {
      await writeHead(file);
      for await (const frame of frames) {
        await writeAll(file, frame, length);
        length += frame.length;
      }
      await file.sync();
      await rename(aside, this.#path);
    } catch (error) {
      await file.close();
      throw error;
    }
    await this.#file.close();
    this.#file = file;
    this.#length = length;
    const directory = await open(path.dirname(this.#path), 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function writeHead(file: FileHandle): Promise<void> {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 'latin1');
  versionBytes().copy(head, 8);
  await file.truncate(0);
  await writeAll(file, head, 0);
}

function versionBytes(): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(DICTIONARY_VERSION, 0);
  return bytes;
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Reads whole frames; returns where the first one that is not whole begins. */
async function readFrames(file: FileHandle, size: number, visitor: DictionaryVisitor): Promise<number> {
  let window = Buffer.alloc(READ_BYTES);
  let position = HEAD_BYTES;
  while (position < size) {
    const { bytesRead } = await file.read(window, 0, Math.min(window.length, size - position), position);
    if (bytesRead === 0) return position;
    let at = 0;
    while (bytesRead - at >= FRAME_HEAD_BYTES) {
      const length = window.readUInt32LE(at);
      if (length > MAX_FRAME_BYTES || position + at + FRAME_HEAD_BYTES + length > size) return position + at;
      if (bytesRead - at < FRAME_HEAD_BYTES + length) {
        if (FRAME_HEAD_BYTES + length > window.length) window = Buffer.alloc(FRAME_HEAD_BYTES + length);
        break;
      }
      const payload = window.subarray(at + FRAME_HEAD_BYTES, at + FRAME_HEAD_BYTES + length);
      if (crc32(payload) !== window.readUInt32LE(at + 4) || !readRecords(payload, visitor)) return position + at;
      at += FRAME_HEAD_BYTES + length;
    }
    if (at === 0 && bytesRead < FRAME_HEAD_BYTES) return position;
    position += at;
  }
  return position;
}

/** False when the payload, though its checksum is right, is not what this version writes. */
function readRecords(payload: Buffer, visitor: DictionaryVisitor): boolean {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  // One entry for all: there may be a million.
  const ids: [number, number, number, number] = [0, 0, 0, 0];
  const check: [number, number] = [0, 0];
  const entry = { ids, check, validFromMs: 0, announcedSeconds: 0 };
  for (let at = 0; at < payload.length;) {
    const kind = payload[at];
    if (kind === 1 && at + 41 <= payload.length) {
      const end = at + 41 + view.getUint32(at + 37, true);
      if (end > payload.length) return false;
      for (let word = 0; word < 4; word++) ids[word] = view.getUint32(at + 1 + word * 4, true);
      for (let word = 0; word < 2; word++) check[word] = view.getUint32(at + 17 + word * 4, true);
      entry.validFromMs = view.getFloat64(at + 25, true);
      entry.announcedSeconds = view.getUint32(at + 33, true);
      visitor.series(entry, payload, at + 41, end);
      at = end;
    } else if (kind === 2 && at + 13 <= payload.length) {
      visitor.announced(view.getUint32(at + 1, true), view.getUint32(at + 5, true), view.getUint32(at + 9, true));
      at += 13;
    } else if (kind === 3 && at + 5 <= payload.length) {
      const end = at + 5 + view.getUint32(at + 1, true);
      if (end > payload.length) return false;
      visitor.storage(payload.toString('utf8', at + 5, end));
      at = end;
    } else if (kind === 4 && at + 25 <= payload.length) {
      visitor.tags({
        idLow: view.getUint32(at + 1, true),
        idHigh: view.getUint32(at + 5, true),
        validFromMs: view.getFloat64(at + 9, true),
        agent: view.getUint32(at + 17, true),
        signature: view.getUint32(at + 21, true),
      });
      at += 25;
    } else return false;
  }
  return true;
}
