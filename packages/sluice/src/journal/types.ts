import type { Append } from '../base/ports.ts';
import type { Batch } from '../batch/batch.ts';

/** What a table looks like, as Batches say it. */
export type Source = Batch['source'];

/** The set of tables, handed in. `version` is kept in each segment. */
export interface JournalCatalog {
  readonly version: number;
  find(table: string): Source | undefined;
}

/** Segments of one organisation, table and writer: the unit of order, of numbering and of cursors. */
export interface PartitionKey {
  readonly org: number;
  /** Data source id, `prometheus.samples`. */
  readonly table: string;
  readonly writer: string;
}

/** One Native block within a segment. */
export interface SegmentBlock {
  /** Bytes from the start of the segment. */
  readonly offset: number;
  readonly length: number;
  readonly rows: number;
  /** Least and greatest time of the rows, in epoch milliseconds. */
  readonly minTime: number;
  readonly maxTime: number;
  /** CRC-32 (zlib) of the block's bytes. */
  readonly crc: number;
}

/** A sealed file of Native blocks. It does not change any more. */
export interface Segment {
  readonly partition: PartitionKey;
  /**
   * Number of the first row. Rows of a partition are numbered from 0; a number is never used again. Numbers are missing only where damaged rows were
   * set aside and where a power failure took rows that a reader had already seen.
   */
  readonly firstRow: number;
  readonly rows: number;
  readonly bytes: number;
  /** Absolute path of the `.native` file. */
  readonly path: string;
  readonly blocks: readonly SegmentBlock[];
  readonly minTime: number;
  readonly maxTime: number;
  readonly catalogVersion: number;
  /** Names of the columns in the blocks, in order. */
  readonly columns: readonly string[];
  /** CRC-32 of the index file. */
  readonly indexCrc: number;
}

/** What storage notes in its cursor before an insert, so that it can tell afterwards whether the part landed. JSON. */
export type CursorMarker = Readonly<Record<string, string | number>>;

/** A reader that takes whole sealed segments: the storage loader, and those that fill roll-ups. */
export interface SegmentReader {
  /** Partitions with at least one sealed segment that is not confirmed. */
  pending(): readonly PartitionKey[];
  /** The oldest sealed unconfirmed segment, or undefined. The same object until it is confirmed. */
  next(partition: PartitionKey): Promise<Segment | undefined>;
  /** Called (from the event loop, coalesced) when a segment was sealed. */
  onSealed(listener: () => void): void;
  /** The marker saved for the segment that `next` gives, if any. */
  marker(partition: PartitionKey): CursorMarker | undefined;
  /** Writes the marker to the cursor file; resolves when it is on disk (with `sync: always`, fsynced). */
  saveMarker(partition: PartitionKey, marker: CursorMarker): Promise<void>;
  /**
   * The segment is in the database: moves the cursor behind it and drops its marker. When the cursor cannot be written it rejects and the segment
   * stays the next one; it may be confirmed again.
   */
  confirm(segment: Segment): Promise<void>;
  /** Copies the named blocks (all when absent) to `quarantine/` with the reason beside them, counted and logged. The caller then confirms. */
  quarantine(segment: Segment, why: string, blocks?: readonly SegmentBlock[]): Promise<void>;
  /** Bytes that the reader has not confirmed: sealed ones, and for the reader of all tables those of open segments. */
  readonly backlogBytes: number;
}

/** A Batch with the place it has in the journal. */
export interface JournalBatch {
  readonly partition: PartitionKey;
  readonly firstRow: number;
  readonly batch: Batch;
}

/** A reader of rows at the journal's own pace: exporters and roll-ups. */
export interface BatchReader {
  readonly name: string;
  /**
   * The next Batch not read yet, from memory at the tail and from the segment when lagging; waits. Undefined when aborted or closed, and at the end of
   * a journal that was closed. One call at a time.
   */
  next(signal: AbortSignal): Promise<JournalBatch | undefined>;
  /** Everything of the partition below `row` is confirmed; written to the cursor file within a second. */
  confirm(partition: PartitionKey, row: number): void;
  /** Rows and bytes not confirmed yet, age of the oldest in milliseconds. */
  lag(): { readonly rows: number; readonly bytes: number; readonly ageMs: number };
  close(): Promise<void>;
}

export interface BatchReaderOptions {
  /** Identity of the cursor: `[a-z0-9-]{1,64}`, as in an exporter's `name`. */
  readonly name: string;
  /** Ids of the data sources to read. */
  readonly tables: readonly string[];
  /** Where a reader without a cursor begins. */
  readonly from: 'tail' | 'oldest';
  /** Backlog above which the oldest segments are skipped for this reader, counted with reason `overflow`. */
  readonly maxBacklogBytes: number;
}

export interface Journal {
  /** Made once per data directory. */
  readonly uuid: string;
  readonly append: Append<Batch>;
  /** Why an append of `bytes` would be refused now, or undefined: lets a receiver refuse before it reads a body. */
  refusal(bytes: number): Error | undefined;
  readonly storage: SegmentReader;
  /** The further readers of sealed segments that the journal was opened with, by name. */
  readonly segmentReaders: ReadonlyMap<string, SegmentReader>;
  openReader(options: BatchReaderOptions): Promise<BatchReader>;
  /** Drops the cursor of a reader that is configured no more. */
  dropReader(name: string): Promise<void>;
  /** Names of readers that have a cursor file, open or not. */
  readerNames(): readonly string[];
  /** Writes and fsyncs what is pending, seals every open segment now. Used by tests and on stop. */
  seal(): Promise<void>;
  /** Refuses further appends, seals, fsyncs, closes files. Readers may go on to read what is there and to confirm it, storage's too. */
  close(): Promise<void>;
}
