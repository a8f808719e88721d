import { errorText, SluiceError } from '../base/errors.ts';
import { readStateFile, replaceStateFile, type StateContent } from '../base/state-file.ts';
import type { Log } from '../telemetry/log.ts';

/** Reads a state file of this room. Throws SluiceError `format_too_new` and `data_dir_unusable`. */
export function readState(path: string, version: number, log: Log): StateContent | undefined {
  return readStateFile(path, {
    version,
    onDamaged: (cause) =>
      log.error({ file: path, cause }, 'a state file is damaged; it was moved aside and begins anew'),
  });
}

/** Writes a state file again and again: one write at a time; all who ask while one runs share the next one. */
export class StateWriter {
  readonly #path: string;
  readonly #content: () => StateContent;
  #running: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | undefined;

  /** `content` is asked when a write begins. */
  constructor(path: string, content: () => StateContent) {
    this.#path = path;
    this.#content = content;
  }

  /** Resolves when what is so now is on the disk. Throws SluiceError `data_dir_unusable`. */
  save(): Promise<void> {
    this.#waiting ??= this.#afterRunning();
    return this.#waiting;
  }

  async #afterRunning(): Promise<void> {
    await this.#running.catch(() => undefined);
    this.#waiting = undefined;
    this.#running = replaceStateFile(this.#path, this.#content()).catch((cause: unknown) => {
      throw new SluiceError('data_dir_unusable', `cannot write ${this.#path}: ${errorText(cause)}`, { cause });
    });
    await this.#running;
  }
}
