import * as fs from 'node:fs';
import { readdir } from 'node:fs/promises';
import { errorText, isSluiceError } from '../base/errors.ts';
import type { Clock } from '../journal/clock.ts';
import { errorCode, removeSync, writeAllSync, writeFailure, type Files } from '../journal/files.ts';
import type { Log } from '../telemetry/log.ts';
import {
  encodeRejected,
  firstLine,
  summaryOf,
  type NewRejected,
  type RejectedItem,
  type RejectedSummary,
} from './rejected-format.ts';
import { loadShelf, newShelf, readShelf, type Shelf } from './rejected-shelf.ts';

export interface RejectedStoreOptions {
  /** `<data-dir>/rejected/<exporter>` */
  readonly folder: string;
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  /** Bytes of all files together at which the oldest go. */
  readonly maxBytes: number;
  /** Bytes at which a new file is begun. */
  readonly fileBytes: number;
  /** Items of a table that went because there are too many. */
  readonly onOverflow: (table: string, items: number) => void;
  /** Items of a table whose file somebody removed while the hub runs. */
  readonly onRemoved: (table: string, items: number) => void;
  readonly onChange: (items: number, bytes: number) => void;
}

/** As long as an id can be. */
const LONGEST_ID = Number.MAX_SAFE_INTEGER;

/** The rejected items of one exporter on the disk (rejected-format.ts). Places are kept in memory, items are read when somebody asks. */
export class RejectedStore {
  readonly #options: RejectedStoreOptions;
  readonly #shelves: Shelf[] = [];
  #lastId = 0;
  #adding: Promise<void> = Promise.resolve();
  /** Items are on their way to the disk: the file stays. */
  #writing: Shelf | undefined;
  #isClosed = false;

  constructor(options: RejectedStoreOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#shelves.reduce((sum, { entries }) => sum + entries.size, 0);
  }

  get bytes(): number {
    return this.#shelves.reduce((sum, { bytes, removedBytes }) => sum + bytes + removedBytes, 0);
  }

  /** Reads what is there. Throws SluiceError `format_too_new`. */
  async open(): Promise<void> {
    const { folder, log } = this.#options;
    const names = await readdir(folder).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    });
    for (const name of names.filter((each) => /^\d{16}\.items$/.test(each)).toSorted()) {
      const shelf = newShelf(folder, name.slice(0, 16));
      this.#lastId = Math.max(this.#lastId, Number(name.slice(0, 16)));
      try {
        const { lastId, bad } = await loadShelf(shelf);
        this.#lastId = Math.max(this.#lastId, lastId);
        if (bad > 0) {
          log.error({ file: shelf.path, lines: bad }, 'lines of rejected items cannot be read; they are lost');
        }
      } catch (error) {
        if (isSluiceError(error)) throw error;
        log.error({ file: shelf.path, err: errorText(error) }, 'cannot read a file of rejected items; it is ignored');
        continue;
      }
      if (shelf.entries.size > 0) this.#shelves.push(shelf);
      else this.#unlink(shelf);
    }
    this.#changed();
  }

  /**
   * Resolves with true when the items are on the disk; with false when there is no room and none of what is kept may go for them (`displaces`). Throws
   * SluiceError `disk_full` or `journal_failed`; then none of them is kept.
   */
  add(items: readonly NewRejected[], { displaces = true }: { readonly displaces?: boolean } = {}): Promise<boolean> {
    const added = this.#adding.then(async () => {
      this.#forgetRemoved();
      if (!displaces && !this.#hasRoom(items)) return false;
      await this.#add(items);
      return true;
    });
    this.#adding = added.then(
      () => undefined,
      () => undefined,
    );
    return added;
  }

  /** The newest items, newest first, without their content. */
  async list(limit: number): Promise<RejectedSummary[]> {
    this.#forgetRemoved();
    const found: RejectedSummary[] = [];
    for (const shelf of this.#shelves.toReversed()) {
      const entries = [...shelf.entries.values()].slice(-(limit - found.length)).toReversed();
      for await (const item of readShelf(shelf, entries)) found.push(summaryOf(item));
      if (found.length >= limit) break;
    }
    return found;
  }

  /** Ids of all items, oldest first. */
  ids(): number[] {
    return this.#shelves.flatMap(({ entries }) => [...entries.keys()]);
  }

  has(id: number): boolean {
    return this.#shelfOf(id) !== undefined;
  }

  async get(id: number): Promise<RejectedItem | undefined> {
    const shelf = this.#shelfOf(id);
    const entry = shelf?.entries.get(id);
    if (shelf === undefined || entry === undefined) return undefined;
    for await (const item of readShelf(shelf, [entry])) return item;
    return undefined;
  }

  /** Forgets items; unknown ids are ignored. Returns how many there were. Throws SluiceError `disk_full` or `journal_failed`. */
  remove(ids: Iterable<number>): number {
    const byShelf = Map.groupBy(ids, (id) => this.#shelfOf(id));
    let removed = 0;
    try {
      for (const [shelf, own] of byShelf) {
        if (shelf === undefined) continue;
        const known = [...new Set(own)];
        const isEmpty = known.length === shelf.entries.size && shelf !== this.#writing;
        if (!isEmpty) this.#noteRemoved(shelf, known);
        for (const id of known) shelf.entries.delete(id);
        removed += known.length;
        if (isEmpty) this.#discard(shelf);
      }
    } catch (error) {
      throw writeFailure(error, this.#options.folder);
    } finally {
      this.#changed();
    }
    return removed;
  }

  close(): void {
    this.#isClosed = true;
    for (const shelf of this.#shelves) this.#closeFiles(shelf);
  }

  async #add(items: readonly NewRejected[]): Promise<void> {
    const { files, folder } = this.#options;
    const ids: number[] = [];
    let shelf: Shelf | undefined;
    let start = 0;
    try {
      shelf = this.#shelfToWrite();
      this.#writing = shelf;
      start = shelf.bytes;
      for (const item of items) ids.push(this.#write(shelf, item));
      await files.fdatasync(shelf.fd!);
      if (start === firstLine().length) await files.syncFolder(folder);
    } catch (error) {
      if (shelf !== undefined) this.#takeBack(shelf, start, ids);
      throw writeFailure(error, folder);
    } finally {
      this.#writing = undefined;
      this.#enforceLimit();
      this.#changed();
    }
  }

  #write(shelf: Shelf, item: NewRejected): number {
    const { clock, files } = this.#options;
    const nowMs = clock.epochMs();
    const id = this.#nextId();
    const line = Buffer.from(encodeRejected(id, nowMs, item));
    writeAllSync(files, shelf.fd!, [line], shelf.bytes);
    shelf.entries.set(id, { id, table: item.partition.table, offset: shelf.bytes, length: line.length - 1 });
    shelf.bytes += line.length;
    this.#lastId = id;
    return id;
  }

  #hasRoom(items: readonly NewRejected[]): boolean {
    const { maxBytes, clock } = this.#options;
    let bytes = this.bytes + firstLine().length;
    for (const item of items) bytes += Buffer.byteLength(encodeRejected(LONGEST_ID, clock.epochMs(), item));
    return bytes <= maxBytes;
  }

  /** What is written to a file without a name is gone with the process: somebody removed it. */
  #forgetRemoved(): void {
    for (const shelf of this.#shelves.slice()) {
      if (shelf === this.#writing || fs.existsSync(shelf.path)) continue;
      const { folder, log } = this.#options;
      const tables = Map.groupBy(shelf.entries.values(), ({ table }) => table);
      for (const [table, entries] of tables) this.#options.onRemoved(table, entries.length);
      if (shelf.entries.size > 0) {
        log.error(
          { file: shelf.path, items: shelf.entries.size, folder },
          'a file of rejected items was removed while the hub runs; they are gone (sluice rejected drop removes them properly)',
        );
      }
      this.#discard(shelf);
      this.#changed();
    }
  }

  #nextId(): number {
    return Math.max(this.#lastId + 1, Math.floor(this.#options.clock.epochMs()));
  }

  #takeBack(shelf: Shelf, start: number, ids: readonly number[]): void {
    for (const id of ids) shelf.entries.delete(id);
    try {
      this.#options.files.ftruncateSync(shelf.fd!, start);
      shelf.bytes = start;
    } catch {
      // What was written stays, and comes back at the next start; the next items go to a file of their own.
      this.#closeFiles(shelf);
    }
  }

  #shelfToWrite(): Shelf {
    const { folder, files, fileBytes } = this.#options;
    const last = this.#shelves.at(-1);
    if (last?.fd !== undefined && last.bytes < fileBytes) return last;
    if (last !== undefined) this.#closeFiles(last);
    files.makeFolderSync(folder);
    const id = this.#nextId();
    const shelf = newShelf(folder, String(id).padStart(16, '0'));
    this.#lastId = id - 1;
    // Left by a write that failed.
    removeSync(files, shelf.path);
    shelf.fd = files.createSync(shelf.path);
    this.#shelves.push(shelf);
    const head = Buffer.from(firstLine());
    try {
      writeAllSync(files, shelf.fd, [head], 0);
    } catch (error) {
      this.#discard(shelf);
      throw error;
    }
    shelf.bytes = head.length;
    return shelf;
  }

  #noteRemoved(shelf: Shelf, ids: readonly number[]): void {
    const { files } = this.#options;
    // Begins anew behind what a write that failed may have left.
    const line = Buffer.from(`\n${JSON.stringify(ids)}\n`);
    shelf.removedFd ??= fs.openSync(shelf.removedPath, 'a', 0o600);
    writeAllSync(files, shelf.removedFd, [line], shelf.removedBytes);
    shelf.removedBytes += line.length;
  }

  #enforceLimit(): void {
    while (this.bytes > this.#options.maxBytes && this.#shelves.length > 1) {
      const oldest = this.#shelves[0]!;
      const tables = Map.groupBy(oldest.entries.values(), ({ table }) => table);
      for (const [table, entries] of tables) this.#options.onOverflow(table, entries.length);
      oldest.entries.clear();
      this.#discard(oldest);
    }
  }

  #discard(shelf: Shelf): void {
    this.#closeFiles(shelf);
    this.#shelves.splice(this.#shelves.indexOf(shelf), 1);
    this.#unlink(shelf);
  }

  /** The items first: a list of removed ones without its items is nothing. */
  #unlink(shelf: Shelf): void {
    const { files, log } = this.#options;
    try {
      removeSync(files, shelf.path);
      removeSync(files, shelf.removedPath);
    } catch (error) {
      log.error({ file: shelf.path, err: errorText(error) }, 'cannot remove a file of rejected items');
    }
  }

  #closeFiles(shelf: Shelf): void {
    const { files } = this.#options;
    for (const fd of [shelf.fd, shelf.removedFd]) if (fd !== undefined) files.closeSync(fd);
    shelf.fd = undefined;
    shelf.removedFd = undefined;
  }

  #shelfOf(id: number): Shelf | undefined {
    return this.#shelves.find(({ entries }) => entries.has(id));
  }

  #changed(): void {
    if (!this.#isClosed) this.#options.onChange(this.count, this.bytes);
  }
}
