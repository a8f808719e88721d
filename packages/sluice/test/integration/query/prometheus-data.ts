import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Batch } from '../../../src/batch/batch.ts';
import { BatchBuilder, FixedBuilder, StringBuilder, TupleBuilder } from '../../../src/batch/builder.ts';
import { encodeNative } from '../../../src/batch/native.ts';
import { databaseOf } from '../../../src/catalog/catalog.ts';
import { histograms, metadata, samples, series, seriesTags } from '../../../src/catalog/prometheus.ts';
import { openChdb, type ChdbStore } from '../../../src/storage/chdb.ts';
import { identifier, joinSql, sql } from '../../../src/storage/sql.ts';
import { createDatabase, createTables } from '../../../src/storage/tables.ts';
import type { HistogramPoint, Sample } from '../../unit/query/chunk-decoder.ts';

/** Series and their points put into a fresh embedded database, as the loader would. */
export interface DataSeries {
  readonly labels: readonly (readonly [string, string])[];
  readonly samples?: readonly Sample[];
  readonly histograms?: readonly HistogramPoint[];
  /** Times of its rows in prometheus.series; default: the time of its first point. */
  readonly announced?: readonly number[];
  /** Tag columns of its rows; each row of them is a version of the series from `announced` of the same place on. */
  readonly tags?: readonly Readonly<Record<string, number>>[];
}

export interface DataMetadata {
  readonly family: string;
  readonly type: string;
  readonly unit: string;
  readonly help: string;
  readonly time: number;
}

export interface TestDatabase {
  readonly store: ChdbStore;
  insert(data: readonly DataSeries[], org?: number): Promise<void>;
  insertMetadata(rows: readonly DataMetadata[], org?: number): Promise<void>;
  close(): Promise<void>;
}

export async function openTestDatabase(organisations: readonly number[] = [1]): Promise<TestDatabase> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-query-'));
  const store = await openChdb({ path: join(directory, 'chdb'), maxMemory: 1 << 30 });
  for (const org of organisations) {
    await store.command(createDatabase(databaseOf(series, org)));
    for (const source of [series, samples, histograms, metadata]) {
      for (const statement of createTables(source, org, { retention: 'forever' })) await store.command(statement);
    }
  }
  const load = async (batch: Batch) => {
    if (batch.rows === 0) return;
    const file = join(directory, `${randomUUID()}.native`);
    await writeFile(file, encodeNative([batch]).chunks);
    const names = joinSql(
      batch.source.columns.map(({ name }) => identifier(name)),
      ', ',
    );
    const table = identifier(databaseOf(batch.source, batch.org), batch.source.table);
    await store.insert(sql`INSERT INTO ${table} (${names}) FROM INFILE ${file} FORMAT Native`);
    await rm(file);
  };
  return {
    store,
    insert: async (data, org = 1) => {
      for (const batch of dataBatches(data, org)) await load(batch);
    },
    insertMetadata: (rows, org = 1) => load(metadataBatch(rows, org)),
    close: async () => {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export function idsOf(labels: DataSeries['labels']): { metric: bigint; series: bigint } {
  const name = labels.find(([label]) => label === '__name__')?.[1] ?? '';
  const first8 = (text: string) => createHash('sha256').update(text).digest().readBigUInt64LE(0);
  return { metric: first8(name), series: first8(JSON.stringify(labels)) };
}

function dataBatches(data: readonly DataSeries[], org: number): Batch[] {
  const seriesRows = new BatchBuilder(series);
  const sampleRows = new BatchBuilder(samples);
  const histogramRows = new BatchBuilder(histograms);
  for (const one of data) {
    const { metric, series: id } = idsOf(one.labels);
    const first = Math.min(
      ...(one.samples ?? []).map(({ time }) => time),
      ...(one.histograms ?? []).map(({ time }) => time),
    );
    for (const [index, time] of (one.announced ?? [first]).entries()) {
      put64(seriesRows.fixed('metric_id'), metric);
      put64(seriesRows.fixed('series_id'), id);
      put64(seriesRows.fixed('valid_from'), BigInt(one.tags !== undefined || first === Infinity ? time : first));
      put64(seriesRows.fixed('time'), BigInt(time));
      seriesRows.string('metric_name').appendText(one.labels.find(([name]) => name === '__name__')?.[1] ?? '');
      putLabels(
        seriesRows,
        one.labels.filter(([name]) => name !== '__name__'),
      );
      putTags(seriesRows, one.tags?.[index] ?? {});
    }
    for (const { time, bits } of one.samples ?? []) {
      put64(sampleRows.fixed('metric_id'), metric);
      put64(sampleRows.fixed('series_id'), id);
      put64(sampleRows.fixed('time'), BigInt(time));
      put64(sampleRows.fixed('value'), bits);
    }
    for (const point of one.histograms ?? []) putHistogram(histogramRows, metric, id, point);
  }
  return [seriesRows, sampleRows, histogramRows].map((builder) => builder.finish(org, 0, 0));
}

function metadataBatch(rows: readonly DataMetadata[], org: number): Batch {
  const builder = new BatchBuilder(metadata);
  for (const row of rows) {
    builder.string('metric_family_name').appendText(row.family);
    builder.string('type').appendText(row.type);
    builder.string('unit').appendText(row.unit);
    builder.string('help').appendText(row.help);
    put64(builder.fixed('time'), BigInt(row.time));
  }
  return builder.finish(org, 0, 0);
}

function put64(builder: FixedBuilder, value: bigint): void {
  builder.appendHalves(Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n)));
}

function putLabels(builder: BatchBuilder, labels: DataSeries['labels']): void {
  const list = builder.array('labels');
  const pair = list.element;
  if (!(pair instanceof TupleBuilder)) throw new Error('labels are pairs');
  const [names, values] = pair.elements;
  if (!(names instanceof StringBuilder) || !(values instanceof StringBuilder)) throw new Error('labels are texts');
  for (const [name, value] of labels) {
    names.appendText(name);
    values.appendText(value);
  }
  list.close();
}

function putTags(builder: BatchBuilder, tags: Readonly<Record<string, number>>): void {
  for (const { name } of seriesTags) {
    const column = builder.fixed(name);
    if (column.width <= 4) column.appendUint(tags[name] ?? 0);
    else column.append(new Uint8Array(column.width), 0);
  }
}

function putHistogram(builder: BatchBuilder, metric: bigint, id: bigint, point: HistogramPoint): void {
  const whole = (name: string, value: bigint) => put64(builder.fixed(name), value);
  whole('metric_id', metric);
  whole('series_id', id);
  whole('time', BigInt(point.time));
  whole('start_time', 0n);
  builder.fixed('is_float').appendUint(point.isFloat ? 1 : 0);
  builder.fixed('schema').appendUint(point.schema);
  builder.fixed('reset_hint').appendUint(point.resetHint);
  whole('count', point.isFloat ? 0n : point.count);
  whole('count_float', point.isFloat ? point.count : 0n);
  whole('sum', point.sum);
  whole('zero_threshold', point.zeroThreshold);
  whole('zero_count', point.isFloat ? 0n : point.zeroCount);
  whole('zero_count_float', point.isFloat ? point.zeroCount : 0n);
  for (const side of ['positive', 'negative'] as const) {
    const { spans, values } = point[side];
    putList(
      builder,
      `${side}_span_offsets`,
      spans.map(([offset]) => BigInt(offset)),
    );
    putList(
      builder,
      `${side}_span_lengths`,
      spans.map(([, length]) => BigInt(length)),
    );
    putList(builder, `${side}_deltas`, point.isFloat ? [] : values);
    putList(builder, `${side}_counts`, point.isFloat ? values : []);
  }
  putList(builder, 'custom_values', point.customValues);
}

function putList(builder: BatchBuilder, name: string, values: readonly bigint[]): void {
  const list = builder.array(name);
  const { element } = list;
  if (!(element instanceof FixedBuilder)) throw new Error('lists of numbers are fixed');
  for (const value of values) {
    if (element.width === 8) put64(element, value);
    else element.appendUint(Number(value));
  }
  list.close();
}
