import { bug } from '../../base/errors.ts';
import type { Batch } from '../../batch/batch.ts';
import { valuesOf } from '../../batch/read.ts';
import type { ItemWriter } from '../../delivery/item-writer.ts';
import { MOST_FLOAT, putFloat, putUnsigned } from './digits.ts';
import { fragment } from './json-out.ts';
import type { LabelTexts } from './label-texts.ts';
import { putHex } from './message-key.ts';
import { outOf, rowTimes } from './row-json.ts';
import { type RowTimes, TIME_TEXT_BYTES, TimeText } from './time-text.ts';

/**
 * Samples of `prometheus.samples` as JSON objects:
 *
 *   {"datasource":"prometheus.samples","metric_name":"up","labels":{...},"value":1,"time":1700000000123,"org_id":1,"time_str":"... UTC"}
 *
 * `time` is in milliseconds. JSON has no NaN and no infinities: there `value` is null, and `value_str` behind it says which it is: `NaN`, `+Inf`, `-Inf`,
 * or `stale` for Prometheus' staleness marker.
 */
export interface SampleJson {
  readonly times: RowTimes;
  /** Whether the row's series is known. */
  has(row: number): boolean;
  /** Writes a row as the body of an item that is not ended yet. */
  put(writer: ItemWriter, row: number): void;
  /** The series id of a row, 16 hexadecimal digits. */
  putKey(bytes: Uint8Array, row: number): void;
  seriesId(row: number): string;
}

const HEAD = fragment('{"datasource":"prometheus.samples"');
const VALUE = fragment(',"value":');
const TIME = fragment(',"time":');
const ORG = fragment(',"org_id":');
const NOT_NUMBERS = {
  stale: fragment('null,"value_str":"stale"'),
  nan: fragment('null,"value_str":"NaN"'),
  infinity: fragment('null,"value_str":"+Inf"'),
  negative: fragment('null,"value_str":"-Inf"'),
};
/** Everything beside labels and value. */
const MOST = 256 + MOST_FLOAT + TIME_TEXT_BYTES;
const STALE_HIGH = 0x7ff0_0000;
const STALE_LOW = 2;

const timeText = new TimeText();

export function sampleJson(batch: Batch, labels: LabelTexts): SampleJson {
  const { org } = batch;
  const ids = valuesOf(columnOf(batch, 'series_id'), Uint32Array);
  const values = valuesOf(columnOf(batch, 'value'), Float64Array);
  const halves = valuesOf(columnOf(batch, 'value'), Uint32Array);
  const times = rowTimes(batch);
  const textOf = (row: number) => labels.get(org, ids[row * 2]!, ids[row * 2 + 1]!);
  return {
    times,
    has: (row) => textOf(row) !== undefined,
    put: (writer, row) => {
      const text = textOf(row) ?? bug('a sample of a series without labels');
      writer.reserve(MOST + text.length);
      const out = outOf(writer);
      const { bytes, view } = out;
      let at = HEAD.put(view, writer.at);
      for (let i = 0; i < text.length; i++) bytes[at++] = text[i]!;
      at = VALUE.put(view, at);
      const value = values[row]!;
      if (Number.isFinite(value)) at = putFloat(bytes, at, value);
      else {
        const isStale = halves[row * 2 + 1] === STALE_HIGH && halves[row * 2] === STALE_LOW;
        at = NOT_NUMBERS[kindOf(value, isStale)].put(view, at);
      }
      at = putFloat(bytes, TIME.put(view, at), times.milliseconds(row));
      at = putUnsigned(bytes, ORG.put(view, at), org);
      writer.at = times.put(timeText, bytes, at, row);
    },
    putKey: (bytes, row) => {
      putHex(bytes, 0, ids[row * 2 + 1]!);
      putHex(bytes, 8, ids[row * 2]!);
    },
    seriesId: (row) => [ids[row * 2 + 1]!, ids[row * 2]!].map((half) => half.toString(16).padStart(8, '0')).join(''),
  };
}

/** 4 words a row: metric id low and high, series id low and high. */
export function sampleIds(batch: Batch): Uint32Array {
  const metrics = valuesOf(columnOf(batch, 'metric_id'), Uint32Array);
  const series = valuesOf(columnOf(batch, 'series_id'), Uint32Array);
  const ids = new Uint32Array(batch.rows * 4);
  for (let row = 0; row < batch.rows; row++) {
    ids[row * 4] = metrics[row * 2]!;
    ids[row * 4 + 1] = metrics[row * 2 + 1]!;
    ids[row * 4 + 2] = series[row * 2]!;
    ids[row * 4 + 3] = series[row * 2 + 1]!;
  }
  return ids;
}

function columnOf(batch: Batch, name: string) {
  const index = batch.source.columns.findIndex((column) => column.name === name);
  return batch.columns[index] ?? bug(`${batch.source.id} has no column ${name}`);
}

function kindOf(value: number, isStale: boolean): keyof typeof NOT_NUMBERS {
  if (isStale) return 'stale';
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'infinity' : 'negative';
}
