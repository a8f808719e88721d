import * as fs from 'node:fs';
import type { AppendOptions } from '../base/ports.ts';
import type { Batch } from '../batch/batch.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { OpenReader } from './batch-reader.ts';
import { systemClock, type Clock } from './clock.ts';
import { CursorFile, type CursorState } from './cursor-file.ts';
import { realFiles, type Files } from './files.ts';
import { parsePartitionId, partitionFolder, partitionId, segmentPaths } from './layout.ts';
import { Limits } from './limits.ts';
import { MemoryTail } from './memory-tail.ts';
import type { PartitionLog } from './partition-log.ts';
import { Partitions } from './partitions.ts';
import { createQuarantine, type Quarantine } from './quarantine.ts';
import { EVERY_TABLE, ReaderCursor } from './reader-cursor.ts';
import { recoverPartition } from './recover-partition.ts';
import { findPartitions, isReaderName, makeJournalFolders, readCursors, readOrMakeUuid } from './scan-journal.ts';
import { SealedReader } from './sealed-reader.ts';
import type { BatchReader, BatchReaderOptions, Journal, JournalCatalog, PartitionKey, SegmentReader } from './types.ts';
import { WriteQueue } from './write-queue.ts';

export interface JournalOptions {
  readonly dataDir: string;
  /** When an input counts as durable: written, with an fsync every `syncIntervalMs`, or after an fsync of its own. */
  readonly sync: 'interval' | 'always';
  readonly syncIntervalMs: number;
  /** Bytes that storage has not taken at which inputs are refused. */
  readonly maxBytes: number;
  /** Free bytes of the disk at which inputs are refused. */
  readonly minFreeBytes: number;
  readonly catalog: JournalCatalog;
  /** Further readers of sealed segments, by name: which tables each reads. One that is new begins at the oldest segment that is there. */
  readonly segmentReaders?: ReadonlyMap<string, ReadonlySet<string>>;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Folder below the table: who numbers the rows. Default `main`. */
  readonly writer?: string;
  /** A segment has at most so many rows. Default 1,000,000. */
  readonly segmentMaxRows?: number;
  /** A segment has at most so many bytes, unless a single row is larger. Default 64 MiB. */
  readonly segmentMaxBytes?: number;
  /** Age at which segments are sealed, in place of the tables' own. */
  readonly segmentAgeMs?: number | undefined;
  /** Memory for the newest Batches, which readers at the tail take from there. Default 64 MiB. */
  readonly maxTailBytes?: number;
  readonly clock?: Clock;
  readonly files?: Files;
  /** Told when rows of a partition were set aside, damaged or refused by the database; also while the journal is opened. */
  readonly onLost?: (partition: PartitionKey) => void;
}

const MIB = 1024 * 1024;
/** Also what a lagging reader holds in memory at once. */
const MAX_BLOCK_BYTES = 16 * MIB;
const STORAGE = 'storage';
/** Segments written shortly before the start may have been left unsynced by a process that died; older ones the kernel has written by itself. */
const MAYBE_UNSYNCED_MS = 120_000;

/**
 * Opens the journal of a data directory that this process holds (lock.ts), after making it sound. Throws SluiceError `data_dir_unusable` or
 * `format_too_new`.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { dataDir, log, metrics } = options;
  const files = options.files ?? realFiles;
  const clock = options.clock ?? systemClock;
  makeJournalFolders(dataDir, files);
  const uuid = await readOrMakeUuid(dataDir, files, log);
  const quarantine = createQuarantine({ dataDir, files, metrics, log, clock, onLost: options.onLost });
  const partitions = new Partitions({
    dataDir,
    writer: options.writer ?? 'main',
    catalog: options.catalog,
    files,
    clock,
    metrics,
    log,
    segmentMaxRows: options.segmentMaxRows ?? 1_000_000,
    segmentMaxBytes: options.segmentMaxBytes ?? 64 * MIB,
    segmentAgeMs: options.segmentAgeMs,
    syncIntervalMs: options.sync === 'always' ? undefined : options.syncIntervalMs,
  });
  const states = new Map<string, CursorState>();
  for (const { name, state } of readCursors(dataDir, files, log)) {
    states.set(name, state ?? { tables: [EVERY_TABLE], maxBacklogBytes: Infinity, rows: new Map() });
  }
  await recover({ ...options, files, quarantine, partitions, states });
  const durable = options.sync === 'always';
  const cursorFile = (name: string, state: CursorState) => new CursorFile(state, { dataDir, name, files, durable });
  const sealedReader = (name: string, tables?: ReadonlySet<string>) => {
    const state = states.get(name) ?? { tables: [], maxBacklogBytes: Infinity, rows: new Map() };
    state.tables = tables === undefined ? [EVERY_TABLE] : [...tables];
    states.delete(name);
    return new SealedReader({
      name,
      ...(tables === undefined ? {} : { tables }),
      partitions,
      cursor: cursorFile(name, state),
      quarantine,
      metrics,
    });
  };
  const storage = sealedReader(STORAGE);
  const segmentReaders = new Map<string, SegmentReader>();
  for (const [name, tables] of options.segmentReaders ?? []) segmentReaders.set(name, sealedReader(name, tables));
  const opened = { ...options, files, clock, uuid, quarantine, partitions, storage, segmentReaders, cursorFile };
  const journal = new OpenedJournal(opened);
  for (const [name, state] of states) journal.addCursor(name, state);
  for (const partition of partitions.all()) partitions.release(partition);
  partitions.gauge();
  return journal;
}

interface Recovery extends JournalOptions {
  readonly files: Files;
  readonly quarantine: Quarantine;
  readonly partitions: Partitions;
  readonly states: ReadonlyMap<string, CursorState>;
}

async function recover({ states, ...options }: Recovery): Promise<void> {
  const { dataDir, files, catalog, quarantine, partitions, metrics, log } = options;
  const keys = findPartitions(dataDir, (path) => {
    log.warn({ file: path }, 'a file in the journal is not part of it; it is ignored');
  });
  for (const key of keys) {
    const id = partitionId(key);
    let confirmedBelow = states.get(STORAGE)?.rows.get(id)?.row ?? 0;
    for (const { tables, rows } of states.values()) {
      if (tables.includes(key.table) || tables.includes(EVERY_TABLE)) {
        confirmedBelow = Math.min(confirmedBelow, rows.get(id)?.row ?? 0);
      }
    }
    if (catalog.find(key.table) === undefined)
      log.warn({ partition: id }, 'the journal has rows of a table that is not known');
    const folder = partitionFolder(dataDir, key);
    const segments = recoverPartition({
      folder,
      partition: key,
      catalog,
      files,
      quarantine,
      metrics,
      log,
      confirmedBelow,
    });
    const recovered = partitions.adopt(key, segments, highestRow(states, id));
    for (const segment of segments) {
      metrics.journalRecovered.inc({ outcome: 'kept' }, segment.bytes);
      if (segment.createdMs > Date.now() - MAYBE_UNSYNCED_MS)
        await syncFile(files, segmentPaths(folder, segment.firstRow).data);
    }
    if (segments.length > 0) {
      log.info(
        { partition: id, segments: segments.length, rows: recovered.totalRows },
        'the journal has rows from before',
      );
    }
  }
  // Their folder may have been removed by hand; the numbers go on.
  for (const { rows } of states.values()) {
    for (const id of rows.keys()) {
      const key = parsePartitionId(id);
      if (key !== undefined && partitions.find(key) === undefined)
        partitions.adopt(key, undefined, highestRow(states, id));
    }
  }
}

function highestRow(states: ReadonlyMap<string, CursorState>, id: string): number {
  let highest = 0;
  for (const { rows } of states.values()) highest = Math.max(highest, rows.get(id)?.row ?? 0);
  return highest;
}

async function syncFile(files: Files, path: string): Promise<void> {
  const fd = fs.openSync(path, 'r');
  try {
    await files.fdatasync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

interface OpenedOptions extends Omit<JournalOptions, 'segmentReaders'> {
  readonly files: Files;
  readonly clock: Clock;
  readonly uuid: string;
  readonly quarantine: Quarantine;
  readonly partitions: Partitions;
  readonly storage: SegmentReader;
  readonly segmentReaders: ReadonlyMap<string, SegmentReader>;
  readonly cursorFile: (name: string, state: CursorState) => CursorFile;
}

class OpenedJournal implements Journal {
  readonly uuid: string;
  readonly storage: SegmentReader;
  readonly segmentReaders: ReadonlyMap<string, SegmentReader>;
  readonly #options: OpenedOptions;
  readonly #queue: WriteQueue;
  readonly #tail: MemoryTail;
  readonly #cursors = new Map<string, ReaderCursor>();
  readonly #open = new Map<string, OpenReader>();
  #tables = new Set<string>();
  #ended = false;

  constructor(options: OpenedOptions) {
    this.#options = options;
    this.uuid = options.uuid;
    this.storage = options.storage;
    this.segmentReaders = options.segmentReaders;
    const { partitions, storage, segmentReaders, metrics, log, clock, maxBytes, minFreeBytes, dataDir, files } =
      options;
    this.#tail = new MemoryTail(options.maxTailBytes ?? 64 * MIB);
    this.#queue = new WriteQueue({
      partitions,
      limits: new Limits({ maxBytes, minFreeBytes, dataDir, files, clock, log }),
      tail: this.#tail,
      wanted: (table) => this.#tables.has(table),
      block: {
        maxRows: options.segmentMaxRows ?? 1_000_000,
        maxBytes: Math.min(options.segmentMaxBytes ?? 64 * MIB, MAX_BLOCK_BYTES),
      },
      always: options.sync === 'always',
      // The database takes roll-ups as well: what any of its readers lags behind is its debt.
      backlogBytes: () => {
        let most = storage.backlogBytes;
        for (const reader of segmentReaders.values()) most = Math.max(most, reader.backlogBytes);
        return most;
      },
      metrics,
      log,
      clock,
    });
  }

  readonly append = (batches: readonly Batch[], options?: AppendOptions): Promise<void> =>
    this.#queue.append(batches, options);

  refusal(bytes: number): Error | undefined {
    return this.#queue.refusal(bytes);
  }

  addCursor(name: string, state: CursorState): ReaderCursor {
    const { partitions, clock, metrics, log, cursorFile } = this.#options;
    const cursor = new ReaderCursor({ name, file: cursorFile(name, state), partitions, clock, metrics, log });
    this.#cursors.set(name, cursor);
    return cursor;
  }

  async openReader({ name, tables, from, maxBacklogBytes }: BatchReaderOptions): Promise<BatchReader> {
    if (!isReaderName(name) || name === STORAGE || this.segmentReaders.has(name))
      throw new Error(`BUG: ${JSON.stringify(name)} is no name for a reader`);
    if (this.#open.has(name)) throw new Error(`BUG: reader ${name} is open already`);
    const known = this.#cursors.get(name);
    const cursor = known ?? this.addCursor(name, { tables: [], maxBacklogBytes, rows: new Map() });
    const { state } = cursor.file;
    for (const log of this.#options.partitions.all()) {
      if (!tables.includes(log.key.table)) state.rows.delete(log.id);
      else if (!cursor.reads(log) && from === 'tail') state.rows.set(log.id, { row: log.nextRow });
    }
    state.tables = [...tables];
    state.maxBacklogBytes = maxBacklogBytes;
    const { partitions, catalog, quarantine, metrics, log } = this.#options;
    const reader = new OpenReader({
      cursor,
      partitions,
      tail: this.#tail,
      catalog,
      quarantine,
      metrics,
      log,
      leastRead: (partition) => this.#leastRead(partition),
      ended: () => this.#ended,
      closed: () => this.#closed(name),
    });
    this.#open.set(name, reader);
    for (const table of tables) this.#tables.add(table);
    // A reader exists from the moment its cursor is on the disk.
    await cursor.file.save();
    cursor.enforceLimit();
    for (const partition of partitions.all()) partitions.release(partition);
    return reader;
  }

  async dropReader(name: string): Promise<void> {
    const cursor = this.#cursors.get(name);
    if (cursor === undefined) return;
    await this.#open.get(name)?.close();
    this.#cursors.delete(name);
    await cursor.drop();
    this.#options.log.info({ reader: name }, 'the cursor of a reader that is configured no more was dropped');
  }

  readerNames(): readonly string[] {
    return [...this.#cursors.keys()].toSorted();
  }

  async seal(): Promise<void> {
    this.#queue.flush();
    this.#options.partitions.sealAll();
    await this.#options.partitions.syncer.sync();
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    this.#queue.stop();
    try {
      await this.seal();
    } finally {
      this.#ended = true;
      this.#options.partitions.stop();
      for (const reader of this.#open.values()) reader.wake();
    }
    await Promise.all([...this.#cursors.values()].map((cursor) => cursor.saveNow()));
    await this.#options.partitions.removed();
  }

  #leastRead(log: PartitionLog): number {
    let least = Infinity;
    for (const reader of this.#open.values()) least = Math.min(least, reader.position(log) ?? Infinity);
    return least;
  }

  #closed(name: string): void {
    this.#open.delete(name);
    this.#tables = new Set([...this.#open.keys()].flatMap((open) => this.#cursors.get(open)?.file.state.tables ?? []));
    for (const log of this.#options.partitions.all()) this.#tail.trim(log, this.#leastRead(log));
  }
}
