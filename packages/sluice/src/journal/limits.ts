import { SluiceError, errorText } from '../base/errors.ts';
import { formatBytes } from '../base/units.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from './clock.ts';
import type { Files } from './files.ts';

export interface LimitsOptions {
  /** Greatest number of bytes that storage has not taken. */
  readonly maxBytes: number;
  /** The disk keeps at least this much free. */
  readonly minFreeBytes: number;
  readonly dataDir: string;
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
}

/** The file system is asked this often; in between, what was written is subtracted. */
const FREE_VALID_MS = 1000;

/** Says whether there is room for more. */
export class Limits {
  readonly #options: LimitsOptions;
  #free = Infinity;
  #askAgainAt = -Infinity;

  constructor(options: LimitsOptions) {
    this.#options = options;
  }

  /**
   * Why an input of so many bytes cannot be taken behind `pending` bytes of others that are being written, while `backlog` bytes wait for storage; or
   * undefined. `too_large`: it never can.
   */
  refusal(input: number, pending: number, backlog: number): SluiceError | undefined {
    const { maxBytes, minFreeBytes, dataDir } = this.#options;
    if (input > maxBytes && backlog >= 0) {
      return new SluiceError(
        'too_large',
        `cannot take ${input} bytes at once: expected at most journal.max-bytes (${formatBytes(maxBytes)}); raise it, or send less at once`,
      );
    }
    const bytes = pending + input;
    if (backlog + bytes > maxBytes) {
      return new SluiceError(
        'journal_full',
        `cannot take ${bytes} bytes: ${backlog} bytes wait for storage, journal.max-bytes is ${formatBytes(maxBytes)}; see why storage is behind, or raise it`,
        { retryAfterMs: 1000 },
      );
    }
    if (this.#freeBytes() - bytes < minFreeBytes) {
      return new SluiceError(
        'disk_full',
        `cannot take ${bytes} bytes: less than journal.min-free-bytes (${formatBytes(minFreeBytes)}) would be free on the disk of ${dataDir}; free some`,
        { retryAfterMs: 5000 },
      );
    }
    return undefined;
  }

  /** So many bytes went to the disk. */
  wrote(bytes: number): void {
    this.#free -= bytes;
  }

  /** A write found no space: the file system is asked again before the next one. */
  failed(): void {
    this.#askAgainAt = -Infinity;
  }

  #freeBytes(): number {
    const { files, clock, dataDir, log } = this.#options;
    const now = clock.monotonicMs();
    if (now >= this.#askAgainAt) {
      this.#askAgainAt = now + FREE_VALID_MS;
      try {
        this.#free = files.freeBytesSync(dataDir);
      } catch (error) {
        // The write itself will tell.
        log.warn({ err: errorText(error) }, 'cannot ask the file system for its free space');
        this.#free = Infinity;
      }
    }
    return this.#free;
  }
}
