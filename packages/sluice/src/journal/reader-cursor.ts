import { errorText } from '../base/errors.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from './clock.ts';
import type { CursorFile } from './cursor-file.ts';
import type { PartitionLog } from './partition-log.ts';
import type { Partitions } from './partitions.ts';

/** In place of a table: the reader holds everything until it is opened and says what it reads. */
export const EVERY_TABLE = '*';

const SAVE_WITHIN_MS = 500;

export interface ReaderCursorOptions {
  readonly name: string;
  readonly file: CursorFile;
  readonly partitions: Partitions;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** What the cursor asks and tells the reader that is open. */
export interface CursorFollower {
  /** Where it reads next; undefined for a partition it does not read. */
  position(log: PartitionLog): number | undefined;
  /** Rows below are given up: they are not to be read any more. */
  skipTo(log: PartitionLog, row: number): void;
}

/** Rows from `from` to before `to`. */
interface RowRange {
  from: number;
  readonly to: number;
}

/** The place of an exporter's reader, whether it is open or not: holds segments back, within the reader's limit. */
export class ReaderCursor {
  readonly name: string;
  readonly file: CursorFile;
  #follower: CursorFollower | undefined;
  /** Rows that were given up when they had been read already: they may still be confirmed, and are lost if they are not by the end of the reader. */
  readonly #inHand = new Map<PartitionLog, RowRange[]>();
  readonly #options: ReaderCursorOptions;
  readonly #complain: (log: (suppressed: number) => void) => void;
  readonly #leave: readonly (() => void)[];
  #cancelSave: (() => void) | undefined;

  constructor(options: ReaderCursorOptions) {
    this.#options = options;
    this.name = options.name;
    this.file = options.file;
    this.#complain = rateLimited(60_000, () => options.clock.monotonicMs());
    this.#leave = [
      options.partitions.addReader((log) => (this.reads(log) ? this.row(log) : undefined)),
      options.partitions.listen({ sealed: () => this.enforceLimit() }),
    ];
  }

  reads(log: PartitionLog): boolean {
    const { tables } = this.file.state;
    return tables.includes(log.key.table) || tables.includes(EVERY_TABLE);
  }

  /** Everything below this row is confirmed. */
  row(log: PartitionLog): number {
    return this.file.state.rows.get(log.id)?.row ?? 0;
  }

  follow(reader: CursorFollower): void {
    this.#follower = reader;
  }

  /** The reader confirms no more. */
  unfollow(): void {
    this.#follower = undefined;
    let lost = 0;
    for (const ranges of this.#inHand.values()) for (const { from, to } of ranges) lost += to - from;
    this.#inHand.clear();
    this.#lose(lost);
  }

  confirm(log: PartitionLog, row: number): void {
    if (this.#inHand.size > 0) this.#confirmInHand(log, row);
    // Never beyond what is durable: a number that is given to a row later must not be passed already.
    const clamped = Math.min(row, log.durableRow);
    if (clamped <= this.row(log)) return;
    this.file.state.rows.set(log.id, { row: clamped });
    this.saveSoon();
    this.#options.partitions.release(log);
  }

  lag(): { rows: number; bytes: number; ageMs: number } {
    let rows = 0;
    let bytes = 0;
    let oldest = Infinity;
    for (const log of this.#options.partitions.all()) {
      if (!this.reads(log)) continue;
      const rest = log.remaining(this.row(log));
      rows += rest.rows;
      bytes += rest.bytes;
      if (rest.sinceMs !== undefined) oldest = Math.min(oldest, rest.sinceMs);
    }
    return { rows, bytes, ageMs: oldest === Infinity ? 0 : Math.max(0, this.#options.clock.epochMs() - oldest) };
  }

  /** Gives up the oldest sealed segments while more than `maxBacklogBytes` wait for this reader. */
  enforceLimit(): void {
    const { partitions, metrics } = this.#options;
    const { maxBacklogBytes, rows } = this.file.state;
    let { bytes } = this.lag();
    metrics.journalBacklog.set({ reader: this.name }, bytes);
    let lost = 0;
    let isSkipped = false;
    while (bytes > maxBacklogBytes) {
      const oldest = this.#oldestSealed();
      if (oldest === undefined) break;
      const { log: partition, firstRow, end } = oldest;
      const from = Math.max(firstRow, this.row(partition));
      // What was read waits to be sent, and may arrive yet.
      const read = Math.min(end, Math.max(from, this.#follower?.position(partition) ?? from));
      if (read > from) this.#inHand.set(partition, [...(this.#inHand.get(partition) ?? []), { from, to: read }]);
      lost += end - read;
      isSkipped = true;
      rows.set(partition.id, { row: end });
      this.#follower?.skipTo(partition, end);
      partitions.release(partition);
      ({ bytes } = this.lag());
    }
    if (isSkipped) this.saveSoon();
    this.#lose(lost);
  }

  /** Writes the cursor file within a second. */
  saveSoon(): void {
    this.#cancelSave ??= this.#options.clock.after(SAVE_WITHIN_MS, () => {
      this.#cancelSave = undefined;
      this.file.save().catch((error: unknown) => {
        this.#options.log.error(
          { reader: this.name, err: errorText(error) },
          "cannot write a reader's cursor; tried again",
        );
        this.saveSoon();
      });
    });
  }

  /** Writes the cursor file now if it is behind. */
  async saveNow(): Promise<void> {
    if (this.#cancelSave === undefined) return;
    this.#cancelSave();
    this.#cancelSave = undefined;
    await this.file.save();
  }

  /** Forgets the reader: its segments are held no more. */
  async drop(): Promise<void> {
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    for (const leave of this.#leave) leave();
    this.#options.metrics.journalBacklog.remove({ reader: this.name });
    await this.file.drop();
    for (const log of this.#options.partitions.all()) this.#options.partitions.release(log);
  }

  #confirmInHand(log: PartitionLog, row: number): void {
    const left = (this.#inHand.get(log) ?? []).filter(({ to }) => to > row);
    for (const range of left) range.from = Math.max(range.from, row);
    if (left.length > 0) this.#inHand.set(log, left);
    else this.#inHand.delete(log);
  }

  #lose(rows: number): void {
    if (rows === 0) return;
    const { metrics, log } = this.#options;
    const { maxBacklogBytes } = this.file.state;
    metrics.journalOverflow.inc({ reader: this.name, reason: 'overflow' }, rows);
    this.#complain((suppressed) => {
      log.error(
        { reader: this.name, rows, maxBacklogBytes, suppressed },
        'a reader lags too far behind; its oldest rows are lost to it',
      );
    });
  }

  #oldestSealed(): { log: PartitionLog; firstRow: number; end: number } | undefined {
    let oldest: { log: PartitionLog; firstRow: number; end: number; createdMs: number } | undefined;
    for (const log of this.#options.partitions.all()) {
      if (!this.reads(log)) continue;
      const extent = log.extentFrom(this.row(log));
      if (extent === undefined || extent.firstRow === log.open?.firstRow) continue;
      if (oldest !== undefined && oldest.createdMs <= extent.createdMs) continue;
      oldest = { log, firstRow: extent.firstRow, end: extent.firstRow + extent.rows, createdMs: extent.createdMs };
    }
    return oldest;
  }
}
