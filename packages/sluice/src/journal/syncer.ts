import { errorText } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from './clock.ts';
import { writeFailure, type Files } from './files.ts';
import type { SegmentWriter } from './segment-writer.ts';

export interface SyncerOptions {
  readonly files: Files;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Time from the first unsynced write to its fsync; undefined = only when `sync` is called. */
  readonly intervalMs: number | undefined;
  /**
   * An fsync of this segment failed. The kernel may have dropped the pages and will not say so again, so nothing more should be written to it.
   */
  readonly failed: (segment: SegmentWriter) => void;
}

/** Knows which files have writes that are not on the disk yet, and brings them there in groups. */
export class Syncer {
  readonly #options: SyncerOptions;
  #segments = new Set<SegmentWriter>();
  #folders = new Set<string>();
  #inFlight: ReadonlySet<SegmentWriter> = new Set();
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(options: SyncerOptions) {
    this.#options = options;
  }

  wrote(segment: SegmentWriter): void {
    this.#segments.add(segment);
    this.#arm();
  }

  /** Names in this folder have changed. */
  changedFolder(folder: string): void {
    this.#folders.add(folder);
  }

  /** The segment takes no more blocks: its descriptors are closed as soon as nothing waits for them. */
  sealed(segment: SegmentWriter): void {
    if (!this.#segments.has(segment) && !this.#inFlight.has(segment)) segment.close();
  }

  /** The segment is deleted: nothing of it need reach the disk. */
  forget(segment: SegmentWriter): void {
    this.#segments.delete(segment);
    if (!this.#inFlight.has(segment)) segment.close();
  }

  /**
   * Resolves when everything that was written before the call is on the disk. Calls while a group is under way share the next one. Rejects with
   * SluiceError when any file of the group failed.
   */
  sync(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#group().finally(() => (this.#running = undefined));
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.sync();
      });
    return this.#next;
  }

  /** Cancels the timer; `sync` still works. */
  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #arm(): void {
    const { intervalMs, clock, log } = this.#options;
    if (intervalMs === undefined || this.#cancelTimer !== undefined) return;
    this.#cancelTimer = clock.after(intervalMs, () => {
      this.#cancelTimer = undefined;
      this.sync().catch((error: unknown) => {
        log.error(
          { err: errorText(error) },
          'the journal could not be flushed to the disk; a power failure now may lose rows',
        );
      });
    });
  }

  async #group(): Promise<void> {
    if (this.#segments.size === 0 && this.#folders.size === 0) return;
    const { files, clock, metrics } = this.#options;
    const segments = this.#segments;
    const folders = this.#folders;
    this.#segments = new Set();
    this.#folders = new Set();
    this.#inFlight = segments;
    const start = clock.monotonicMs();
    let failure: unknown;
    const fail = (error: unknown) => {
      failure ??= error;
    };
    await Promise.all([
      ...[...segments].map((segment) =>
        segment.sync().catch((error: unknown) => {
          fail(error);
          this.#options.failed(segment);
        }),
      ),
      ...[...folders].map((folder) => files.syncFolder(folder).catch(fail)),
    ]);
    this.#inFlight = new Set();
    for (const segment of segments) if (segment.sealed && !this.#segments.has(segment)) segment.close();
    metrics.journalSyncSeconds.observe((clock.monotonicMs() - start) / 1000);
    if (failure !== undefined) throw writeFailure(failure, 'the journal to the disk');
  }
}
