import { bug } from '../../base/errors.ts';
import type { Batch } from '../../batch/batch.ts';
import { valuesOf } from '../../batch/read.ts';
import type { ItemWriter } from '../../delivery/item-writer.ts';
import type { DataSource } from '../../catalog/types.ts';
import type { Cells } from '../cells.ts';
import type { Selector } from '../selection.ts';
import { jsonField, type JsonOptions } from './cell-json.ts';
import { type JsonField, listBytes, putFields } from './json-field.ts';
import { JsonOut, fragment, type Fragment } from './json-out.ts';
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
  /** Writes a row as the body of an item that is not ended yet. */
  put(writer: ItemWriter, row: number): void;
  readonly times: RowTimes;
}

export interface RowJsonOptions extends JsonOptions {
  /** DeepFlow's misspelt keys beside the right ones. */
  readonly legacyKeys: boolean;
}

const timeText = new TimeText();

export interface JsonRows {
  readonly selector: Selector;
  readonly batch: Batch;
  /** Those of the selector. */
  readonly cells: readonly Cells[];
}

export function rowJson(rows: JsonRows, options: RowJsonOptions): RowJson {
  const { selector, batch } = rows;
  const times = rowTimes(batch);
  const fields = jsonFields(rows, options);
  const head = fragment(`{"datasource":${JSON.stringify(selector.source.id)}`);
  const most = head.length + TIME_TEXT_BYTES + fields.reduce((sum, field) => sum + field.most, 0);
  return {
    times,
    put: (writer, row) => {
      writer.reserve(most + USUAL_TEXT);
      const end = putRow(outOf(writer), writer.at, row, { head, fields, times, most });
      if (end >= 0) {
        writer.at = end;
        return;
      }
      writer.reserve(most + fields.reduce((sum, field) => sum + listBytes(field, row), 0));
      writer.at = putRow(outOf(writer), writer.at, row, { head, fields, times, most });
    },
  };
}

/** Room for the texts of a row that need not be counted before. */
const USUAL_TEXT = 8192;

interface RowParts {
  readonly head: Fragment;
  readonly fields: readonly JsonField[];
  readonly times: RowTimes;
  readonly most: number;
}

/** -1 where the texts need more room. */
function putRow(out: JsonOut, at: number, row: number, { head, fields, times, most }: RowParts): number {
  const end = putFields(fields, out, head.put(out.view, at), row, out.bytes.length - most);
  return end < 0 ? end : times.put(timeText, out.bytes, end, row);
}

function jsonFields({ selector, batch, cells }: JsonRows, options: RowJsonOptions): JsonField[] {
  const fields: JsonField[] = [];
  for (const [i, field] of selector.fields.entries()) {
    if (field.isLegacy && !options.legacyKeys) continue;
    fields.push(jsonField(field, cells[i] ?? bug(`no cells for ${field.label}`), options));
  }
  for (const labels of selector.podLabels(batch)) fields.push(podLabelField(labels));
  return fields;
}

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
