import { createHash } from 'node:crypto';
import { z } from 'zod';
import { bytesSchema, durationSchema, flag } from '../base/config-schema.ts';
import { isOwnReader } from '../base/own-readers.ts';
import { Secret } from '../base/secret.ts';
import { headersSchema, tlsSchema, toClientTls, type ClientTls } from './config-client.ts';
import { filterGroups, filterShape, type SelectionConfig } from './config-filters.ts';

/** Configuration that every exporter has, whatever it speaks: one entry of `exporters`. A protocol's config.ts adds its own keys. */

/** What every protocol's configuration has: times in milliseconds, sizes in bytes. */
export interface SharedSettings<Protocol extends string> extends SelectionConfig {
  /** Identity of its cursor and its rejected items: `name`, or the protocol. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly enabled: boolean;
  /** Ids of the catalog, each once. */
  readonly dataSources: readonly string[];
  /** As written, checked by the protocol. */
  readonly endpoints: readonly string[];
  readonly queueCount: number;
  readonly queueSize: number;
  readonly batchSize: number;
  /** Encoded bytes at which a batch is sent. */
  readonly batchBytes: number;
  readonly flushMs: number;
  readonly timeoutMs: number;
  readonly maxBacklogBytes: number;
  readonly from: 'tail' | 'oldest';
  readonly retry: RetrySettings;
  /** HTTP headers or gRPC metadata; the values may be credentials. */
  readonly extraHeaders: ReadonlyMap<string, Secret>;
  readonly tls: ClientTls;
}

interface RetrySettings {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly jitter: boolean;
  /** What 429 (Too Many Requests) means: wait and send again, or drop the batch. */
  readonly on429: 'retry' | 'drop';
}

const NO_BLANKS = 'expected an address without blanks; each endpoint is an entry of its own: [a, b]';

/** A number of DeepFlow's, where 0 means the default. */
const count = (most: number) => z.int().min(0).max(most).optional();

/** Names of exporters: part of file names and labels. */
const nameSchema = z
  .string()
  .regex(/^[a-z0-9-]{1,64}$/, { error: 'expected a name of 1 to 64 small letters, digits and dashes' })
  .refine((name) => !isOwnReader(name), {
    error: 'expected another name: storage, series-dictionary and roll-up-* are readers of the hub itself',
  });

/** Where a protocol differs from the others. */
export interface ProtocolDefaults {
  readonly batchSize: number;
  readonly batchBytes: number;
  readonly timeoutMs: number;
}

/** The keys that every protocol has, in the order of the reference; a protocol's schema begins with these. `protocol` is each one's own literal. */
export const sharedShape = {
  name: nameSchema.optional().meta({
    description:
      'Identity of the exporter over restarts: place in the journal, rejected items, metrics. Absent: the protocol, if no other exporter goes by it',
  }),
  enabled: flag.optional().meta({ description: 'Absent means on; DeepFlow takes it for off' }),
  'data-sources': z
    .array(z.string().min(1), { error: (issue) => (issue.input === undefined ? SOURCES_WANTED : undefined) })
    .min(1, { error: 'expected at least one data source' })
    .meta({
      description:
        'What is exported. prometheus: flow_metrics.* and prometheus.samples; opentelemetry: flow_log.l7_flow_log; kafka: these, flow_log.l4_flow_log and event.*. Each is written out, without *',
    }),
  endpoints: z
    .array(z.string().min(1).regex(/^\S*$/, { error: NO_BLANKS, abort: true }), {
      error: (issue) => (issue.input === undefined ? ENDPOINTS_WANTED : undefined),
    })
    .min(1, { error: 'expected at least one endpoint' })
    .meta({
      description:
        'prometheus: URLs; kafka: host:port of brokers; opentelemetry: host:port or URLs. Of several, another one is tried after a failure',
    }),
  'queue-count': count(64).meta({
    description: 'Requests under way at a time; what must stay in order goes one way. Absent or 0: 4',
  }),
  'queue-size': count(100_000_000).meta({
    description: 'Rows that one of these may run ahead of what is confirmed. Absent or 0: 100000',
  }),
  'batch-size': count(1_000_000).meta({
    description: 'Messages, series or spans of one request. Absent or 0: 1024, opentelemetry 32',
  }),
  'flush-timeout': z
    .number()
    .min(0)
    .max(3600)
    .optional()
    .meta({ description: 'Seconds that a part of a batch waits for more. Absent or 0: 1' }),
  ...filterShape,
  'export-fields': z.array(z.string().min(1)).optional().meta({
    description:
      'Categories ($tag, $metrics, $tag.flow_info ...), names of fields, and labels of pods ($k8s.label, $k8s.label.NAME, ~$k8s.label.REGEX). Absent: $tag and $metrics',
  }),
  'export-empty-tag': flag.prefault(false).meta({ description: 'Send tags that are empty (kafka, prometheus)' }),
  'export-empty-metrics-disabled': flag
    .prefault(false)
    .meta({ description: 'Leave out metrics that are 0 (kafka, prometheus)' }),
  'enum-translate-to-name-disabled': flag
    .prefault(false)
    .meta({ description: 'Send the codes of enumerations, not their names (kafka, prometheus)' }),
  'universal-tag-translate-to-name-disabled': flag
    .prefault(false)
    .meta({ description: 'Send the ids of universal tags, not their names (kafka, prometheus)' }),
  'extra-headers': headersSchema
    .optional()
    .meta({ description: 'HTTP headers or gRPC metadata of every request; a value may be ${NAME}' }),
  timeout: durationSchema
    .refine((ms) => ms >= 100 && ms <= 600_000, { error: 'expected 100ms to 10m' })
    .optional()
    .meta({ description: 'Longest time of one request. Absent: 30s, opentelemetry 10s' }),
  'max-backlog-bytes': bytesSchema
    .refine((bytes) => bytes > 0, { error: 'expected more than 0' })
    .prefault('8GiB')
    .meta({
      description: 'Journal that is kept for this exporter; above it, the oldest part is dropped and counted',
    }),
  'max-age': durationSchema
    .refine((ms) => ms > 0, { error: 'expected more than 0' })
    .optional()
    .meta({ description: 'Rows that are older are dropped and counted. Absent: none are' }),
  from: z.enum(['tail', 'oldest']).prefault('tail').meta({
    description: 'Where a new exporter begins: at what comes in from now on, or at the oldest of the journal',
  }),
  retry: z
    .strictObject({
      initial: durationSchema
        .refine((ms) => ms > 0, { error: 'expected more than 0' })
        .prefault('100ms')
        .meta({ description: 'Wait after the first failure; it doubles with each' }),
      max: durationSchema
        .refine((ms) => ms > 0, { error: 'expected more than 0' })
        .prefault('30s')
        .meta({ description: 'Longest wait' }),
      jitter: flag.prefault(true).meta({ description: 'Wait a random part of it' }),
      'on-429': z
        .enum(['retry', 'drop'])
        .prefault('retry')
        .meta({ description: 'What the answer 429 (too many requests) means: send again later, or drop and count' }),
    })
    .superRefine((value, context) => {
      if (value.initial <= value.max) return;
      context.addIssue({ code: 'custom', path: ['initial'], message: 'expected at most retry.max' });
    })
    .prefault({})
    .meta({ description: 'Failures that pass are tried again for as long as the backlog has room' }),
  tls: tlsSchema.optional().meta({ description: 'TLS to the endpoints' }),
  'include-imported-spans': flag
    .prefault(true)
    .meta({ description: 'Export spans that came in by OTLP, too (flow_log.l7_flow_log)' }),
  'exclude-self-traffic': flag
    .prefault(true)
    .meta({ description: "Leave out rows about the hub's own traffic, which would make more of themselves" }),
};

const SOURCES_WANTED = 'expected at least one data source';
const ENDPOINTS_WANTED = 'expected at least one endpoint';

type SharedKeys = z.output<z.ZodObject<typeof sharedShape>>;

const DEFAULT_FIELDS: readonly string[] = ['$tag', '$metrics'];
/** Names that DeepFlow's pages still have for a data source. */
const OLD_SOURCES: ReadonlyMap<string, string> = new Map([['event.perf_event', 'event.file_event']]);

/** The catalog's id of a data source that is written by its name of now or of then. */
export function dataSourceId(name: string): string {
  return OLD_SOURCES.get(name) ?? name;
}

/** The keys of `sharedShape` with the defaults of a protocol. */
export function toSharedSettings<Protocol extends string>(
  keys: SharedKeys,
  protocol: Protocol,
  defaults: ProtocolDefaults,
): SharedSettings<Protocol> {
  const written = keys['export-fields'] ?? [];
  return {
    name: keys.name ?? protocol,
    protocol,
    enabled: keys.enabled ?? true,
    dataSources: [...new Set(keys['data-sources'].map((name) => dataSourceId(name)))],
    endpoints: keys.endpoints,
    queueCount: keys['queue-count'] || 4,
    queueSize: keys['queue-size'] || 100_000,
    batchSize: keys['batch-size'] || defaults.batchSize,
    batchBytes: defaults.batchBytes,
    flushMs: Math.ceil((keys['flush-timeout'] || 1) * 1000),
    timeoutMs: keys.timeout ?? defaults.timeoutMs,
    maxBacklogBytes: keys['max-backlog-bytes'],
    maxAgeMs: keys['max-age'],
    from: keys.from,
    retry: {
      initialMs: keys.retry.initial,
      maxMs: keys.retry.max,
      jitter: keys.retry.jitter,
      on429: keys.retry['on-429'],
    },
    exportFields: written.length === 0 ? DEFAULT_FIELDS : written,
    filterGroups: filterGroups(keys),
    exportEmptyTag: keys['export-empty-tag'],
    exportEmptyMetrics: !keys['export-empty-metrics-disabled'],
    translateEnums: !keys['enum-translate-to-name-disabled'],
    translateNames: !keys['universal-tag-translate-to-name-disabled'],
    includeImportedSpans: keys['include-imported-spans'],
    excludeSelfTraffic: keys['exclude-self-traffic'],
    extraHeaders: new Map(Object.entries(keys['extra-headers'] ?? {})),
    tls: toClientTls(keys.tls),
  };
}

/**
 * Encoded bytes of all lanes of an exporter at which it stops reading: a batch under way and one behind it in each lane are enough to keep them busy, and
 * the memory that is held is up to twice what is encoded in it.
 */
function queueBytes({ queueCount, batchBytes }: SharedSettings<string>): number {
  return Math.min(Math.max(2 * queueCount * batchBytes, LEAST_QUEUE_BYTES), MOST_QUEUE_BYTES);
}

const LEAST_QUEUE_BYTES = 8 * 2 ** 20;
const MOST_QUEUE_BYTES = 48 * 2 ** 20;

/** What delivery wants of the configuration (DeliverySettings of delivery/types.ts). */
export function toDeliverySettings(config: SharedSettings<string>) {
  const { initialMs, maxMs, jitter } = config.retry;
  return {
    lanes: config.queueCount,
    batchItems: config.batchSize,
    batchBytes: config.batchBytes,
    flushMs: config.flushMs,
    queueRows: config.queueSize,
    queueBytes: queueBytes(config),
    timeoutMs: config.timeoutMs,
    retry: { initialMs, maxMs, jitter },
    maxAgeMs: config.maxAgeMs,
    maxBacklogBytes: config.maxBacklogBytes,
    from: config.from,
  };
}

/** Equal for equal settings: SHA-256 over all values, in hexadecimal. Secrets are among them, so that it is not to be shown: a short one could be guessed. */
export function fingerprint(config: SharedSettings<string>): string {
  return createHash('sha256')
    .update(JSON.stringify(bare(config)))
    .digest('hex');
}

/** Values as JSON can write them, secrets as they are. */
function bare(value: unknown): unknown {
  if (value instanceof Secret) return { secret: value.reveal() };
  if (value instanceof Map) return [...value].map(([key, entry]) => [key, bare(entry)]);
  if (Array.isArray(value)) return value.map((entry) => bare(entry));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, bare(entry)]));
}
