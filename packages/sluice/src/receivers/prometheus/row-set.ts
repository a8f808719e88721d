import { STAGE, STAGE_ROWS, type SampleStage } from '../../base/sample-stage.ts';
import type { Batch } from '../../batch/batch.ts';
import { BatchBuilder, type FixedBuilder } from '../../batch/builder.ts';
import { exemplars, histograms, metadata, samples } from '../../catalog/prometheus.ts';
import { LabelColumn, PointColumns } from './point-columns.ts';
import { SeriesRows } from './series-rows.ts';

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

/** Builders of all the tables that a message may have rows for. In use from decoding until `append` has settled. */
export class RowSet {
  readonly samples = new SampleColumns();
  readonly series = new SeriesRows();
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
