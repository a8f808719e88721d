import type { HttpRoute } from '../base/ports.ts';
import type { AgentIds, KnownAgent } from './agent-ids.ts';
import type { Agents, LiveAgent } from './agents.ts';
import { AGENT_TYPES } from './config.ts';
import type { AgentListing } from './agent-list.ts';
import type { PushStreams } from './push-streams.ts';
import type { Traffic, TrafficEntry } from './traffic.ts';

export interface AgentsApiOptions {
  readonly ids: AgentIds;
  readonly agents: Agents;
  readonly pushes: PushStreams;
  readonly traffic: Traffic;
  readonly now?: () => number;
}

/** Not heard from for so long, an agent counts as offline; it reports every 10 s. */
const ONLINE_MS = 120_000;
const PIECE_AGENTS = 200;

/** `GET /api/v1/agents`: `{"status":"success","data":[AgentListing, ...]}` of the request's organisation, by id. */
export function createAgentsApi(options: AgentsApiOptions): HttpRoute[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/agents',
      scope: 'read',
      handle: ({ org }) => ({
        status: 200,
        headers: { 'content-type': 'application/json' },
        body: pieces(listAgents(options, org)),
      }),
    },
  ];
}

/** How many agents are online, and how many there are. */
export function countAgents({ ids, agents, now = Date.now }: AgentsApiOptions): { online: number; offline: number } {
  let online = 0;
  for (const { seenMs } of agents.all()) if (now() - seenMs < ONLINE_MS) online++;
  return { online, offline: ids.size - online };
}

/** Registered agents of one organisation, and those of which only data came, by id. */
export function listAgents(options: AgentsApiOptions, org: number): AgentListing[] {
  const { ids, agents, traffic } = options;
  const listed: AgentListing[] = [];
  for (const known of ids.all()) {
    if (known.tenant.org !== org) continue;
    listed.push(listing(options, known, agents.get(known.id)));
  }
  for (const entry of traffic.all()) {
    if (entry.org !== org || ids.byId(entry.agent)?.tenant.org === org) continue;
    listed.push({ id: entry.agent, org, team: 0, state: 'data only', data: dataOf(entry) });
  }
  return listed.toSorted((left, right) => left.id - right.id);
}

function listing(options: AgentsApiOptions, known: KnownAgent, agent: LiveAgent | undefined): AgentListing {
  const { pushes, traffic, now = Date.now } = options;
  const { org, team } = known.tenant;
  const entry = traffic.find(org, known.id);
  const isOnline = agent !== undefined && now() - agent.seenMs < ONLINE_MS;
  return {
    id: known.id,
    org,
    team,
    state: isOnline ? 'online' : 'offline',
    ctrl_ip: known.identity.ctrlIp,
    ctrl_mac: known.identity.ctrlMac,
    team_id: known.identity.teamId,
    first_seen: isoTime(known.firstSeenS * 1000),
    last_seen: isoTime(agent?.seenMs ?? known.lastSeenS * 1000),
    ...(agent === undefined ? {} : liveFields(agent, pushes.has(known.id))),
    ...(entry === undefined ? {} : { data: dataOf(entry) }),
  };
}

function liveFields(agent: LiveAgent, hasPush: boolean): Partial<AgentListing> {
  const { about, facts, group, trouble, double, told } = agent;
  return {
    host: facts.host,
    group: group.name,
    agent_type: typeName(group.agentType, about.isInKubernetes),
    vpc_id: group.vpcId,
    revision: about.revision,
    process_name: about.processName,
    arch: about.arch,
    os: about.os,
    kernel_version: about.kernelVersion,
    cpus: about.cpus,
    memory_bytes: about.memoryBytes,
    boot_time: isoTime(about.bootTimeS * 1000),
    kubernetes_cluster_id: facts.kubernetesClusterId,
    kubernetes_cluster_name: about.kubernetesClusterName,
    agent_state: STATES[agent.state] ?? String(agent.state),
    address: agent.address,
    push_open: hasPush,
    ...(told === undefined ? {} : { told_address: told.address }),
    ...(trouble === undefined
      ? {}
      : {
          exceptions: trouble.words,
          exception_description: trouble.description,
          exceptions_at: isoTime(trouble.atMs),
        }),
    ...(double === undefined ? {} : { same_identity_from: double.addresses, same_identity_at: isoTime(double.atMs) }),
  };
}

const STATES = ['environment check', 'disabled', 'running', 'rebooting', 'stressed', 'restricted'];

function typeName(agentType: number | undefined, isInKubernetes: boolean): string {
  if (agentType === undefined) return isInKubernetes ? 'host-pod' : 'physical-machine';
  return Object.entries(AGENT_TYPES).find(([, number]) => number === agentType)?.[0] ?? String(agentType);
}

function dataOf({ address, lastMs, rows, bytes, rowsPerSecond }: TrafficEntry): NonNullable<AgentListing['data']> {
  return {
    address,
    last_seen: isoTime(lastMs),
    rows,
    bytes,
    rows_per_second: Math.round(rowsPerSecond * 10) / 10,
  };
}

function isoTime(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : '';
}

async function* pieces(listed: readonly AgentListing[]): AsyncGenerator<Uint8Array> {
  let piece = '{"status":"success","data":[';
  for (const [index, one] of listed.entries()) {
    piece += (index === 0 ? '' : ',') + JSON.stringify(one);
    if (index % PIECE_AGENTS !== PIECE_AGENTS - 1) continue;
    yield Buffer.from(piece);
    piece = '';
  }
  yield Buffer.from(`${piece}]}`);
}
