import { readFile, stat } from 'node:fs/promises';

/** Files are looked at again after this time, in milliseconds. */
const LOOK_MS = 1000;

/** Something that is made of files, and made again when they change. While they cannot be used, what was made before stays. */
export class ChangingFiles<T> {
  readonly #paths: readonly string[];
  readonly #make: (contents: readonly Buffer[]) => T;
  readonly #failed: (error: unknown) => void;
  #value: { readonly made: T } | undefined;
  #signature = '';
  #lookAt = -Infinity;
  #looking: Promise<void> | undefined;

  /** `failed` is told of files that cannot be read again. */
  constructor(paths: readonly string[], make: (contents: readonly Buffer[]) => T, failed: (error: unknown) => void) {
    this.#paths = paths;
    this.#make = make;
    this.#failed = failed;
  }

  /** The value as of now. Rejects while there never was one. */
  async current(): Promise<T> {
    if (this.#value === undefined || performance.now() >= this.#lookAt) {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
      try {
        await this.#looking;
      } catch (error) {
        if (this.#value === undefined) throw error;
        this.#failed(error);
      }
    }
    return this.#value!.made;
  }

  async #look(): Promise<void> {
    this.#lookAt = performance.now() + LOOK_MS;
    const facts = await Promise.all(this.#paths.map((path) => stat(path)));
    const signature = facts.map(({ ino, mtimeMs, size }) => `${ino}/${mtimeMs}/${size}`).join(' ');
    if (this.#value !== undefined && signature === this.#signature) return;
    const made = this.#make(await Promise.all(this.#paths.map((path) => readFile(path))));
    this.#value = { made };
    this.#signature = signature;
  }
}
