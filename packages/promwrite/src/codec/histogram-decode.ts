/**
 * Native histogram, decoding. The layout is the same in 1.0 and 2.0:
 *
 * | # | field | type |
 * | - | ----- | ---- |
 * | 1, 2 | count_int, count_float | uint64, double; oneof, decides between integer and float |
 * | 3 | sum | double; the stale NaN here makes the histogram a stale marker |
 * | 4 | schema | sint32 |
 * | 5 | zero_threshold | double |
 * | 6, 7 | zero_count_int, zero_count_float | uint64, double; oneof |
 * | 8, 11 | negative_spans, positive_spans | BucketSpan: 1 offset sint32, 2 length uint32 |
 * | 9, 12 | negative_deltas, positive_deltas | sint64 |
 * | 10, 13 | negative_counts, positive_counts | double |
 * | 14 | reset_hint | enum |
 * | 15 | timestamp | int64, milliseconds |
 * | 16 | custom_values | double |
 * | 17 | start_timestamp | int64, milliseconds; 2.0 only |
 */
import { isStaleNaNAt } from '../wire/stale-marker.ts';
import { DoubleList, Sint64List } from './scalar-list.ts';
import { RESET_HINTS } from './enums.ts';
import type { DecodeContext } from './decode-context.ts';
import type { DecodedHistogram } from './decoded.ts';
import type { BucketSpan } from './time-series.ts';

const KNOWN_FIELDS = 0x3fffe;
const KNOWN_SPAN_FIELDS = 0b110;

/** Reads one embedded Histogram message, its length included. */
export function decodeHistogram(context: DecodeContext): DecodedHistogram {
  const { reader } = context;
  const outer = reader.enter();
  context.spend();
  let isFloat = false;
  let countInteger = 0n;
  let countFloat = 0;
  let zeroCountInteger = 0n;
  let zeroCountFloat = 0;
  let sum = 0;
  let stale = false;
  let schema = 0;
  let zeroThreshold = 0;
  const negativeSpans: BucketSpan[] = [];
  const positiveSpans: BucketSpan[] = [];
  let negativeDeltas: Sint64List | undefined;
  let positiveDeltas: Sint64List | undefined;
  let negativeCounts: DoubleList | undefined;
  let positiveCounts: DoubleList | undefined;
  let customValues: DoubleList | undefined;
  let resetHint = 0;
  let timestamp: number | bigint = 0;
  let startTimestamp: number | bigint = 0;

  while (reader.hasMore()) {
    const tag = reader.tag();
    switch (tag) {
      case (1 << 3) | 0:
        countInteger = reader.uint64();
        isFloat = false;
        break;
      case (2 << 3) | 1:
        countFloat = reader.double();
        isFloat = true;
        break;
      case (3 << 3) | 1:
        sum = reader.double();
        stale = isStaleNaNAt(reader.view, reader.position - 8);
        break;
      case (4 << 3) | 0:
        schema = reader.sint32();
        break;
      case (5 << 3) | 1:
        zeroThreshold = reader.double();
        break;
      case (6 << 3) | 0:
        zeroCountInteger = reader.uint64();
        break;
      case (7 << 3) | 1:
        zeroCountFloat = reader.double();
        break;
      case (8 << 3) | 2:
        negativeSpans.push(decodeSpan(context));
        break;
      case (9 << 3) | 0:
        (negativeDeltas ??= new Sint64List()).read(reader);
        break;
      case (9 << 3) | 2:
        (negativeDeltas ??= new Sint64List()).readPacked(reader);
        break;
      case (10 << 3) | 1:
        (negativeCounts ??= new DoubleList()).read(reader);
        break;
      case (10 << 3) | 2:
        (negativeCounts ??= new DoubleList()).readPacked(reader);
        break;
      case (11 << 3) | 2:
        positiveSpans.push(decodeSpan(context));
        break;
      case (12 << 3) | 0:
        (positiveDeltas ??= new Sint64List()).read(reader);
        break;
      case (12 << 3) | 2:
        (positiveDeltas ??= new Sint64List()).readPacked(reader);
        break;
      case (13 << 3) | 1:
        (positiveCounts ??= new DoubleList()).read(reader);
        break;
      case (13 << 3) | 2:
        (positiveCounts ??= new DoubleList()).readPacked(reader);
        break;
      case (14 << 3) | 0:
        resetHint = reader.int32();
        break;
      case (15 << 3) | 0:
        timestamp = reader.int64();
        break;
      case (16 << 3) | 1:
        (customValues ??= new DoubleList()).read(reader);
        break;
      case (16 << 3) | 2:
        (customValues ??= new DoubleList()).readPacked(reader);
        break;
      case (17 << 3) | 0:
        startTimestamp = reader.int64();
        break;
      default:
        reader.skipUnknown(tag, KNOWN_FIELDS);
    }
  }
  reader.leave(outer);

  if (stale) return { kind: 'stale', stale, timestamp, startTimestamp };
  const shared = {
    sum,
    schema,
    zeroThreshold,
    negativeSpans,
    positiveSpans,
    resetHint: RESET_HINTS[resetHint] ?? 'unknown',
    customValues: customValues?.toArray() ?? new Float64Array(0),
    timestamp,
    startTimestamp,
    stale,
  };
  if (isFloat) {
    return {
      kind: 'float',
      count: countFloat,
      zeroCount: zeroCountFloat,
      negativeCounts: negativeCounts?.toArray() ?? new Float64Array(0),
      positiveCounts: positiveCounts?.toArray() ?? new Float64Array(0),
      ...shared,
    };
  }
  return {
    kind: 'integer',
    count: countInteger,
    zeroCount: zeroCountInteger,
    negativeDeltas: negativeDeltas?.toArray() ?? new BigInt64Array(0),
    positiveDeltas: positiveDeltas?.toArray() ?? new BigInt64Array(0),
    ...shared,
  };
}

function decodeSpan(context: DecodeContext): BucketSpan {
  const { reader } = context;
  const outer = reader.enter();
  context.spend();
  let offset = 0;
  let length = 0;
  while (reader.hasMore()) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | 0)) offset = reader.sint32();
    else if (tag === ((2 << 3) | 0)) length = reader.uint32();
    else reader.skipUnknown(tag, KNOWN_SPAN_FIELDS);
  }
  reader.leave(outer);
  return { offset, length };
}
