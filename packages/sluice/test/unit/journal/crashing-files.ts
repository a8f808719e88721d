import * as fs from 'node:fs';
import { realFiles, type Files } from '../../../src/journal/files.ts';
import { fileError } from './fixture.ts';

/**
 * The real file system with a crash in it: from a chosen call on nothing happens any more, and what was not synced can be cut off afterwards. Knows
 * only what was written through it.
 */
export class CrashingFiles implements Files {
  /** Changing calls that still work; the one after them is done half and is the last. */
  callsLeft = Infinity;
  syncs = 0;
  #dead = false;
  readonly #paths = new Map<number, string>();
  /** Bytes of each file that are on the disk for sure. */
  readonly #synced = new Map<string, number>();

  /** The process is gone. */
  die(): void {
    this.#dead = true;
    for (const fd of this.#paths.keys()) fs.closeSync(fd);
    this.#paths.clear();
  }

  /** The power went too: of each file's unsynced bytes only a part is left. */
  cut(partOf: (path: string) => number): void {
    for (const [path, synced] of this.#synced) {
      if (!fs.existsSync(path)) continue;
      const { size } = fs.statSync(path);
      if (size > synced) fs.truncateSync(path, synced + Math.floor((size - synced) * partOf(path)));
    }
  }

  createSync(path: string): number {
    this.#call();
    const fd = realFiles.createSync(path);
    this.#paths.set(fd, path);
    if (/\.(native|index)$/.test(path)) this.#synced.set(path, 0);
    return fd;
  }

  writevSync(fd: number, buffers: readonly Uint8Array[], position: number): number {
    if (this.#last()) {
      const bytes = Buffer.concat(buffers);
      realFiles.writevSync(fd, [bytes.subarray(0, bytes.length >> 1)], position);
    }
    this.#call();
    return realFiles.writevSync(fd, buffers, position);
  }

  writeSync(fd: number, buffer: Uint8Array, position: number): number {
    if (this.#last()) realFiles.writeSync(fd, buffer.subarray(0, buffer.length >> 1), position);
    this.#call();
    return realFiles.writeSync(fd, buffer, position);
  }

  ftruncateSync(fd: number, length: number): void {
    this.#call();
    realFiles.ftruncateSync(fd, length);
  }

  truncateSync(path: string, length: number): void {
    this.#call();
    realFiles.truncateSync(path, length);
  }

  closeSync(fd: number): void {
    if (this.#dead) return;
    this.#paths.delete(fd);
    realFiles.closeSync(fd);
  }

  makeFolderSync(path: string): void {
    this.#call();
    realFiles.makeFolderSync(path);
  }

  renameSync(from: string, to: string): void {
    this.#call();
    realFiles.renameSync(from, to);
  }

  unlinkSync(path: string): void {
    if (this.#dead) throw fileError('EDEAD');
    realFiles.unlinkSync(path);
    this.#synced.delete(path);
  }

  async unlink(path: string): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.unlinkSync(path);
  }

  async fdatasync(fd: number): Promise<void> {
    if (this.#dead) throw fileError('EDEAD');
    const path = this.#paths.get(fd);
    const { size } = fs.fstatSync(fd);
    this.syncs++;
    try {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#dead) throw fileError('EDEAD');
      if (path !== undefined && this.#synced.has(path)) this.#synced.set(path, size);
    } finally {
      this.syncs--;
    }
  }

  async syncFolder(): Promise<void> {
    if (this.#dead) throw fileError('EDEAD');
  }

  freeBytesSync(): number {
    return 2 ** 40;
  }

  #last(): boolean {
    return !this.#dead && this.callsLeft === 0;
  }

  #call(): void {
    if (this.callsLeft-- === 0) this.die();
    if (this.#dead) throw fileError('EDEAD');
  }
}
