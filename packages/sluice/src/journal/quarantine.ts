import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import { errorText } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from './clock.ts';
import { replaceFileSync, writeAllSync, removeSync, type Files } from './files.ts';
import { quarantineFolder, type SegmentPaths } from './layout.ts';
import type { PartitionKey } from './types.ts';

/** Bytes of a segment that are set aside. */
export interface QuarantinedRange {
  readonly partition: PartitionKey;
  /** The segment's `.native` file. */
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  readonly rows: number;
  /** For the metric. */
  readonly reason: 'damaged' | 'refused';
  /** For people. */
  readonly why: string;
  /** Names of the columns, so that the bytes can be loaded by hand. */
  readonly columns: readonly string[];
}

export interface Quarantine {
  /** Copies the range to `quarantine/`, with its facts as JSON beside it; counts and logs it. Throws when the copy cannot be written. */
  copy(range: QuarantinedRange): void;
  /** Moves a segment that cannot even be read, index and all. Never throws: at start the other segments must go on. */
  move(partition: PartitionKey, paths: SegmentPaths, why: string): void;
}

export interface QuarantineOptions {
  readonly dataDir: string;
  readonly files: Files;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  /** Told of every set of rows that is set aside. */
  readonly onLost?: ((partition: PartitionKey) => void) | undefined;
}

export function createQuarantine(options: QuarantineOptions): Quarantine {
  const { dataDir, files, metrics, log, clock, onLost } = options;
  const folder = quarantineFolder(dataDir);
  const note = (name: string, facts: object) => {
    const text = `${JSON.stringify({ version: 1, at: new Date(clock.epochMs()).toISOString(), ...facts }, undefined, 2)}\n`;
    replaceFileSync(files, join(folder, `${name}.json`), [Buffer.from(text)]);
  };
  return {
    copy(range) {
      const name = nameOf(range.partition, range.path).replace(/\.native$/, `-${range.offset}.native`);
      files.makeFolderSync(folder);
      copyRange(files, range, join(folder, name));
      note(name, range);
      metrics.journalQuarantined.inc({ table: range.partition.table, reason: range.reason }, range.rows);
      const fields = {
        file: range.path,
        offset: range.offset,
        rows: range.rows,
        cause: range.why,
        copy: join(folder, name),
      };
      log.error(fields, 'rows of the journal were set aside');
      onLost?.(range.partition);
    },
    move(partition, paths, why) {
      const fields = { file: paths.data, cause: why };
      log.error(fields, 'a segment of the journal was set aside: it cannot be used');
      // How many rows it had cannot be read; it had one at least, and somebody watches this count.
      metrics.journalQuarantined.inc({ table: partition.table, reason: 'unreadable' });
      try {
        files.makeFolderSync(folder);
        note(nameOf(partition, paths.data), { partition, path: paths.data, why });
        for (const path of [paths.data, paths.index]) {
          if (fs.existsSync(path)) files.renameSync(path, join(folder, nameOf(partition, path)));
        }
      } catch (error) {
        log.error({ ...fields, err: errorText(error) }, 'cannot move a segment to quarantine; it is ignored');
      }
      onLost?.(partition);
    },
  };
}

function nameOf(key: PartitionKey, path: string): string {
  return `${key.org}-${key.table}-${key.writer}-${basename(path)}`;
}

/** A chunk at a time: a range may be as large as a segment. */
function copyRange(files: Files, range: QuarantinedRange, target: string): void {
  const from = fs.openSync(range.path, 'r');
  const temporary = `${target}.tmp`;
  try {
    removeSync(files, temporary);
    const to = files.createSync(temporary);
    try {
      const chunk = Buffer.allocUnsafe(Math.min(range.length, 1 << 20));
      for (let done = 0; done < range.length;) {
        const got = fs.readSync(from, chunk, 0, Math.min(chunk.length, range.length - done), range.offset + done);
        if (got === 0) break;
        writeAllSync(files, to, [chunk.subarray(0, got)], done);
        done += got;
      }
    } finally {
      files.closeSync(to);
    }
    files.renameSync(temporary, target);
  } finally {
    fs.closeSync(from);
  }
}
