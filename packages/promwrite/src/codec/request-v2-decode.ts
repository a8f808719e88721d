/**
 * `io.prometheus.write.v2.Request`, the message of remote write 2.0, decoding.
 *
 * | message | fields |
 * | ------- | ------ |
 * | Request | 4 symbols repeated string, 5 timeseries (1 to 3 are reserved, so that 1.0 decoders find nothing) |
 * | TimeSeries | 1 labels_refs repeated uint32 (name, value, ...), 2 samples, 3 histograms, 4 exemplars, 5 metadata |
 * | | 6 created_timestamp int64: only up to 2.0-rc.3, used here where a point has no start timestamp of its own |
 * | Sample | 1 value double, 2 timestamp int64, 3 start_timestamp int64; milliseconds |
 * | Exemplar | 1 labels_refs repeated uint32, 2 value double, 3 timestamp int64 |
 * | Metadata | 1 type enum, 3 help_ref uint32, 4 unit_ref uint32 |
 *
 * References point into `symbols`, which may stand anywhere in the message: they are read in a first pass, the series
 * in a second one.
 */
import { isStaleNaNAt } from '../wire/stale-marker.ts';
import { DecodeContext } from './decode-context.ts';
import { METRIC_TYPES } from './enums.ts';
import { decodeHistogram } from './histogram-decode.ts';
import type {
  DecodedExemplar,
  DecodedHistogram,
  DecodedMetadata,
  DecodedSample,
  DecodedTimeSeries,
  DecodedTimestamp,
  DecodedWriteRequest,
  DecodeOptions,
} from './decoded.ts';
import type { Label } from './time-series.ts';

const NONE: readonly never[] = Object.freeze([]);

/** The symbol table of a request; `undefined` where a symbol is not valid UTF-8. */
type Symbols = readonly (string | undefined)[];

/** Labels resolved from references, or why they cannot be. */
type Resolved = { readonly labels: readonly Label[]; readonly problem: string | undefined };

/**
 * Decodes an uncompressed `io.prometheus.write.v2.Request`, with its references resolved to text.
 *
 * A series with an odd number of references, a reference outside of the table or text that is not UTF-8 is returned
 * with its `problem`; the rest of the request is not affected. `metadata` of the result is always empty.
 *
 * @throws WireError `malformed` if the bytes are not such a message, `limit` if it holds too many elements.
 */
export function decodeRequestV2(bytes: Uint8Array, options?: DecodeOptions): DecodedWriteRequest {
  const context = new DecodeContext(bytes, options);
  const { reader } = context;
  const symbols: (string | undefined)[] = [];
  while (reader.hasMore()) {
    const tag = reader.tag();
    if (tag === ((4 << 3) | 2)) {
      context.spend();
      symbols.push(reader.string());
    } else if (tag === ((5 << 3) | 2)) reader.skip(tag);
    else reader.skipUnknown(tag, 0b110000);
  }

  const timeseries: DecodedTimeSeries[] = [];
  reader.position = 0;
  while (reader.hasMore()) {
    const tag = reader.tag();
    if (tag === ((5 << 3) | 2)) timeseries.push(decodeTimeSeries(context, symbols));
    else reader.skip(tag);
  }
  return { timeseries, metadata: NONE };
}

function decodeTimeSeries(context: DecodeContext, symbols: Symbols): DecodedTimeSeries {
  const { reader } = context;
  const outer = reader.enter();
  context.spend();
  const references: number[] = [];
  let samples: DecodedSample[] | undefined;
  let exemplars: DecodedExemplar[] | undefined;
  let histograms: DecodedHistogram[] | undefined;
  let metadata: DecodedMetadata | undefined;
  let created: DecodedTimestamp = 0;
  let problem: string | undefined;
  while (reader.hasMore()) {
    const tag = reader.tag();
    switch (tag) {
      case (1 << 3) | 0:
        references.push(reader.uint32());
        break;
      case (1 << 3) | 2:
        readReferences(context, references);
        break;
      case (2 << 3) | 2:
        (samples ??= []).push(decodeSample(context));
        break;
      case (3 << 3) | 2:
        (histograms ??= []).push(decodeHistogram(context));
        break;
      case (4 << 3) | 2: {
        const exemplar = decodeExemplar(context, symbols);
        problem ??= exemplar.problem;
        (exemplars ??= []).push(exemplar.exemplar);
        break;
      }
      case (5 << 3) | 2: {
        const decoded = decodeMetadata(context, symbols);
        if (typeof decoded === 'string') problem ??= decoded;
        else metadata = decoded;
        break;
      }
      case (6 << 3) | 0:
        created = reader.int64();
        break;
      default:
        reader.skipUnknown(tag, 0b1111110);
    }
  }
  reader.leave(outer);
  const resolved = resolve(context, references, symbols);
  return {
    labels: resolved.labels,
    samples: withStart(samples, created) ?? NONE,
    histograms: withStart(histograms, created) ?? NONE,
    exemplars: exemplars ?? NONE,
    metadata,
    problem: resolved.problem ?? problem,
  };
}

function withStart<Point extends DecodedSample | DecodedHistogram>(
  points: Point[] | undefined,
  created: DecodedTimestamp,
): Point[] | undefined {
  if (created === 0 || points === undefined) return points;
  return points.map((point) => (point.startTimestamp === 0 ? { ...point, startTimestamp: created } : point));
}

function readReferences(context: DecodeContext, references: number[]): void {
  const { reader } = context;
  const outer = reader.enter();
  while (reader.hasMore()) references.push(reader.uint32());
  reader.leave(outer);
}

function resolve(context: DecodeContext, references: readonly number[], symbols: Symbols): Resolved {
  if (references.length % 2 !== 0) {
    return { labels: NONE, problem: `expected label references in pairs; got ${references.length} of them` };
  }
  const labels: Label[] = [];
  for (let index = 0; index < references.length; index += 2) {
    context.spend();
    const name = symbols[references[index]!];
    const value = symbols[references[index + 1]!];
    if (name === undefined || value === undefined) {
      const guilty = references[name === undefined ? index : index + 1]!;
      return { labels, problem: referenceProblem('label', guilty, symbols) };
    }
    labels.push({ name, value });
  }
  return { labels, problem: undefined };
}

function referenceProblem(what: string, reference: number, symbols: Symbols): string {
  return reference < symbols.length
    ? `the text of ${what} reference ${reference} is not valid UTF-8`
    : `expected a ${what} reference below ${symbols.length}, the number of symbols; got ${reference}`;
}

function decodeSample(context: DecodeContext): DecodedSample {
  const { reader } = context;
  const outer = reader.enter();
  context.spend();
  let value = 0;
  let stale = false;
  let timestamp: number | bigint = 0;
  let startTimestamp: number | bigint = 0;
  while (reader.hasMore()) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | 1)) {
      value = reader.double();
      stale = isStaleNaNAt(reader.view, reader.position - 8);
    } else if (tag === ((2 << 3) | 0)) timestamp = reader.int64();
    else if (tag === ((3 << 3) | 0)) startTimestamp = reader.int64();
    else reader.skipUnknown(tag, 0b1110);
  }
  reader.leave(outer);
  return { value, timestamp, startTimestamp, stale };
}

function decodeExemplar(
  context: DecodeContext,
  symbols: Symbols,
): { readonly exemplar: DecodedExemplar; readonly problem: string | undefined } {
  const { reader } = context;
  const outer = reader.enter();
  context.spend();
  const references: number[] = [];
  let value = 0;
  let timestamp: number | bigint = 0;
  while (reader.hasMore()) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | 0)) references.push(reader.uint32());
    else if (tag === ((1 << 3) | 2)) readReferences(context, references);
    else if (tag === ((2 << 3) | 1)) value = reader.double();
    else if (tag === ((3 << 3) | 0)) timestamp = reader.int64();
    else reader.skipUnknown(tag, 0b1110);
  }
  reader.leave(outer);
  const { labels, problem } = resolve(context, references, symbols);
  return {
    exemplar: { labels, value, timestamp },
    problem: problem === undefined ? undefined : `exemplar: ${problem}`,
  };
}

function decodeMetadata(context: DecodeContext, symbols: Symbols): DecodedMetadata | string {
  const { reader } = context;
  const outer = reader.enter();
  context.spend();
  let type = 0;
  let helpReference = 0;
  let unitReference = 0;
  while (reader.hasMore()) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | 0)) type = reader.int32();
    else if (tag === ((3 << 3) | 0)) helpReference = reader.uint32();
    else if (tag === ((4 << 3) | 0)) unitReference = reader.uint32();
    else reader.skipUnknown(tag, 0b11010);
  }
  reader.leave(outer);
  // Reference 0 means "not set", whatever stands at symbols[0].
  const help = helpReference === 0 ? '' : symbols[helpReference];
  const unit = unitReference === 0 ? '' : symbols[unitReference];
  if (help === undefined) return referenceProblem('help', helpReference, symbols);
  if (unit === undefined) return referenceProblem('unit', unitReference, symbols);
  return { type: METRIC_TYPES[type] ?? 'unknown', help, unit };
}
