import { bug } from '../../base/errors.ts';
import type { LabelList } from '../../base/label-fields.ts';
import type { Batch } from '../../batch/batch.ts';
import {
  type ArrayBuilder,
  type BatchBuilder,
  type FixedBuilder,
  StringBuilder,
  TupleBuilder,
} from '../../batch/builder.ts';

/** Columns that several tables share. */

/** Those that samples, histograms, exemplars and series begin with. */
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
