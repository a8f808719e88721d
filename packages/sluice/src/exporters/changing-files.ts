import { readFile, stat } from 'node:fs/promises';
import { errorText } from '../base/errors.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';

/** Files are looked at again after this time, in milliseconds. */
const LOOK_EVERY_MS = 1000;
const COMPLAIN_MS = 60_000;

export interface ChangingFilesOptions<T> {
  /** Name of the exporter whose files they are, for the log. */
  readonly exporter: string;
  readonly paths: readonly string[];
  /** Makes the value of the files' contents, in the order of the paths. May throw. */
  readonly make: (contents: readonly Buffer[]) => T;
  readonly log: Log;
  /** Milliseconds that never go back. */
  readonly now?: () => number;
}

/**
 * Something that is made of files (a token, certificates) and made again when they change; the same object until then. While they are unusable, what
 * was made before stays.
 */
export class ChangingFiles<T> {
  readonly #options: ChangingFilesOptions<T>;
  readonly #now: () => number;
  readonly #complain = rateLimited(COMPLAIN_MS);
  #value: { readonly made: T } | undefined;
  #signature = '';
  #lookAt = -Infinity;
  #looking: Promise<void> | undefined;

  constructor(options: ChangingFilesOptions<T>) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** The value of now. Rejects with what `make` or the file system throws, as long as there never was a value. */
  async current(): Promise<T> {
    if (this.#value === undefined || this.#now() >= this.#lookAt) {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
      try {
        await this.#looking;
      } catch (error) {
        if (this.#value === undefined) throw error;
        const { exporter, log } = this.#options;
        this.#complain((suppressed) =>
          log.warn(
            { exporter, error: errorText(error), suppressed },
            'files of an exporter cannot be read again, their old content stays in use',
          ),
        );
      }
    }
    return this.#value!.made;
  }

  async #look(): Promise<void> {
    const { paths, make } = this.#options;
    this.#lookAt = this.#now() + LOOK_EVERY_MS;
    const facts = await Promise.all(paths.map((path) => stat(path)));
    const signature = facts.map(({ ino, mtimeMs, size }) => `${ino}/${mtimeMs}/${size}`).join(' ');
    if (this.#value !== undefined && signature === this.#signature) return;
    const made = make(await Promise.all(paths.map((path) => readFile(path))));
    this.#value = { made };
    this.#signature = signature;
  }
}
