import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { SluiceError, errorText } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';
import { readCursor, type CursorState } from './cursor-file.ts';
import { errorCode, removeSync, replaceFile, type Files } from './files.ts';
import { cursorPath, journalFolder, parsePartitionId, readersFolder, uuidPath } from './layout.ts';
import type { PartitionKey } from './types.ts';

export const JOURNAL_VERSION = 1;
const READER_NAME = /^[a-z0-9-]{1,64}$/;

export function isReaderName(name: string): boolean {
  return READER_NAME.test(name);
}

/** Creates the journal's folders where they are missing. Throws SluiceError `data_dir_unusable`. */
export function makeJournalFolders(dataDir: string, files: Files): void {
  try {
    files.makeFolderSync(readersFolder(dataDir));
    fs.accessSync(journalFolder(dataDir), fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
  } catch (error) {
    throw new SluiceError(
      'data_dir_unusable',
      `cannot use ${dataDir} as data directory: ${errorText(error)}; name another with data-dir or --data-dir`,
      { cause: error },
    );
  }
}

/** The journal's own id, made at the first start. Throws `format_too_new` for a journal of a later layout. */
export async function readOrMakeUuid(dataDir: string, files: Files, log: Log): Promise<string> {
  const path = uuidPath(dataDir);
  const known = readUuid(path);
  if (known.kind === 'read') return known.uuid;
  if (known.kind === 'damaged') {
    // Storage on a cluster may take the one segment that was under way for a new one.
    log.error({ file: path, cause: known.why }, 'the id of the journal cannot be read; it gets a new one');
  }
  const uuid = randomUUID();
  const content = Buffer.from(`${JSON.stringify({ version: JOURNAL_VERSION, uuid })}\n`);
  try {
    await replaceFile(files, path, journalFolder(dataDir), content);
  } catch (error) {
    throw new SluiceError('data_dir_unusable', `cannot write ${path}: ${errorText(error)}`, { cause: error });
  }
  return uuid;
}

export function readUuid(
  path: string,
):
  | { readonly kind: 'read'; readonly uuid: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'damaged'; readonly why: string } {
  let content: unknown;
  try {
    content = JSON.parse(fs.readFileSync(path, 'utf8'));
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? { kind: 'absent' } : { kind: 'damaged', why: errorText(error) };
  }
  const { version, uuid } = (content ?? {}) as { version?: unknown; uuid?: unknown };
  if (typeof version === 'number' && version > JOURNAL_VERSION) {
    throw new SluiceError(
      'format_too_new',
      `cannot read ${path}: expected journal version ${JOURNAL_VERSION}; got ${version}, written by a newer Sluice; start that version`,
    );
  }
  return typeof uuid === 'string' && /^[0-9a-f-]{36}$/.test(uuid)
    ? { kind: 'read', uuid }
    : { kind: 'damaged', why: 'no uuid in it' };
}

export interface FoundCursor {
  readonly name: string;
  readonly state: CursorState | undefined;
}

/** Every reader's cursor. A damaged one is set aside as `<name>.cursor.damaged`; its state is undefined. */
export function readCursors(dataDir: string, files: Files, log: Log): readonly FoundCursor[] {
  const folder = readersFolder(dataDir);
  const found: FoundCursor[] = [];
  for (const file of fs.readdirSync(folder).toSorted()) {
    if (file.endsWith('.cursor.tmp')) {
      removeSync(files, join(folder, file));
      continue;
    }
    const name = file.endsWith('.cursor') ? file.slice(0, -'.cursor'.length) : '';
    if (!isReaderName(name)) {
      if (!file.endsWith('.cursor.damaged')) {
        log.warn({ file: join(folder, file) }, 'a file in the journal is not part of it; it is ignored');
      }
      continue;
    }
    const path = cursorPath(dataDir, name);
    const cursor = readCursor(path);
    if (cursor.kind === 'damaged') {
      log.error(
        { file: path, cause: cursor.why },
        'a cursor cannot be read; the reader begins at the oldest rows and repeats some',
      );
      files.renameSync(path, `${path}.damaged`);
    }
    if (cursor.kind !== 'absent') found.push({ name, state: cursor.kind === 'read' ? cursor.state : undefined });
  }
  return found;
}

/** Partitions that have a folder. What is not one is named in the log. */
export function findPartitions(dataDir: string, foreign: (path: string) => void): readonly PartitionKey[] {
  const root = journalFolder(dataDir);
  const keys: PartitionKey[] = [];
  for (const org of folders(
    root,
    (name) => /^\d{1,5}$/.test(name),
    (name) => name === 'uuid' || name === 'readers' || name === 'uuid.tmp',
    foreign,
  )) {
    for (const table of folders(
      join(root, org),
      (name) => parsePartitionId(`${org}/${name}/x`) !== undefined,
      none,
      foreign,
    )) {
      const inside = join(root, org, table);
      for (const writer of folders(
        inside,
        (name) => parsePartitionId(`${org}/${table}/${name}`) !== undefined,
        none,
        foreign,
      )) {
        keys.push({ org: Number(org), table, writer });
      }
    }
  }
  return keys;
}

const none = () => false;

function folders(
  path: string,
  wanted: (name: string) => boolean,
  known: (name: string) => boolean,
  foreign: (path: string) => void,
): readonly string[] {
  const names: string[] = [];
  for (const entry of fs.readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory() && wanted(entry.name)) names.push(entry.name);
    else if (!known(entry.name)) foreign(join(path, entry.name));
  }
  return names.toSorted();
}
