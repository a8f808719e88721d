import { readFile } from 'node:fs/promises';
import { SluiceError, errorText } from '../base/errors.ts';
import type { CursorEntry, CursorFile } from './cursor-file.ts';
import { segmentPaths } from './layout.ts';
import type { LogSegment, PartitionLog } from './partition-log.ts';
import type { Partitions } from './partitions.ts';
import type { Quarantine } from './quarantine.ts';
import { decodeIndex } from './segment-index.ts';
import type { CursorMarker, PartitionKey, Segment, SegmentBlock, SegmentReader } from './types.ts';
import { writeFailure } from './files.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface SealedReaderOptions {
  /** Whose cursor it is: `storage`, or a roll-up's name. */
  readonly name: string;
  /** Data sources that it reads; undefined = all. */
  readonly tables?: ReadonlySet<string>;
  readonly partitions: Partitions;
  readonly cursor: CursorFile;
  readonly quarantine: Quarantine;
  readonly metrics: Metrics;
}

/** A loader's side of the journal: whole sealed segments, one after the other in each partition. */
export class SealedReader implements SegmentReader {
  readonly #options: SealedReaderOptions;
  readonly #listeners: (() => void)[] = [];
  /** What `next` gave, until it is confirmed. */
  readonly #given = new Map<string, Segment>();
  /** Rows below are confirmed in the cursor file itself: until then no other reader's progress may delete their segment. */
  readonly #released = new Map<string, number>();
  readonly #backlog: { set(bytes: number): void };
  #sealedBytes = 0;
  #announced = false;

  constructor(options: SealedReaderOptions) {
    this.#options = options;
    const { partitions } = options;
    this.#backlog = options.metrics.journalBacklog.labels(options.name);
    for (const log of partitions.all()) {
      if (!this.#reads(log)) continue;
      this.#released.set(log.id, this.row(log));
      for (const segment of log.segments) if (endOf(segment) > this.row(log)) this.#sealedBytes += segment.bytes;
    }
    partitions.addReader((log) => (this.#reads(log) ? (this.#released.get(log.id) ?? 0) : undefined));
    partitions.listen({
      sealed: (log, segment) => {
        if (!this.#reads(log)) return;
        this.#sealedBytes += segment.bytes;
        this.#announce();
      },
      ...(options.tables === undefined ? { advanced: () => this.#backlog.set(this.backlogBytes) } : {}),
    });
    this.#backlog.set(this.backlogBytes);
  }

  /** Everything of the partition below this row is confirmed. */
  row(log: PartitionLog): number {
    return this.#options.cursor.state.rows.get(log.id)?.row ?? 0;
  }

  pending(): readonly PartitionKey[] {
    const keys: PartitionKey[] = [];
    for (const log of this.#options.partitions.all()) {
      if (this.#oldest(log) !== undefined) keys.push(log.key);
    }
    return keys;
  }

  async next(partition: PartitionKey): Promise<Segment | undefined> {
    const log = this.#options.partitions.find(partition);
    const oldest = log === undefined ? undefined : this.#oldest(log);
    if (log === undefined || oldest === undefined) return undefined;
    const given = this.#given.get(log.id);
    if (given?.firstRow === oldest.firstRow) return given;
    const paths = segmentPaths(log.folder, oldest.firstRow);
    const segment: Segment = {
      partition: log.key,
      firstRow: oldest.firstRow,
      rows: oldest.rows,
      bytes: oldest.bytes,
      path: paths.data,
      blocks: await readBlocks(paths.index),
      minTime: oldest.minTime,
      maxTime: oldest.maxTime,
      catalogVersion: oldest.catalogVersion,
      columns: oldest.columns,
      indexCrc: oldest.indexCrc,
    };
    // Two calls at once give the same object.
    const meanwhile = this.#given.get(log.id);
    if (meanwhile?.firstRow === segment.firstRow) return meanwhile;
    this.#given.set(log.id, segment);
    return segment;
  }

  onSealed(listener: () => void): void {
    this.#listeners.push(listener);
  }

  marker(partition: PartitionKey): CursorMarker | undefined {
    const log = this.#options.partitions.find(partition);
    const entry = log === undefined ? undefined : this.#options.cursor.state.rows.get(log.id);
    // A marker for a segment that is no longer the next one says nothing about this one.
    if (log === undefined || entry?.marker === undefined || this.#oldest(log)?.firstRow !== entry.marker.segment)
      return undefined;
    return entry.marker.facts;
  }

  async saveMarker(partition: PartitionKey, marker: CursorMarker): Promise<void> {
    const log = this.#options.partitions.find(partition);
    const oldest = log === undefined ? undefined : this.#oldest(log);
    if (log === undefined || oldest === undefined) {
      throw new Error(`BUG: a marker for ${JSON.stringify(partition)}, which has no sealed segment`);
    }
    await this.#save(log, { row: this.row(log), marker: { segment: oldest.firstRow, facts: marker } });
  }

  async confirm(segment: Segment): Promise<void> {
    const log = this.#options.partitions.find(segment.partition);
    if (log === undefined) throw new Error(`BUG: a segment of ${JSON.stringify(segment.partition)}, which is not here`);
    const end = endOf(segment);
    const before = this.row(log);
    if (end <= before) return;
    await this.#save(log, { row: end });
    this.#released.set(log.id, end);
    this.#given.delete(log.id);
    for (const sealed of log.segments) {
      if (endOf(sealed) > before && endOf(sealed) <= end) this.#sealedBytes -= sealed.bytes;
    }
    this.#backlog.set(this.backlogBytes);
    this.#options.partitions.release(log);
  }

  async quarantine(segment: Segment, why: string, blocks?: readonly SegmentBlock[]): Promise<void> {
    const whole = { offset: 0, length: segment.bytes, rows: segment.rows };
    for (const { offset, length, rows } of blocks ?? [whole]) {
      try {
        const { partition, path, columns } = segment;
        this.#options.quarantine.copy({ partition, path, columns, offset, length, rows, reason: 'refused', why });
      } catch (error) {
        throw writeFailure(error, 'a block to quarantine');
      }
    }
  }

  get backlogBytes(): number {
    // Open segments are told apart by table only once they are sealed: storage reads them all, the others wait for that.
    return this.#sealedBytes + (this.#options.tables === undefined ? this.#options.partitions.openBytes : 0);
  }

  #reads(log: PartitionLog): boolean {
    return this.#options.tables?.has(log.key.table) ?? true;
  }

  #oldest(log: PartitionLog): LogSegment | undefined {
    if (!this.#reads(log)) return undefined;
    const row = this.row(log);
    // Segments that only exporters still need stand before it.
    let low = 0;
    let high = log.segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (endOf(log.segments[middle]!) <= row) low = middle + 1;
      else high = middle;
    }
    return log.segments[low];
  }

  async #save(log: PartitionLog, entry: CursorEntry): Promise<void> {
    const { rows } = this.#options.cursor.state;
    const before = rows.get(log.id);
    rows.set(log.id, entry);
    try {
      await this.#options.cursor.save();
    } catch (error) {
      if (before === undefined) rows.delete(log.id);
      else rows.set(log.id, before);
      throw writeFailure(error, `the cursor of ${this.#options.name}`);
    }
  }

  #announce(): void {
    this.#backlog.set(this.backlogBytes);
    if (this.#announced) return;
    this.#announced = true;
    setImmediate(() => {
      this.#announced = false;
      for (const listener of this.#listeners) listener();
    });
  }
}

function endOf(segment: { readonly firstRow: number; readonly rows: number }): number {
  return segment.firstRow + segment.rows;
}

async function readBlocks(path: string): Promise<readonly SegmentBlock[]> {
  let why = 'it was changed while the hub was running';
  try {
    const index = decodeIndex(await readFile(path));
    if (index.kind === 'read') {
      const blocks = index.entries.filter((entry) => entry !== undefined);
      if (blocks.length === index.entries.length) return blocks;
    } else if (index.kind === 'damaged') why = index.why;
  } catch (error) {
    why = errorText(error);
  }
  throw new SluiceError('journal_failed', `cannot read ${path}: ${why}; the next start mends it`);
}
