import { z } from 'zod';
import { bytesSchema } from '../../base/config-schema.ts';

const size = (preset: string, description: string) =>
  bytesSchema
    .refine((bytes) => bytes >= 1024 && bytes <= 1024 ** 3, { error: 'expected 1KiB to 1GiB' })
    .prefault(preset)
    .meta({ description });

/** The part of `limits` that OTLP traces have; the configuration composes it with other rooms' parts (`tracesLimitsSchema.shape`). */
export const tracesLimitsSchema = z.strictObject({
  'traces-body': size('16MiB', 'Body of an OTLP trace request as it comes over the wire; a larger one gets 413'),
  'traces-decoded': size(
    '16MiB',
    'OTLP traces when uncompressed, of a request or an agent; a larger request gets 413, a larger record is dropped',
  ),
  'traces-json': size('4MiB', 'OTLP traces as JSON when uncompressed; a larger request gets 413'),
  'traces-rows': size(
    '32MiB',
    'Rows made of one OTLP message: every span repeats the attributes of its resource; a request with more gets 413',
  ),
  'traces-spans': z
    .int()
    .min(1)
    .max(1_000_000)
    .prefault(50_000)
    .meta({ description: 'Spans of one OTLP message; a request with more gets 413' }),
});

/** Limits of OTLP traces; sizes in bytes. */
export interface TracesLimits {
  readonly bodyBytes: number;
  readonly decodedBytes: number;
  readonly jsonBytes: number;
  readonly rowBytes: number;
  readonly spans: number;
}

export function toTracesLimits(limits: z.output<typeof tracesLimitsSchema>): TracesLimits {
  return {
    bodyBytes: limits['traces-body'],
    decodedBytes: limits['traces-decoded'],
    jsonBytes: limits['traces-json'],
    rowBytes: limits['traces-rows'],
    spans: limits['traces-spans'],
  };
}
