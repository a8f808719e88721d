import { z } from 'zod';
import { bytesSchema } from '../../base/config-schema.ts';

const size = (preset: string, description: string) =>
  bytesSchema
    .refine((bytes) => bytes >= 1024 && bytes <= 1024 ** 3, { error: 'expected 1KiB to 1GiB' })
    .prefault(preset)
    .meta({ description });

/** The part of `limits` that profiles have; the configuration composes it with other rooms' parts (`profileLimitsSchema.shape`). */
export const profileLimitsSchema = z.strictObject({
  'profiles-body': size('16MiB', 'Body of a request with a profile as it comes over the wire; a larger one gets 413'),
  'profiles-decoded': size(
    '16MiB',
    'A profile when uncompressed, of a request or an agent; a larger request gets 413, a larger record is dropped',
  ),
  'profiles-rows': size('64MiB', 'Rows made of one profile: each has its whole stack; a request with more gets 413'),
  'profiles-samples': z
    .int()
    .min(1)
    .max(10_000_000)
    .prefault(100_000)
    .meta({ description: 'Rows made of one profile; a request with more gets 413' }),
});

/** Limits of profiles; sizes in bytes. */
export interface ProfileLimits {
  readonly bodyBytes: number;
  readonly decodedBytes: number;
  readonly rowBytes: number;
  readonly samples: number;
}

export function toProfileLimits(limits: z.output<typeof profileLimitsSchema>): ProfileLimits {
  return {
    bodyBytes: limits['profiles-body'],
    decodedBytes: limits['profiles-decoded'],
    rowBytes: limits['profiles-rows'],
    samples: limits['profiles-samples'],
  };
}
