import { bug, errorText } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';
import { errorCode, removeSync, type Files } from './files.ts';
import type { SegmentPaths } from './layout.ts';

export interface SegmentRemoverOptions {
  readonly files: Files;
  readonly log: Log;
  /** Segments, and bytes of them, that may wait for their turn. */
  readonly mostSegments?: number;
  readonly mostBytes?: number;
}

const MOST_SEGMENTS = 256;
const MOST_BYTES = 512 * 1024 * 1024;

interface Passed {
  readonly paths: SegmentPaths;
  readonly bytes: number;
}

/**
 * Deletes segments that every reader has passed, beside everything else: giving back the pages of a large file takes the kernel tens of milliseconds.
 * Row numbers are never given twice, so a segment may stay for a while; one that is left at the end of the process is deleted at the next start. One
 * at a time; when too many wait (the pool of threads is busy) the oldest is deleted at once.
 */
export class SegmentRemover {
  readonly #files: Files;
  readonly #log: Log;
  readonly #mostSegments: number;
  readonly #mostBytes: number;
  readonly #waiting: Passed[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;

  constructor(options: SegmentRemoverOptions) {
    this.#files = options.files;
    this.#log = options.log;
    this.#mostSegments = options.mostSegments ?? MOST_SEGMENTS;
    this.#mostBytes = options.mostBytes ?? MOST_BYTES;
  }

  /** Returns at once. That every reader has passed it has to be on the disk. */
  remove(paths: SegmentPaths, bytes: number): void {
    this.#waiting.push({ paths, bytes });
    this.#waitingBytes += bytes;
    while (this.#waiting.length > this.#mostSegments || this.#waitingBytes > this.#mostBytes) {
      const { data, index } = this.#next().paths;
      try {
        removeSync(this.#files, data);
        removeSync(this.#files, index);
      } catch (error) {
        this.#complain(data, error);
      }
    }
    if (this.#waiting.length > 0) this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Resolves when nothing waits any more, or `deadlineMs` later: the rest may stay. */
  async done(deadlineMs = 1000): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, deadlineMs);
    await Promise.race([this.#running, late.promise]);
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const { data, index } = this.#next().paths;
      try {
        // The data first: an index alone is known as a left-over at the next start.
        await this.#unlink(data);
        await this.#unlink(index);
      } catch (error) {
        this.#complain(data, error);
      }
    }
  }

  #next(): Passed {
    const oldest = this.#waiting.shift() ?? bug('no segment waits');
    this.#waitingBytes -= oldest.bytes;
    return oldest;
  }

  async #unlink(path: string): Promise<void> {
    try {
      await this.#files.unlink(path);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }

  #complain(file: string, error: unknown): void {
    this.#log.warn({ file, err: errorText(error) }, 'cannot delete a segment; the next start does');
  }
}
