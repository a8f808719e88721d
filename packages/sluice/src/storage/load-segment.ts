import { SluiceError, errorText, isSluiceError } from '../base/errors.ts';
import type { RollUp } from '../catalog/roll-ups.ts';
import type { DataSource } from '../catalog/types.ts';
import type { CursorMarker, Segment, SegmentBlock, SegmentReader } from '../journal/types.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { isRefusal, isUnlisted } from './database-error.ts';
import { loadableColumns, type LoadTarget, type Piece } from './load-target.ts';
import { sliceSegment, type SegmentSlice } from './time-slices.ts';

/**
 * Takes one segment into the database, each row once (design 2.1, invariants 4 and 5).
 *
 * A segment is worked through in places: slice by slice, and where the database refuses a slice for good, block by block. The cursor's marker names the
 * place in flight and what the target wants to know about it; it is on disk before the INSERT is sent. Places before the marker's are done.
 * A block that the database refuses even alone is set aside with the reason, and the others flow.
 */
export interface SegmentJob {
  readonly segment: Segment;
  /** The table that the rows go into. */
  readonly source: DataSource;
  /** How they are grouped on the way, when that is a roll-up. */
  readonly rollUp?: RollUp;
  readonly journal: SegmentReader;
  readonly journalUuid: string;
  readonly target: LoadTarget;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
  /** What this process remembers of the segment between attempts. */
  readonly memory: SegmentMemory;
}

export interface SegmentMemory {
  /** Attempts at the current place that failed. */
  failures: number;
  /** The marker in the cursor was written by this process. */
  markerIsOurs: boolean;
}

/** Position within a segment: a slice, and a block of it or -1 for all of them in one INSERT. */
interface Place {
  readonly slice: number;
  readonly block: number;
}

type Outcome = { readonly kind: 'loaded' } | { readonly kind: 'refused'; readonly why: string };

/** Failures after which an error that is not known to pass counts as one for good: about half a minute of retries. */
const UNLISTED_FAILURES = 8;
/** Failures on a limit (memory, time) after which a slice is tried in smaller pieces. */
const LIMIT_FAILURES = 3;
/** Deaths of the process within one INSERT after which that INSERT is suspected: of a whole slice, of a single block. */
const DEATHS = { slice: 3, block: 10 } as const;

/** Resolves when the segment is confirmed. Rejects when it must be tried again later; what has been done by then is remembered. */
export async function loadSegment(job: SegmentJob): Promise<void> {
  const { segment, journal } = job;
  const slices = await sliceSegment(segment, job.source);
  let marker = markerOf(job);
  let place: Place = marker === undefined ? { slice: 0, block: -1 } : placeOf(marker);
  while (place.slice < slices.length) {
    const outcome = await loadPlace(job, slices, place, marker);
    marker = undefined;
    job.memory.failures = 0;
    if (outcome.kind === 'refused' && place.block < 0 && segment.blocks.length > 1) {
      job.log.warn({ ...about(job), why: outcome.why }, 'the database refuses a segment; trying its blocks one by one');
      place = { slice: place.slice, block: 0 };
      continue;
    }
    if (outcome.kind === 'refused') await setAside(job, place, outcome.why);
    place =
      place.block >= 0 && place.block + 1 < segment.blocks.length
        ? { slice: place.slice, block: place.block + 1 }
        : { slice: place.slice + 1, block: -1 };
  }
  await journal.confirm(segment);
}

async function loadPlace(
  job: SegmentJob,
  slices: readonly SegmentSlice[],
  place: Place,
  previous: CursorMarker | undefined,
): Promise<Outcome> {
  const { segment, source, journal, target, metrics, signal, memory } = job;
  const piece = pieceAt(job, slices, place);
  if (piece === undefined) return { kind: 'loaded' };
  let deaths = 0;
  if (previous !== undefined) {
    if (await target.landed(piece, previous, signal)) return loaded(job, piece, 'found');
    deaths = Number(previous['deaths'] ?? 0) + (previous['flying'] === 1 && !memory.markerIsOurs ? 1 : 0);
    if (deaths >= (place.block < 0 ? DEATHS.slice : DEATHS.block)) {
      return { kind: 'refused', why: `the process died ${deaths} times while these rows were loaded` };
    }
  }
  const prepared = await target.prepare(piece, memory.failures + 1, previous);
  const marker: CursorMarker = { ...prepared, row: segment.firstRow, ...place, deaths, flying: 1 };
  await journal.saveMarker(segment.partition, marker);
  memory.markerIsOurs = true;
  const timer = metrics.storageInsertSeconds.startTimer({ table: source.id });
  try {
    checkRows(job, piece, await target.insert(piece, marker, signal));
    timer();
    return loaded(job, piece, 'loaded');
  } catch (error) {
    memory.failures++;
    // The error may have come after the rows were in.
    if (await target.landed(piece, marker, signal)) return loaded(job, piece, 'found');
    const outcome = judge(error, memory.failures, place.block < 0 && segment.blocks.length > 1);
    metrics.storageInserts.inc({ table: source.id, outcome: outcome === undefined ? 'retried' : 'refused' });
    if (outcome !== undefined) return outcome;
    // Not the process's death: a restart before the next attempt must not count as one.
    await journal.saveMarker(segment.partition, { ...marker, deaths: 0, flying: 0 });
    throw error;
  }
}

/** Whether an error is for good; undefined = try again. */
function judge(error: unknown, failures: number, canBeSplit: boolean): Outcome | undefined {
  const refused: Outcome = { kind: 'refused', why: errorText(error) };
  if (isRefusal(error)) return refused;
  if (isUnlisted(error) && failures >= UNLISTED_FAILURES) return refused;
  // In pieces it may fit; a single block is never given up because the machine is short of something.
  if (isSluiceError(error, 'storage_limit') && canBeSplit && failures >= LIMIT_FAILURES) return refused;
  return undefined;
}

function loaded(job: SegmentJob, piece: Piece, outcome: 'loaded' | 'found'): Outcome {
  const { metrics, source } = job;
  metrics.storageInserts.inc({ table: source.id, outcome });
  if (piece.rows !== undefined) metrics.storageRows.inc({ table: source.id }, piece.rows);
  return { kind: 'loaded' };
}

function checkRows(job: SegmentJob, piece: Piece, rows: number | undefined): void {
  if (rows === undefined || piece.rows === undefined || rows === piece.rows) return;
  if (rows === 0) {
    throw new SluiceError(
      'storage_unavailable',
      `cannot load ${piece.path}: the database found none of ${piece.rows} rows`,
    );
  }
  job.log.error(
    { ...about(job), expected: piece.rows, loaded: rows },
    'a segment held another number of rows than its index says',
  );
}

async function setAside(job: SegmentJob, place: Place, why: string): Promise<void> {
  const { segment, journal, metrics, source } = job;
  const blocks = place.block < 0 ? segment.blocks : segment.blocks.slice(place.block, place.block + 1);
  await journal.quarantine(segment, why, blocks);
  metrics.storageInserts.inc({ table: source.id, outcome: 'quarantined' });
}

/** The INSERT for a place; undefined when no row of the block can fall into the slice. */
function pieceAt(job: SegmentJob, slices: readonly SegmentSlice[], place: Place): Piece | undefined {
  const { segment, source, rollUp, journalUuid } = job;
  const { slice, partitionId } = slices[place.slice]!;
  const block = place.block < 0 ? undefined : segment.blocks[place.block];
  if (block !== undefined && slice !== undefined && !touches(block, slice, source)) return undefined;
  const { org, table, writer } = segment.partition;
  const crc = segment.indexCrc.toString(16).padStart(8, '0');
  const part = `${slices.length > 1 ? `/${place.slice}` : ''}${block === undefined ? '' : `#${place.block}`}`;
  const rows = block?.rows ?? segment.rows;
  return {
    source,
    org,
    columns: loadableColumns(rollUp?.from ?? source, segment.columns),
    ...(rollUp === undefined ? {} : { rollUp }),
    path: segment.path,
    start: block?.offset ?? 0,
    end: block === undefined ? segment.bytes : block.offset + block.length,
    whole: block === undefined,
    token: `${journalUuid}/${org}/${table}/${writer}/${segment.firstRow}-${segment.rows}-${crc}${part}`,
    ...(slice === undefined ? {} : { slice }),
    ...(slice === undefined && rollUp === undefined ? { rows } : {}),
    ...(partitionId === undefined ? {} : { partitionId }),
  };
}

function touches(block: SegmentBlock, slice: NonNullable<SegmentSlice['slice']>, source: DataSource): boolean {
  const ticksPerMs = { s: 1 / 1000, ms: 1, us: 1000, ns: 1e6 }[source.time.unit];
  const before = slice.to !== undefined && block.minTime * ticksPerMs >= slice.to;
  // The index holds whole milliseconds: the last of them counts in full.
  const after = slice.from !== undefined && (block.maxTime + 1) * ticksPerMs <= slice.from;
  return !before && !after;
}

function markerOf(job: SegmentJob): CursorMarker | undefined {
  const marker = job.journal.marker(job.segment.partition);
  return marker !== undefined && marker['row'] === job.segment.firstRow ? marker : undefined;
}

function placeOf(marker: CursorMarker): Place {
  return { slice: Number(marker['slice'] ?? 0), block: Number(marker['block'] ?? -1) };
}

function about(job: SegmentJob) {
  const { partition, firstRow, rows } = job.segment;
  return { table: partition.table, org: partition.org, writer: partition.writer, firstRow, rows };
}
