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

/** Row ids whose counters are kept in `path`. Throws SluiceError `format_too_new` and `data_dir_unusable`. */
export function openRowIds({ path, hubId, log }: { path: string; hubId: number; log: Log }): RowIds {
  const saved = read(path);
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

function read(path: string): Map<string, number> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map();
    throw new SluiceError('data_dir_unusable', `cannot read ${path}: ${errorText(error)}; remove it to begin anew`, {
      cause: error,
    });
  }
  const { version, tables } =
    typeof content === 'object' && content !== null ? (content as { version?: unknown; tables?: unknown }) : {};
  if (typeof version === 'number' && version > VERSION) {
    throw new SluiceError(
      'format_too_new',
      `cannot read ${path}: its format is ${version}; this version knows ${VERSION}`,
    );
  }
  if (typeof tables !== 'object' || tables === null) {
    throw new SluiceError('data_dir_unusable', `cannot read ${path}: expected tables; remove it to begin anew`);
  }
  return new Map(Object.entries(tables).filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1])));
}
