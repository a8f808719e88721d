import { z } from 'zod';
import { bytesSchema, flag, inlineSecret, mappingWanted, secretPath, type HostPort } from '../../base/config-schema.ts';
import { Secret } from '../../base/secret.ts';
import { oneSecret, type SecretSetting } from '../config-client.ts';
import { sharedShape, toSharedSettings, type SharedSettings } from '../config.ts';

/** An exporter to Kafka. */
export interface KafkaExporterConfig extends SharedSettings<'kafka'> {
  /** `endpoints`: where the client first asks for the brokers. */
  readonly brokers: readonly HostPort[];
  /** Whether connections are TLS: by `tls`, or by `sasl` with SASL_SSL. */
  readonly useTls: boolean;
  /** undefined = no login. */
  readonly sasl: KafkaSasl | undefined;
  readonly topic: KafkaTopic;
  readonly acks: 'all' | 'leader' | 'none';
  readonly compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
  readonly idempotent: boolean;
  readonly key: KafkaKey;
  /** Of every message. */
  readonly headers: ReadonlyMap<string, string>;
  readonly maxMessageBytes: number;
  /** Of topics that the exporter makes; undefined = as the broker does. */
  readonly partitions: number | undefined;
  readonly clientId: string;
  /** Where rejected items are put as well; undefined = only into the data directory. */
  readonly deadLetterTopic: string | undefined;
  readonly json: { readonly int64: 'number' | 'string'; readonly legacyKeys: boolean };
}

export interface KafkaSasl {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  readonly username: string;
  readonly password: SecretSetting;
}

export type KafkaKey =
  | { readonly kind: 'none' }
  /** What makes the row's series: its tags. */
  | { readonly kind: 'series-hash' }
  | { readonly kind: 'field'; readonly field: string };

export type KafkaTopic =
  /** `deepflow.` and the data source. */
  | { readonly kind: 'by-source' }
  | { readonly kind: 'fixed'; readonly name: string }
  | { readonly kind: 'template'; readonly parts: readonly TopicPart[] };

export type TopicPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'data-source' }
  | { readonly kind: 'organisation' }
  | { readonly kind: 'field'; readonly field: string }
  /** Of the row's time, in UTC: year (4 digits), month, day, hour, minute (2 digits each). */
  | { readonly kind: 'time'; readonly unit: 'year' | 'month' | 'day' | 'hour' | 'minute' };

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
const PROTOCOLS = ['SASL_SSL', 'SASL_PLAINTEXT'] as const;

const sasl = z
  .strictObject(
    {
      enabled: flag.prefault(false).meta({ description: 'Log in' }),
      'security-protocol': z.string().optional().meta({
        format: 'SASL_SSL or SASL_PLAINTEXT',
        description: 'SASL_SSL = over TLS, SASL_PLAINTEXT = in clear. Absent: SASL_SSL',
      }),
      'sasl-mechanism': z.string().optional().meta({
        format: 'PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512',
        description: 'Absent: PLAIN',
      }),
      username: z.string({ error: 'expected a text in quotes' }).optional().meta({ description: 'User' }),
      password: inlineSecret.optional().meta({ description: 'Password; better ${NAME} or `password-file`' }),
      'password-file': secretPath
        .optional()
        .meta({ description: 'File whose only content is the password; read again when it changes' }),
    },
    { error: mappingWanted },
  )
  .superRefine((value, context) => {
    // What stands in a login that is switched off, as in DeepFlow's examples, does no harm.
    if (!value.enabled) return;
    const complain = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    const protocol = value['security-protocol'] ?? 'SASL_SSL';
    const mechanism = value['sasl-mechanism'] ?? 'PLAIN';
    if (!PROTOCOLS.some((name) => name === protocol)) {
      complain(
        ['security-protocol'],
        `expected SASL_SSL or SASL_PLAINTEXT; got ${JSON.stringify(protocol.slice(0, 40))}`,
      );
    }
    if (!MECHANISMS.some((name) => name === mechanism)) {
      const got = JSON.stringify(mechanism.slice(0, 40));
      complain(
        ['sasl-mechanism'],
        `expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, the mechanisms that are supported; got ${got}`,
      );
    }
    if (value.username === undefined || value.username === '') complain(['username'], 'expected the user that logs in');
    if (oneSecret(value['password-file'], value.password) === undefined) {
      complain([], 'expected one of password and password-file');
    }
  })
  .meta({ description: 'kafka: login' });

/** What a topic may be called. */
const TOPIC = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;

const topic = z
  .string()
  .regex(TOPIC, { error: 'expected the name of a topic: 1 to 249 letters, digits, dots, dashes and _' });

const kafkaKeys = z
  .strictObject({
    acks: z
      .union([z.enum(['all', 'leader', 'none']), z.literal([-1, 0, 1])], {
        error: 'expected all, leader or none (Kafka: -1, 1, 0)',
      })
      .transform((value): KafkaExporterConfig['acks'] => {
        if (typeof value === 'string') return value;
        return value === -1 ? 'all' : value === 1 ? 'leader' : 'none';
      })
      .prefault('all')
      .meta({
        format: 'all, leader or none',
        description: 'Who must have a message before it counts as sent: all replicas, the leader, nobody',
      }),
    compression: z
      .enum(['none', 'gzip', 'snappy', 'lz4', 'zstd'])
      .prefault('snappy')
      .meta({ description: 'Compression of batches' }),
    idempotent: flag.optional().meta({
      description: 'The broker recognises what it is sent twice, and keeps the order. Absent: on with acks: all',
    }),
    key: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,128}$/, { error: 'expected none, series-hash or the name of a field' })
      .prefault('none')
      .meta({
        format: 'none, series-hash or a field',
        description:
          'Key of messages. Equal keys go to one partition, in order. none: a batch to one partition, in turn; series-hash: of the tags of the row; else the value of a field',
      }),
    headers: z
      .record(z.string().min(1), scalar())
      .superRefine((headers, context) => {
        if (!Object.hasOwn(headers, 'datasource')) return;
        const message = 'expected other headers than datasource, which every message has';
        context.addIssue({ code: 'custom', path: ['datasource'], message });
      })
      .optional()
      .meta({ description: 'Headers of every message, name: text; not `datasource`, which they have anyway' }),
    'max-message-bytes': bytesSchema
      .refine((bytes) => bytes >= 1024 && bytes <= 2 ** 30, { error: 'expected 1KiB to 1GiB' })
      .prefault('1MiB')
      .meta({ description: 'Largest message; the brokers have a limit of their own (message.max.bytes)' }),
    'topic-template': z
      .string()
      .transform((text, context) => {
        const parts = parseTopicTemplate(text);
        if (typeof parts !== 'string') return parts;
        context.addIssue(parts);
        return z.NEVER;
      })
      .optional()
      .meta({
        format: 'text',
        description:
          'In place of `topic`: text with {{datasource}}, {{org_id}}, {{FIELD}} and %Y %m %d %H %M of the time of the row (UTC); it begins with plain text. What a topic cannot be called becomes _',
      }),
    partitions: z.int().min(1).max(100_000).optional().meta({
      description: 'Partitions of topics that the exporter makes. Absent: as the broker does',
    }),
    'client-id': z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,128}$/, { error: 'expected 1 to 128 letters, digits, dots, dashes and _' })
      .prefault('sluice')
      .meta({ description: 'What the broker knows the exporter as' }),
    'dead-letter-topic': topic
      .optional()
      .meta({ description: 'Topic that rejected messages are sent to, with the reason as a header' }),
  })
  .superRefine((value, context) => {
    if (value.idempotent !== true || value.acks === 'all') return;
    context.addIssue({ code: 'custom', path: ['idempotent'], message: 'expected acks: all with idempotent: true' });
  });

function scalar() {
  return z.string().meta({ format: 'scalar text' });
}

const schema = z.strictObject({
  protocol: z.literal('kafka').meta({ description: 'What the exporter speaks; as DeepFlow writes it' }),
  ...sharedShape,
  sasl: sasl.optional(),
  topic: topic.optional().meta({
    description: 'kafka: topic for all data sources. Absent: deepflow. and the data source, for each its own',
  }),
  kafka: kafkaKeys.prefault({}).meta({ description: 'kafka: messages and topics' }),
  json: z
    .strictObject({
      int64: z.enum(['number', 'string']).prefault('number').meta({
        description:
          '64-bit integers as numbers, as DeepFlow writes them, which JavaScript cannot read exactly, or as texts',
      }),
      'legacy-keys': flag
        .prefault(true)
        .meta({ description: "DeepFlow's own spellings beside the right ones: end_point beside endpoint" }),
    })
    .prefault({})
    .meta({ description: 'kafka: rows as JSON' }),
});

/** One entry of `exporters` with `protocol: kafka`. Output: KafkaExporterConfig. */
export const kafkaExporterSchema = schema
  .superRefine((keys, context) => {
    const complain = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    for (const [index, endpoint] of keys.endpoints.entries()) {
      if (tryParseBroker(endpoint) === undefined) {
        complain(
          ['endpoints', index],
          'expected host:port of one broker, without http:// or the like, such as kafka-1.example.com:9092',
        );
      }
    }
    if (keys.topic !== undefined && keys.kafka['topic-template'] !== undefined) {
      complain(['topic'], 'expected one of topic and kafka.topic-template');
    }
    if (keys.sasl?.enabled !== true) return;
    const isPlain = keys.sasl['security-protocol'] === 'SASL_PLAINTEXT';
    if (isPlain && keys.tls !== undefined && keys.tls.enabled !== false) {
      complain(
        ['sasl', 'security-protocol'],
        'expected SASL_SSL where there is a section tls; SASL_PLAINTEXT is without TLS',
      );
    }
    if (!isPlain && keys.tls?.enabled === false) {
      complain(
        ['tls', 'enabled'],
        'the password would be sent in clear: leave this out, or ask for it with security-protocol: SASL_PLAINTEXT',
      );
    }
  })
  .transform((keys): KafkaExporterConfig => {
    const { kafka } = keys;
    const maxMessageBytes = kafka['max-message-bytes'];
    const login = keys.sasl?.enabled === true ? keys.sasl : undefined;
    const shared = toSharedSettings(keys, 'kafka', {
      batchSize: 1024,
      // A broker's limit holds for a whole batch as well.
      batchBytes: maxMessageBytes,
      timeoutMs: 30_000,
    });
    const isSecured = login !== undefined && login['security-protocol'] !== 'SASL_PLAINTEXT';
    return {
      ...shared,
      brokers: keys.endpoints.flatMap((endpoint) => tryParseBroker(endpoint) ?? []),
      useTls: shared.tls.enabled === true || isSecured,
      sasl: login === undefined ? undefined : toSasl(login),
      topic: toTopic(keys.topic, kafka['topic-template']),
      acks: kafka.acks,
      compression: kafka.compression,
      idempotent: kafka.idempotent ?? kafka.acks === 'all',
      key: toKey(kafka.key),
      headers: new Map(Object.entries(kafka.headers ?? {})),
      maxMessageBytes,
      partitions: kafka.partitions,
      clientId: kafka['client-id'],
      deadLetterTopic: kafka['dead-letter-topic'],
      json: { int64: keys.json.int64, legacyKeys: keys.json['legacy-keys'] },
    };
  });

function toSasl(login: z.output<typeof sasl>): KafkaSasl {
  return {
    mechanism: MECHANISMS.find((name) => name === login['sasl-mechanism']) ?? 'PLAIN',
    username: login.username ?? '',
    password: oneSecret(login['password-file'], login.password) ?? { kind: 'value', secret: Secret.of('') },
  };
}

function toKey(text: string): KafkaKey {
  return text === 'none' || text === 'series-hash' ? { kind: text } : { kind: 'field', field: text };
}

function toTopic(name: string | undefined, parts: readonly TopicPart[] | undefined): KafkaTopic {
  if (parts !== undefined) return { kind: 'template', parts };
  return name === undefined ? { kind: 'by-source' } : { kind: 'fixed', name };
}

/** `host:port`, `[::1]:port`. */
function tryParseBroker(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}

const TIMES: ReadonlyMap<string, Extract<TopicPart, { kind: 'time' }>['unit']> = new Map([
  ['%Y', 'year'],
  ['%m', 'month'],
  ['%d', 'day'],
  ['%H', 'hour'],
  ['%M', 'minute'],
]);

/** The parts of a template, or what is wrong with it. */
function parseTopicTemplate(text: string): readonly TopicPart[] | string {
  if (text.length > 249) return 'expected at most 249 characters';
  const parts: TopicPart[] = [];
  for (const [piece] of text.matchAll(/\{\{[^{}]*\}\}|%.|[^{}%]+|[{}%]/g)) {
    const part = templatePart(piece);
    if (part === undefined) {
      return `expected {{datasource}}, {{org_id}}, {{FIELD}}, %Y, %m, %d, %H or %M; got ${JSON.stringify(piece)}`;
    }
    parts.push(part);
  }
  const [first] = parts;
  // Values of rows come from outside: without a beginning of its own, they could name any topic.
  if (first?.kind !== 'text')
    return 'expected plain text at the beginning of the template, such as deepflow.{{datasource}}';
  if (parts.some((part) => part.kind === 'text' && !TOPIC.test(`x${part.text}`))) {
    return 'expected letters, digits, dots, dashes and _ between the {{ }}';
  }
  return parts;
}

function templatePart(piece: string): TopicPart | undefined {
  const name = /^\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}$/.exec(piece)?.[1];
  if (name === 'datasource') return { kind: 'data-source' };
  if (name === 'org_id') return { kind: 'organisation' };
  if (name !== undefined) return { kind: 'field', field: name };
  const unit = TIMES.get(piece);
  if (unit !== undefined) return { kind: 'time', unit };
  return /[{}%]/.test(piece) ? undefined : { kind: 'text', text: piece };
}
