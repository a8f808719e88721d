import { z } from 'zod';
import { bytesSchema, durationSchema } from '../base/config-schema.ts';

const count = (preset: number, description: string) =>
  z.int().min(1).max(0x7fffffff).prefault(preset).meta({ description });

/** Reading's part of `limits`; the configuration composes it with other rooms' parts (`readLimitsSchema.shape`). */
export const readLimitsSchema = z.strictObject({
  'read-body': bytesSchema
    .prefault('8MiB')
    .meta({ description: 'Remote-read body as it comes over the wire; a larger one gets 413' }),
  'read-decoded': bytesSchema
    .prefault('32MiB')
    .meta({ description: 'Remote-read body when uncompressed; a larger one gets 400' }),
  'read-queries': count(64, 'Queries of one remote-read request'),
  'read-matchers': count(128, 'Matchers of one query or selector'),
  'read-regex': bytesSchema.prefault('64KiB').meta({ description: 'Bytes of a regular expression' }),
  'read-series': count(1_000_000, 'Series of one query'),
  'read-samples': count(
    50_000_000,
    'Samples and histograms of one query that is answered as SAMPLES; streamed answers have no such limit',
  ),
  'read-response': bytesSchema
    .prefault('256MiB')
    .meta({ description: 'A remote-read answer as SAMPLES, uncompressed: it must be whole in memory' }),
  'read-frame': bytesSchema.prefault('1MiB').meta({
    description: 'Chunks of one frame of a streamed answer; a series with more is spread over several frames',
  }),
  'read-buffer': bytesSchema.prefault('32MiB').meta({
    description:
      'Chunks that a streamed answer holds back to send its series in order; besides, all rows of one question to the database are held while they are encoded',
  }),
  'read-concurrent': count(10, 'Reads answered at a time; others wait'),
  'read-time': durationSchema.prefault('2m').meta({ description: 'Longest time for one read' }),
});

/** Limits of reading; sizes in bytes, times in milliseconds. */
export interface ReadLimits {
  readonly bodyBytes: number;
  readonly decodedBytes: number;
  readonly queries: number;
  readonly matchers: number;
  readonly regexBytes: number;
  readonly series: number;
  readonly samples: number;
  readonly responseBytes: number;
  readonly frameBytes: number;
  readonly bufferBytes: number;
  readonly concurrent: number;
  readonly timeMs: number;
}

export function toReadLimits(limits: z.output<typeof readLimitsSchema>): ReadLimits {
  return {
    bodyBytes: limits['read-body'],
    decodedBytes: limits['read-decoded'],
    queries: limits['read-queries'],
    matchers: limits['read-matchers'],
    regexBytes: limits['read-regex'],
    series: limits['read-series'],
    samples: limits['read-samples'],
    responseBytes: limits['read-response'],
    frameBytes: limits['read-frame'],
    bufferBytes: limits['read-buffer'],
    concurrent: limits['read-concurrent'],
    timeMs: limits['read-time'],
  };
}
