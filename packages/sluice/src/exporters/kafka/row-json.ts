import { bug } from '../../base/errors.ts';
import type { Batch } from '../../batch/batch.ts';
import { valuesOf } from '../../batch/read.ts';
import type { ItemWriter } from '../../delivery/item-writer.ts';
import type { DataSource } from '../../catalog/types.ts';
import type { Cells } from '../cells.ts';
import type { Selector } from '../selection.ts';
import { jsonField, type JsonOptions } from './cell-json.ts';
import { isConstant } from './constant-cells.ts';
import { JsonBlock } from './json-block.ts';
import { type JsonField, joined, textOf } from './json-field.ts';
import { JsonOut } from './json-out.ts';
import { podLabelField } from './pod-label-json.ts';
import { fineTimes, type RowTimes, secondTimes, TIME_TEXT_BYTES, TimeText } from './time-text.ts';

/**
 * The rows of one Batch as JSON objects, DeepFlow's own form:
 *
 *   {"datasource":"<data source>"[,"<field>":<value>]...[,"k8s_label_names":[...],"k8s_label_values":[...]],"time_str":"<Go's time, UTC>"}
 *
 * Always valid JSON; 64-bit integers are exact; what has no value or, as configured, an empty one is left out.
 */
export interface RowJson {
  /** Makes the texts of rows[from, to), or of as many as are made at once; tells how many. */
  make(rows: Uint32Array, from: number, to: number): number;
  /** Writes one of those made last, counted from 0, as the body of an item that is not ended yet. */
  put(writer: ItemWriter, made: number): void;
  readonly times: RowTimes;
}

export interface RowJsonOptions extends JsonOptions {
  /** DeepFlow's misspelt keys beside the right ones. */
  readonly legacyKeys: boolean;
}

const timeText = new TimeText();
/** Shared by all: texts are fetched right after they were made. */
const block = new JsonBlock();

export interface JsonRows {
  readonly selector: Selector;
  readonly batch: Batch;
  /** Those of the selector. */
  readonly cells: readonly Cells[];
}

export function rowJson(rows: JsonRows, options: RowJsonOptions): RowJson {
  const times = rowTimes(rows.batch);
  const head = new TextEncoder().encode(`{"datasource":${JSON.stringify(rows.selector.source.id)}`);
  const fields = joined([head, ...jsonFields(rows, options)]);
  const most = TIME_TEXT_BYTES + fields.reduce((sum, field) => sum + field.most, 0);
  return {
    times,
    make: (all, from, to) => {
      block.begin(all, from, to);
      for (const { lists } of fields) if (lists !== undefined) block.addRoom(lists);
      block.place(most);
      for (const field of fields) field.put(block);
      const { out, ends, count } = block;
      for (let i = 0; i < count; i++) ends[i] = times.put(timeText, out.bytes, ends[i]!, block.rows[i]!);
      return count;
    },
    put: (writer, made) => {
      const start = block.starts[made]!;
      const end = block.ends[made]!;
      writer.reserve(end - start);
      writer.bytes.set(block.out.bytes.subarray(start, end), writer.at);
      writer.at += end - start;
    },
  };
}

/** Fields that are the same in all rows as their text. */
function jsonFields({ selector, batch, cells }: JsonRows, options: RowJsonOptions): (JsonField | Uint8Array)[] {
  const fields: (JsonField | Uint8Array)[] = [];
  for (const [i, field] of selector.fields.entries()) {
    if (field.isLegacy && !options.legacyKeys) continue;
    const values = cells[i] ?? bug(`no cells for ${field.label}`);
    const made = jsonField(field, values, options);
    fields.push(batch.rows >= LEAST_CONSTANT && isConstant(values) ? textOf(made, block) : made);
  }
  for (const labels of selector.podLabels(batch)) fields.push(podLabelField(labels));
  return fields;
}

/** In Batches of fewer rows it is not worth to look for fields that are the same in all of them. */
const LEAST_CONSTANT = 64;

/** The writer's memory as rows are written into it, kept with the writer until it is replaced. */
export function outOf(writer: ItemWriter): JsonOut {
  const { state } = writer;
  if (state instanceof JsonOut && state.bytes === writer.bytes) return state;
  const out = new JsonOut(writer.bytes);
  writer.state = out;
  return out;
}

/** When rows of flow logs and events ended; when others began. */
export function rowTimes(batch: Batch): RowTimes {
  const { source } = batch;
  const end = source.columns.findIndex(({ name }) => name === 'end_time');
  const index = end >= 0 ? end : source.columns.findIndex(({ name }) => name === source.time.column);
  const column = batch.columns[index] ?? bug(`${source.id} has no column of its time`);
  const digits = digitsOf(source, index);
  const words = valuesOf(column, Uint32Array);
  return digits === 0 ? secondTimes(words) : fineTimes(words, digits);
}

function digitsOf(source: DataSource, index: number): 0 | 3 | 6 {
  const { type } = source.columns[index]!;
  if (type === 'UInt32' || /^DateTime(?:\(|$)/.test(type)) return 0;
  const digits = Number(/^DateTime64\((\d)/.exec(type)?.[1]);
  return digits === 3 || digits === 6 ? digits : bug(`${source.id}: a time of type ${type}`);
}
