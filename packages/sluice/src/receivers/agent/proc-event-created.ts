import { type FileKey, fileKey } from './proc-event-aggregates.ts';

/**
 * Files that process trees have created and not yet deleted: agents repeat a creation, rows do not. Of very many the oldest are forgotten, which costs
 * a repeated row at most.
 */
export class CreatedFiles {
  readonly #files = new Set<string>();
  readonly #limits: { readonly files: number; readonly nameBytes: number };
  #nameBytes = 0;

  constructor(limits = { files: 65_536, nameBytes: 16 * 1024 * 1024 }) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#files.size;
  }

  /** Whether the file is new. */
  add(file: FileKey): boolean {
    const key = fileKey(file);
    if (this.#files.has(key)) return false;
    this.#files.add(key);
    this.#nameBytes += key.length;
    for (const oldest of this.#files) {
      if (this.#files.size <= this.#limits.files && this.#nameBytes <= this.#limits.nameBytes) break;
      this.#delete(oldest);
    }
    return true;
  }

  remove(file: FileKey): void {
    this.#delete(fileKey(file));
  }

  #delete(key: string): void {
    if (this.#files.delete(key)) this.#nameBytes -= key.length;
  }
}
