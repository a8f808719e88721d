import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../journal/files.ts';
import { isRejectedFile, parseRejected, parseRemoved, type RejectedItem } from './rejected-format.ts';

/** Where an item stands. */
export interface Entry {
  readonly id: number;
  readonly table: string;
  readonly offset: number;
  readonly length: number;
}

/** One pair of files (rejected-format.ts). */
export interface Shelf {
  readonly path: string;
  readonly removedPath: string;
  bytes: number;
  removedBytes: number;
  /** Items that are still there, by id, oldest first. */
  readonly entries: Map<number, Entry>;
  /** While it is the one that is written. */
  fd: number | undefined;
  removedFd: number | undefined;
}

export function newShelf(folder: string, stem: string): Shelf {
  return {
    path: join(folder, `${stem}.items`),
    removedPath: join(folder, `${stem}.removed`),
    bytes: 0,
    removedBytes: 0,
    entries: new Map(),
    fd: undefined,
    removedFd: undefined,
  };
}

/** Reads which items there are. Throws SluiceError `format_too_new`, and what the file system throws. */
export async function loadShelf(shelf: Shelf): Promise<{ readonly lastId: number; readonly bad: number }> {
  const bytes = await readFile(shelf.path);
  shelf.bytes = bytes.length;
  let bad = 0;
  let lastId = 0;
  for (const { offset, length, line } of linesOf(bytes)) {
    if (offset === 0) {
      if (!isRejectedFile(line, shelf.path)) bad++;
      continue;
    }
    const item = parseRejected(line);
    if (item === undefined) {
      bad++;
      continue;
    }
    shelf.entries.set(item.id, { id: item.id, table: item.table, offset, length });
    lastId = Math.max(lastId, item.id);
  }
  const removed = await readFile(shelf.removedPath).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  shelf.removedBytes = removed.length;
  for (const { line } of linesOf(removed)) for (const id of parseRemoved(line)) shelf.entries.delete(id);
  return { lastId, bad };
}

/** The items at these places, one after the other. */
export async function* readShelf(shelf: Shelf, entries: readonly Entry[]): AsyncGenerator<RejectedItem> {
  if (entries.length === 0) return;
  const handle = await open(shelf.path, 'r').catch((error: unknown) => {
    // Dropped in the meantime.
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (handle === undefined) return;
  try {
    for (const { offset, length } of entries) {
      const { buffer } = await handle.read(Buffer.alloc(length), 0, length, offset);
      const item = parseRejected(buffer.toString('utf8'));
      if (item !== undefined) yield item;
    }
  } finally {
    await handle.close();
  }
}

/** Whole lines, without their line breaks. A line without one is a torn end. */
function* linesOf(
  bytes: Buffer,
): Generator<{ readonly offset: number; readonly length: number; readonly line: string }> {
  for (let offset = 0; offset < bytes.length;) {
    const end = bytes.indexOf(0x0a, offset);
    if (end < 0) return;
    yield { offset, length: end - offset, line: bytes.toString('utf8', offset, end) };
    offset = end + 1;
  }
}
