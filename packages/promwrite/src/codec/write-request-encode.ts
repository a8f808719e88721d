/** `prometheus.WriteRequest`, the message of remote write 1.0, encoding. The layout stands with the decoder. */
import { ProtobufWriter } from '../wire/protobuf-writer.ts';
import { METRIC_TYPES } from './enums.ts';
import { writeHistogram } from './histogram-encode.ts';
import { LabelSet, METRIC_NAME } from './label-set.ts';
import { RepeatedLabels, writeLabel } from './repeated-labels.ts';
import {
  assertHasPoints,
  assertInOrder,
  familyName,
  hasMetadata,
  samplePath,
  writeTimestamp,
  writeValue,
} from './series-encode.ts';
import { emptyTally, type EncodeTally } from './tally.ts';
import { CUSTOM_BUCKETS_SCHEMA } from './validate-histogram.ts';
import { WriteValidationError } from './validation-error.ts';
import type { EncodeOptions } from './encode-options.ts';
import type { FamilyMetadata, Metadata, NativeHistogram, Sample, TimeSeries, WriteRequest } from './time-series.ts';

const NO_ENTRIES: readonly never[] = [];

/** The writer that calls without their own share; taken while in use, so that nested calls get a fresh one. */
let sharedWriter: ProtobufWriter | undefined = new ProtobufWriter();

/** Runs `encode` with a writer and returns what it wrote: a view of the caller's own writer, else a copy. */
export function withWriter(
  own: ProtobufWriter | undefined,
  encode: (writer: ProtobufWriter) => void,
): Uint8Array<ArrayBuffer> {
  if (own !== undefined) {
    own.reset();
    encode(own);
    return own.written();
  }
  const writer = sharedWriter ?? new ProtobufWriter();
  sharedWriter = undefined;
  try {
    writer.reset();
    encode(writer);
    return writer.toBytes();
  } finally {
    sharedWriter = writer;
  }
}

/**
 * Encodes a request as `prometheus.WriteRequest` (remote write 1.0), uncompressed.
 *
 * Labels are sorted; start timestamps are left out, as 1.0 has none; metadata of series is sent by family beside that
 * of the request. Stale markers get their exact bits.
 *
 * @throws WriteValidationError if the data has no form on the wire or, with `validation: 'strict'`, breaks a rule.
 */
export function encodeWriteRequest(request: WriteRequest, options: EncodeOptions = {}): Uint8Array<ArrayBuffer> {
  return withWriter(options.writer, (writer) => {
    new WriteRequestEncoder(writer, options).encode(request);
  });
}

class WriteRequestEncoder {
  readonly #writer: ProtobufWriter;
  readonly #options: EncodeOptions;
  readonly #strict: boolean;
  readonly #now: number;
  readonly #tally: EncodeTally;
  readonly #labels = new LabelSet();
  readonly #repeats = new RepeatedLabels();
  readonly #exemplarLabels = new LabelSet();
  readonly #families = new Map<string, Metadata>();

  constructor(writer: ProtobufWriter, options: EncodeOptions) {
    this.#writer = writer;
    this.#options = options;
    this.#strict = options.validation === 'strict';
    this.#now = options.defaultTimestamp ?? Date.now();
    this.#tally = options.tally ?? emptyTally();
  }

  encode(request: WriteRequest): void {
    const writer = this.#writer;
    const timeseries = request.timeseries ?? [];
    for (let index = 0; index < timeseries.length; index++) {
      writer.reserve(1);
      writer.bytes[writer.position++] = (1 << 3) | 2;
      const start = writer.open(2);
      this.#writeSeries(timeseries[index]!, index, start);
      this.#repeats.moved(writer.close(start, 2));
    }
    for (const metadata of request.metadata ?? []) {
      this.#writeMetadata(metadata.name, metadata);
      this.#families.delete(metadata.name);
    }
    for (const [name, metadata] of this.#families) this.#writeMetadata(name, metadata);
  }

  #writeSeries(series: TimeSeries, index: number, start: number): void {
    const writer = this.#writer;
    const labels = this.#labels;
    const path = (): string => `timeseries[${index}]`;
    labels.collect(series.labels, this.#options.externalLabels, path);
    if (this.#strict) {
      labels.assertValid(this.#options.nameValidationScheme ?? 'legacy', path);
      assertHasPoints(series, path);
    }
    this.#repeats.write(writer, labels, start);

    const { sample, samples } = series;
    if (sample !== undefined) this.#writeSample(sample, index, -1, Number.NEGATIVE_INFINITY);
    if (samples !== undefined) {
      let previous: number | bigint = Number.NEGATIVE_INFINITY;
      for (let at = 0; at < samples.length; at++) {
        previous = this.#writeSample(samples[at]!, index, at, previous);
      }
    }
    for (const [at, exemplar] of (series.exemplars ?? NO_ENTRIES).entries()) {
      const exemplarPath = (): string => `timeseries[${index}].exemplars[${at}]`;
      writer.varint32((3 << 3) | 2);
      const content = writer.open(1);
      this.#exemplarLabels.collect(exemplar.labels, undefined, exemplarPath);
      this.#writeLabels(this.#exemplarLabels);
      writeValue(writer, (2 << 3) | 1, exemplar.value, exemplarPath);
      writeTimestamp(writer, 3 << 3, exemplar.timestamp ?? this.#now, exemplarPath);
      writer.close(content, 1);
      this.#tally.exemplars++;
    }
    for (const [at, histogram] of (series.histograms ?? NO_ENTRIES).entries()) {
      this.#writeHistogram(histogram, () => `timeseries[${index}].histograms[${at}]`);
    }
    if (hasMetadata(series.metadata)) {
      const name = familyName(labels.get(METRIC_NAME) ?? '', series.metadata.type);
      if (!this.#families.has(name)) this.#families.set(name, series.metadata);
    }
  }

  #writeLabels(labels: LabelSet): void {
    for (let index = 0; index < labels.size; index++) {
      writeLabel(this.#writer, labels.names[index]!, labels.values[index]!);
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
    if (this.#strict) assertInOrder(previous, milliseconds, path);
    writer.close(start, 1);
    this.#tally.samples++;
    return milliseconds;
  }

  #writeHistogram(histogram: NativeHistogram, path: () => string): void {
    if (histogram.stale !== true && histogram.schema === CUSTOM_BUCKETS_SCHEMA) {
      if (this.#options.customBuckets === 'drop') {
        this.#tally.customBucketHistograms++;
        return;
      }
      throw new WriteValidationError(
        `${path()}.schema`,
        'custom buckets (-53) need remote write 2.0; use protobufMessage io.prometheus.write.v2.Request',
      );
    }
    const writer = this.#writer;
    writer.varint32((4 << 3) | 2);
    const start = writer.open(1);
    writeHistogram(writer, histogram, { defaultTimestamp: this.#now, v2: false, strict: this.#strict }, path);
    writer.close(start, 1);
    this.#tally.histograms++;
  }

  #writeMetadata(name: string, metadata: Metadata | FamilyMetadata): void {
    const writer = this.#writer;
    if (typeof name !== 'string') {
      throw new WriteValidationError('metadata', `expected the name of a metric family; got ${typeof name}`);
    }
    writer.varint32((3 << 3) | 2);
    const start = writer.open(1);
    const type = METRIC_TYPES.indexOf(metadata.type ?? 'unknown');
    if (type > 0) {
      writer.varint32(1 << 3);
      writer.varint32(type);
    }
    writer.stringField((2 << 3) | 2, name);
    if (metadata.help) writer.stringField((4 << 3) | 2, metadata.help);
    if (metadata.unit) writer.stringField((5 << 3) | 2, metadata.unit);
    writer.close(start, 1);
  }
}
