import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { errorText, SluiceError } from './errors.ts';

/*
 * A state file is one line of JSON and one line with the CRC-32 of the first, in hexadecimal:
 *
 *   {"version":1, ...}
 *   9f2a0c11
 *
 * It is replaced whole: written beside, renamed.
 */

export interface StateContent {
  readonly version: number;
  readonly [key: string]: unknown;
}

export function encodeState(content: StateContent): string {
  const line = JSON.stringify(content);
  return `${line}\n${crc32(line).toString(16).padStart(8, '0')}\n`;
}

/** The content of a state file, or why it is none. */
export function parseState(text: string): StateContent | string {
  const [line = '', checksum] = text.split('\n');
  if (checksum === undefined || crc32(line) !== Number.parseInt(checksum, 16)) return 'its checksum is wrong';
  const content: unknown = JSON.parse(line);
  return isContent(content) ? content : 'it has no version';
}

function isContent(value: unknown): value is StateContent {
  return typeof value === 'object' && value !== null && 'version' in value && typeof value.version === 'number';
}

export interface StateFormat {
  /** Newest version that this program knows. */
  readonly version: number;
  /** Told why a file is of no use; it has been moved aside as `<path>.damaged`. */
  readonly onDamaged: (why: string) => void;
}

/** Reads a state file; undefined when there is none, or none that is sound. Throws SluiceError `format_too_new` and `data_dir_unusable`. */
export function readStateFile(path: string, { version, onDamaged }: StateFormat): StateContent | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new SluiceError('data_dir_unusable', `cannot read ${path}: ${errorText(cause)}`, { cause });
  }
  const content = parseState(text);
  if (typeof content === 'string') {
    renameSync(path, `${path}.damaged`);
    onDamaged(content);
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

/** Replaces a state file. It survives the end of the process; a power cut may leave a damaged one. */
export function replaceStateFileSync(path: string, content: StateContent): void {
  const temporary = temporaryOf(path);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(temporary, encodeState(content), { mode: 0o600 });
  renameSync(temporary, path);
}

/** Replaces a state file; it is on the disk, name and all, when this resolves. */
export async function replaceStateFile(path: string, content: StateContent): Promise<void> {
  const temporary = temporaryOf(path);
  const text = encodeState(content);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
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

function temporaryOf(path: string): string {
  return `${path}.tmp`;
}
