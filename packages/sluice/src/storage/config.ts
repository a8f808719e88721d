import { z } from 'zod';
import { bytesSchema, durationSchema, filePath, secretFile } from '../base/config-schema.ts';
import { dataSources } from '../catalog/catalog.ts';

/** How long rows are kept: the catalog's figures, for ever, or a time per data source id in milliseconds (the others keep the catalog's). */
export type Retention = 'default' | 'forever' | ReadonlyMap<string, number>;

/** Which tables get their skip indexes: by data source id. */
export type SkipIndexes = 'none' | 'all' | ReadonlySet<string>;

const ids = dataSources.map((source) => source.id);

const kept = durationSchema.refine((ms) => ms >= 3_600_000, { error: 'expected an hour or longer' });

const retention = z
  .union([z.enum(['default', 'forever']), z.partialRecord(z.enum(ids), kept)], {
    error: 'expected default, forever, or a time per table such as {prometheus.samples: 30d}',
  })
  .transform((value): Retention => {
    if (typeof value === 'string') return value;
    return new Map(Object.entries(value).flatMap(([id, ms]) => (ms === undefined ? [] : [[id, ms] as const])));
  })
  .meta({ format: 'default | forever | {table: duration}' });

const skipIndexes = z
  .union([z.enum(['none', 'all']), z.array(z.enum(ids))], {
    error: 'expected none, all, or a list of tables such as [flow_log.l7_flow_log]',
  })
  .transform((value): SkipIndexes => (typeof value === 'string' ? value : new Set(value)))
  .meta({ format: 'none | all | [table, ...]' });

const url = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
    error: 'expected an address such as http://clickhouse-1:8123',
  })
  .refine((text) => !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === ''), {
    error: 'expected an address without a login; use username and password-file',
  });

/** The `storage:` section. */
export const storageConfig = z
  .strictObject({
    engine: z.enum(['chdb', 'clickhouse', 'none']).prefault('chdb').meta({
      description:
        'chdb = embedded database in the data directory; clickhouse = servers; none = keep nothing, only forward',
    }),
    retention: retention.prefault('default').meta({
      description: "How long rows are kept: default = each table's own time, forever, or a time per table",
    }),
    'skip-indexes': skipIndexes.prefault('none').meta({
      description:
        'Tables that get skip indexes, which DeepFlow has on most columns: queries on other columns than the sorted ones read less, inserts cost several times the CPU',
    }),
    'max-memory': bytesSchema
      .refine((bytes) => bytes >= 100 * 2 ** 20, { error: 'expected 100MiB or more' })
      .prefault('400MiB')
      .meta({
        description:
          'Memory that the embedded database may take for data; about 200 MB of its program file come on top',
      }),
    urls: z.array(url).prefault([]).meta({
      description: 'HTTP addresses of the ClickHouse servers; several need cluster',
    }),
    username: z.string().optional().meta({ description: 'ClickHouse user' }),
    'password-file': secretFile.optional().meta({ description: "File with the user's password" }),
    cluster: z.string().min(1).optional().meta({
      description: 'Name of the cluster in the servers own configuration: tables become replicated and distributed',
    }),
    tls: z
      .strictObject({
        'ca-file': filePath.optional().meta({ description: 'Certificates that sign the servers, PEM' }),
        'cert-file': filePath.optional().meta({ description: 'Our certificate, PEM' }),
        'key-file': filePath.optional().meta({ description: 'Its key, PEM' }),
      })
      .optional()
      .meta({ description: 'For https addresses' }),
  })
  .superRefine((value, context) => {
    const complain = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (value.engine === 'clickhouse' && value.urls.length === 0)
      complain(['urls'], 'expected at least one address for engine: clickhouse');
    if (value.engine !== 'clickhouse' && value.urls.length > 0)
      complain(['urls'], `addresses have no effect with engine: ${value.engine}; set engine: clickhouse`);
    if (value.urls.length > 1 && value.cluster === undefined) {
      complain(['cluster'], 'several servers hold one set of tables only as a cluster; name it, or give one address');
    }
    const { tls } = value;
    if ((tls?.['cert-file'] === undefined) !== (tls?.['key-file'] === undefined)) {
      complain(['tls'], 'cert-file and key-file belong together');
    }
    if (tls?.['cert-file'] !== undefined && tls['ca-file'] === undefined)
      complain(['tls', 'ca-file'], 'a client certificate needs ca-file as well');
  })
  .prefault({})
  .meta({ description: 'Where rows are kept' });

export type StorageConfig = z.output<typeof storageConfig>;
