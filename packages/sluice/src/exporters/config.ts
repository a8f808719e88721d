import { createHash } from 'node:crypto';
import { z } from 'zod';
import { bytesSchema, durationSchema, filePath, secretRef } from '../base/config-schema.ts';
import { Secret } from '../base/secret.ts';

/** Configuration that every exporter has, whatever it speaks: one entry of `exporters`. A protocol's config.ts adds its own keys. */

/** A secret as configured: its value, or the file that holds it, to be read again when it changes (one trailing line break is left out). */
export type SecretSetting =
  | { readonly kind: 'value'; readonly secret: Secret }
  | { readonly kind: 'file'; readonly path: string };

export type ExporterAuth =
  | { readonly kind: 'basic'; readonly username: string; readonly password: SecretSetting }
  | { readonly kind: 'bearer'; readonly token: SecretSetting };

/** TLS of a client. */
export interface ClientTls {
  /** Whether TLS is asked for where an address does not say so itself; undefined = not said. */
  readonly enabled: boolean | undefined;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  /** Name that the server's certificate must have; undefined = the host of the address. */
  readonly serverName: string | undefined;
  readonly insecureSkipVerify: boolean;
}

/** `tag-filters` and `tag-filters-groups`, in the form of SelectionConfig. */
export interface FilterGroupSetting {
  readonly type: 'and' | 'or';
  readonly filters: readonly FilterSetting[];
}

export interface FilterSetting {
  readonly field: string;
  readonly operator: FilterOperator;
  readonly values: readonly string[];
}

export type FilterOperator = '=' | '!=' | '~' | '!~' | ':' | '!:';

/** What every protocol's configuration has: times in milliseconds, sizes in bytes. */
export interface SharedSettings<Protocol extends string> {
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
  readonly maxAgeMs: number | undefined;
  readonly from: 'tail' | 'oldest';
  readonly retry: RetrySettings;
  readonly exportFields: readonly string[];
  readonly filterGroups: readonly FilterGroupSetting[];
  readonly exportEmptyTag: boolean;
  readonly exportEmptyMetrics: boolean;
  readonly translateEnums: boolean;
  readonly translateNames: boolean;
  readonly includeImportedSpans: boolean;
  readonly excludeSelfTraffic: boolean;
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

/** What YAML 1.1, which DeepFlow reads, takes for true and false is understood as well. */
function oldBoolean(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (/^(?:yes|on|y)$/i.test(value)) return true;
  return /^(?:no|off|n)$/i.test(value) ? false : value;
}

/** A boolean as DeepFlow reads it. */
export const flag = z.preprocess(oldBoolean, z.boolean());

/** Any single value, as the text that was written (the loader hands it on so). */
export const scalarText = z.string().meta({ format: 'scalar text' });

/** A secret that DeepFlow has in the file itself: the text, `${NAME}` or `{file: PATH}`. Never repeated in a message; output: Secret. */
export const inlineSecret = z
  .union([z.custom<Secret>((value) => value instanceof Secret), z.string()], {
    error: 'expected a text in quotes, ${NAME} or {file: PATH}',
  })
  .transform((value) => (value instanceof Secret ? value : Secret.of(value)))
  .meta({ format: 'secret' });

/** Path of a file with a secret that is looked at now and read again later; output: the path. */
export const secretPath = filePath.meta({ format: 'secret file' });

/** Value of a header: as a secret, and no line break in it. */
const headerValue = inlineSecret.refine(
  (value) => value.source !== undefined || !/[^\t\x20-\x7e\x80-\xff]/.test(value.reveal()),
  { error: 'expected printable characters of Latin-1' },
);

/** For mappings that hold secrets: the value that stands in their place is not repeated. */
export function mappingWanted(issue: { readonly code?: string | undefined }): string | undefined {
  return issue.code === 'invalid_type' ? 'expected a mapping' : undefined;
}

/** A number of DeepFlow's, where 0 means the default. */
const count = (most: number) => z.int().min(0).max(most).optional();

const condition = z.strictObject({
  type: z
    .string()
    .transform((text, context): 'and' | 'or' => {
      const type = text.toLowerCase();
      if (type === 'and' || type === 'or') return type;
      context.addIssue('expected "and" or "or"');
      return z.NEVER;
    })
    .meta({ format: '"and" or "or"', description: 'Whether all filters of the group must hold, or one' }),
});

const OPERATORS: ReadonlyMap<string, FilterOperator> = new Map([
  ['=', '='],
  ['in', '='],
  ['!=', '!='],
  ['not in', '!='],
  ['~', '~'],
  ['!~', '!~'],
  [':', ':'],
  ['!:', '!:'],
]);

/** The operators of tag-filters as they are written. */
export const FILTER_OPERATORS: readonly string[] = [...OPERATORS.keys()];

const OPERATOR_HELP = `expected ${FILTER_OPERATORS.map((name) => `"${name}"`).join(', ')}`;

const filter = z
  .strictObject({
    'field-name': z.string().min(1).meta({ description: 'Field of the data sources, as in `export-fields`' }),
    operator: z
      .string({ error: `${OPERATOR_HELP}, in quotes: without them YAML takes ~ for nothing and !=, !~, !: for tags` })
      .transform((text, context): FilterOperator => {
        const operator = OPERATORS.get(text.trim().toLowerCase().replaceAll(/\s+/g, ' '));
        if (operator !== undefined) return operator;
        context.addIssue(`${OPERATOR_HELP}; got ${text === '' ? 'an empty text' : JSON.stringify(text.slice(0, 40))}`);
        return z.NEVER;
      })
      .meta({
        format: '"=", "!=", in, not in, "~", "!~", ":" or "!:"',
        description:
          'Equal to one of the values or to none, matching a regular expression (anywhere in the value) or not, matching a pattern with `*` (the whole value) or not. In quotes: most of these mean something else in YAML',
      }),
    'field-values': z
      .array(scalarText)
      .min(1, { error: 'expected at least one value' })
      .meta({ description: 'What the field is compared with: raw values (ids and codes, not names)' }),
  })
  .transform((value): FilterSetting => ({
    field: value['field-name'],
    operator: value.operator,
    values: value['field-values'],
  }));

const filters = z.array(filter);

const tlsShape = {
  enabled: flag.optional().meta({
    description: 'TLS where the address has no https:// of its own; absent: on when this section is there',
  }),
  'ca-file': filePath
    .optional()
    .meta({ description: "Certificates that vouch for the server, PEM; absent: Node's own" }),
  'cert-file': filePath.optional().meta({ description: 'Certificate to show to the server, PEM' }),
  'key-file': filePath.optional().meta({ description: 'Its key, PEM' }),
  'server-name': z
    .string()
    .min(1)
    .optional()
    .meta({ description: "Name that the server's certificate must have; absent: the host of the address" }),
  'insecure-skip-verify': flag
    .prefault(false)
    .meta({ description: "Take any certificate: whoever stands in the server's place reads everything" }),
};

const tls = z.strictObject(tlsShape, { error: mappingWanted }).superRefine((value, context) => {
  if ((value['cert-file'] === undefined) === (value['key-file'] === undefined)) return;
  context.addIssue({ code: 'custom', path: [], message: 'cert-file and key-file belong together' });
});

const NO_TLS: ClientTls = {
  enabled: undefined,
  caFile: undefined,
  certFile: undefined,
  keyFile: undefined,
  serverName: undefined,
  insecureSkipVerify: false,
};

const basic = z
  .strictObject(
    {
      username: z.string().meta({ description: 'User name of basic authentication' }),
      'password-file': secretPath
        .optional()
        .meta({ description: 'File whose only content is the password; read again when it changes' }),
      password: secretRef.optional().meta({ description: 'The password by reference, in place of `password-file`' }),
    },
    { error: mappingWanted },
  )
  .transform((value, context): ExporterAuth => {
    const password = oneSecret(value['password-file'], value.password);
    if (password === undefined) context.addIssue('expected one of password-file and password');
    return { kind: 'basic', username: value.username, password: password ?? NO_SECRET };
  });

const bearer = z
  .strictObject(
    {
      'token-file': secretPath
        .optional()
        .meta({ description: 'File whose only content is the token; read again when it changes' }),
      token: secretRef.optional().meta({ description: 'The token by reference, in place of `token-file`' }),
    },
    { error: mappingWanted },
  )
  .transform((value, context): ExporterAuth => {
    const token = oneSecret(value['token-file'], value.token);
    if (token === undefined) context.addIssue('expected one of token-file and token');
    return { kind: 'bearer', token: token ?? NO_SECRET };
  });

const NO_SECRET: SecretSetting = { kind: 'value', secret: Secret.of('') };

/** The one that is given; undefined for none and for both. */
export function oneSecret(path: string | undefined, secret: Secret | undefined): SecretSetting | undefined {
  if ((path === undefined) === (secret === undefined)) return undefined;
  return path === undefined ? { kind: 'value', secret: secret! } : { kind: 'file', path };
}

/** `auth`, for the protocols that have it. Output: ExporterAuth. */
export const authSchema = z
  .strictObject({ basic: basic.optional(), bearer: bearer.optional() }, { error: mappingWanted })
  .transform((value, context): ExporterAuth => {
    const chosen = value.basic ?? value.bearer;
    if (chosen !== undefined && (value.basic === undefined || value.bearer === undefined)) return chosen;
    context.addIssue('expected one of basic and bearer');
    return z.NEVER;
  })
  .meta({ description: 'Credentials: `basic` or `bearer` (prometheus, opentelemetry; kafka has `sasl`)' });

/** Names of exporters: part of file names and labels. */
const nameSchema = z
  .string()
  .regex(/^[a-z0-9-]{1,64}$/, { error: 'expected a name of 1 to 64 small letters, digits and dashes' })
  .refine((name) => name !== 'storage' && !name.startsWith('roll-up-'), {
    error: 'expected another name: storage and roll-up-* are readers of the hub itself',
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
    .array(z.string().min(1), { error: (issue) => (issue.input === undefined ? ENDPOINTS_WANTED : undefined) })
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
  'tag-filters': filters.optional().meta({
    description:
      'Rows that are exported, as one group (deprecated by DeepFlow); `tag-filters-groups` has no effect beside it',
  }),
  'tag-filter-condition': condition.optional().meta({ description: 'How `tag-filters` are joined; absent: and' }),
  'tag-filters-groups': z
    .array(
      z
        .strictObject({
          'tag-filter-condition': condition.optional().meta({ description: 'How the filters of the group are joined' }),
          'tag-filters': filters
            .min(1, { error: 'expected at least one filter' })
            .meta({ description: 'Filters of the group' }),
        })
        .transform((group): FilterGroupSetting => ({
          type: group['tag-filter-condition']?.type ?? 'and',
          filters: group['tag-filters'],
        })),
    )
    .optional()
    .meta({ description: 'Rows that are exported: those for which one of these groups holds' }),
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
  'extra-headers': z
    .record(z.string(), headerValue, { error: mappingWanted })
    .superRefine((headers, context) => {
      const seen = new Set<string>();
      for (const name of Object.keys(headers)) {
        const lower = name.toLowerCase();
        if (seen.has(lower)) context.addIssue({ code: 'custom', path: [name], message: 'expected each header once' });
        seen.add(lower);
      }
    })
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
  tls: tls.optional().meta({ description: 'TLS to the endpoints' }),
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
    tls: keys.tls === undefined ? NO_TLS : toClientTls(keys.tls),
  };
}

/** As with DeepFlow, `tag-filters` win over the groups. */
function filterGroups(keys: SharedKeys): readonly FilterGroupSetting[] {
  const alone = keys['tag-filters'] ?? [];
  if (alone.length > 0) return [{ type: keys['tag-filter-condition']?.type ?? 'and', filters: alone }];
  return keys['tag-filters-groups'] ?? [];
}

function toClientTls(keys: z.output<typeof tls>): ClientTls {
  return {
    enabled: keys.enabled ?? true,
    caFile: keys['ca-file'],
    certFile: keys['cert-file'],
    keyFile: keys['key-file'],
    serverName: keys['server-name'],
    insecureSkipVerify: keys['insecure-skip-verify'],
  };
}

/** Encoded bytes of all lanes of an exporter at which it stops reading. */
const QUEUE_BYTES = 48 * 2 ** 20;

/** What delivery wants of the configuration (DeliverySettings of delivery/types.ts). */
export function toDeliverySettings(config: SharedSettings<string>) {
  const { initialMs, maxMs, jitter } = config.retry;
  return {
    lanes: config.queueCount,
    batchItems: config.batchSize,
    batchBytes: config.batchBytes,
    flushMs: config.flushMs,
    queueRows: config.queueSize,
    queueBytes: QUEUE_BYTES,
    timeoutMs: config.timeoutMs,
    retry: { initialMs, maxMs, jitter },
    maxAgeMs: config.maxAgeMs,
    maxBacklogBytes: config.maxBacklogBytes,
    from: config.from,
  };
}

/** What the selection wants of the configuration (SelectionConfig of selection.ts). */
export function toSelection(config: SharedSettings<string>) {
  return {
    exportFields: config.exportFields,
    filterGroups: config.filterGroups,
    exportEmptyTag: config.exportEmptyTag,
    exportEmptyMetrics: config.exportEmptyMetrics,
    translateEnums: config.translateEnums,
    translateNames: config.translateNames,
    includeImportedSpans: config.includeImportedSpans,
    excludeSelfTraffic: config.excludeSelfTraffic,
    maxAgeMs: config.maxAgeMs,
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

/** Why an address cannot be posted to, or undefined. Its text may hold credentials: it is not repeated. */
export function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text) || !/^https?:\/\//i.test(text)) {
    return 'expected an http:// or https:// address such as http://127.0.0.1:9090/api/v1/write';
  }
  const { username, password, hash } = new URL(text);
  if (username !== '' || password !== '') return 'expected an address without a login; use auth: {basic: ...}';
  return hash === '' ? undefined : 'expected an address without #';
}

const PROTOCOL_HEADERS =
  /^(?:host|content-.*|user-agent|connection|keep-alive|proxy-.*|www-authenticate|accept-encoding|transfer-encoding|te|trailer|upgrade|expect|x-prometheus-remote-write-.*|retry-attempt)$/;

/** Why a header of HTTP cannot be set, or undefined. */
export function headerProblem(name: string, hasAuth: boolean): string | undefined {
  const lower = name.toLowerCase();
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/.test(lower)) return 'expected the name of an HTTP header';
  if (PROTOCOL_HEADERS.test(lower)) return 'this header belongs to the protocol and cannot be set';
  return lower === 'authorization' && hasAuth ? 'authorization is set by auth: give one of them' : undefined;
}
