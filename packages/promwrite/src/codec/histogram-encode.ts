/** Native histogram, encoding. The layout stands with the decoder; fields at their default are left out. */
import type { ProtobufWriter } from '../wire/protobuf-writer.ts';
import { isStaleNaN } from '../wire/stale-marker.ts';
import { RESET_HINTS } from './enums.ts';
import { toMilliseconds } from './timestamp.ts';
import { validateHistogram } from './validate-histogram.ts';
import { WriteValidationError } from './validation-error.ts';
import type { BucketSpan, FloatHistogram, IntegerHistogram, NativeHistogram, Timestamp } from './time-series.ts';

/** What an encoder needs to know about the histogram's surroundings. */
export interface HistogramContext {
  /** Time for a histogram that has none, in milliseconds. */
  readonly defaultTimestamp: number;
  /** 2.0: start timestamps and custom buckets are written. */
  readonly v2: boolean;
  /** Apply the rules of section 3.3. */
  readonly strict: boolean;
}

/** Writes the content of a Histogram message (without tag and length). */
export function writeHistogram(
  writer: ProtobufWriter,
  histogram: NativeHistogram,
  context: HistogramContext,
  path: () => string,
): void {
  if (typeof histogram !== 'object' || histogram === null) {
    throw new WriteValidationError(path(), 'expected a histogram object; got none');
  }
  if (histogram.stale === true || isStaleNaN(histogram.sum)) {
    writer.varint32((3 << 3) | 1);
    writer.staleMarker();
  } else {
    assertEncodable(histogram, path);
    if (context.strict) {
      const problem = validateHistogram(histogram);
      if (problem !== undefined) throw new WriteValidationError(path(), problem);
    }
    writeBody(writer, histogram, context.v2);
  }
  writeTime(writer, 15, histogram.timestamp ?? context.defaultTimestamp, () => `${path()}.timestamp`);
  if (context.v2 && histogram.startTimestamp !== undefined) {
    writeTime(writer, 17, histogram.startTimestamp, () => `${path()}.startTimestamp`);
  }
}

function writeTime(writer: ProtobufWriter, field: number, timestamp: Timestamp, path: () => string): void {
  const milliseconds = toMilliseconds(timestamp, path);
  if (milliseconds === 0 || milliseconds === 0n) return;
  writer.varint32(field << 3);
  writer.int64(milliseconds);
}

function writeBody(writer: ProtobufWriter, histogram: IntegerHistogram | FloatHistogram, v2: boolean): void {
  // The members of the oneofs are written even when 0: which one is present tells integer from float.
  if (histogram.kind === 'float') {
    writer.varint32((2 << 3) | 1);
    writer.double(histogram.count);
  } else {
    writer.varint32(1 << 3);
    writer.int64(histogram.count);
  }
  doubleField(writer, 3, histogram.sum);
  if (histogram.schema !== 0) {
    writer.varint32(4 << 3);
    writer.sint32(histogram.schema);
  }
  if (histogram.zeroThreshold !== undefined) doubleField(writer, 5, histogram.zeroThreshold);
  if (histogram.kind === 'float') {
    writer.varint32((7 << 3) | 1);
    writer.double(histogram.zeroCount ?? 0);
  } else {
    writer.varint32(6 << 3);
    writer.int64(histogram.zeroCount ?? 0);
  }
  spanFields(writer, 8, histogram.negativeSpans);
  if (histogram.kind === 'float') doubleList(writer, 10, histogram.negativeCounts);
  else deltaList(writer, 9, histogram.negativeDeltas);
  spanFields(writer, 11, histogram.positiveSpans);
  if (histogram.kind === 'float') doubleList(writer, 13, histogram.positiveCounts);
  else deltaList(writer, 12, histogram.positiveDeltas);
  const hint = RESET_HINTS.indexOf(histogram.resetHint ?? 'unknown');
  if (hint > 0) {
    writer.varint32(14 << 3);
    writer.varint32(hint);
  }
  if (v2) doubleList(writer, 16, histogram.customValues);
}

function doubleField(writer: ProtobufWriter, field: number, value: number): void {
  if (Object.is(value, 0)) return;
  writer.varint32((field << 3) | 1);
  writer.double(value);
}

function spanFields(writer: ProtobufWriter, field: number, spans: readonly BucketSpan[] | undefined): void {
  for (const span of spans ?? []) {
    writer.varint32((field << 3) | 2);
    const start = writer.open(1);
    if (span.offset !== 0) {
      writer.varint32(1 << 3);
      writer.sint32(span.offset);
    }
    if (span.length !== 0) {
      writer.varint32(2 << 3);
      writer.varint32(span.length);
    }
    writer.close(start, 1);
  }
}

function doubleList(writer: ProtobufWriter, field: number, values: ArrayLike<number> | undefined): void {
  if (values === undefined || values.length === 0) return;
  writer.varint32((field << 3) | 2);
  writer.varint32(values.length * 8);
  writer.reserve(values.length * 8);
  for (let index = 0; index < values.length; index++) writer.double(values[index]!);
}

function deltaList(writer: ProtobufWriter, field: number, deltas: ArrayLike<number | bigint> | undefined): void {
  if (deltas === undefined || deltas.length === 0) return;
  writer.varint32((field << 3) | 2);
  const start = writer.open(1);
  for (let index = 0; index < deltas.length; index++) writer.sint64(deltas[index]!);
  writer.close(start, 1);
}

/** Refuses what has no form on the wire at all, whatever the validation mode. */
function assertEncodable(histogram: IntegerHistogram | FloatHistogram, path: () => string): void {
  const { kind } = histogram;
  if (kind !== 'integer' && kind !== 'float') {
    throw new WriteValidationError(
      `${path()}.kind`,
      `expected 'integer' or 'float', or stale: true; got ${String(kind)}`,
    );
  }
  for (const [field, value] of [
    ['sum', histogram.sum],
    ['zeroThreshold', histogram.zeroThreshold ?? 0],
  ] as const) {
    if (typeof value !== 'number')
      throw new WriteValidationError(`${path()}.${field}`, `expected a number; got ${typeof value}`);
  }
  if (!Number.isInteger(histogram.schema) || Math.abs(histogram.schema) > 0x7fffffff) {
    throw new WriteValidationError(`${path()}.schema`, `expected an integer; got ${String(histogram.schema)}`);
  }
  for (const side of ['negative', 'positive'] as const) {
    for (const span of histogram[`${side}Spans`] ?? []) {
      if (!(isInt32(span.offset) && Number.isInteger(span.length) && span.length >= 0 && span.length <= 0xffffffff)) {
        throw new WriteValidationError(
          `${path()}.${side}Spans`,
          'expected integers: a 32-bit offset, an unsigned length',
        );
      }
    }
    if (kind === 'integer') assertIntegers(histogram[`${side}Deltas`], `${side}Deltas`, false, path);
    else assertDoubles(histogram[`${side}Counts`], `${side}Counts`, path);
  }
  if (kind === 'integer') {
    assertIntegers([histogram.count], 'count', true, path);
    assertIntegers([histogram.zeroCount ?? 0], 'zeroCount', true, path);
  } else {
    assertDoubles([histogram.count], 'count', path);
    assertDoubles([histogram.zeroCount ?? 0], 'zeroCount', path);
  }
  assertDoubles(histogram.customValues, 'customValues', path);
}

function isInt32(value: number): boolean {
  return (value | 0) === value;
}

function assertDoubles(values: ArrayLike<number> | undefined, field: string, path: () => string): void {
  for (let index = 0; index < (values?.length ?? 0); index++) {
    const value: unknown = values?.[index];
    if (typeof value !== 'number') {
      throw new WriteValidationError(`${path()}.${field}`, `expected numbers; got ${typeof value}`);
    }
  }
}

function assertIntegers(
  values: ArrayLike<number | bigint> | undefined,
  field: string,
  unsigned: boolean,
  path: () => string,
): void {
  for (let index = 0; index < (values?.length ?? 0); index++) {
    const value: unknown = values?.[index];
    const fits =
      typeof value === 'bigint'
        ? value === (unsigned ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value))
        : Number.isSafeInteger(value) && (!unsigned || (value as number) >= 0);
    if (!fits) {
      throw new WriteValidationError(
        `${path()}.${field}`,
        `expected ${unsigned ? 'an unsigned integer' : 'integers'} of at most 64 bits (a bigint above 2^53); got ${String(value)}`,
      );
    }
  }
}
