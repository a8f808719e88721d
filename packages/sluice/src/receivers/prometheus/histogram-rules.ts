import type { BucketSide, Histogram, Pair, PairList } from './histogram.ts';

const CUSTOM_SCHEMA = -53;
const LEAST_SCHEMA = -4;
const GREATEST_SCHEMA = 8;
/** Finer schemas up to this one are brought down to the greatest. */
const GREATEST_REDUCIBLE = 52;

const words = new Uint32Array(2);
const double = new Float64Array(words.buffer);

/**
 * Why a histogram is not valid, or undefined. The rules are those of Prometheus: known schema, spans that fit the buckets, no negative counts, buckets
 * that add up. Brings schemas 9..52 down to 8 on the way.
 */
export function histogramProblem(histogram: Histogram): string | undefined {
  if (histogram.isTooLarge) return 'has more buckets, spans or bounds than limits.histogram-buckets allows';
  if (histogram.isStale) return undefined;
  const { schema, isFloat } = histogram;
  const isCustom = schema === CUSTOM_SCHEMA;
  if (!isCustom && (schema < LEAST_SCHEMA || schema > GREATEST_REDUCIBLE)) {
    return `has schema ${schema}; expected ${LEAST_SCHEMA} to ${GREATEST_SCHEMA}, or ${CUSTOM_SCHEMA}`;
  }
  const problem =
    spanProblem(histogram.negative, 'negative', isFloat, isCustom) ??
    spanProblem(histogram.positive, 'positive', isFloat, isCustom) ??
    (isCustom ? customProblem(histogram) : undefined);
  if (problem !== undefined) return problem;
  if (!isCustom && histogram.customValues.count > 0) return `has custom bounds with schema ${schema}`;
  const counts = isFloat ? floatProblem(histogram) : integerProblem(histogram);
  if (counts !== undefined) return counts;
  if (schema > GREATEST_SCHEMA) {
    for (const side of [histogram.negative, histogram.positive]) {
      if (isFloat) reduceFloat(side, schema - GREATEST_SCHEMA);
      else if (!reduceInteger(side, schema - GREATEST_SCHEMA)) return 'has counts above 2^53 in a schema above 8';
    }
    histogram.schema = GREATEST_SCHEMA;
  }
  return undefined;
}

/** The double whose bits are given. */
export function doubleOf(pair: Pair): number {
  words[0] = pair[0];
  words[1] = pair[1];
  return double[0]!;
}

function spanProblem(side: BucketSide, name: string, isFloat: boolean, isCustom: boolean): string | undefined {
  let total = 0;
  for (let i = 0; i < side.spans; i++) {
    if (side.offsets[i]! < 0 && (i > 0 || isCustom))
      return `has a ${name} span with the negative offset ${side.offsets[i]}`;
    total += side.lengths[i]!;
  }
  const buckets = isFloat ? side.counts.count : side.deltas.count;
  return total === buckets ? undefined : `has ${name} spans for ${total} buckets, but ${buckets} buckets`;
}

function customProblem(histogram: Histogram): string | undefined {
  const { customValues, negative, positive, isFloat } = histogram;
  let before = -Infinity;
  for (let i = 0; i < customValues.count; i++) {
    const bound = customValues.floats[i]!;
    if (!(bound > before) || bound === Infinity) return `has custom bounds that are not rising and finite`;
    before = bound;
  }
  const zero = isFloat ? doubleOf(histogram.zeroCountFloat) : unsigned(histogram.zeroCount);
  if (zero !== 0 || doubleOf(histogram.zeroThreshold) !== 0) return 'has custom bounds and a zero bucket';
  if (negative.spans > 0 || negative.deltas.count > 0 || negative.counts.count > 0) {
    return 'has custom bounds and negative buckets';
  }
  let reach = 0;
  for (let i = 0; i < positive.spans; i++) reach += positive.lengths[i]! + positive.offsets[i]!;
  return customValues.count + 1 < reach
    ? `has ${customValues.count} custom bounds, but buckets up to ${reach}`
    : undefined;
}

function floatProblem(histogram: Histogram): string | undefined {
  if (doubleOf(histogram.countFloat) < 0 || doubleOf(histogram.zeroCountFloat) < 0) return 'has a negative count';
  for (const { counts } of [histogram.negative, histogram.positive]) {
    for (let i = 0; i < counts.count; i++) if (counts.floats[i]! < 0) return 'has a bucket with a negative count';
  }
  return undefined;
}

function integerProblem(histogram: Histogram): string | undefined {
  const negative = bucketSum(histogram.negative.deltas);
  const positive = bucketSum(histogram.positive.deltas);
  if (negative === undefined || positive === undefined) return 'has a bucket with a negative count';
  const buckets = BigInt(negative) + BigInt(positive) + exact(histogram.zeroCount);
  const count = exact(histogram.count);
  // A NaN that was observed is counted but in no bucket.
  if (Number.isNaN(doubleOf(histogram.sum)) ? buckets > count : buckets !== count) {
    return `has the count ${count}, but ${buckets} observations in its buckets`;
  }
  return undefined;
}

/** Sum over the buckets that these differences make; undefined when one is negative. Numbers as long as they are exact. */
function bucketSum(deltas: PairList): number | bigint | undefined {
  let bucket = 0;
  let sum = 0;
  for (let i = 0; i < deltas.count; i++) {
    bucket += signedAt(deltas, i);
    sum += bucket;
    if (!Number.isSafeInteger(bucket) || !Number.isSafeInteger(sum)) return bigBucketSum(deltas);
    if (bucket < 0) return undefined;
  }
  return sum;
}

function bigBucketSum(deltas: PairList): bigint | undefined {
  let bucket = 0n;
  let sum = 0n;
  for (let i = 0; i < deltas.count; i++) {
    bucket += (BigInt(deltas.words[i * 2 + 1]! | 0) << 32n) | BigInt(deltas.words[i * 2]!);
    if (bucket < 0n) return undefined;
    sum += bucket;
  }
  return sum;
}

function signedAt(list: PairList, index: number): number {
  return (list.words[index * 2 + 1]! | 0) * 4294967296 + list.words[index * 2]!;
}

function unsigned(pair: Pair): number {
  return pair[1] * 4294967296 + pair[0];
}

function exact(pair: Pair): bigint {
  return (BigInt(pair[1]) << 32n) | BigInt(pair[0]);
}

/** Bucket i of a finer schema lies in bucket ceil(i / 2^steps) of the coarser one. Calls back with the new index of each bucket, in order. */
function eachReduced(side: BucketSide, steps: number, visit: (bucket: number, index: number) => void): void {
  // Divided, not shifted: 32-bit shifts count modulo 32, and there are up to 44 steps.
  const width = 2 ** steps;
  let index = 0;
  let bucket = 0;
  for (let span = 0; span < side.spans; span++) {
    index += side.offsets[span]!;
    for (let i = 0; i < side.lengths[span]!; i++) visit(bucket++, Math.ceil(index++ / width));
  }
}

function reduceFloat(side: BucketSide, steps: number): void {
  const merged: number[] = [];
  const indexes: number[] = [];
  eachReduced(side, steps, (bucket, index) => {
    const count = side.counts.floats[bucket]!;
    if (indexes.at(-1) === index) merged[merged.length - 1]! += count;
    else {
      indexes.push(index);
      merged.push(count);
    }
  });
  side.counts.clear();
  for (const count of merged) {
    double[0] = count;
    side.counts.push(words[0]!, words[1]!);
  }
  rebuildSpans(side, indexes);
}

/** False when counts are not exact as numbers. */
function reduceInteger(side: BucketSide, steps: number): boolean {
  const merged: number[] = [];
  const indexes: number[] = [];
  let count = 0;
  let isExact = true;
  eachReduced(side, steps, (bucket, index) => {
    count += signedAt(side.deltas, bucket);
    if (indexes.at(-1) === index) merged[merged.length - 1]! += count;
    else {
      indexes.push(index);
      merged.push(count);
    }
    isExact &&= Number.isSafeInteger(count) && Number.isSafeInteger(merged.at(-1));
  });
  if (!isExact) return false;
  side.deltas.clear();
  let before = 0;
  for (const bucket of merged) {
    const delta = bucket - before;
    side.deltas.push(delta >>> 0, Math.floor(delta / 4294967296) >>> 0);
    before = bucket;
  }
  rebuildSpans(side, indexes);
  return true;
}

function rebuildSpans(side: BucketSide, indexes: readonly number[]): void {
  side.spans = 0;
  let next = 0;
  for (const index of indexes) {
    if (side.spans > 0 && index === next) side.lengths[side.spans - 1]!++;
    else side.pushSpan(index - next, 1);
    next = index + 1;
  }
}
