import { dirname } from 'node:path';
import { errorText } from '../base/errors.ts';
import type { Batch } from '../batch/batch.ts';
import type { EncodedBlock } from '../batch/native.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from './clock.ts';
import { writeFailure, type Files } from './files.ts';
import { partitionFolder, partitionId, segmentPaths } from './layout.ts';
import { PartitionLog, type LogSegment } from './partition-log.ts';
import type { SealedSegment } from './recover-partition.ts';
import { ENTRY_BYTES } from './segment-index.ts';
import { SegmentRemover } from './segment-remover.ts';
import { openSegment, type SegmentWriter } from './segment-writer.ts';
import { Syncer } from './syncer.ts';
import type { JournalCatalog, PartitionKey, Source } from './types.ts';

export interface PartitionsOptions {
  readonly dataDir: string;
  readonly writer: string;
  readonly catalog: JournalCatalog;
  readonly files: Files;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly segmentMaxRows: number;
  readonly segmentMaxBytes: number;
  /** Takes the place of the tables' own ages. */
  readonly segmentAgeMs: number | undefined;
  /** fsync within this time of a write; undefined = when `syncer.sync()` is called. */
  readonly syncIntervalMs: number | undefined;
}

/** Who needs segments: the row below which a reader has confirmed everything; undefined when it does not read this partition. */
export type Passed = (log: PartitionLog) => number | undefined;

/** What the readers want to hear. Called synchronously; must not throw. */
export interface PartitionListener {
  readonly sealed?: (log: PartitionLog, segment: LogSegment) => void;
  /** Rows became readable. */
  readonly advanced?: (log: PartitionLog) => void;
  readonly created?: (log: PartitionLog) => void;
}

/** All partitions: writing blocks into open segments, sealing them when their time has come, deleting what every reader has passed. */
export class Partitions {
  readonly syncer: Syncer;
  readonly #options: PartitionsOptions;
  readonly #remover: SegmentRemover;
  readonly #logs = new Map<string, PartitionLog>();
  /** The same by the table's object and organisation: found without making a text for every Batch. */
  readonly #bySource = new WeakMap<Source, PartitionLog[]>();
  readonly #readers = new Set<Passed>();
  readonly #listeners = new Set<PartitionListener>();
  #cancelSealing: (() => void) | undefined;
  #sealingAt = Infinity;
  #bytes = 0;
  #segments = 0;
  #openBytes = 0;

  constructor(options: PartitionsOptions) {
    this.#options = options;
    const { files, clock, metrics, log } = options;
    this.#remover = new SegmentRemover({ files, log });
    this.syncer = new Syncer({
      files,
      clock,
      metrics,
      log,
      intervalMs: options.syncIntervalMs,
      failed: (segment) => this.#abandon(segment),
    });
  }

  /** Bytes of blocks in segments that are not sealed. */
  get openBytes(): number {
    return this.#openBytes;
  }

  /** Puts a partition found at start in place; `recovered` is undefined when it has no folder. */
  adopt(key: PartitionKey, recovered: readonly SealedSegment[] | undefined, nextRow: number): PartitionLog {
    const log = new PartitionLog(key, partitionFolder(this.#options.dataDir, key), recovered, nextRow);
    this.#logs.set(log.id, log);
    for (const segment of log.segments) this.#bytes += segment.bytes + segment.indexBytes;
    this.#segments += log.segments.length;
    return log;
  }

  all(): IterableIterator<PartitionLog> {
    return this.#logs.values();
  }

  find(key: PartitionKey): PartitionLog | undefined {
    return this.#logs.get(partitionId(key));
  }

  /** The partition that takes a Batch. */
  of(batch: Batch): PartitionLog {
    let byOrg = this.#bySource.get(batch.source);
    if (byOrg === undefined) {
      byOrg = [];
      this.#bySource.set(batch.source, byOrg);
    }
    let log = byOrg[batch.org];
    if (log === undefined) {
      const key = { org: batch.org, table: batch.source.id, writer: this.#options.writer };
      log = this.find(key);
      if (log === undefined) {
        log = this.adopt(key, undefined, 0);
        for (const listener of this.#listeners) listener.created?.(log);
      }
      byOrg[batch.org] = log;
    }
    return log;
  }

  addReader(passed: Passed): () => void {
    this.#readers.add(passed);
    return () => this.#readers.delete(passed);
  }

  listen(listener: PartitionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Writes a block at the end of the partition. Throws SluiceError; then the partition is as it was. */
  write(
    log: PartitionLog,
    source: Source,
    block: EncodedBlock,
    times: { readonly minTime: number; readonly maxTime: number },
  ): void {
    const { segmentMaxRows, segmentMaxBytes } = this.#options;
    let { open } = log;
    if (
      open !== undefined &&
      // A table's columns do not change within a segment: its index names them once.
      (open.source !== source || open.rows + block.rows > segmentMaxRows || open.bytes + block.bytes > segmentMaxBytes)
    ) {
      this.#sealOrThrow(log);
      open = undefined;
    }
    open ??= this.#begin(log, source);
    try {
      open.write(block, times.minTime, times.maxTime);
    } catch (error) {
      if (open.rows === 0) {
        this.syncer.forget(open);
        open.discard();
        log.open = undefined;
        this.#segments--;
        this.#bytes -= open.indexBytes;
      }
      throw error;
    }
    this.#bytes += block.bytes + ENTRY_BYTES;
    this.#openBytes += block.bytes;
    log.nextRow += block.rows;
    log.totalRows += block.rows;
    log.totalBytes += block.bytes;
    this.syncer.wrote(open);
    if (open.rows >= segmentMaxRows || open.bytes >= segmentMaxBytes) this.seal(log);
    else this.#sealAt(this.#deadline(open));
  }

  /** Rows below `row` are durable: lets readers see them. */
  publish(log: PartitionLog, row: number): void {
    if (row <= log.durableRow) return;
    log.durableRow = row;
    for (const listener of this.#listeners) listener.advanced?.(log);
  }

  /** Seals the open segment of a partition, if there is one. */
  seal(log: PartitionLog): void {
    try {
      this.#sealOrThrow(log);
    } catch (error) {
      this.#options.log.error(
        { partition: log.id, err: errorText(error) },
        'cannot seal a segment of the journal; tried again',
      );
      this.#sealAt(this.#options.clock.monotonicMs() + 1000);
    }
  }

  sealAll(): void {
    for (const log of this.#logs.values()) this.seal(log);
  }

  /** Lets go of the segments of a partition that every reader has passed; they are deleted soon. */
  release(log: PartitionLog): void {
    let row = Infinity;
    for (const passed of this.#readers) row = Math.min(row, passed(log) ?? Infinity);
    for (let segment = log.takePassed(row); segment !== undefined; segment = log.takePassed(row)) {
      if (segment.writer !== undefined) this.syncer.forget(segment.writer);
      this.#bytes -= segment.bytes + segment.indexBytes;
      this.#segments--;
      this.#remover.remove(segmentPaths(log.folder, segment.firstRow), segment.bytes);
    }
    this.gauge();
  }

  /** Resolves when what was released is deleted. */
  removed(): Promise<void> {
    return this.#remover.done();
  }

  /** Brings the size metrics up to date. */
  gauge(): void {
    const { metrics } = this.#options;
    metrics.journalBytes.set(this.#bytes);
    metrics.journalSegments.set(this.#segments);
  }

  /** Cancels timers. What is written stays. */
  stop(): void {
    this.#cancelSealing?.();
    this.#cancelSealing = undefined;
    this.syncer.stop();
  }

  #begin(log: PartitionLog, source: Source): SegmentWriter {
    const { files, clock, catalog, dataDir } = this.#options;
    if (!log.folderMade) {
      try {
        files.makeFolderSync(log.folder);
      } catch (error) {
        throw writeFailure(error, log.folder);
      }
      log.folderMade = true;
      for (let folder = dirname(log.folder); folder.length > dataDir.length; folder = dirname(folder)) {
        this.syncer.changedFolder(folder);
      }
    }
    const open = openSegment({
      files,
      paths: segmentPaths(log.folder, log.nextRow),
      source,
      catalogVersion: catalog.version,
      firstRow: log.nextRow,
      monotonicMs: clock.monotonicMs(),
      epochMs: clock.epochMs(),
    });
    log.open = open;
    this.syncer.changedFolder(log.folder);
    this.#segments++;
    this.#bytes += open.indexBytes;
    return open;
  }

  #sealOrThrow(log: PartitionLog): void {
    const { open } = log;
    let segment: LogSegment | undefined;
    try {
      segment = log.seal();
    } catch (error) {
      throw writeFailure(error, open?.paths.data ?? log.folder);
    }
    if (segment === undefined || open === undefined) return;
    this.#openBytes -= segment.bytes;
    this.syncer.sealed(open);
    for (const listener of this.#listeners) listener.sealed?.(log, segment);
    this.gauge();
  }

  /** Its fsync failed: nothing more is written to it. */
  #abandon(writer: SegmentWriter): void {
    for (const log of this.#logs.values()) if (log.open === writer) this.seal(log);
  }

  #deadline(open: SegmentWriter): number {
    const { segmentAgeMs, clock } = this.#options;
    if (segmentAgeMs !== undefined) return open.openedMs + segmentAgeMs;
    const { sealAfterMs, sealSparse } = open.source;
    const due = open.openedMs + sealAfterMs;
    if (sealSparse === undefined || open.rows >= sealSparse.below || clock.monotonicMs() < due) return due;
    return open.openedMs + sealSparse.afterMs;
  }

  #sealAt(time: number): void {
    if (time >= this.#sealingAt) return;
    this.#cancelSealing?.();
    this.#sealingAt = time;
    // A timer may fire a fraction of a millisecond early.
    const wait = Math.max(0, Math.ceil(time - this.#options.clock.monotonicMs()));
    this.#cancelSealing = this.#options.clock.after(wait, () => this.#sealDue());
  }

  #sealDue(): void {
    this.#cancelSealing = undefined;
    this.#sealingAt = Infinity;
    const now = this.#options.clock.monotonicMs();
    let next = Infinity;
    for (const log of this.#logs.values()) {
      if (log.open === undefined) continue;
      const due = this.#deadline(log.open);
      if (due <= now) this.seal(log);
      else next = Math.min(next, due);
    }
    if (next < Infinity) this.#sealAt(next);
  }
}
