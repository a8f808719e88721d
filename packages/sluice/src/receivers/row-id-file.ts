import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorText, SluiceError } from '../base/errors.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import { RowIds } from './row-ids.ts';

/**
 * The file that lets counters of row ids go on after a restart:
 *
 *   {"version": 1, "tables": {"<data source id>": <greatest counter that may be in use>, ...}}
 *
 * Written before a counter goes beyond what it says, once in 65,536 rows of a table.
 */
const VERSION = 1;

/**
 * Row ids whose counters are kept in `path`. A damaged file (it is not synced: a power cut may tear it) is moved aside as `<path>.damaged` and counters
 * begin anew, which repeats ids only within the second of the cut. Throws SluiceError `format_too_new` and `data_dir_unusable`.
 */
export function openRowIds({ path, hubId, log }: { path: string; hubId: number; log: Log }): RowIds {
  const saved = read(path, log);
  const complain = rateLimited(60_000);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  return new RowIds({
    hubId,
    saved: new Map(saved),
    reserve: (table, upTo) => {
      saved.set(table, upTo);
      try {
        writeFileSync(`${path}.new`, JSON.stringify({ version: VERSION, tables: Object.fromEntries(saved) }), {
          mode: 0o600,
        });
        renameSync(`${path}.new`, path);
      } catch (error) {
        // Ids stay unique while the hub runs.
        complain((suppressed) =>
          log.warn({ cause: errorText(error), suppressed }, 'the counters of row ids are not saved'),
        );
      }
    },
  });
}

function read(path: string, log: Log): Map<string, number> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return new Map();
    throw new SluiceError('data_dir_unusable', `cannot read ${path}: ${errorText(cause)}`, { cause });
  }
  const { version, tables } = parse(text);
  if (typeof version === 'number' && version > VERSION) {
    throw new SluiceError(
      'format_too_new',
      `cannot read ${path}: expected format ${VERSION}; got ${version}, written by a newer Sluice; start that version`,
    );
  }
  if (typeof tables !== 'object' || tables === null) {
    renameSync(path, `${path}.damaged`);
    log.error({ file: path }, 'the counters of row ids are damaged; the file was moved aside and they begin anew');
    return new Map();
  }
  return new Map(Object.entries(tables).filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1])));
}

function parse(text: string): { readonly version?: unknown; readonly tables?: unknown } {
  try {
    const content: unknown = JSON.parse(text);
    return typeof content === 'object' && content !== null ? content : {};
  } catch {
    return {};
  }
}
