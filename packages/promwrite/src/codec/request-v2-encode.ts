/** `io.prometheus.write.v2.Request`, the message of remote write 2.0, encoding. The layout stands with the decoder. */
import { ProtobufWriter } from '../wire/protobuf-writer.ts';
import { METRIC_TYPES } from './enums.ts';
import { writeHistogram } from './histogram-encode.ts';
import { LabelSet, METRIC_NAME } from './label-set.ts';
import {
  assertHasPoints,
  assertInOrder,
  familyName,
  hasMetadata,
  sampleCount,
  samplePath,
  writeTimestamp,
  writeValue,
} from './series-encode.ts';
import { SymbolsTable } from './symbols-table.ts';
import { emptyTally, type EncodeTally } from './tally.ts';
import { withWriter } from './write-request-encode.ts';
import type { EncodeOptions } from './encode-options.ts';
import type { Exemplar, Metadata, NativeHistogram, Sample, TimeSeries, WriteRequest } from './time-series.ts';

/** The ways to get from a metric name to its family: as it is, as a histogram's series, as a summary's. */
const FAMILY_FORMS: readonly Metadata['type'][] = ['unknown', 'histogram', 'summary'];

const NO_ENTRIES: readonly never[] = [];

/** Writer of the series, which are encoded before the symbols they refer to are known. Taken while in use. */
let sharedSeriesWriter: ProtobufWriter | undefined = new ProtobufWriter();

/**
 * Encodes a request as `io.prometheus.write.v2.Request` (remote write 2.0), uncompressed.
 *
 * Labels are sorted and all text goes to the symbol table, which is written first. A series with both samples and
 * histograms becomes two entries, as the specification demands. Metadata of the request goes to the series of its
 * family; what has no series is left out and counted in `tally.metadata`.
 *
 * @throws WriteValidationError if the data has no form on the wire or, with `validation: 'strict'`, breaks a rule.
 */
export function encodeRequestV2(request: WriteRequest, options: EncodeOptions = {}): Uint8Array<ArrayBuffer> {
  const seriesWriter = sharedSeriesWriter ?? new ProtobufWriter();
  sharedSeriesWriter = undefined;
  try {
    seriesWriter.reset();
    const encoder = new RequestV2Encoder(seriesWriter, options);
    encoder.encodeSeries(request);
    return withWriter(options.writer, (writer) => {
      for (const symbol of encoder.table.symbols) writer.stringField((4 << 3) | 2, symbol);
      writer.raw(seriesWriter.written());
    });
  } finally {
    sharedSeriesWriter = seriesWriter;
  }
}

class RequestV2Encoder {
  readonly table = new SymbolsTable();
  readonly #writer: ProtobufWriter;
  readonly #options: EncodeOptions;
  readonly #strict: boolean;
  readonly #now: number;
  readonly #tally: EncodeTally;
  readonly #labels = new LabelSet();
  readonly #exemplarLabels = new LabelSet();
  readonly #lastNames: string[] = [];
  readonly #lastValues: string[] = [];
  readonly #nameReferences: number[] = [];
  readonly #valueReferences: number[] = [];
  readonly #families = new Map<string, Metadata>();
  readonly #usedFamilies = new Set<string>();

  constructor(writer: ProtobufWriter, options: EncodeOptions) {
    this.#writer = writer;
    this.#options = options;
    this.#strict = options.validation === 'strict';
    this.#now = options.defaultTimestamp ?? Date.now();
    this.#tally = options.tally ?? emptyTally();
  }

  encodeSeries(request: WriteRequest): void {
    for (const metadata of request.metadata ?? []) {
      if (!this.#families.has(metadata.name)) this.#families.set(metadata.name, metadata);
    }
    const timeseries = request.timeseries ?? [];
    for (let index = 0; index < timeseries.length; index++) this.#writeSeries(timeseries[index]!, index);
    this.#tally.metadata += this.#families.size - this.#usedFamilies.size;
  }

  #writeSeries(series: TimeSeries, index: number): void {
    const labels = this.#labels;
    const path = (): string => `timeseries[${index}]`;
    labels.collect(series.labels, this.#options.externalLabels, path);
    if (this.#strict) {
      labels.assertValid(this.#options.nameValidationScheme ?? 'utf8', path);
      assertHasPoints(series, path);
    }
    const metadata = this.#metadataOf(series);
    const histograms = series.histograms ?? NO_ENTRIES;
    const hasSamples = sampleCount(series) > 0;
    // Samples and histograms never share an entry; exemplars go with the first of the two.
    if (hasSamples || histograms.length === 0) {
      const start = this.#begin(labels);
      this.#writeSamples(series, index);
      this.#writeExemplars(series.exemplars ?? NO_ENTRIES, index);
      this.#end(start, metadata);
    }
    if (histograms.length > 0) {
      const start = this.#begin(labels);
      this.#writeHistograms(histograms, index);
      if (!hasSamples) this.#writeExemplars(series.exemplars ?? NO_ENTRIES, index);
      this.#end(start, metadata);
    }
  }

  #begin(labels: LabelSet): number {
    const writer = this.#writer;
    writer.reserve(1);
    writer.bytes[writer.position++] = (5 << 3) | 2;
    const start = writer.open(1);
    this.#writeReferences(labels);
    return start;
  }

  #end(start: number, metadata: Metadata | undefined): void {
    const writer = this.#writer;
    if (metadata !== undefined) this.#writeMetadata(metadata);
    writer.close(start, 1);
  }

  #writeReferences(labels: LabelSet): void {
    const writer = this.#writer;
    const { table } = this;
    if (labels.size === 0) return;
    writer.reserve(2);
    writer.bytes[writer.position++] = (1 << 3) | 2;
    const start = writer.open(1);
    const { size, names, values } = labels;
    for (let index = 0; index < size; index++) {
      const name = names[index]!;
      const value = values[index]!;
      // Most labels repeat those of the series before at the same place; comparing is cheaper than looking up.
      if (this.#lastNames[index] !== name) {
        this.#lastNames[index] = name;
        this.#nameReferences[index] = table.symbolize(name);
      }
      if (this.#lastValues[index] !== value) {
        this.#lastValues[index] = value;
        this.#valueReferences[index] = table.symbolize(value);
      }
      writer.varint32(this.#nameReferences[index]!);
      writer.varint32(this.#valueReferences[index]!);
    }
    writer.close(start, 1);
  }

  #writeSamples(series: TimeSeries, index: number): void {
    const { sample, samples } = series;
    if (sample !== undefined) this.#writeSample(sample, index, -1, Number.NEGATIVE_INFINITY);
    if (samples === undefined) return;
    let previous: number | bigint = Number.NEGATIVE_INFINITY;
    for (let at = 0; at < samples.length; at++) {
      previous = this.#writeSample(samples[at]!, index, at, previous);
    }
  }

  #writeSample(sample: Sample, series: number, index: number, previous: number | bigint): number | bigint {
    const writer = this.#writer;
    const path = (): string => samplePath(`timeseries[${series}]`, index);
    writer.reserve(2);
    writer.bytes[writer.position++] = (2 << 3) | 2;
    const start = writer.open(1);
    if (sample.stale === true) {
      writer.varint32((1 << 3) | 1);
      writer.staleMarker();
    } else {
      writeValue(writer, (1 << 3) | 1, sample.value, path);
    }
    const milliseconds = writeTimestamp(writer, 2 << 3, sample.timestamp ?? this.#now, path);
    if (sample.startTimestamp !== undefined) {
      writeTimestamp(writer, 3 << 3, sample.startTimestamp, () => `${path()}.startTimestamp`);
    }
    if (this.#strict) assertInOrder(previous, milliseconds, path);
    writer.close(start, 1);
    this.#tally.samples++;
    return milliseconds;
  }

  #writeHistograms(histograms: readonly NativeHistogram[], series: number): void {
    const writer = this.#writer;
    const context = { defaultTimestamp: this.#now, v2: true, strict: this.#strict };
    for (const [at, histogram] of histograms.entries()) {
      writer.varint32((3 << 3) | 2);
      const start = writer.open(1);
      writeHistogram(writer, histogram, context, () => `timeseries[${series}].histograms[${at}]`);
      writer.close(start, 1);
      this.#tally.histograms++;
    }
  }

  #writeExemplars(exemplars: readonly Exemplar[], series: number): void {
    const writer = this.#writer;
    for (const [at, exemplar] of exemplars.entries()) {
      const path = (): string => `timeseries[${series}].exemplars[${at}]`;
      writer.varint32((4 << 3) | 2);
      const start = writer.open(1);
      this.#exemplarLabels.collect(exemplar.labels, undefined, path);
      this.#writeReferences(this.#exemplarLabels);
      writeValue(writer, (2 << 3) | 1, exemplar.value, path);
      writeTimestamp(writer, 3 << 3, exemplar.timestamp ?? this.#now, path);
      writer.close(start, 1);
      this.#tally.exemplars++;
    }
  }

  #metadataOf(series: TimeSeries): Metadata | undefined {
    if (hasMetadata(series.metadata)) return series.metadata;
    if (this.#families.size === 0) return undefined;
    const metricName = this.#labels.get(METRIC_NAME) ?? '';
    for (const type of FAMILY_FORMS) {
      const name = familyName(metricName, type);
      const metadata = this.#families.get(name);
      // A suffix is only taken off for families of the type that has it.
      if (metadata === undefined || familyName(metricName, metadata.type) !== name) continue;
      this.#usedFamilies.add(name);
      return metadata;
    }
    return undefined;
  }

  #writeMetadata(metadata: Metadata): void {
    const writer = this.#writer;
    writer.varint32((5 << 3) | 2);
    const start = writer.open(1);
    const type = METRIC_TYPES.indexOf(metadata.type ?? 'unknown');
    if (type > 0) {
      writer.varint32(1 << 3);
      writer.varint32(type);
    }
    if (metadata.help) {
      writer.varint32(3 << 3);
      writer.varint32(this.table.symbolize(metadata.help));
    }
    if (metadata.unit) {
      writer.varint32(4 << 3);
      writer.varint32(this.table.symbolize(metadata.unit));
    }
    writer.close(start, 1);
  }
}
