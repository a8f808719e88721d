import * as fs from 'node:fs';
import { open as openHandle, unlink as unlinkPath } from 'node:fs/promises';
import { SluiceError, errorText } from '../base/errors.ts';

/**
 * The calls with which the journal changes its files. Everything that writes goes through this object, so that tests can make any call fail, write
 * short or be the last one before a crash. The synchronous ones are so on purpose: a busy libuv pool can hold an asynchronous write for seconds.
 */
export interface Files {
  /** Creates a file that must not exist yet, mode 0600; returns its descriptor. */
  createSync(path: string): number;
  /** Writes the buffers at `position`; returns how many bytes went in, which may be fewer. */
  writevSync(fd: number, buffers: readonly Uint8Array[], position: number): number;
  writeSync(fd: number, buffer: Uint8Array, position: number): number;
  ftruncateSync(fd: number, length: number): void;
  truncateSync(path: string, length: number): void;
  closeSync(fd: number): void;
  /** Makes the folder and its parents, mode 0700. */
  makeFolderSync(path: string): void;
  renameSync(from: string, to: string): void;
  unlinkSync(path: string): void;
  /** The same in the background: nobody waits for a deletion. */
  unlink(path: string): Promise<void>;
  /** Flushes what was written to a file to the disk. */
  fdatasync(fd: number): Promise<void>;
  /** Makes the creations and renames in a folder durable. */
  syncFolder(path: string): Promise<void>;
  /** Bytes that may still be written to the disk that holds `path`. */
  freeBytesSync(path: string): number;
}

export const realFiles: Files = {
  createSync: (path) => fs.openSync(path, 'wx+', 0o600),
  writevSync: (fd, buffers, position) => fs.writevSync(fd, buffers, position),
  writeSync: (fd, buffer, position) => fs.writeSync(fd, buffer, 0, buffer.length, position),
  ftruncateSync: fs.ftruncateSync,
  truncateSync: fs.truncateSync,
  closeSync: fs.closeSync,
  makeFolderSync: (path) => {
    fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  },
  renameSync: fs.renameSync,
  unlinkSync: fs.unlinkSync,
  unlink: unlinkPath,
  fdatasync: (fd) =>
    new Promise((resolve, reject) => {
      fs.fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
    }),
  syncFolder: async (path) => {
    const handle = await openHandle(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  freeBytesSync: (path) => {
    const { bavail, bsize } = fs.statfsSync(path);
    return bavail * bsize;
  },
};

/** Writes all of `buffers` at `position`, going on after a short write; throws what the file system throws. */
export function writeAllSync(files: Files, fd: number, buffers: readonly Uint8Array[], position: number): void {
  let total = 0;
  for (const buffer of buffers) total += buffer.length;
  let done = files.writevSync(fd, buffers, position);
  while (done < total) {
    const wrote = files.writevSync(fd, withoutFirst(buffers, done), position + done);
    // The disk took nothing and says no reason: as good as full.
    if (wrote === 0) throw Object.assign(new Error(`wrote ${done} of ${total} bytes`), { code: 'ENOSPC' });
    done += wrote;
  }
}

/** Creates `path` with this content by way of a temporary file and a rename: a reader sees the old or the new content, whole. */
export function replaceFileSync(files: Files, path: string, buffers: readonly Uint8Array[]): void {
  const temporary = `${path}.tmp`;
  writeTemporarySync(files, temporary, buffers, (fd) => files.closeSync(fd));
  files.renameSync(temporary, path);
}

/** As `replaceFileSync`; content and name are on the disk when it resolves. */
export async function replaceFile(files: Files, path: string, folder: string, content: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  const fd = writeTemporarySync(files, temporary, [content], (open) => open);
  try {
    await files.fdatasync(fd);
  } finally {
    files.closeSync(fd);
  }
  files.renameSync(temporary, path);
  await files.syncFolder(folder);
}

/** Removes a file if it is there. */
export function removeSync(files: Files, path: string): void {
  try {
    files.unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** `ENOSPC`, `ENOENT` ... of an error of the file system. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The SluiceError for a failed write: a full disk or quota is worth a retry by the sender, the rest needs somebody to act. */
export function writeFailure(error: unknown, what: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const code = errorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SluiceError('disk_full', `cannot write ${what}: no space is left on the disk; free some`, {
      cause: error,
      retryAfterMs: 5000,
    });
  }
  return new SluiceError('journal_failed', `cannot write ${what}: ${errorText(error)}`, {
    cause: error,
    retryAfterMs: 5000,
  });
}

function writeTemporarySync<T>(files: Files, path: string, buffers: readonly Uint8Array[], then: (fd: number) => T): T {
  // Left behind by a crash, if it is there.
  removeSync(files, path);
  const fd = files.createSync(path);
  try {
    writeAllSync(files, fd, buffers, 0);
  } catch (error) {
    files.closeSync(fd);
    throw error;
  }
  return then(fd);
}

function withoutFirst(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = bytes;
  for (const buffer of buffers) {
    if (skip >= buffer.length) skip -= buffer.length;
    else {
      rest.push(skip === 0 ? buffer : buffer.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}
