import { errorText } from '../base/errors.ts';
import { readStateFile, replaceStateFileSync } from '../base/state-file.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import { RowIds } from './row-ids.ts';

/**
 * The state file (base/state-file.ts) that lets counters of row ids go on after a restart:
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
  return new RowIds({
    hubId,
    saved: new Map(saved),
    reserve: (table, upTo) => {
      saved.set(table, upTo);
      try {
        replaceStateFileSync(path, { version: VERSION, tables: Object.fromEntries(saved) });
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
  const content = readStateFile(path, {
    version: VERSION,
    onDamaged: (cause) =>
      log.error(
        { file: path, cause },
        'the counters of row ids are damaged; the file was moved aside and they begin anew',
      ),
  });
  const tables: unknown = content?.['tables'];
  if (typeof tables !== 'object' || tables === null) return new Map();
  return new Map(Object.entries(tables).filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1])));
}
