import type { SealedSegment } from './recover-partition.ts';
import type { SegmentWriter } from './segment-writer.ts';
import type { TailBatch } from './memory-tail.ts';
import { partitionId } from './layout.ts';
import type { PartitionKey } from './types.ts';

/** A sealed segment and how much of the partition came before it since the start of the process. */
export interface LogSegment extends SealedSegment {
  readonly startRows: number;
  readonly startBytes: number;
  /** The writer, while its descriptors may still be open. */
  readonly writer: SegmentWriter | undefined;
}

/** A stretch of rows in one file, open or sealed. */
export interface Extent {
  readonly firstRow: number;
  readonly rows: number;
  readonly bytes: number;
  readonly createdMs: number;
  readonly startRows: number;
  readonly startBytes: number;
}

/** A partition in memory: its sealed segments, the open one, and how far its rows go. */
export class PartitionLog {
  readonly key: PartitionKey;
  readonly id: string;
  readonly folder: string;
  /** Sealed segments that some reader still needs, oldest first. */
  readonly segments: LogSegment[] = [];
  open: SegmentWriter | undefined;
  /** Number the next row gets. */
  nextRow: number;
  /** Rows below this one are durable in the sense of `sync`: readers see no others. */
  durableRow: number;
  /** Rows and bytes since the start, recovered ones included; unlike row numbers without holes. */
  totalRows = 0;
  totalBytes = 0;
  /** Recent Batches in memory, oldest first. */
  readonly tail: TailBatch[] = [];
  folderMade: boolean;

  constructor(key: PartitionKey, folder: string, recovered: readonly SealedSegment[] | undefined, nextRow: number) {
    this.key = key;
    this.id = partitionId(key);
    this.folder = folder;
    this.folderMade = recovered !== undefined;
    for (const segment of recovered ?? []) {
      this.#push(segment, undefined);
      this.totalRows += segment.rows;
      this.totalBytes += segment.bytes;
    }
    const last = this.segments.at(-1);
    // Above every cursor too: a number that a reader has seen is never given to another row.
    this.nextRow = Math.max(nextRow, last === undefined ? 0 : last.firstRow + last.rows);
    this.durableRow = this.nextRow;
  }

  /** Turns the open segment into a sealed one. */
  seal(): LogSegment | undefined {
    const writer = this.open;
    if (writer === undefined) return undefined;
    writer.cutRagged();
    writer.sealed = true;
    this.open = undefined;
    const { firstRow, rows, bytes, indexBytes, indexCrc, minTime, maxTime, catalogVersion, columns, createdMs } =
      writer;
    return this.#push(
      { firstRow, rows, bytes, indexBytes, indexCrc, minTime, maxTime, catalogVersion, columns, createdMs },
      writer,
    );
  }

  /** Removes the oldest segment if all its rows are below `row`. */
  takePassed(row: number): LogSegment | undefined {
    const first = this.segments[0];
    return first !== undefined && first.firstRow + first.rows <= row ? this.segments.shift() : undefined;
  }

  /** The stretch that holds `row`, or the next one behind it; undefined at the end. */
  extentFrom(row: number): Extent | undefined {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const segment = this.segments[middle]!;
      if (segment.firstRow + segment.rows <= row) low = middle + 1;
      else high = middle;
    }
    if (low < this.segments.length) return this.segments[low];
    const { open } = this;
    if (open === undefined || open.rows === 0 || open.nextRow <= row) return undefined;
    return {
      firstRow: open.firstRow,
      rows: open.rows,
      bytes: open.bytes,
      createdMs: open.createdMs,
      startRows: this.totalRows - open.rows,
      startBytes: this.totalBytes - open.bytes,
    };
  }

  /** What lies from `row` to the end; bytes of a segment that begins before are taken in proportion. */
  remaining(row: number): { readonly rows: number; readonly bytes: number; readonly sinceMs: number | undefined } {
    const extent = this.extentFrom(row);
    if (extent === undefined) return { rows: 0, bytes: 0, sinceMs: undefined };
    const passed = Math.max(0, row - extent.firstRow);
    return {
      rows: this.totalRows - extent.startRows - passed,
      bytes: this.totalBytes - extent.startBytes - Math.floor((extent.bytes * passed) / extent.rows),
      sinceMs: extent.createdMs,
    };
  }

  #push(segment: SealedSegment, writer: SegmentWriter | undefined): LogSegment {
    const before = this.segments.at(-1);
    const pushed: LogSegment = {
      ...segment,
      startRows:
        writer === undefined
          ? before === undefined
            ? 0
            : before.startRows + before.rows
          : this.totalRows - segment.rows,
      startBytes:
        writer === undefined
          ? before === undefined
            ? 0
            : before.startBytes + before.bytes
          : this.totalBytes - segment.bytes,
      writer,
    };
    this.segments.push(pushed);
    return pushed;
  }
}
