import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { BatchBuilder } from '../../../src/batch/builder.ts';
import type { Batch } from '../../../src/batch/batch.ts';
import { decodeNative } from '../../../src/batch/native.ts';
import { textAt, valuesOf } from '../../../src/batch/read.ts';
import { CATALOG_VERSION, findDataSource } from '../../../src/catalog/catalog.ts';
import { metadata, samples } from '../../../src/catalog/prometheus.ts';
import type { Clock } from '../../../src/journal/clock.ts';
import { realFiles, type Files } from '../../../src/journal/files.ts';
import { openJournal, type JournalOptions } from '../../../src/journal/journal.ts';
import type { Journal, PartitionKey, Segment } from '../../../src/journal/types.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics.ts';

export const samplesKey: PartitionKey = { org: 1, table: 'prometheus.samples', writer: 'main' };
export const metadataKey: PartitionKey = { org: 1, table: 'prometheus.metadata', writer: 'main' };

/** A Batch of prometheus.samples whose values are the given numbers; value n has time n. */
export function sampleBatch(values: readonly number[], org = 1): Batch {
  const builder = new BatchBuilder(samples, values.length);
  for (const value of values) {
    builder.fixed('metric_id').appendHalves(1, 2);
    builder.fixed('series_id').appendHalves(3, 4);
    builder.fixed('time').appendHalves(value, 0);
    const column = builder.fixed('value');
    column.reserve(1);
    column.f64[column.rows++] = value;
  }
  return builder.finish(org, Math.min(...values), Math.max(...values));
}

/** A Batch of prometheus.metadata: texts of any length, whose `help` is the given text. */
export function metadataBatch(helps: readonly string[], org = 1): Batch {
  const builder = new BatchBuilder(metadata, helps.length);
  for (const help of helps) {
    builder.string('metric_family_name').appendText('up');
    builder.string('type').appendText('gauge');
    builder.string('unit').appendText('');
    builder.string('help').appendText(help);
    builder.fixed('time').appendHalves(7, 0);
  }
  return builder.finish(org, 7, 7);
}

export function valuesIn(batch: Batch): number[] {
  const index = batch.source.columns.findIndex((column) => column.name === 'value');
  return [...valuesOf(batch.columns[index]!, Float64Array)];
}

export function helpsIn(batch: Batch): string[] {
  const index = batch.source.columns.findIndex((column) => column.name === 'help');
  return Array.from({ length: batch.rows }, (_, row) => textAt(batch.columns[index]!, row));
}

/** Values of the rows of a samples segment, decoded from the file as the database would. */
export function valuesInFile(path: string): number[] {
  const bytes = fs.readFileSync(path);
  const values: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const block = decodeNative(bytes, at);
    if (block === undefined) throw new Error(`${path} ends within a block`);
    values.push(...valuesOf(block.columns.find((column) => column.name === 'value')!.data, Float64Array));
    at = block.end;
  }
  return values;
}

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  now = 1000;
  #timers: { at: number; task: () => void }[] = [];

  monotonicMs(): number {
    return this.now;
  }

  epochMs(): number {
    return 1_700_000_000_000 + this.now;
  }

  after(ms: number, task: () => void): () => void {
    const timer = { at: this.now + ms, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get waiting(): number {
    return this.#timers.length;
  }

  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.now = Math.max(this.now, due.at);
      due.task();
    }
    this.now = end;
  }
}

export interface Opened {
  readonly journal: Journal;
  readonly clock: ManualClock;
  readonly metrics: Metrics;
  readonly lines: Record<string, unknown>[];
}

export type OpenOptions = Partial<Omit<JournalOptions, 'clock'>> & { readonly dataDir: string };

export async function open(options: OpenOptions): Promise<Opened> {
  const clock = new ManualClock();
  const metrics = createMetrics(new Registry());
  const lines: Record<string, unknown>[] = [];
  const log = createLog({
    level: 'info',
    destination: { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const journal = await openJournal({
    sync: 'interval',
    syncIntervalMs: 1000,
    maxBytes: 1 << 30,
    minFreeBytes: 0,
    catalog: { version: CATALOG_VERSION, find: findDataSource },
    metrics,
    log,
    clock,
    files: filesWith({}),
    ...options,
  });
  return { journal, clock, metrics, lines };
}

/** A folder of its own for one test, removed afterwards. */
export function temporaryFolder(t: { after(task: () => void): void }): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'sluice-journal-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function segmentFile(
  dataDir: string,
  firstRow: number,
  extension: 'native' | 'index',
  key = samplesKey,
): string {
  const name = `${String(firstRow).padStart(16, '0')}.${extension}`;
  return join(dataDir, 'journal', String(key.org), key.table, key.writer, name);
}

/** Loads everything that is sealed, as storage does; the values of the samples in order. */
export async function drain(journal: Journal, key = samplesKey): Promise<number[]> {
  const values: number[] = [];
  for (;;) {
    const segment = await journal.storage.next(key);
    if (segment === undefined) {
      await deleted();
      return values;
    }
    values.push(...checkedValues(segment));
    await journal.storage.confirm(segment);
  }
}

/** Segments that were let go are deleted by then. */
export async function deleted(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** The segment's rows, after comparing its blocks with the file. */
export function checkedValues(segment: Segment): number[] {
  const values = valuesInFile(segment.path);
  const rows = segment.blocks.reduce((sum, block) => sum + block.rows, 0);
  if (values.length !== segment.rows || rows !== segment.rows) {
    throw new Error(`expected ${segment.rows} rows; the blocks have ${rows}, the file ${values.length}`);
  }
  return values;
}

export async function metricValue(
  metric: { get(): Promise<{ values: { value: number; labels: object }[] }> },
  labels: object = {},
): Promise<number> {
  const { values } = await metric.get();
  let sum = 0;
  for (const value of values) {
    if (Object.entries(labels).every(([name, text]) => (value.labels as Record<string, unknown>)[name] === text))
      sum += value.value;
  }
  return sum;
}

/** Without the pool of threads: what a test waits for is one turn of the event loop. */
async function unlinkAtOnce(path: string): Promise<void> {
  await Promise.resolve();
  realFiles.unlinkSync(path);
}

/** The real file system with `changes` in place of some calls. */
export function filesWith(changes: Partial<Files>): Files {
  return { ...realFiles, unlink: unlinkAtOnce, ...changes };
}

export function fileError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** Reads what is there now, without waiting for more. */
export function soon(ms = 50): AbortSignal {
  return AbortSignal.timeout(ms);
}
