import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { SluiceError, errorText } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';

/*
 * A state file is one line of JSON and one line with the CRC-32 of the first, in hexadecimal:
 *
 *   {"version":1, ...}
 *   9f2a0c11
 *
 * It is replaced whole: written beside, synced, renamed.
 */

interface StateContent {
  readonly version: number;
  readonly [key: string]: unknown;
}

/**
 * Reads a state file; undefined when there is none. A damaged one is moved aside as `<path>.damaged`, with an error in the log.
 * Throws SluiceError `format_too_new` and `data_dir_unusable`.
 */
export async function readStateFile(path: string, version: number, log: Log): Promise<StateContent | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new SluiceError('data_dir_unusable', `cannot read ${path}: ${errorText(cause)}`, { cause });
  }
  const content = parse(text);
  if (typeof content === 'string') {
    await rename(path, `${path}.damaged`);
    log.error({ file: path, cause: content }, 'a state file is damaged; it was moved aside and begins anew');
    return undefined;
  }
  if (content.version > version) {
    throw new SluiceError(
      'format_too_new',
      `cannot read ${path}: expected format ${version}; got ${content.version}, written by a newer Sluice; start that version`,
    );
  }
  return content;
}

function parse(text: string): StateContent | string {
  const [line = '', checksum] = text.split('\n');
  if (checksum === undefined || crc32(line) !== Number.parseInt(checksum, 16)) return 'its checksum is wrong';
  const content: unknown = JSON.parse(line);
  return isContent(content) ? content : 'it has no version';
}

function isContent(value: unknown): value is StateContent {
  return typeof value === 'object' && value !== null && 'version' in value && typeof value.version === 'number';
}

async function replaceStateFile(path: string, content: StateContent): Promise<void> {
  const line = JSON.stringify(content);
  const temporary = `${path}.tmp`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(`${line}\n${crc32(line).toString(16).padStart(8, '0')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
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
