import { z } from 'zod';
import { bytesSchema } from '../../base/config-schema.ts';

const size = (preset: string, description: string) =>
  bytesSchema
    .refine((bytes) => bytes >= 1024 && bytes <= 1024 ** 3, { error: 'expected 1KiB to 1GiB' })
    .prefault(preset)
    .meta({ description });

/** The part of `limits` that logs have; the configuration composes it with other rooms' parts (`logLimitsSchema.shape`). */
export const logLimitsSchema = z.strictObject({
  'logs-body': size('16MiB', 'Body of a request with logs as it comes over the wire; a larger one gets 413'),
  'logs-decoded': size('16MiB', 'The same when uncompressed; a larger one gets 413'),
  'logs-entry': size('1MiB', 'One entry of an application log, of a request or an agent; a larger one is dropped'),
});

/** Limits of logs, in bytes. */
export interface LogLimits {
  readonly bodyBytes: number;
  readonly decodedBytes: number;
  readonly entryBytes: number;
}

export function toLogLimits(limits: z.output<typeof logLimitsSchema>): LogLimits {
  return {
    bodyBytes: limits['logs-body'],
    decodedBytes: limits['logs-decoded'],
    entryBytes: limits['logs-entry'],
  };
}
