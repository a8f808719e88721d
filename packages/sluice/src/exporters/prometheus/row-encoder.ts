import { valuesOf } from '../../batch/read.ts';
import type { Batch } from '../../batch/batch.ts';
import type { EncodePass, ItemSink } from '../../delivery/types.ts';
import type { ItemWriter } from '../../delivery/item-writer.ts';
import type { Cells } from '../cells.ts';
import type { SelectedField, Selector } from '../selection.ts';
import { hasValue } from './cell-text.ts';
import type { ExportCounters } from './counters.ts';
import { LABEL_TAG } from './label-bytes.ts';
import { LabelBlock } from './label-block.ts';
import { planLabels, type LabelPlan } from './label-plan.ts';
import { numberOf } from './metric-value.ts';
import type { SeriesOptions } from './options.ts';
import { PodLabels } from './pod-labels.ts';
import { rowIndexOf, type RowIndex } from './row-index.ts';
import { highWord, lowWord, putSample, sampleSize, setBits, setValueBefore, valueBefore } from './sample-bytes.ts';
import { putVarint } from '../varint.ts';

/** What is made of a data source's selected fields; good as long as they are. */
interface Compiled {
  readonly fields: readonly SelectedField[];
  readonly plan: LabelPlan;
  readonly pods: PodLabels;
  readonly block: LabelBlock;
  /** Bytes of the longest metric's name label. */
  readonly longestName: number;
}

/**
 * Rows of one data source of flow_metrics to series: one of each selected metric, all with the labels that the row's tags make. An item is a whole
 * TimeSeries field of a 1.0 WriteRequest:
 *
 *   0A | varint length | labels before __name__ | __name__ | labels behind it | sample
 */
export class RowEncoder {
  readonly #selector: Selector;
  readonly #options: SeriesOptions;
  readonly #counters: ExportCounters;
  readonly #timeColumn: number;
  readonly #value = { low: 0, high: 0 };
  readonly #time = { low: 0, high: 0 };
  #compiled: Compiled | undefined;

  constructor(selector: Selector, options: SeriesOptions, counters: ExportCounters) {
    this.#selector = selector;
    this.#options = options;
    this.#counters = counters;
    const { columns, time } = selector.source;
    this.#timeColumn = columns.findIndex(({ name }) => name === time.column);
  }

  begin(batch: Batch, firstRow: number, nowMs: number): EncodePass {
    const { rows, left } = this.#selector.select(batch, nowMs);
    // Fields first, and cells with them: both change when names are loaded.
    const compiled = this.#compile(this.#selector.fields);
    const cells = this.#selector.cells(batch);
    const pods = this.#selector.podLabels(batch);
    const seconds = valuesOf(batch.columns[this.#timeColumn]!, Uint32Array);
    return {
      rows,
      left,
      encode: (from, to, sink) => {
        // Another pass of the same encoder may have run in between.
        compiled.pods.use(pods);
        for (let i = from; i < to; i++) {
          const row = rows[i]!;
          this.#row(compiled, { cells, row, place: firstRow + row, timeMs: seconds[row]! * 1000 }, sink);
        }
        this.#counters.flush();
      },
    };
  }

  #compile(fields: readonly SelectedField[]): Compiled {
    if (this.#compiled?.fields === fields) return this.#compiled;
    const { emptyTags, maxLabels } = this.#options;
    const plan = planLabels({ selector: this.#selector, ...this.#options });
    const external = plan.after.flatMap((slot) => (slot.kind === 'pods' ? slot.external : []));
    const pods = new PodLabels(external);
    const block = new LabelBlock({ plan, pods, emptyTags, maxLabels });
    const longestName = Math.max(0, ...plan.metrics.map(({ label }) => label.length));
    this.#compiled = { fields, plan, pods, block, longestName };
    return this.#compiled;
  }

  #row({ plan, block, longestName }: Compiled, source: SourceRow, sink: ItemSink): void {
    const { cells, row, timeMs } = source;
    block.build(source);
    this.#counters.droppedLabels += block.dropped;
    if (block.count > this.#counters.mostLabels) this.#counters.mostLabels = block.count;
    this.#time.low = lowWord(timeMs);
    this.#time.high = highWord(timeMs);
    const writer = sink.lane(block.hash % sink.lanes);
    const sample = sampleSize(this.#time.low, this.#time.high);
    const shared = block.end + sample;
    writer.reserve(plan.metrics.length * (6 + longestName + shared));
    const index = this.#options.onDuplicate === 'keep' ? undefined : rowIndexOf(writer, plan);
    const first = index === undefined ? -1 : index.find(writer, block, timeMs);
    const from = writer.count;
    const before = block.split === 0 ? undefined : block.bytes.subarray(0, block.split);
    const after = block.bytes.subarray(block.split, block.end);
    const { bytes } = writer;
    const { metrics } = plan;
    for (let metric = 0; metric < metrics.length; metric++) {
      const { field, label } = metrics[metric]!;
      const values = cells[field]!;
      const value = numberOf(values, row);
      if (value === 0 && !this.#options.emptyMetrics) continue;
      if (!hasValue(values, row)) continue;
      if (first >= 0 && this.#repeat(writer, { index: index!, first, metric, plan, value, sample })) continue;
      const total = label.length + shared;
      let { at } = writer;
      bytes[at] = LABEL_TAG;
      at = putVarint(bytes, at + 1, total);
      if (before !== undefined) {
        bytes.set(before, at);
        at += before.length;
      }
      for (let i = 0; i < label.length; i++) bytes[at + i] = label[i]!;
      at += label.length;
      bytes.set(after, at);
      at += after.length;
      setBits(this.#value, value);
      writer.at = putSample(bytes, at, this.#value, this.#time);
      index?.note(writer.count, metric);
      writer.end(source.place, timeMs);
    }
    index?.add(block, timeMs, { first, from, to: writer.count });
  }

  /** Puts the value into the item of the same series and time, if the batch has one. */
  #repeat(writer: ItemWriter, { index, first, metric, plan, value, sample }: Repeat): boolean {
    const item = index.item(first, metric);
    if (item < 0) return false;
    const end = writer.ends[item]!;
    const timeSize = sample - 12;
    let merged = value;
    if (this.#options.onDuplicate === 'merge') {
      const other = valueBefore(writer.bytes, end, timeSize);
      merged = plan.metrics[metric]!.merge === 'greatest' ? Math.max(other, value) : other + value;
    }
    setBits(this.#value, merged);
    setValueBefore(writer.bytes, end, timeSize, this.#value);
    this.#counters.merged++;
    return true;
  }
}

interface SourceRow {
  readonly cells: readonly Cells[];
  readonly row: number;
  /** Place of the row in its partition. */
  readonly place: number;
  readonly timeMs: number;
}

interface Repeat {
  readonly index: RowIndex;
  readonly first: number;
  readonly metric: number;
  readonly plan: LabelPlan;
  readonly value: number;
  /** Bytes of a sample. */
  readonly sample: number;
}
