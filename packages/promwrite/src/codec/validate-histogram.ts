/**
 * The rules for native histograms (section 3.3), as Prometheus applies them to what it receives, and the reduction of
 * schemas finer than the finest it stores.
 */
import type { BucketSpan, FloatHistogram, IntegerHistogram, NativeHistogram } from './time-series.ts';

/** Schema of histograms with custom buckets. */
export const CUSTOM_BUCKETS_SCHEMA = -53;
/** Coarsest exponential schema. */
const LEAST_SCHEMA = -4;
/** Finest exponential schema. */
const GREATEST_SCHEMA = 8;
/** Finest schema a receiver may accept by reducing it to {@link GREATEST_SCHEMA}. */
const GREATEST_REDUCIBLE_SCHEMA = 52;

const NO_SPANS: readonly BucketSpan[] = [];
const NO_NUMBERS: ArrayLike<number> = [];

/**
 * Checks a histogram.
 *
 * @returns what is wrong with it, for a 400 or an error, or `undefined` if it may be stored. Schemas 9 to 52 are
 *   refused here: apply {@link reduceHistogram} first to accept them.
 */
export function validateHistogram(histogram: NativeHistogram): string | undefined {
  if (histogram.stale === true) return undefined;
  const { schema } = histogram;
  const custom = schema === CUSTOM_BUCKETS_SCHEMA;
  if (!custom && !(Number.isInteger(schema) && schema >= LEAST_SCHEMA && schema <= GREATEST_SCHEMA)) {
    return `expected schema -53 or -4 to 8; got ${schema}`;
  }
  const positiveSpans = histogram.positiveSpans ?? NO_SPANS;
  const negativeSpans = histogram.negativeSpans ?? NO_SPANS;
  const shape = custom
    ? customBucketsProblem(histogram, positiveSpans, negativeSpans)
    : (histogram.customValues?.length ?? 0) > 0
      ? `expected custom values only with schema -53; got them with ${schema}`
      : undefined;
  if (shape !== undefined) return shape;
  const isFloat = histogram.kind === 'float';
  const positive = (isFloat ? histogram.positiveCounts : histogram.positiveDeltas) ?? NO_NUMBERS;
  const negative = (isFloat ? histogram.negativeCounts : histogram.negativeDeltas) ?? NO_NUMBERS;
  const spans =
    spansProblem('positive', positiveSpans, positive.length, custom) ??
    spansProblem('negative', negativeSpans, negative.length, custom);
  if (spans !== undefined) return spans;
  return isFloat ? floatCountsProblem(histogram) : integerCountsProblem(histogram);
}

function spansProblem(
  side: string,
  spans: readonly BucketSpan[],
  buckets: number,
  custom: boolean,
): string | undefined {
  let total = 0;
  for (const [index, span] of spans.entries()) {
    if (span.offset < 0 && (index > 0 || custom)) {
      return `expected the offset of ${side} span ${index} not to be negative; got ${span.offset}`;
    }
    total += span.length;
  }
  return total === buckets ? undefined : `expected ${total} ${side} buckets, as the spans say; got ${buckets}`;
}

function customBucketsProblem(
  histogram: IntegerHistogram | FloatHistogram,
  positiveSpans: readonly BucketSpan[],
  negativeSpans: readonly BucketSpan[],
): string | undefined {
  const bounds = histogram.customValues ?? NO_NUMBERS;
  for (let index = 0; index < bounds.length; index++) {
    const bound = bounds[index]!;
    if (Number.isNaN(bound)) return `expected custom values that are numbers; got NaN at ${index}`;
    const before = index > 0 ? bounds[index - 1]! : Number.NEGATIVE_INFINITY;
    if (bound <= before) return `expected strictly increasing custom values; got ${bound} after ${before}`;
  }
  if (bounds.length > 0 && bounds[bounds.length - 1] === Number.POSITIVE_INFINITY) {
    return 'expected finite custom values; got +Inf, whose bucket is implied';
  }
  if ((histogram.zeroThreshold ?? 0) !== 0) return 'expected zero threshold 0 with custom buckets; got another';
  if (Number(histogram.zeroCount ?? 0) !== 0) return 'expected zero count 0 with custom buckets; got another';
  const negatives = histogram.kind === 'float' ? histogram.negativeCounts : histogram.negativeDeltas;
  if (negativeSpans.length > 0 || (negatives?.length ?? 0) > 0) {
    return 'expected no negative buckets with custom buckets; got some';
  }
  let reach = 0;
  for (const span of positiveSpans) reach += span.length + span.offset;
  return reach > bounds.length + 1
    ? `expected at most ${bounds.length + 1} buckets for ${bounds.length} custom values; got spans up to bucket ${reach}`
    : undefined;
}

function integerCountsProblem(histogram: IntegerHistogram): string | undefined {
  const count = BigInt(histogram.count);
  const zeroCount = BigInt(histogram.zeroCount ?? 0);
  if (count < 0n || zeroCount < 0n) return 'expected counts that are not negative; got a negative one';
  let total = zeroCount;
  for (const [side, deltas] of [
    ['positive', histogram.positiveDeltas],
    ['negative', histogram.negativeDeltas],
  ] as const) {
    let bucket = 0n;
    for (let index = 0; index < (deltas?.length ?? 0); index++) {
      bucket += BigInt(deltas?.[index] ?? 0);
      if (bucket < 0n) return `expected bucket counts that are not negative; got ${bucket} in ${side} bucket ${index}`;
      total += bucket;
    }
  }
  // Observations of NaN count without falling into a bucket.
  if (Number.isNaN(histogram.sum)) {
    return total > count ? `expected at most ${count} observations in the buckets; got ${total}` : undefined;
  }
  return total === count ? undefined : `expected ${count} observations in the buckets; got ${total}`;
}

function floatCountsProblem(histogram: FloatHistogram): string | undefined {
  if (histogram.count < 0) return `expected a count that is not negative; got ${histogram.count}`;
  if ((histogram.zeroCount ?? 0) < 0) return `expected a zero count that is not negative; got ${histogram.zeroCount}`;
  for (const [side, counts] of [
    ['positive', histogram.positiveCounts],
    ['negative', histogram.negativeCounts],
  ] as const) {
    for (let index = 0; index < (counts?.length ?? 0); index++) {
      const bucket = counts?.[index] ?? 0;
      if (bucket < 0) return `expected bucket counts that are not negative; got ${bucket} in ${side} bucket ${index}`;
    }
  }
  return undefined;
}

/**
 * Reduces a histogram of schema 9 to 52 to schema 8, the finest that Prometheus stores: bucket i of the finer schema
 * goes to bucket ceil(i / 2) of the next coarser one, as often as needed. Others are returned as they are.
 *
 * Call it on histograms whose span lengths agree with their buckets; others are returned unchanged, for
 * {@link validateHistogram} to refuse.
 */
export function reduceHistogram<Histogram extends NativeHistogram>(histogram: Histogram): Histogram {
  if (histogram.stale === true) return histogram;
  const given: IntegerHistogram | FloatHistogram = histogram;
  if (!(given.schema > GREATEST_SCHEMA && given.schema <= GREATEST_REDUCIBLE_SCHEMA)) return histogram;
  const divisor = 2 ** (given.schema - GREATEST_SCHEMA);
  const positiveSpans = given.positiveSpans ?? NO_SPANS;
  const negativeSpans = given.negativeSpans ?? NO_SPANS;
  if (given.kind === 'float') {
    const positiveCounts = given.positiveCounts ?? NO_NUMBERS;
    const negativeCounts = given.negativeCounts ?? NO_NUMBERS;
    if (!agree(positiveSpans, positiveCounts.length) || !agree(negativeSpans, negativeCounts.length)) return histogram;
    const positive = reduceFloat(positiveSpans, positiveCounts, divisor);
    const negative = reduceFloat(negativeSpans, negativeCounts, divisor);
    return {
      ...histogram,
      schema: GREATEST_SCHEMA,
      positiveSpans: positive.spans,
      positiveCounts: Float64Array.from(positive.counts),
      negativeSpans: negative.spans,
      negativeCounts: Float64Array.from(negative.counts),
    };
  }
  const positiveDeltas = given.positiveDeltas ?? NO_NUMBERS;
  const negativeDeltas = given.negativeDeltas ?? NO_NUMBERS;
  if (!agree(positiveSpans, positiveDeltas.length) || !agree(negativeSpans, negativeDeltas.length)) return histogram;
  const positive = reduceInteger(positiveSpans, positiveDeltas, divisor);
  const negative = reduceInteger(negativeSpans, negativeDeltas, divisor);
  return {
    ...histogram,
    schema: GREATEST_SCHEMA,
    positiveSpans: positive.spans,
    positiveDeltas: BigInt64Array.from(positive.deltas),
    negativeSpans: negative.spans,
    negativeDeltas: BigInt64Array.from(negative.deltas),
  };
}

/** A span length may be up to 2^32 - 1; it must agree with the buckets before anything loops over it. */
function agree(spans: readonly BucketSpan[], buckets: number): boolean {
  let total = 0;
  for (const [index, span] of spans.entries()) {
    if (index > 0 && span.offset < 0) return false;
    total += span.length;
  }
  return total === buckets;
}

/** Coarse bucket index of every fine bucket, in order. */
function coarseIndexes(spans: readonly BucketSpan[], divisor: number): number[] {
  const indexes: number[] = [];
  let next = 0;
  for (const span of spans) {
    next += span.offset;
    for (let count = 0; count < span.length; count++) indexes.push(Math.ceil(next++ / divisor) || 0); // never -0
  }
  return indexes;
}

/** Groups buckets by coarse index: spans, and for each fine bucket the position of its coarse one. */
function group(indexes: readonly number[]): { spans: BucketSpan[]; targets: number[] } {
  const spans: { offset: number; length: number }[] = [];
  const targets: number[] = [];
  let position = -1;
  let previous: number | undefined;
  for (const index of indexes) {
    const span = spans.at(-1);
    if (previous === undefined || span === undefined) {
      spans.push({ offset: index, length: 1 });
      position++;
    } else if (index === previous + 1) {
      span.length++;
      position++;
    } else if (index > previous) {
      spans.push({ offset: index - previous - 1, length: 1 });
      position++;
    }
    previous = index;
    targets.push(position);
  }
  return { spans, targets };
}

function reduceFloat(
  spans: readonly BucketSpan[],
  counts: ArrayLike<number>,
  divisor: number,
): { spans: BucketSpan[]; counts: number[] } {
  const grouped = group(coarseIndexes(spans, divisor));
  const sums: number[] = [];
  for (const [index, target] of grouped.targets.entries()) {
    sums[target] = (sums[target] ?? 0) + counts[index]!;
  }
  return { spans: grouped.spans, counts: sums };
}

function reduceInteger(
  spans: readonly BucketSpan[],
  deltas: ArrayLike<number | bigint>,
  divisor: number,
): { spans: BucketSpan[]; deltas: bigint[] } {
  const grouped = group(coarseIndexes(spans, divisor));
  const sums: bigint[] = [];
  let bucket = 0n;
  for (const [index, target] of grouped.targets.entries()) {
    bucket += BigInt(deltas[index]!);
    sums[target] = (sums[target] ?? 0n) + bucket;
  }
  return { spans: grouped.spans, deltas: sums.map((sum, index) => sum - (index === 0 ? 0n : (sums[index - 1] ?? 0n))) };
}
