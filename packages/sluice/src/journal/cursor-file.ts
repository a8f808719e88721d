import * as fs from 'node:fs';
import { SluiceError, errorText } from '../base/errors.ts';
import { encodeState, parseState } from '../base/state-file.ts';
import { replaceFile, replaceFileSync, type Files } from './files.ts';
import { cursorPath, readersFolder } from './layout.ts';
import type { CursorMarker } from './types.ts';

/*
 * A cursor file is a state file (base/state-file.ts): one line of JSON and one line with the CRC-32 of the first, in hexadecimal:
 *
 *   {"version":1,"tables":[...],"maxBacklogBytes":n,"rows":{"<org>/<table>/<writer>":{"row":n,"marker":{"segment":n,"facts":{...}}}}}
 *   9f2a0c11
 *
 * `row`: everything below is confirmed. `marker`: what storage noted before it began to insert the segment that starts at row `segment`.
 * `tables` and `maxBacklogBytes` are those of an exporter's reader, so that its segments are kept, within its limit, before it is opened again.
 */

const VERSION = 1;

export interface CursorEntry {
  row: number;
  marker?: { readonly segment: number; readonly facts: CursorMarker } | undefined;
}

/** A reader's place in every partition it has confirmed rows of; a partition that is absent begins at its first row. */
export interface CursorState {
  tables: readonly string[];
  maxBacklogBytes: number;
  readonly rows: Map<string, CursorEntry>;
}

export type ReadCursor =
  | { readonly kind: 'read'; readonly state: CursorState }
  | { readonly kind: 'absent' }
  | { readonly kind: 'damaged'; readonly why: string };

export function encodeCursor(state: CursorState): Buffer {
  const { tables, maxBacklogBytes } = state;
  const rows = Object.fromEntries(state.rows);
  return Buffer.from(encodeState({ version: VERSION, tables, maxBacklogBytes, rows }));
}

/** Reads a cursor file. Throws SluiceError `format_too_new` for a newer one. */
export function readCursor(path: string): ReadCursor {
  let text: string;
  try {
    text = fs.readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { kind: 'absent' };
    return { kind: 'damaged', why: errorText(error) };
  }
  const content = parseState(text);
  if (typeof content === 'string') return { kind: 'damaged', why: content };
  if (!isCursor(content)) return { kind: 'damaged', why: 'it is no cursor' };
  if (content.version > VERSION) {
    throw new SluiceError(
      'format_too_new',
      `cannot read ${path}: expected cursor format ${VERSION}; got ${content.version}, written by a newer Sluice; start that version`,
    );
  }
  const rows = new Map(Object.entries(content.rows));
  for (const [id, entry] of rows) {
    if (!Number.isSafeInteger(entry.row) || entry.row < 0) return { kind: 'damaged', why: `row ${entry.row} of ${id}` };
  }
  return {
    kind: 'read',
    state: { tables: content.tables, maxBacklogBytes: content.maxBacklogBytes ?? Infinity, rows },
  };
}

interface CursorContent {
  readonly version: number;
  readonly tables: string[];
  /** null: none. */
  readonly maxBacklogBytes: number | null;
  readonly rows: Record<string, CursorEntry>;
}

/** The checksum has told that we wrote it; this tells only a newer or hand-made one from garbage. */
function isCursor(value: unknown): value is CursorContent {
  if (typeof value !== 'object' || value === null) return false;
  return 'version' in value && typeof value.version === 'number' && 'rows' in value && 'tables' in value;
}

export interface CursorFileOptions {
  readonly dataDir: string;
  readonly name: string;
  readonly files: Files;
  /** fsync each version before it counts. */
  readonly durable: boolean;
}

/** Writes a reader's cursor; saves that come while one is under way become one. */
export class CursorFile {
  readonly state: CursorState;
  readonly #options: CursorFileOptions;
  readonly #path: string;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #dropped = false;

  constructor(state: CursorState, options: CursorFileOptions) {
    this.state = state;
    this.#options = options;
    this.#path = cursorPath(options.dataDir, options.name);
  }

  /** Resolves when a version with the present state is in place (on the disk, when durable). Rejects with what the file system says. */
  save(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#write().finally(() => (this.#running = undefined));
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.save();
      });
    return this.#next;
  }

  /** Removes the file; later saves do nothing. */
  async drop(): Promise<void> {
    this.#dropped = true;
    await this.#next?.catch(() => undefined);
    await this.#running?.catch(() => undefined);
    fs.rmSync(this.#path, { force: true });
  }

  async #write(): Promise<void> {
    if (this.#dropped) return;
    const { files, durable, dataDir } = this.#options;
    const content = encodeCursor(this.state);
    if (durable) await replaceFile(files, this.#path, readersFolder(dataDir), content);
    else replaceFileSync(files, this.#path, [content]);
  }
}
