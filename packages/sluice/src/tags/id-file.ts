import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { bug, errorText, SluiceError } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';
import { isResourceKind } from './kinds.ts';
import type { ResourceKind } from './description.ts';

/*
 * `<data-dir>/state/tags/<organisation>.ids`: which number stands for which resource. Text, one record a line, appended:
 *
 *   sluice tag ids 1                                               the format and its version
 *   5f1d9a3c ["pod",17,"k8s-a/0f3c...","shop-7f9c",0,3]            kind, id, key, name, epoch seconds since when it is gone (0 = it is there),
 *                                                                  term of the hub that published it (absent = none did)
 *   8ad20b11 ["closed"]                                            the hub stopped in order
 *
 * In front of each record the CRC-32 of what follows the space, eight hexadecimal digits. A later record of the same kind and key replaces an earlier
 * one. A last line that is not whole is cut off; any other bad line is left out, with an error in the log. When most lines are replaced ones, the file
 * is written anew beside and renamed.
 */
const VERSION = 1;
const HEAD = 'sluice tag ids ';

export interface IdRecord {
  readonly kind: ResourceKind;
  readonly id: number;
  readonly key: string;
  name: string;
  /** Epoch seconds since when nobody describes it; 0 = somebody does. */
  goneS: number;
  /** Of the hub that published it, of several the last one; 0 = this hub has it from nobody else. */
  term: number;
}

/** The open file. Lines are written at once, so that a number which stands in a row is known after the process died. */
export class IdFile {
  readonly #path: string;
  readonly #log: Log;
  #file: number;
  #lines: number;
  /** Lines written while the file is being written anew. */
  #meanwhile: string[] | undefined;
  /** Before it has so many lines, writing the file anew is not tried again. */
  #retryLines = 0;
  #isSyncing = false;
  #isClosed = false;

  private constructor(path: string, log: Log, opened: { readonly file: number; readonly lines: number }) {
    this.#path = path;
    this.#log = log;
    this.#file = opened.file;
    this.#lines = opened.lines;
  }

  /**
   * Opens the file and hands each record to `take`, in order. `isClosed`: whether it was closed in order. Throws SluiceError `format_too_new` and
   * `data_dir_unusable`.
   */
  static open(path: string, log: Log, take: (record: IdRecord) => void): { file: IdFile; isClosed: boolean } {
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
      const content = readFileSync(file);
      const read = readRecords(content, { path, log, take });
      if (read.end < content.length) {
        log.warn(
          { file: path, bytes: content.length - read.end },
          'the end of the list of tag ids is torn; it was cut off',
        );
        ftruncateSync(file, read.end);
      }
      const opened = new IdFile(path, log, { file: reopen(path, file), lines: read.lines });
      if (read.end === 0) opened.#write(`${HEAD}${VERSION}\n`);
      return { file: opened, isClosed: read.isClosed || read.lines === 0 };
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause;
      throw new SluiceError('data_dir_unusable', `cannot open ${path}: ${errorText(cause)}`, { cause });
    }
  }

  /** Lines in the file, replaced ones included. */
  get lines(): number {
    return this.#lines;
  }

  /** Throws SluiceError `data_dir_unusable`. */
  append(records: readonly IdRecord[]): void {
    if (records.length === 0) return;
    const text = records.map(lineOf).join('');
    this.#meanwhile?.push(text);
    this.#write(text);
    this.#lines += records.length;
    this.#sync();
  }

  /**
   * Writes the file anew with these records, a few at a time; `pause` lets others work in between. What is appended meanwhile follows. When it cannot
   * be done, or the file is closed meanwhile, the old one stays; it is then not tried again before the file is half as long again.
   */
  async rewrite(records: Iterable<IdRecord>, pause: () => Promise<void>): Promise<void> {
    if (this.#meanwhile !== undefined || this.#lines < this.#retryLines) return;
    this.#meanwhile = [];
    const temporary = `${this.#path}.tmp`;
    let file: number | undefined;
    let lines = 0;
    try {
      file = openSync(temporary, 'w', 0o600);
      let text = `${HEAD}${VERSION}\n`;
      for (const record of records) {
        text += lineOf(record);
        lines++;
        if (text.length < PIECE) continue;
        writeWhole(file, text);
        text = '';
        await pause();
        if (this.#isClosed) return;
      }
      writeWhole(file, text);
      await syncWhole(file);
      if (this.#isClosed) return;
      const after = this.#meanwhile;
      for (const one of after) writeWhole(file, one);
      // Once it has the name, nothing may fail any more: what is appended would go to a file that nobody finds.
      file = reopen(temporary, file);
      renameSync(temporary, this.#path);
      const old = this.#file;
      this.#file = file;
      file = undefined;
      this.#lines = lines + after.reduce((sum, one) => sum + one.split('\n').length - 1, 0);
      this.#retryLines = 0;
      closeSync(old);
    } catch (error) {
      this.#retryLines = Math.ceil(this.#lines * 1.5);
      if (file !== undefined) removeFile(temporary);
      this.#log.warn(
        { file: this.#path, cause: errorText(error), lines: this.#lines, againAtLines: this.#retryLines },
        'cannot write the list of tag ids anew; the old one goes on',
      );
    } finally {
      this.#meanwhile = undefined;
      if (file !== undefined) closeSync(file);
    }
  }

  /** Nothing may be appended any more. */
  close(): void {
    try {
      this.#write(`${withChecksum('["closed"]')}\n`);
    } finally {
      this.#isClosed = true;
      closeSync(this.#file);
    }
  }

  #write(text: string): void {
    // The descriptor may be another file's by now.
    if (this.#isClosed) bug(`${this.#path} is closed`);
    const { size } = fstatSync(this.#file);
    try {
      writeWhole(this.#file, text);
    } catch (cause) {
      this.#cutBack(size);
      throw new SluiceError('data_dir_unusable', `cannot write ${this.#path}: ${errorText(cause)}`, { cause });
    }
  }

  /** A part of a line that stays would spoil the line that is written behind it. */
  #cutBack(size: number): void {
    try {
      ftruncateSync(this.#file, size);
    } catch {
      // The disk has failed altogether; that is told by what could not be written.
    }
  }

  /** Power failures lose little: what was written is synced soon, without anybody waiting for it. */
  #sync(): void {
    if (this.#isSyncing) return;
    this.#isSyncing = true;
    setTimeout(() => {
      if (this.#isClosed) return;
      fdatasync(this.#file, () => {
        this.#isSyncing = false;
      });
    }, SYNC_MS).unref();
  }
}

const PIECE = 64 * 1024;
const SYNC_MS = 1000;

function reopen(path: string, file: number): number {
  const appending = openSync(path, constants.O_WRONLY | constants.O_APPEND);
  closeSync(file);
  return appending;
}

/** It may be what fills the disk. */
function removeFile(path: string): void {
  try {
    rmSync(path);
  } catch {
    // It is written over the next time.
  }
}

function writeWhole(file: number, text: string): void {
  const bytes = Buffer.from(text);
  let written = 0;
  while (written < bytes.length) written += writeSync(file, bytes, written);
}

function syncWhole(file: number): Promise<void> {
  const done = Promise.withResolvers<void>();
  fdatasync(file, (error) => (error === null ? done.resolve() : done.reject(error)));
  return done.promise;
}

function lineOf({ kind, id, key, name, goneS, term }: IdRecord): string {
  return `${withChecksum(JSON.stringify([kind, id, key, name, goneS, ...(term === 0 ? [] : [term])]))}\n`;
}

function withChecksum(json: string): string {
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}`;
}

interface Reading {
  readonly path: string;
  readonly log: Log;
  readonly take: (record: IdRecord) => void;
}

interface Read {
  /** Where the last whole line ends. */
  readonly end: number;
  readonly lines: number;
  readonly isClosed: boolean;
}

function readRecords(content: Buffer, { path, log, take }: Reading): Read {
  let at = content.indexOf(10) + 1;
  const head = content.toString('utf8', 0, Math.max(at - 1, 0));
  if (at === 0) return { end: 0, lines: 0, isClosed: false };
  const version = head.startsWith(HEAD) ? Number(head.slice(HEAD.length)) : Number.NaN;
  if (!Number.isInteger(version)) {
    renameSync(path, `${path}.damaged`);
    const advice = 'it was moved aside; start again to begin anew, with other ids than old rows have';
    throw new SluiceError('data_dir_unusable', `cannot read ${path}: expected a list of tag ids; ${advice}`);
  }
  if (version > VERSION) {
    throw new SluiceError(
      'format_too_new',
      `cannot read ${path}: expected format ${VERSION}; got ${version}, written by a newer Sluice; start that version`,
    );
  }
  let end = at;
  let lines = 0;
  let bad = 0;
  let isClosed = false;
  for (let next = content.indexOf(10, at); next >= 0; at = next + 1, next = content.indexOf(10, at)) {
    const record = parseLine(content.toString('utf8', at, next));
    if (record === undefined) {
      // The last one is cut off with what follows.
      bad++;
      continue;
    }
    end = next + 1;
    lines++;
    isClosed = record === 'closed';
    if (record !== 'closed') take(record);
  }
  const inside = bad - countLines(content, end);
  if (inside > 0)
    log.error({ file: path, lines: inside }, 'the list of tag ids is damaged; some resources get new ids');
  return { end, lines, isClosed: isClosed && bad === 0 };
}

function countLines(content: Buffer, from: number): number {
  let count = 0;
  for (let at = content.indexOf(10, from); at >= 0; at = content.indexOf(10, at + 1)) count++;
  return count;
}

function parseLine(line: string): IdRecord | 'closed' | undefined {
  const json = line.slice(9);
  if (Number.parseInt(line.slice(0, 8), 16) !== crc32(json)) return undefined;
  const fields: unknown = JSON.parse(json);
  if (!Array.isArray(fields)) return undefined;
  const [kind, id, key, name, goneS, term = 0] = fields as unknown[];
  if (kind === 'closed') return 'closed';
  if (typeof kind !== 'string' || !isResourceKind(kind)) return undefined;
  if (typeof id !== 'number' || typeof key !== 'string' || typeof name !== 'string') return undefined;
  return { kind, id, key, name, goneS: Number(goneS), term: Number(term) };
}
