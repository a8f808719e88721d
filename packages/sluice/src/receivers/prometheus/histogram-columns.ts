import { bug } from '../../base/errors.ts';
import { type ArrayBuilder, FixedBuilder } from '../../batch/builder.ts';
import type { BucketSide, Histogram, Pair, PairList } from './histogram.ts';
import type { PointColumns } from './point-columns.ts';

/** Columns of prometheus.histograms behind ids and time. */
export class HistogramColumns {
  readonly #fixed: (name: string) => FixedBuilder;
  readonly #startTime: FixedBuilder;
  readonly #isFloat: FixedBuilder;
  readonly #schema: FixedBuilder;
  readonly #resetHint: FixedBuilder;
  readonly #count: FixedBuilder;
  readonly #countFloat: FixedBuilder;
  readonly #sum: FixedBuilder;
  readonly #zeroThreshold: FixedBuilder;
  readonly #zeroCount: FixedBuilder;
  readonly #zeroCountFloat: FixedBuilder;
  readonly #positive: SideColumns;
  readonly #negative: SideColumns;
  readonly #customValues: ArrayBuilder;

  constructor({ builder }: PointColumns) {
    this.#fixed = (name) => builder.fixed(name);
    this.#startTime = this.#fixed('start_time');
    this.#isFloat = this.#fixed('is_float');
    this.#schema = this.#fixed('schema');
    this.#resetHint = this.#fixed('reset_hint');
    this.#count = this.#fixed('count');
    this.#countFloat = this.#fixed('count_float');
    this.#sum = this.#fixed('sum');
    this.#zeroThreshold = this.#fixed('zero_threshold');
    this.#zeroCount = this.#fixed('zero_count');
    this.#zeroCountFloat = this.#fixed('zero_count_float');
    const side = (name: string): SideColumns => ({
      offsets: builder.array(`${name}_span_offsets`),
      lengths: builder.array(`${name}_span_lengths`),
      deltas: builder.array(`${name}_deltas`),
      counts: builder.array(`${name}_counts`),
    });
    this.#positive = side('positive');
    this.#negative = side('negative');
    this.#customValues = builder.array('custom_values');
  }

  /** Appends a valid histogram. Of a stale one only the marker counts, so that nothing unchecked gets in. */
  push(histogram: Histogram): void {
    const { isFloat, isStale } = histogram;
    if (isStale) {
      const [low, high] = histogram.sum;
      histogram.clear();
      histogram.isFloat = isFloat;
      histogram.sum[0] = low;
      histogram.sum[1] = high;
    }
    put(this.#startTime, histogram.startTimestamp);
    this.#isFloat.appendUint(isFloat ? 1 : 0);
    this.#schema.appendUint(histogram.schema >>> 0);
    this.#resetHint.appendUint(histogram.resetHint > 3 ? 0 : histogram.resetHint);
    put(this.#count, isFloat ? NOTHING : histogram.count);
    put(this.#countFloat, isFloat ? histogram.countFloat : NOTHING);
    put(this.#sum, histogram.sum);
    put(this.#zeroThreshold, histogram.zeroThreshold);
    put(this.#zeroCount, isFloat ? NOTHING : histogram.zeroCount);
    put(this.#zeroCountFloat, isFloat ? histogram.zeroCountFloat : NOTHING);
    putSide(this.#positive, histogram.positive, isFloat);
    putSide(this.#negative, histogram.negative, isFloat);
    putList(this.#customValues, histogram.customValues, true);
  }
}

interface SideColumns {
  readonly offsets: ArrayBuilder;
  readonly lengths: ArrayBuilder;
  readonly deltas: ArrayBuilder;
  readonly counts: ArrayBuilder;
}

const NOTHING: Pair = [0, 0];

function put(column: FixedBuilder, [low, high]: Pair): void {
  column.appendHalves(low, high);
}

function putSide(columns: SideColumns, side: BucketSide, isFloat: boolean): void {
  const offsets = elementOf(columns.offsets);
  const lengths = elementOf(columns.lengths);
  for (let i = 0; i < side.spans; i++) {
    offsets.appendUint(side.offsets[i]! >>> 0);
    lengths.appendUint(side.lengths[i]!);
  }
  columns.offsets.close();
  columns.lengths.close();
  putList(columns.deltas, side.deltas, !isFloat);
  putList(columns.counts, side.counts, isFloat);
}

/** Appends the list, or an empty array when it does not count. */
function putList(column: ArrayBuilder, list: PairList, counts: boolean): void {
  const element = elementOf(column);
  if (counts) for (let i = 0; i < list.count; i++) element.appendHalves(list.words[i * 2]!, list.words[i * 2 + 1]!);
  column.close();
}

function elementOf({ element }: ArrayBuilder): FixedBuilder {
  return element instanceof FixedBuilder ? element : bug('buckets are numbers');
}
