import { errorText } from '../base/errors.ts';
import { decodeNative, type NativeBlock } from '../batch/native.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { sliceBatch } from './batch-rows.ts';
import { blockToBatch } from './block-to-batch.ts';
import { errorCode } from './files.ts';
import type { MemoryTail } from './memory-tail.ts';
import type { PartitionLog } from './partition-log.ts';
import type { Partitions } from './partitions.ts';
import type { Quarantine } from './quarantine.ts';
import type { ReaderCursor } from './reader-cursor.ts';
import type { IndexedBlock } from './segment-index.ts';
import { SegmentSource } from './segment-source.ts';
import type { BatchReader, JournalBatch, JournalCatalog, PartitionKey } from './types.ts';

export interface OpenReaderOptions {
  readonly cursor: ReaderCursor;
  readonly partitions: Partitions;
  readonly tail: MemoryTail;
  readonly catalog: JournalCatalog;
  readonly quarantine: Quarantine;
  readonly metrics: Metrics;
  readonly log: Log;
  /** How far every open reader of the partition has read: what is below leaves memory. */
  readonly leastRead: (log: PartitionLog) => number;
  /** No more rows will come. */
  readonly ended: () => boolean;
  readonly closed: (reader: OpenReader) => void;
}

/** Errors that say nothing about the file. */
const PASSING_ERRORS = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR']);
const TRY_AGAIN_MS = 100;

/** An exporter's reader: Batches from memory while it keeps up, from the segments when it lags. */
export class OpenReader implements BatchReader {
  readonly name: string;
  readonly #options: OpenReaderOptions;
  readonly #logs: PartitionLog[] = [];
  /** Next row to read. */
  readonly #read = new Map<PartitionLog, number>();
  readonly #sources = new Map<PartitionLog, SegmentSource>();
  readonly #leave: () => void;
  #turn = 0;
  #wake: (() => void) | undefined;
  #busy = false;
  #closed = false;

  constructor(options: OpenReaderOptions) {
    this.#options = options;
    this.name = options.cursor.name;
    for (const log of options.partitions.all()) this.#add(log);
    this.#leave = options.partitions.listen({
      created: (log) => this.#add(log),
      advanced: (log) => {
        if (this.#read.has(log)) this.#wake?.();
      },
    });
    options.cursor.follow({
      position: (log) => this.position(log),
      skipTo: (log, row) => this.#skipTo(log, row),
    });
  }

  /** Where it reads next; undefined for a partition it does not read. */
  position(log: PartitionLog): number | undefined {
    return this.#read.get(log);
  }

  async next(signal: AbortSignal): Promise<JournalBatch | undefined> {
    if (this.#busy) throw new Error(`BUG: two calls of next at once on reader ${this.name}`);
    this.#busy = true;
    try {
      while (!signal.aborted && !this.#closed) {
        const log = this.#nextLog();
        if (log === undefined) {
          if (this.#options.ended()) return undefined;
          await this.#woken(signal);
          continue;
        }
        const batch = this.#fromMemory(log) ?? (await this.#fromSegment(log, signal));
        if (batch !== undefined) return batch;
      }
      return undefined;
    } finally {
      this.#busy = false;
    }
  }

  confirm(partition: PartitionKey, row: number): void {
    const log = this.#options.partitions.find(partition);
    if (log !== undefined) this.#options.cursor.confirm(log, row);
  }

  lag(): { readonly rows: number; readonly bytes: number; readonly ageMs: number } {
    return this.#options.cursor.lag();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
    this.#options.cursor.unfollow();
    this.#wake?.();
    this.#options.closed(this);
    await Promise.all([...this.#sources.values()].map((source) => source.close()));
    await this.#options.cursor.saveNow();
  }

  /** The journal has ended: a waiting `next` looks again. */
  wake(): void {
    this.#wake?.();
  }

  #add(log: PartitionLog): void {
    const { cursor } = this.#options;
    if (!cursor.reads(log) || this.#read.has(log)) return;
    this.#logs.push(log);
    this.#read.set(log, cursor.row(log));
  }

  /** A partition with rows not read yet; each has its turn. */
  #nextLog(): PartitionLog | undefined {
    for (let i = 0; i < this.#logs.length; i++) {
      const at = (this.#turn + i) % this.#logs.length;
      const log = this.#logs[at]!;
      if (this.#read.get(log)! >= log.durableRow) continue;
      this.#turn = at + 1;
      return log;
    }
    return undefined;
  }

  #fromMemory(log: PartitionLog): JournalBatch | undefined {
    const row = this.#read.get(log)!;
    const item = this.#options.tail.find(log, row);
    return item === undefined ? undefined : this.#give(log, item.firstRow, item.batch);
  }

  async #fromSegment(log: PartitionLog, signal: AbortSignal): Promise<JournalBatch | undefined> {
    const row = this.#read.get(log)!;
    const extent = log.extentFrom(row);
    if (extent === undefined) {
      // Numbers that no row has: they were given up at a start.
      this.#skipTo(log, log.durableRow);
      return undefined;
    }
    if (extent.firstRow > row) {
      this.#skipTo(log, extent.firstRow);
      return undefined;
    }
    const source = await this.#sourceOf(log, extent.firstRow);
    try {
      const found = await source.read(row - extent.firstRow);
      // Rows may have been given up for the backlog's limit in the meantime.
      if (this.#read.get(log) !== row || this.#closed) return undefined;
      // The index was read while its newest entry was being written.
      if (found === undefined) await this.#woken(signal, TRY_AGAIN_MS);
      else if (found.kind === 'damaged') this.#setAside(log, source, found.block);
      else return this.#decoded(log, source, found.block, found.bytes);
    } catch (error) {
      if (this.#read.get(log) !== row || this.#closed) return undefined;
      const code = errorCode(error);
      if (code !== undefined && PASSING_ERRORS.has(code)) await this.#woken(signal, TRY_AGAIN_MS);
      else this.#lose(log, { path: source.path, end: extent.firstRow + extent.rows, cause: errorText(error) });
    }
    return undefined;
  }

  #decoded(log: PartitionLog, source: SegmentSource, block: IndexedBlock, bytes: Buffer): JournalBatch | undefined {
    const table = this.#options.catalog.find(log.key.table);
    let native: NativeBlock | undefined;
    let cause = `there is no table ${log.key.table} any more`;
    try {
      if (table !== undefined) native = decodeNative(bytes);
    } catch (error) {
      cause = errorText(error);
    }
    if (table === undefined || native === undefined) {
      this.#lose(log, { path: source.path, end: source.firstRow + block.row + block.rows, cause });
      return undefined;
    }
    const { org } = log.key;
    const batch = blockToBatch(native, { source: table, org, minTime: block.minTime, maxTime: block.maxTime });
    return this.#give(log, source.firstRow + block.row, batch);
  }

  #give(log: PartitionLog, firstRow: number, batch: JournalBatch['batch']): JournalBatch {
    const row = this.#read.get(log)!;
    this.#skipTo(log, firstRow + batch.rows);
    if (row <= firstRow) return { partition: log.key, firstRow, batch };
    return { partition: log.key, firstRow: row, batch: sliceBatch(batch, row - firstRow, batch.rows) };
  }

  #setAside(log: PartitionLog, source: SegmentSource, block: IndexedBlock): void {
    const { offset, length, rows } = block;
    const why = 'its checksum is wrong when it is read back';
    try {
      const range = {
        partition: log.key,
        path: source.path,
        offset,
        length,
        rows,
        reason: 'damaged',
        why,
        columns: [],
      } as const;
      this.#options.quarantine.copy(range);
    } catch (error) {
      this.#options.log.error(
        { file: source.path, offset, err: errorText(error) },
        'cannot copy a damaged block to quarantine',
      );
    }
    this.#lose(log, { path: source.path, end: source.firstRow + block.row + block.rows, cause: why });
  }

  /** Rows that cannot be read are lost to this reader, and said so; the others go on. */
  #lose(log: PartitionLog, lost: { readonly path: string; readonly end: number; readonly cause: string }): void {
    const rows = lost.end - this.#read.get(log)!;
    this.#options.metrics.journalOverflow.inc({ reader: this.name, reason: 'unreadable' }, rows);
    const fields = { reader: this.name, file: lost.path, rows, cause: lost.cause };
    this.#options.log.error(fields, 'rows of the journal cannot be read; they are lost to a reader');
    this.#skipTo(log, lost.end);
  }

  #skipTo(log: PartitionLog, row: number): void {
    const read = this.#read.get(log);
    if (read === undefined || row <= read) return;
    this.#read.set(log, row);
    this.#options.tail.trim(log, this.#options.leastRead(log));
  }

  async #sourceOf(log: PartitionLog, firstRow: number): Promise<SegmentSource> {
    const held = this.#sources.get(log);
    if (held?.firstRow === firstRow) return held;
    const source = new SegmentSource(log.folder, firstRow);
    this.#sources.set(log, source);
    await held?.close();
    return source;
  }

  /** Resolves when there may be something to do: new rows, the abort, the close, or the time is over. */
  #woken(signal: AbortSignal, withinMs?: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const done = () => {
        this.#wake = undefined;
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      if (withinMs !== undefined) timer = setTimeout(done, withinMs);
      this.#wake = done;
      signal.addEventListener('abort', done);
    });
  }
}
