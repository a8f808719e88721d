import { z } from 'zod';
import { bytesSchema } from '../../base/config-schema.ts';

const count = (preset: number, description: string) =>
  z.int().min(1).max(0x7fffffff).prefault(preset).meta({ description });

/** Remote write's part of `limits`; the configuration composes it with other rooms' parts (`remoteWriteLimitsSchema.shape`). */
export const remoteWriteLimitsSchema = z.strictObject({
  series: count(
    1_000_000,
    'Active series of an organisation; requests with further ones get 429, their known series are kept',
  ),
  'write-body': bytesSchema
    .prefault('32MiB')
    .meta({ description: 'Remote-write body as it comes over the wire; a larger one gets 413' }),
  'write-decoded': bytesSchema
    .prefault('32MiB')
    .meta({ description: 'Remote-write body when uncompressed; a larger one gets 400' }),
  'write-series': count(200_000, 'TimeSeries of one remote-write request'),
  'write-samples': count(1_000_000, 'Samples, histograms and exemplars of one remote-write request together'),
  'write-symbols': count(500_000, 'Symbols of one remote-write 2.0 request'),
  'write-label-bytes': bytesSchema
    .prefault('64MiB')
    .meta({ description: 'Label text of the new series of one request, with the symbols of 2.0 resolved' }),
  labels: count(64, 'Labels of a series'),
  'label-name': bytesSchema.prefault('1KiB').meta({ description: 'Bytes of a label name' }),
  'label-value': bytesSchema.prefault('8KiB').meta({ description: 'Bytes of a label value' }),
  'exemplar-labels': count(128, 'Characters of all label names and values of an exemplar together, as in OpenMetrics'),
  'histogram-buckets': count(4096, 'Buckets, spans or custom bounds of a native histogram, each'),
  'metadata-text': bytesSchema
    .prefault('16KiB')
    .meta({ description: 'Bytes of a help text; longer ones are not kept' }),
});

/** Limits of remote write; sizes in bytes. */
export interface RemoteWriteLimits {
  readonly bodyBytes: number;
  readonly decodedBytes: number;
  readonly seriesPerRequest: number;
  readonly samplesPerRequest: number;
  readonly symbolsPerRequest: number;
  readonly labelBytesPerRequest: number;
  readonly labelsPerSeries: number;
  readonly labelNameBytes: number;
  readonly labelValueBytes: number;
  readonly exemplarLabelCharacters: number;
  readonly histogramBuckets: number;
  readonly metadataTextBytes: number;
}

/** The limits as the receiver takes them (`limits.series` goes to the series). */
export function toRemoteWriteLimits(limits: z.output<typeof remoteWriteLimitsSchema>): RemoteWriteLimits {
  return {
    bodyBytes: limits['write-body'],
    decodedBytes: limits['write-decoded'],
    seriesPerRequest: limits['write-series'],
    samplesPerRequest: limits['write-samples'],
    symbolsPerRequest: limits['write-symbols'],
    labelBytesPerRequest: limits['write-label-bytes'],
    labelsPerSeries: limits.labels,
    labelNameBytes: limits['label-name'],
    labelValueBytes: limits['label-value'],
    exemplarLabelCharacters: limits['exemplar-labels'],
    histogramBuckets: limits['histogram-buckets'],
    metadataTextBytes: limits['metadata-text'],
  };
}
