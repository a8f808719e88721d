/**
 * `prometheus.WriteRequest`, the message of remote write 1.0, decoding.
 *
 * | message | fields |
 * | ------- | ------ |
 * | WriteRequest | 1 timeseries, 3 metadata (2 is reserved) |
 * | TimeSeries | 1 labels, 2 samples, 3 exemplars, 4 histograms |
 * | Label | 1 name, 2 value |
 * | Sample | 1 value double, 2 timestamp int64 in milliseconds |
 * | Exemplar | 1 labels, 2 value double, 3 timestamp int64 |
 * | MetricMetadata | 1 type enum, 2 metric_family_name, 4 help, 5 unit |
 *
 * Fields at their default (0, empty) are absent on the wire.
 */
import { isStaleNaNAt } from '../wire/stale-marker.ts';
import { sameBytes } from '../wire/utf8.ts';
import { DecodeContext } from './decode-context.ts';
import { METRIC_TYPES } from './enums.ts';
import { decodeHistogram } from './histogram-decode.ts';
import type {
  DecodedExemplar,
  DecodedFamilyMetadata,
  DecodedHistogram,
  DecodedSample,
  DecodedTimeSeries,
  DecodedWriteRequest,
  DecodeOptions,
} from './decoded.ts';
import type { Label } from './time-series.ts';

/** Shared by all series without such elements, to save an array each. */
const NONE: readonly never[] = Object.freeze([]);

const NOT_UTF8 = 'a label name or value is not valid UTF-8';

/**
 * Decodes an uncompressed `prometheus.WriteRequest`.
 *
 * Labels are neither sorted nor checked. A series with text that is not UTF-8 is returned with its `problem`; the rest
 * of the request is not affected.
 *
 * @throws WireError `malformed` if the bytes are not such a message, `limit` if it holds too many elements.
 */
export function decodeWriteRequest(bytes: Uint8Array, options?: DecodeOptions): DecodedWriteRequest {
  const context = new DecodeContext(bytes, options);
  const { reader } = context;
  const timeseries: DecodedTimeSeries[] = [];
  const metadata: DecodedFamilyMetadata[] = [];
  const predecessor = new Predecessor();
  while (reader.hasMore()) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | 2)) timeseries.push(decodeTimeSeries(context, predecessor));
    else if (tag === ((3 << 3) | 2)) metadata.push(decodeMetadata(context));
    else reader.skipUnknown(tag, 0b1010);
  }
  return { timeseries, metadata };
}

/**
 * The labels of the series before, as they stood in the message. Most labels of a series equal those of its
 * predecessor at the same place; then their bytes are the same and the decoded label is shared.
 */
class Predecessor {
  readonly labels: Label[] = [];
  readonly starts: number[] = [];
  readonly lengths: number[] = [];
  size = 0;

  /** Reads the label at `index` of a series; the reader stands behind its tag. */
  decodeLabel(context: DecodeContext, index: number): Label | undefined {
    const { reader } = context;
    const before = reader.position;
    const length = reader.length();
    const start = reader.position;
    if (
      index < this.size &&
      this.lengths[index] === length &&
      sameBytes(reader.bytes, reader.view, start, reader.bytes, reader.view, this.starts[index]!, length)
    ) {
      context.spend();
      reader.position = start + length;
      this.starts[index] = start;
      return this.labels[index];
    }
    reader.position = before;
    const label = decodeLabel(context);
    if (label !== undefined) {
      this.labels[index] = label;
      this.starts[index] = start;
      this.lengths[index] = length;
    }
    return label;
  }
}

function decodeTimeSeries(context: DecodeContext, predecessor: Predecessor): DecodedTimeSeries {
  const { reader } = context;
  const outer = reader.enter();
  context.spend();
  const labels: Label[] = [];
  let samples: DecodedSample[] | undefined;
  let exemplars: DecodedExemplar[] | undefined;
  let histograms: DecodedHistogram[] | undefined;
  let problem: string | undefined;
  while (reader.hasMore()) {
    const tag = reader.tag();
    switch (tag) {
      case (1 << 3) | 2: {
        const label = predecessor.decodeLabel(context, labels.length);
        if (label === undefined) problem = NOT_UTF8;
        else labels.push(label);
        break;
      }
      case (2 << 3) | 2:
        (samples ??= []).push(decodeSample(context));
        break;
      case (3 << 3) | 2: {
        const exemplar = decodeExemplar(context);
        if (exemplar === undefined) problem = `${NOT_UTF8} (of an exemplar)`;
        else (exemplars ??= []).push(exemplar);
        break;
      }
      case (4 << 3) | 2:
        (histograms ??= []).push(decodeHistogram(context));
        break;
      default:
        reader.skipUnknown(tag, 0b11110);
    }
  }
  reader.leave(outer);
  predecessor.size = Math.max(predecessor.size, labels.length);
  return {
    labels,
    samples: samples ?? NONE,
    histograms: histograms ?? NONE,
    exemplars: exemplars ?? NONE,
    metadata: undefined,
    problem,
  };
}

function decodeLabel(context: DecodeContext): Label | undefined {
  const { reader } = context;
  const outer = reader.enter();
  context.spend();
  let name: string | undefined = '';
  let value: string | undefined = '';
  while (reader.hasMore()) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | 2)) name = reader.string();
    else if (tag === ((2 << 3) | 2)) value = reader.string();
    else reader.skipUnknown(tag, 0b110);
  }
  reader.leave(outer);
  return name === undefined || value === undefined ? undefined : { name, value };
}

function decodeSample(context: DecodeContext): DecodedSample {
  const { reader } = context;
  const outer = reader.enter();
  context.spend();
  let value = 0;
  let stale = false;
  let timestamp: number | bigint = 0;
  while (reader.hasMore()) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | 1)) {
      value = reader.double();
      stale = isStaleNaNAt(reader.view, reader.position - 8);
    } else if (tag === ((2 << 3) | 0)) timestamp = reader.int64();
    else reader.skipUnknown(tag, 0b110);
  }
  reader.leave(outer);
  return { value, timestamp, startTimestamp: 0, stale };
}

function decodeExemplar(context: DecodeContext): DecodedExemplar | undefined {
  const { reader } = context;
  const outer = reader.enter();
  context.spend();
  const labels: Label[] = [];
  let value = 0;
  let timestamp: number | bigint = 0;
  let broken = false;
  while (reader.hasMore()) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | 2)) {
      const label = decodeLabel(context);
      if (label === undefined) broken = true;
      else labels.push(label);
    } else if (tag === ((2 << 3) | 1)) value = reader.double();
    else if (tag === ((3 << 3) | 0)) timestamp = reader.int64();
    else reader.skipUnknown(tag, 0b1110);
  }
  reader.leave(outer);
  return broken ? undefined : { labels, value, timestamp };
}

function decodeMetadata(context: DecodeContext): DecodedFamilyMetadata {
  const { reader } = context;
  const outer = reader.enter();
  context.spend();
  let type = 0;
  let name = '';
  let help = '';
  let unit = '';
  while (reader.hasMore()) {
    const tag = reader.tag();
    // Metadata is text for people: bytes that are not UTF-8 become U+FFFD instead of spoiling the entry.
    if (tag === ((1 << 3) | 0)) type = reader.int32();
    else if (tag === ((2 << 3) | 2)) name = reader.lossyString();
    else if (tag === ((4 << 3) | 2)) help = reader.lossyString();
    else if (tag === ((5 << 3) | 2)) unit = reader.lossyString();
    else reader.skipUnknown(tag, 0b110110);
  }
  reader.leave(outer);
  return { name, type: METRIC_TYPES[type] ?? 'unknown', help, unit };
}
