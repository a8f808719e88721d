import * as fs from 'node:fs';
import { join } from 'node:path';
import { errorText } from '../base/errors.ts';
import { checkSegment } from './check-segment.ts';
import { readCursor } from './cursor-file.ts';
import { journalFolder, parseSegmentName, partitionFolder, readersFolder, segmentPaths, uuidPath } from './layout.ts';
import { dataDirectoryHolder, locked } from './lock.ts';
import { findPartitions, readUuid } from './scan-journal.ts';
import type { PartitionKey } from './types.ts';

export interface JournalProblem {
  readonly file: string;
  /** Byte of the file it begins at. */
  readonly offset?: number;
  readonly message: string;
}

export interface JournalReport {
  readonly segments: number;
  readonly blocks: number;
  readonly rows: number;
  readonly problems: readonly JournalProblem[];
}

/**
 * Checks every file of a stopped hub's journal and changes nothing; what it names is what the next start would mend or set aside. Throws SluiceError
 * `data_dir_locked` while a hub runs on the directory, `format_too_new` for a journal of a newer Sluice.
 */
export async function verifyJournal(dataDir: string): Promise<JournalReport> {
  const holder = await dataDirectoryHolder(dataDir);
  if (holder !== undefined) throw locked(dataDir, holder.pid);
  const problems: JournalProblem[] = [];
  const report = { segments: 0, blocks: 0, rows: 0, problems };
  const root = journalFolder(dataDir);
  if (!fs.existsSync(root)) {
    problems.push({ file: root, message: 'there is no journal here' });
    return report;
  }
  const uuid = readUuid(uuidPath(dataDir));
  if (uuid.kind === 'damaged')
    problems.push({ file: uuidPath(dataDir), message: `cannot read the id of the journal: ${uuid.why}` });
  const foreign = (file: string) => problems.push({ file, message: 'it is not part of the journal' });
  for (const key of findPartitions(dataDir, foreign)) verifyPartition(dataDir, key, report);
  verifyCursors(dataDir, problems);
  return report;
}

interface Report {
  segments: number;
  blocks: number;
  rows: number;
  readonly problems: JournalProblem[];
}

function verifyPartition(dataDir: string, key: PartitionKey, report: Report): void {
  const folder = partitionFolder(dataDir, key);
  const firstRows = new Set<number>();
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const name = parseSegmentName(entry.name);
    if (!entry.isFile() || name.kind === 'foreign') {
      report.problems.push({ file: join(folder, entry.name), message: 'it is not part of the journal' });
    } else if (name.kind !== 'temporary') firstRows.add(name.firstRow);
  }
  let end = 0;
  for (const firstRow of [...firstRows].toSorted((a, b) => a - b)) {
    const paths = segmentPaths(folder, firstRow);
    try {
      const check = checkSegment(paths, { source: undefined, catalogVersion: 0 });
      report.segments++;
      report.blocks += check.blocks.length;
      for (const block of check.blocks) report.rows += block.rows;
      for (const { file, offset, message } of check.problems) report.problems.push({ file, offset, message });
      if (firstRow < end)
        report.problems.push({
          file: paths.data,
          message: `its rows begin at ${firstRow}; the segment before ends at ${end}`,
        });
      const last = check.blocks.at(-1);
      if (last !== undefined) end = firstRow + last.row + last.rows;
    } catch (error) {
      report.problems.push({ file: paths.data, message: errorText(error) });
    }
  }
}

function verifyCursors(dataDir: string, problems: JournalProblem[]): void {
  const folder = readersFolder(dataDir);
  if (!fs.existsSync(folder)) return;
  for (const file of fs.readdirSync(folder)) {
    if (!file.endsWith('.cursor')) continue;
    const path = join(folder, file);
    const cursor = readCursor(path);
    if (cursor.kind === 'damaged') problems.push({ file: path, message: `cannot read the cursor: ${cursor.why}` });
  }
}
