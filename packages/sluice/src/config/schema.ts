import { z } from 'zod';
import { authSchema, tlsSchema } from '../access/config.ts';
import { agentsSchema } from '../control/config.ts';
import { httpLimitsSchema, httpListenSchema } from '../http/config.ts';
import { journalSchema } from '../journal/config.ts';
import { readLimitsSchema } from '../query/config.ts';
import { agentLimitsSchema } from '../receivers/agent/config.ts';
import { logLimitsSchema } from '../receivers/log/config.ts';
import { profileLimitsSchema } from '../receivers/profile/config.ts';
import { tracesLimitsSchema } from '../receivers/opentelemetry/config.ts';
import { remoteWriteLimitsSchema } from '../receivers/prometheus/config.ts';
import { storageConfig } from '../storage/config.ts';
import { exportersSchema, type ExporterConfig } from './exporter-schema.ts';
import { tagsSchema } from '../tags/config.ts';
import { agentListenSchema, controlListenSchema } from './listen.ts';

/**
 * The whole configuration: one line a section, each room's own schema where it has one. Rooms' parts of `limits` are put side by side.
 * The printed reference and docs/configuration.md follow this order.
 */
export const SECTIONS = {
  'data-dir': z.string().min(1).prefault('./sluice-data').meta({
    format: 'folder',
    description: 'Folder for everything the hub keeps; one process at a time. `--data-dir` wins',
  }),
  'log-level': z
    .enum(['debug', 'info', 'warn', 'warning', 'error'])
    .transform((level) => (level === 'warning' ? 'warn' : level))
    .prefault('info')
    .meta({ description: 'Least severity of log lines: debug, info, warn or error' }),
  listen: z
    .strictObject({
      http: httpListenSchema.prefault('127.0.0.1:20416').meta({
        description: 'Remote write, remote read, queries, /metrics and health',
      }),
      integration: httpListenSchema.prefault('127.0.0.1:38086').meta({
        description: "The integration port of DeepFlow's agent: the same write routes",
      }),
      agent: agentListenSchema.prefault('127.0.0.1:30033'),
      control: controlListenSchema.prefault('127.0.0.1:30035'),
    })
    .prefault({})
    .meta({
      description:
        'Addresses: host:port (port 0 = any free one), null = off, or {address | addresses, auth, tls, allow}. An address that other machines can reach needs `auth`, or `auth: none` written out',
    }),
  'hub-id': z
    .int()
    .min(0)
    .max(1023)
    .prefault(0)
    .meta({ description: 'Number of this hub among those that write to one database, 0 to 1023; part of row ids' }),
  organisations: z
    .array(z.int().min(1).max(1024))
    .min(1, { error: 'expected at least one organisation' })
    .refine((ids) => new Set(ids).size === ids.length, { error: 'expected each organisation once' })
    .prefault([1])
    .meta({
      description: 'Organisations (1 to 1024) whose data is taken; what comes for others is dropped and counted',
    }),
  storage: storageConfig,
  journal: journalSchema
    .prefault({})
    .meta({ description: 'What was acknowledged and waits for storage and exporters' }),
  limits: z
    .strictObject({
      ...httpLimitsSchema.shape,
      ...remoteWriteLimitsSchema.shape,
      ...readLimitsSchema.shape,
      ...agentLimitsSchema.shape,
      ...tracesLimitsSchema.shape,
      ...profileLimitsSchema.shape,
      ...logLimitsSchema.shape,
    })
    .prefault({})
    .meta({ description: 'What one client, request or moment may take' }),
  auth: authSchema.optional(),
  tls: tlsSchema.optional(),
  agents: agentsSchema.prefault({}).meta({ description: 'What agents are told, docs/agents.md' }),
  tags: tagsSchema.prefault({}).meta({ description: 'Where universal tags come from, docs/tags.md' }),
  exporters: exportersSchema,
} as const;

export type SectionName = keyof typeof SECTIONS;

export function isSectionName(key: string): key is SectionName {
  return Object.hasOwn(SECTIONS, key);
}

/** The loaded configuration: immutable, defaults filled in, durations in milliseconds, sizes in bytes, secrets read. */
export type SluiceConfig = {
  readonly [Name in Exclude<SectionName, 'exporters'> as CamelCase<Name>]: Frozen<z.output<(typeof SECTIONS)[Name]>>;
} & {
  /** Those that are on, each with a name of its own. */
  readonly exporters: readonly ExporterConfig[];
};

/** The name of a section as a property: `data-dir` is `dataDir`. */
type CamelCase<Name extends string> = Name extends `${infer First}-${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Name;

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Item[]
  : T extends object
    ? { readonly [Key in keyof T]: T[Key] }
    : T;
