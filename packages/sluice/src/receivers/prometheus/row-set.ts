import { bug } from '../../base/errors.ts';
import { STAGE, STAGE_ROWS, type SampleStage } from '../../base/sample-stage.ts';
import type { LabelList } from '../../base/label-fields.ts';
import type { Batch } from '../../batch/batch.ts';
import {
  type ArrayBuilder,
  BatchBuilder,
  type FixedBuilder,
  StringBuilder,
  TupleBuilder,
} from '../../batch/builder.ts';
import { exemplars, histograms, metadata, samples, series } from '../../catalog/prometheus.ts';

/** Columns that samples, histograms and exemplars begin with. */
export class PointColumns {
  readonly builder: BatchBuilder;
  readonly #metricId: FixedBuilder;
  readonly #seriesId: FixedBuilder;
  readonly #time: FixedBuilder;
  minTime = Infinity;
  maxTime = -Infinity;

  constructor(builder: BatchBuilder) {
    this.builder = builder;
    this.#metricId = builder.fixed('metric_id');
    this.#seriesId = builder.fixed('series_id');
    this.#time = builder.fixed('time');
  }

  /** Appends ids (of the series with this number) and time of a row; the time is given as halves and as a number. */
  push(ids: Uint32Array, number: number, low: number, high: number, time: number): void {
    const at = number * 4;
    this.#metricId.appendHalves(ids[at]!, ids[at + 1]!);
    this.#seriesId.appendHalves(ids[at + 2]!, ids[at + 3]!);
    this.#time.appendHalves(low, high);
    this.saw(time);
  }

  saw(time: number): void {
    if (time < this.minTime) this.minTime = time;
    if (time > this.maxTime) this.maxTime = time;
  }

  finish(org: number, into: Batch[]): void {
    if (this.builder.rows > 0) into.push(this.builder.finish(org, this.minTime, this.maxTime));
  }

  reset(): void {
    this.builder.reset();
    this.minTime = Infinity;
    this.maxTime = -Infinity;
  }
}

/** The hot table: filled from the stage. */
export class SampleColumns {
  readonly points: PointColumns;
  readonly #columns: readonly (readonly [builder: FixedBuilder, stageOffset: number])[];

  constructor() {
    const builder = new BatchBuilder(samples, STAGE_ROWS);
    this.points = new PointColumns(builder);
    this.#columns = [
      [builder.fixed('metric_id'), STAGE.metricIds],
      [builder.fixed('series_id'), STAGE.seriesIds],
      [builder.fixed('time'), STAGE.times],
      [builder.fixed('value'), STAGE.values],
    ];
  }

  get rows(): number {
    return this.points.builder.rows;
  }

  /** Takes the stage's rows and leaves it empty. */
  drain(stage: SampleStage): void {
    const { rows } = stage;
    if (rows === 0) return;
    for (const [builder, offset] of this.#columns) {
      builder.reserve(rows);
      builder.u32.set(stage.column(offset), builder.rows * 2);
      builder.rows += rows;
    }
    const { min, max } = stage.takenTimes();
    if (min <= max) {
      this.points.saw(min);
      this.points.saw(max);
    }
    stage.clear();
  }

  finish(org: number, into: Batch[]): void {
    this.points.finish(org, into);
  }

  reset(): void {
    this.points.reset();
  }
}

/** A Map(String, String) column. */
export class LabelColumn {
  readonly #array: ArrayBuilder;
  readonly #names: StringBuilder;
  readonly #values: StringBuilder;

  constructor(builder: BatchBuilder) {
    this.#array = builder.array('labels');
    const tuple = this.#array.element;
    const [names, values] = tuple instanceof TupleBuilder ? tuple.elements : [];
    if (!(names instanceof StringBuilder) || !(values instanceof StringBuilder)) bug('labels are Map(String, String)');
    this.#names = names;
    this.#values = values;
  }

  /** Appends the labels but the one at `without`. */
  push(list: LabelList, bytes: Uint8Array, without = -1): void {
    for (let i = 0; i < list.count; i++) {
      if (i === without) continue;
      this.#names.append(bytes, list.nameStart(i), list.nameEnd(i));
      this.#values.append(bytes, list.valueStart(i), list.valueEnd(i));
    }
    this.#array.close();
  }
}

/** Builders of all the tables that a message may have rows for. In use from decoding until `append` has settled. */
export class RowSet {
  readonly samples = new SampleColumns();
  readonly series = new PointColumns(new BatchBuilder(series, 64));
  readonly seriesValidFrom: FixedBuilder = this.series.builder.fixed('valid_from');
  readonly seriesName: StringBuilder = this.series.builder.string('metric_name');
  readonly seriesLabels = new LabelColumn(this.series.builder);
  readonly histograms = new PointColumns(new BatchBuilder(histograms, 64));
  readonly exemplars = new PointColumns(new BatchBuilder(exemplars, 64));
  readonly exemplarValue: FixedBuilder = this.exemplars.builder.fixed('value');
  readonly exemplarLabels = new LabelColumn(this.exemplars.builder);
  readonly metadata = new BatchBuilder(metadata, 16);

  /** The rows as Batches: series first, so that no sample is in the journal without its labels. */
  finish(org: number, now: number): readonly Batch[] {
    const batches: Batch[] = [];
    this.series.finish(org, batches);
    if (this.metadata.rows > 0) batches.push(this.metadata.finish(org, now, now));
    this.samples.finish(org, batches);
    this.histograms.finish(org, batches);
    this.exemplars.finish(org, batches);
    return batches;
  }

  reset(): void {
    this.series.reset();
    this.metadata.reset();
    this.samples.reset();
    this.histograms.reset();
    this.exemplars.reset();
  }
}
