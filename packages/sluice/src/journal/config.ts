import { z } from 'zod';
import { bytesSchema, durationSchema } from '../base/config-schema.ts';
import { CATALOG_VERSION, findDataSource } from '../catalog/catalog.ts';

/** The section `journal:` of the configuration. */
export const journalSchema = z.strictObject({
  sync: z.enum(['interval', 'always']).default('interval').meta({
    description:
      'interval: nothing acknowledged is lost when the process dies, up to sync-interval of it when the power fails; always: nothing is lost then either, acknowledgements wait for the disk',
  }),
  'sync-interval': durationSchema
    .prefault('1s')
    .meta({ description: 'Longest time from a write to its fsync, with sync: interval' }),
  'max-bytes': bytesSchema.prefault('4GiB').meta({
    description: 'What storage has not taken yet; above it inputs are refused (503 with Retry-After)',
  }),
  'min-free-bytes': bytesSchema
    .prefault('1GiB')
    .meta({ description: 'Free space of the disk below which inputs are refused' }),
  'segment-age': durationSchema.optional().meta({
    description:
      'Age at which rows are handed to storage, for every table; absent: 1s for prometheus.*, each table its own',
  }),
});

export type JournalConfig = z.output<typeof journalSchema>;

/** What `openJournal` wants of the configuration, and the catalog. */
export function toJournalOptions(config: JournalConfig) {
  return {
    sync: config.sync,
    syncIntervalMs: config['sync-interval'],
    maxBytes: config['max-bytes'],
    minFreeBytes: config['min-free-bytes'],
    segmentAgeMs: config['segment-age'],
    // A sort of a million rows costs the database 80 MB more at its peak than one of half a million, and saves no CPU that can be measured.
    segmentMaxRows: 500_000,
    catalog: { version: CATALOG_VERSION, find: findDataSource },
  };
}
