import { isIP } from 'node:net';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { allowSchema, type Network } from '../access/config.ts';
import { bytesSchema, filePath, shown } from '../base/config-schema.ts';

/** Configuration of what agents are told: `agents`. */

/** A piece of an agent's own configuration: keys in the order they were written. */
export type ConfigTree = ReadonlyMap<string, ConfigValue>;
export type ConfigValue = ConfigTree | readonly ConfigValue[] | string | number | boolean | null;

/** Which agents a group takes: everything that is written must fit, of a list one entry. */
export interface GroupMatch {
  readonly ctrlIp: readonly Network[] | undefined;
  readonly host: readonly string[] | undefined;
  readonly teamId: readonly string[] | undefined;
  readonly kubernetesClusterId: readonly string[] | undefined;
  readonly groupId: readonly string[] | undefined;
}

export interface AgentGroup {
  readonly name: string;
  /** Absent: the default group, for agents that no other takes. */
  readonly match: GroupMatch | undefined;
  readonly config: ConfigTree;
  readonly vpcId: number;
  /** The protocol's number; absent: by what the agent says of itself. */
  readonly agentType: number | undefined;
  /** Absent: the first of the accepted ones. */
  readonly org: number | undefined;
  readonly team: number;
}

/** Parsed `agents`. */
export interface AgentsOptions {
  /** Address or name of this hub, as agents reach it; absent: the address on which they reached it. */
  readonly advertise: string | undefined;
  readonly maxMessageBytes: number;
  readonly maxConnections: number;
  /** Table of address ranges for the provinces of flows. */
  readonly provinces: string | undefined;
  /** In the order in which they are tried; the last one is the default group. */
  readonly groups: readonly AgentGroup[];
  /** Names of the groups in the order of the file. */
  readonly groupNames: readonly string[];
}

/** Kinds of hosts, by the name used here: the protocol's numbers. */
export const AGENT_TYPES = {
  process: 1,
  vm: 2,
  'public-cloud': 3,
  'physical-machine': 5,
  'dedicated-physical-machine': 6,
  'host-pod': 7,
  'vm-pod': 8,
  'tunnel-decapsulation': 9,
  'hyper-v-compute': 10,
  'hyper-v-network': 11,
  'k8s-sidecar': 12,
} as const;

type AgentTypeName = keyof typeof AGENT_TYPES;

const agentTypeNames = Object.keys(AGENT_TYPES) as [AgentTypeName, ...AgentTypeName[]];

/** A group's configuration is sent to each of its agents again and again: a large one is a mistake. */
const MAX_CONFIG_BYTES = 256 * 1024;
const MAX_CONFIG_DEPTH = 32;

const oneOrMore = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
  .transform((value): readonly string[] => (typeof value === 'string' ? [value] : value));

const matchSchema = z
  .strictObject({
    'ctrl-ip': allowSchema.optional().meta({ description: "Networks of the agents' own address (ctrl_ip)" }),
    host: oneOrMore.optional().meta({ description: 'Host names; `*` stands for any text, `?` for one character' }),
    'team-id': oneOrMore.optional().meta({ description: "`team-id` of the agent's own file" }),
    'kubernetes-cluster-id': oneOrMore.optional().meta({ description: 'Kubernetes clusters by their id' }),
    'group-id': oneOrMore
      .optional()
      .meta({ description: 'The group that the agent itself asks for (`agent_group_id_request`)' }),
  })
  .refine((match) => Object.values(match).some((value) => value !== undefined), {
    error: 'expected one rule at least; leave `match` out for the default group',
  })
  .transform((match): GroupMatch => ({
    ctrlIp: match['ctrl-ip'],
    host: match.host,
    teamId: match['team-id'],
    kubernetesClusterId: match['kubernetes-cluster-id'],
    groupId: match['group-id'],
  }));

const configSchema = z
  .union([z.string(), z.record(z.string(), z.unknown())])
  .transform((value, context): ConfigTree => {
    const parsed = typeof value === 'string' ? parseConfigText(value) : toTree(value, 0);
    if (typeof parsed !== 'string') return parsed;
    context.addIssue(parsed);
    return z.NEVER;
  });

const groupSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w.-]{1,64}$/, { error: 'expected a name of 1 to 64 letters, digits and . _ -' })
      .meta({ description: 'What the list of agents and log lines call the group' }),
    match: matchSchema.optional().meta({
      description: 'Which agents: every rule must fit; the first group that fits counts. Absent: the default group',
    }),
    config: configSchema.optional().meta({
      description:
        "The agents' own configuration, as a mapping or as YAML text. Its keys win over the hub's default ones; lists are replaced, not joined",
    }),
    'vpc-id': z.int().min(1).max(65_533).prefault(1).meta({ description: 'The VPC of the agents, 1 to 65533' }),
    'agent-type': z
      .enum(agentTypeNames)
      .optional()
      .meta({ description: 'Kind of host; default: host-pod in Kubernetes, else physical-machine' }),
    org: z
      .int()
      .min(1)
      .max(1024)
      .optional()
      .meta({ description: 'Organisation of the agents, one of `organisations`; default: the first of them' }),
    team: z.int().min(1).max(65_535).prefault(1).meta({ description: 'Team of the agents, stored as team_id' }),
  })
  .transform((group): AgentGroup => ({
    name: group.name,
    match: group.match,
    config: group.config ?? new Map(),
    vpcId: group['vpc-id'],
    agentType: group['agent-type'] === undefined ? undefined : AGENT_TYPES[group['agent-type']],
    org: group.org,
    team: group.team,
  }));

/** What agents get that no group takes, when the configuration has no default group. */
export const DEFAULT_GROUP: AgentGroup = {
  name: 'default',
  match: undefined,
  config: new Map(),
  vpcId: 1,
  agentType: undefined,
  org: undefined,
  team: 1,
};

/**
 * `agents`. Output: AgentsOptions.
 *
 *     agents:
 *       advertise: 192.0.2.10
 *       groups:
 *         - name: web
 *           match: { host: 'web-*' }
 *           config: { outputs: { flow_log: { throttles: { l7_throttle: 2000 } } } }
 */
export const agentsSchema = z
  .strictObject({
    advertise: z
      .string()
      .refine((host) => isIP(host) !== 0 || /^[\w.-]{1,253}$/.test(host), {
        error: 'expected an address or a host name without a port, such as 192.0.2.10',
      })
      .optional()
      .meta({
        description:
          'Address or name of this hub that agents are told to send to; default: the address on which they reached it',
      }),
    'max-message': bytesSchema
      .prefault('16MiB')
      .meta({ description: 'Greatest message of an agent; those about large Kubernetes clusters are the largest' }),
    'max-connections': z
      .int()
      .min(1)
      .max(1_000_000)
      .prefault(8192)
      .meta({ description: 'Open connections of agents; beyond it new ones are refused' }),
    provinces: filePath.optional().meta({
      description:
        'File with IPv4 ranges and the names of their provinces, `192.0.2.0/24,NAME` or `FIRST-LAST,NAME` a line, for province_0 and province_1 of l4_flow_log; without it they stay empty',
    }),
    groups: z
      .array(groupSchema)
      .prefault([])
      .meta({ description: 'Groups of agents and what they are told; agents that fit none get the hub’s default' }),
  })
  .transform((agents, context): AgentsOptions => {
    const names = new Set<string>();
    const defaults: AgentGroup[] = [];
    for (const [index, group] of agents.groups.entries()) {
      const complain = (message: string, key: string) =>
        context.issues.push({ code: 'custom', message, input: group, path: ['groups', index, key] });
      if (names.has(group.name)) complain(`expected each name once; got ${shown(group.name)} twice`, 'name');
      names.add(group.name);
      if (group.match === undefined && defaults.push(group) > 1) {
        complain(`expected one default group (without match); got also ${shown(defaults[0]?.name)}`, 'match');
      }
    }
    return {
      advertise: agents.advertise,
      maxMessageBytes: agents['max-message'],
      maxConnections: agents['max-connections'],
      provinces: agents.provinces,
      groupNames: agents.groups.map(({ name }) => name),
      groups: [...agents.groups.filter(({ match }) => match !== undefined), defaults[0] ?? DEFAULT_GROUP],
    };
  });

/** Reads an agent's configuration; a text is why it cannot be used. */
export function parseConfigText(text: string): ConfigTree | string {
  if (Buffer.byteLength(text) > MAX_CONFIG_BYTES) return `expected at most ${MAX_CONFIG_BYTES} bytes`;
  const document = parseDocument(text, { prettyErrors: true, stringKeys: true });
  const error = document.errors[0];
  if (error !== undefined) return `cannot read the agents' YAML: ${(error.message.split('\n', 1)[0] ?? '').trim()}`;
  let value: unknown;
  try {
    value = document.toJS({ mapAsMap: true, maxAliasCount: 100 });
  } catch (cause) {
    return `cannot read the agents' YAML: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
  return value === null ? new Map() : toTree(value, 0);
}

function toTree(value: unknown, depth: number): ConfigTree | string {
  const entries = value instanceof Map ? [...value] : isRecord(value) ? Object.entries(value) : undefined;
  if (entries === undefined) return `expected a mapping of the agents' keys; got ${shown(value)}`;
  if (depth > MAX_CONFIG_DEPTH) return `expected at most ${MAX_CONFIG_DEPTH} levels`;
  const tree = new Map<string, ConfigValue>();
  for (const [key, child] of entries) {
    const converted = toValue(child, depth + 1);
    if (converted.kind === 'wrong') return converted.why;
    tree.set(String(key), converted.value);
  }
  return tree;
}

type Converted =
  | { readonly kind: 'value'; readonly value: ConfigValue }
  | { readonly kind: 'wrong'; readonly why: string };

function toValue(value: unknown, depth: number): Converted {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return { kind: 'value', value };
  }
  if (Array.isArray(value)) {
    if (depth > MAX_CONFIG_DEPTH) return { kind: 'wrong', why: `expected at most ${MAX_CONFIG_DEPTH} levels` };
    const items: ConfigValue[] = [];
    for (const item of value) {
      const converted = toValue(item, depth + 1);
      if (converted.kind === 'wrong') return converted;
      items.push(converted.value);
    }
    return { kind: 'value', value: items };
  }
  const tree = toTree(value, depth);
  return typeof tree === 'string' ? { kind: 'wrong', why: tree } : { kind: 'value', value: tree };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Groups of organisations that are not accepted: where that stands in the file, and what is wrong. */
export function organisationProblems(
  agents: AgentsOptions,
  organisations: readonly number[],
): readonly { readonly path: readonly (string | number)[]; readonly message: string }[] {
  return agents.groups.flatMap(({ name, org }) => {
    if (org === undefined || organisations.includes(org)) return [];
    const path = ['agents', 'groups', agents.groupNames.indexOf(name), 'org'];
    const message = `agents.groups: expected one of organisations (${organisations.join(', ')}) for the group ${name}; got ${org}`;
    return [{ path, message }];
  });
}
