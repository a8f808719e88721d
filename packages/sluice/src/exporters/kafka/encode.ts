import type { Batch } from '../../batch/batch.ts';
import type { EncodePass, ItemSink } from '../../delivery/types.ts';
import type { Selector } from '../selection.ts';
import type { KafkaExporterConfig } from './config.ts';
import type { LabelTexts } from './label-texts.ts';
import { HeadBuilder } from './message-head.ts';
import { messageKeys } from './message-key.ts';
import { partitionNumber } from './murmur2.ts';
import { rowJson } from './row-json.ts';
import { sampleJson } from './sample-json.ts';
import { rowTopics, topicsOfSource } from './topics.ts';

export interface EncodeOptions {
  readonly batch: Batch;
  /** Place of the Batch's first row in its partition. */
  readonly firstRow: number;
  readonly nowMs: number;
  readonly config: KafkaExporterConfig;
}

const head = new HeadBuilder();

/** Rows of everything but samples as messages, one a row. */
export function encodeRows(options: EncodeOptions, selector: Selector): EncodePass {
  const { batch, firstRow, nowMs, config } = options;
  const { rows, left } = selector.select(batch, nowMs);
  const cells = selector.cells(batch);
  const { exportEmptyTag, exportEmptyMetrics } = config;
  const json = rowJson({ selector, batch, cells }, { exportEmptyTag, exportEmptyMetrics, ...config.json });
  const keys = messageKeys(config.key, selector, cells);
  const topicOf = rowTopics(config.topic, selector, cells, batch.org);
  return {
    rows,
    left,
    encode: (from, to, sink) => {
      for (let first = from; first < to;) {
        const made = json.make(rows, first, to);
        for (let i = 0; i < made; i++) {
          const row = rows[first + i]!;
          const time = json.times.milliseconds(row);
          head.begin(topicOf(row, time));
          let writer;
          if (keys === undefined) writer = sink.spread();
          else {
            keys.set(row);
            writer = keyed(sink, keys.text.bytes, keys.text.length);
          }
          json.put(writer, i);
          writer.end(firstRow + row, time, head.bytes, head.length);
        }
        first += made;
      }
    },
  };
}

/** Samples as messages, with the labels of their series. */
export function encodeSamples(options: EncodeOptions, labels: LabelTexts): EncodePass {
  const { batch, firstRow, nowMs, config } = options;
  const json = sampleJson(batch, labels);
  const { rows, left } = young(
    batch.rows,
    (row) => json.times.milliseconds(row),
    nowMs - (config.maxAgeMs ?? Infinity),
  );
  const topicOf = topicsOfSource(config.topic, batch.source.id, batch.org);
  const key = new Uint8Array(16);
  return {
    rows,
    left,
    encode: (from, to, sink) => {
      for (let i = from; i < to; i++) {
        const row = rows[i]!;
        if (!json.has(row)) {
          sink.reject(firstRow + row, 'the labels of its series are not known', `series ${json.seriesId(row)}`);
          continue;
        }
        const time = json.times.milliseconds(row);
        head.begin(topicOf(row, time));
        let writer;
        if (config.key.kind !== 'series-hash') writer = sink.spread();
        else {
          json.putKey(key, row);
          writer = keyed(sink, key, key.length);
        }
        json.put(writer, row);
        writer.end(firstRow + row, time, head.bytes, head.length);
      }
    },
  };
}

/** The writer of everything with this key, which goes into the head; a row without a key may go anywhere. */
function keyed(sink: ItemSink, key: Uint8Array, length: number) {
  if (length === 0) return sink.spread();
  head.setKey(key, length);
  return sink.lane(partitionNumber(key, length) % sink.lanes);
}

/** Rows that did not happen before a time. */
function young(count: number, timeOf: (row: number) => number, since: number): Pick<EncodePass, 'rows' | 'left'> {
  const rows = new Uint32Array(count);
  let kept = 0;
  for (let row = 0; row < count; row++) if (timeOf(row) >= since) rows[kept++] = row;
  const left = new Map(kept === count ? [] : [['too_old', count - kept]]);
  return { rows: rows.subarray(0, kept), left };
}
