import * as fs from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { SluiceError, errorText } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { checkSegment, readRange, type SegmentCheck } from './check-segment.ts';
import { errorCode, replaceFileSync, removeSync, writeAllSync, type Files } from './files.ts';
import { parseSegmentName, segmentPaths, type SegmentPaths } from './layout.ts';
import type { Quarantine } from './quarantine.ts';
import { encodeIndex, type IndexedBlock } from './segment-index.ts';
import type { JournalCatalog, PartitionKey } from './types.ts';

/** A sealed segment as the journal keeps it in memory; its blocks are read from the index when they are needed. */
export interface SealedSegment {
  readonly firstRow: number;
  readonly rows: number;
  readonly bytes: number;
  readonly indexBytes: number;
  readonly indexCrc: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly catalogVersion: number;
  readonly columns: readonly string[];
  /** When its first row came, in epoch milliseconds. */
  readonly createdMs: number;
}

export interface RecoveryOptions {
  readonly folder: string;
  readonly partition: PartitionKey;
  readonly catalog: JournalCatalog;
  readonly files: Files;
  readonly quarantine: Quarantine;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Every reader has confirmed what is below this row. */
  readonly confirmedBelow: number;
}

/**
 * Makes the segments of a partition sound (design 2.1, invariant 3): torn tails are cut, damaged blocks go to quarantine, what lies around them stays
 * under its row numbers, lost indexes are made anew. Every step can be interrupted and is done again at the next start. Throws only
 * `format_too_new` and `data_dir_unusable`.
 */
export function recoverPartition(options: RecoveryOptions): readonly SealedSegment[] {
  const { folder, log } = options;
  const wanted = new Set<number>();
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const name = parseSegmentName(entry.name);
    if (!entry.isFile() || name.kind === 'foreign') {
      log.warn({ file: join(folder, entry.name) }, 'a file in the journal is not part of it; it is ignored');
    } else if (name.kind === 'temporary') removeSync(options.files, join(folder, entry.name));
    else wanted.add(name.firstRow);
  }
  const segments: SealedSegment[] = [];
  let end = 0;
  for (const firstRow of [...wanted].toSorted((a, b) => a - b)) {
    // The other side of a damaged block, split off a moment ago.
    if (segments.some((segment) => segment.firstRow === firstRow)) continue;
    const paths = segmentPaths(folder, firstRow);
    if (firstRow < end) {
      options.quarantine.move(
        options.partition,
        paths,
        `its rows begin at ${firstRow}; the segment before ends at ${end}`,
      );
      continue;
    }
    segments.push(...recoverSegment(options, paths, firstRow));
    const last = segments.at(-1);
    if (last !== undefined) end = last.firstRow + last.rows;
  }
  return segments;
}

function recoverSegment(options: RecoveryOptions, paths: SegmentPaths, firstRow: number): readonly SealedSegment[] {
  const { partition, catalog, quarantine } = options;
  try {
    const check = checkSegment(paths, {
      source: catalog.find(partition.table),
      catalogVersion: catalog.version,
      skipBelow: options.confirmedBelow,
      firstRow,
    });
    return check.problems.length === 0 && check.blocks.length > 0
      ? [sealed(check, paths, firstRow)]
      : repaired(options, { check, paths, firstRow });
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    if (errorCode(error) === 'ENOSPC' || errorCode(error) === 'EACCES' || errorCode(error) === 'EROFS') {
      throw new SluiceError('data_dir_unusable', `cannot repair ${paths.data}: ${errorText(error)}`, { cause: error });
    }
    quarantine.move(partition, paths, errorText(error));
    return [];
  }
}

interface Repair {
  readonly check: SegmentCheck;
  readonly paths: SegmentPaths;
  readonly firstRow: number;
}

function repaired(options: RecoveryOptions, { check, paths, firstRow }: Repair): readonly SealedSegment[] {
  report(options, check, paths, firstRow);
  const runs = contiguous(check.blocks);
  // Later parts first: while the first file still has everything, an interruption loses nothing.
  const later = runs
    .filter((run) => run[0]!.offset > 0)
    .map((run) => splitOff(options, check, { paths, firstRow, run }));
  const first = runs.find((run) => run[0]!.offset === 0);
  if (first === undefined) {
    removeSync(options.files, paths.data);
    removeSync(options.files, paths.index);
    return later;
  }
  const index = encodeIndex(check.head, first);
  replaceFileSync(options.files, paths.index, [index]);
  const bytes = first.at(-1)!.offset + first.at(-1)!.length;
  if (bytes < check.dataBytes) options.files.truncateSync(paths.data, bytes);
  const kept = { ...check, blocks: first, indexBytes: index.length, indexCrc: crc32(index) };
  return [sealed(kept, paths, firstRow), ...later];
}

/** Says and counts what was found; copies damaged bytes aside. */
function report(options: RecoveryOptions, check: SegmentCheck, paths: SegmentPaths, firstRow: number): void {
  const { log, metrics, partition, quarantine } = options;
  const lost = check.problems.filter((problem) => problem.kind === 'missing');
  const missing = lost.reduce((rows, problem) => rows + problem.rows, 0);
  const wanted = firstRow + missing > options.confirmedBelow;
  for (const problem of check.problems) {
    const fields = { file: problem.file, offset: problem.offset, bytes: problem.length, cause: problem.message };
    switch (problem.kind) {
      case 'damaged':
        quarantine.copy({
          partition,
          path: paths.data,
          offset: problem.offset,
          length: problem.length,
          rows: problem.rows,
          reason: 'damaged',
          why: problem.message,
          columns: check.head.columns.map(([name]) => name),
        });
        metrics.journalRecovered.inc({ outcome: 'quarantined' }, problem.length);
        break;
      case 'torn':
        log.warn(fields, 'a segment was cut back to its last whole block');
        metrics.journalRecovered.inc({ outcome: 'cut' }, problem.length);
        break;
      case 'index':
        log.warn(fields, 'the index of a segment was mended');
        break;
      case 'missing':
        // An index whose segment every reader has passed is left over from an interrupted deletion.
        if (!wanted) break;
        log.error(
          { ...fields, rows: problem.rows },
          'rows of the journal are lost: the power failed before they were on the disk',
        );
        metrics.journalRecovered.inc({ outcome: 'lost' }, problem.length);
        break;
    }
  }
}

/** Blocks between which nothing is missing. */
function contiguous(blocks: readonly IndexedBlock[]): IndexedBlock[][] {
  const runs: IndexedBlock[][] = [];
  for (const block of blocks) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (
      run !== undefined &&
      before!.offset + before!.length === block.offset &&
      before!.row + before!.rows === block.row
    ) {
      run.push(block);
    } else runs.push([block]);
  }
  return runs;
}

/** Copies a run of blocks to a segment of its own, named by its first row. */
function splitOff(
  options: RecoveryOptions,
  check: SegmentCheck,
  {
    paths,
    firstRow,
    run,
  }: { readonly paths: SegmentPaths; readonly firstRow: number; readonly run: readonly IndexedBlock[] },
): SealedSegment {
  const { files, folder } = options;
  const start = run[0]!;
  const target = segmentPaths(folder, firstRow + start.row);
  const blocks = run.map((block) => ({ ...block, offset: block.offset - start.offset, row: block.row - start.row }));
  const temporary = `${target.data}.tmp`;
  removeSync(files, temporary);
  const from = fs.openSync(paths.data, 'r');
  const to = files.createSync(temporary);
  try {
    for (const [index, block] of run.entries()) {
      writeAllSync(files, to, [readRange(from, block.offset, block.length)], blocks[index]!.offset);
    }
  } finally {
    fs.closeSync(from);
    files.closeSync(to);
  }
  const index = encodeIndex(check.head, blocks);
  replaceFileSync(files, target.index, [index]);
  files.renameSync(temporary, target.data);
  return sealed({ ...check, blocks, indexBytes: index.length, indexCrc: crc32(index) }, target, firstRow + start.row);
}

function sealed(check: SegmentCheck, paths: SegmentPaths, firstRow: number): SealedSegment {
  const last = check.blocks.at(-1)!;
  let minTime = Infinity;
  let maxTime = -Infinity;
  for (const block of check.blocks) {
    minTime = Math.min(minTime, block.minTime);
    maxTime = Math.max(maxTime, block.maxTime);
  }
  return {
    firstRow,
    rows: last.row + last.rows,
    bytes: last.offset + last.length,
    indexBytes: check.indexBytes,
    indexCrc: check.indexCrc,
    minTime,
    maxTime,
    catalogVersion: check.head.catalogVersion,
    columns: check.head.columns.map(([name]) => name),
    createdMs: fs.statSync(paths.data).mtimeMs,
  };
}
