import { readFileSync, renameSync, rmSync, writeFileSync, existsSync, mkdirSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { BatchBuilder } from '../../../src/batch/builder.ts';
import type { Batch } from '../../../src/batch/batch.ts';
import { encodeNative } from '../../../src/batch/native.ts';
import { CATALOG_VERSION } from '../../../src/catalog/catalog.ts';
import { samples } from '../../../src/catalog/prometheus.ts';
import type { CursorMarker, PartitionKey, Segment, SegmentBlock, SegmentReader } from '../../../src/journal/types.ts';

/** Rows of prometheus.samples: numbered, so that a query tells which are missing or doubled. */
export function numberedSamples(first: number, rows: number, timeMs: (row: number) => number, org = 1): Batch {
  const builder = new BatchBuilder(samples, rows);
  const metric = builder.fixed('metric_id');
  const series = builder.fixed('series_id');
  const time = builder.fixed('time');
  const value = builder.fixed('value');
  for (const column of [metric, series, time, value]) column.reserve(rows);
  let minTime = Infinity;
  let maxTime = -Infinity;
  for (let i = 0; i < rows; i++) {
    const ms = timeMs(first + i);
    metric.appendHalves(7, 0);
    series.appendHalves((first + i) >>> 0, 0);
    time.appendHalves(ms >>> 0, Math.floor(ms / 2 ** 32));
    value.f64[i] = first + i;
    value.rows++;
    minTime = Math.min(minTime, ms);
    maxTime = Math.max(maxTime, ms);
  }
  return builder.finish(org, minTime, maxTime);
}

/**
 * The journal as the loader sees it, over a folder: segments written beforehand, one cursor file a partition. It survives the process, so that a test can
 * kill it and begin again.
 */
export class SegmentFiles implements SegmentReader {
  readonly #folder: string;
  readonly #segments: Segment[] = [];
  readonly #listeners: (() => void)[] = [];
  readonly quarantined: {
    readonly segment: Segment;
    readonly why: string;
    readonly blocks: readonly SegmentBlock[];
  }[] = [];
  #cursor: Cursor = { confirmed: {}, markers: {} };

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    if (existsSync(this.#path('cursor.json'))) {
      const parsed: Cursor = JSON.parse(readFileSync(this.#path('cursor.json'), 'utf8'));
      this.#cursor = parsed;
    }
    if (existsSync(this.#path('segments.json'))) {
      const parsed: Segment[] = JSON.parse(readFileSync(this.#path('segments.json'), 'utf8'));
      this.#segments = parsed;
    }
  }

  /** Writes a segment of one block per Batch. */
  add(table: string, batches: readonly Batch[], writer = 'w0', org = batches[0]!.org): Segment {
    const partition = { org, table, writer };
    const firstRow = this.#segments
      .filter((segment) => name(segment.partition) === name(partition))
      .reduce((sum, segment) => sum + segment.rows, 0);
    const path = this.#path(`${name(partition).replaceAll('/', '-')}-${firstRow}.native`);
    const blocks: SegmentBlock[] = [];
    const pieces: Buffer[] = [];
    let offset = 0;
    for (const batch of batches) {
      const bytes = Buffer.concat(encodeNative([batch]).chunks);
      const { rows, minTime, maxTime } = batch;
      blocks.push({ offset, length: bytes.length, rows, minTime, maxTime, crc: crc32(bytes) });
      pieces.push(bytes);
      offset += bytes.length;
    }
    writeFileSync(path, Buffer.concat(pieces));
    const segment: Segment = {
      partition,
      firstRow,
      rows: blocks.reduce((sum, block) => sum + block.rows, 0),
      bytes: offset,
      path,
      blocks,
      minTime: Math.min(...blocks.map((block) => block.minTime)),
      maxTime: Math.max(...blocks.map((block) => block.maxTime)),
      catalogVersion: CATALOG_VERSION,
      columns: batches[0]!.source.columns.map((column) => column.name),
      indexCrc: crc32(`${path}${offset}`),
    };
    this.#segments.push(segment);
    this.#write('segments.json', this.#segments);
    for (const listener of this.#listeners) setImmediate(listener);
    return segment;
  }

  pending(): readonly PartitionKey[] {
    const found = new Map(this.#open().map((segment) => [name(segment.partition), segment.partition]));
    return [...found.values()];
  }

  next(partition: PartitionKey): Promise<Segment | undefined> {
    return Promise.resolve(this.#open().find((segment) => name(segment.partition) === name(partition)));
  }

  onSealed(listener: () => void): void {
    this.#listeners.push(listener);
  }

  marker(partition: PartitionKey): CursorMarker | undefined {
    return this.#cursor.markers[name(partition)];
  }

  saveMarker(partition: PartitionKey, marker: CursorMarker): Promise<void> {
    this.#cursor.markers[name(partition)] = marker;
    this.#write('cursor.json', this.#cursor);
    return Promise.resolve();
  }

  confirm(segment: Segment): Promise<void> {
    this.#cursor.confirmed[name(segment.partition)] = segment.firstRow + segment.rows;
    delete this.#cursor.markers[name(segment.partition)];
    this.#write('cursor.json', this.#cursor);
    rmSync(segment.path, { force: true });
    return Promise.resolve();
  }

  quarantine(segment: Segment, why: string, blocks: readonly SegmentBlock[] = segment.blocks): Promise<void> {
    this.quarantined.push({ segment, why, blocks });
    mkdirSync(this.#path('quarantine'), { recursive: true });
    copyFileSync(segment.path, this.#path(join('quarantine', `${segment.firstRow}.native`)));
    return Promise.resolve();
  }

  get backlogBytes(): number {
    return this.#open().reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** Waits until everything is confirmed. */
  async drained(timeoutMs = 30_000): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (this.#open().length > 0) {
      if (performance.now() > end)
        throw new Error(`${this.#open().length} segments are not loaded after ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  #open(): Segment[] {
    return this.#segments.filter(
      (segment) => segment.firstRow >= (this.#cursor.confirmed[name(segment.partition)] ?? 0),
    );
  }

  #path(file: string): string {
    return join(this.#folder, file);
  }

  #write(file: string, value: unknown): void {
    writeFileSync(this.#path(`${file}.tmp`), JSON.stringify(value));
    renameSync(this.#path(`${file}.tmp`), this.#path(file));
  }
}

interface Cursor {
  readonly confirmed: Record<string, number>;
  readonly markers: Record<string, CursorMarker>;
}

function name(partition: PartitionKey): string {
  return `${partition.org}/${partition.table}/${partition.writer}`;
}
