import { readFile, stat } from 'node:fs/promises';
import { errorText } from '../../base/errors.ts';
import { rateLimited, type Log } from '../../telemetry/log.ts';

/** Files are looked at again after this time, in milliseconds. */
const CHECK_MS = 1000;
const COMPLAIN_MS = 60_000;

export interface ChangingFilesOptions<T> {
  readonly paths: readonly string[];
  /** Makes the value of the files' contents, in the order of the paths. May throw. */
  readonly make: (contents: readonly Buffer[]) => T;
  readonly log: Log;
  readonly now?: () => number;
}

/** Something that is made of files (a token, certificates) and made again when they change. While they are unusable, what was made before stays. */
export class ChangingFiles<T> {
  readonly #options: ChangingFilesOptions<T>;
  readonly #now: () => number;
  readonly #complain = rateLimited(COMPLAIN_MS);
  #value: { readonly made: T } | undefined;
  #signature = '';
  #checkAt = -Infinity;
  #running: Promise<void> | undefined;

  constructor(options: ChangingFilesOptions<T>) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** The value of now. Rejects when it could never be made. */
  async current(): Promise<T> {
    if (this.#value === undefined || this.#now() >= this.#checkAt) {
      this.#running ??= this.#look().finally(() => (this.#running = undefined));
      try {
        await this.#running;
      } catch (error) {
        if (this.#value === undefined) throw error;
        this.#complain(() =>
          this.#options.log.warn(
            { error: errorText(error) },
            'files of an exporter cannot be read again, their old content stays in use',
          ),
        );
      }
    }
    return this.#value!.made;
  }

  async #look(): Promise<void> {
    const { paths, make } = this.#options;
    this.#checkAt = this.#now() + CHECK_MS;
    if (paths.length === 0 && this.#value !== undefined) return;
    const facts = await Promise.all(paths.map((path) => stat(path)));
    const signature = facts.map(({ ino, mtimeMs, size }) => `${ino}/${mtimeMs}/${size}`).join(' ');
    if (signature === this.#signature && this.#value !== undefined) return;
    const made = make(await Promise.all(paths.map((path) => readFile(path))));
    this.#value = { made };
    this.#signature = signature;
  }
}
