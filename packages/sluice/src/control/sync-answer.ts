import { crc32 } from 'node:zlib';
import { plainAddress } from '../base/plain-address.ts';
import type { AgentTenant } from '../base/ports.ts';
import type { ConnectionEnds, LiveAgent } from './agents.ts';
import type { ClusterWatchers } from './cluster-watchers.ts';
import { AGENT_TYPES, type AgentGroup } from './config.ts';
import type { Protocol, SyncResponse } from './protocol.ts';
import { userConfigText } from './user-config.ts';

/**
 * No tables of interfaces, ACLs and groups are sent; a constant version that is not 0 says so. (0 would mean "not ready", and while an agent's three
 * versions are 0 it ignores what is pushed.)
 */
const TABLES_VERSION = 1;
const SUCCESS = 0;

/** Ports that agents are told. */
export interface ToldPorts {
  /** undefined: no data is listened for. */
  readonly data: number | undefined;
  readonly control: number;
}

export interface SyncAnswersOptions {
  readonly protocol: Protocol;
  readonly ports: ToldPorts;
  /** The address of `agents.advertise`; undefined: the one on which an agent reached the hub. */
  readonly advertised: string | undefined;
  readonly watchers: ClusterWatchers;
  readonly tenantOf: (group: AgentGroup) => AgentTenant;
}

/** What an agent is told: the encoded SyncResponse and a checksum of it. */
export interface SyncAnswer {
  readonly bytes: Buffer;
  readonly checksum: number;
  readonly address: string;
}

export type AnswerSync = (agent: LiveAgent, ends: ConnectionEnds) => SyncAnswer;

export function createSyncAnswers(options: SyncAnswersOptions): AnswerSync {
  const { protocol, ports, advertised, watchers, tenantOf } = options;
  // Groups are few and their objects stay until the configuration changes.
  const texts = new WeakMap<AgentGroup, Map<string, string>>();

  const textOf = (group: AgentGroup, address: string): string => {
    let byAddress = texts.get(group);
    if (byAddress === undefined) texts.set(group, (byAddress = new Map()));
    let text = byAddress.get(address);
    if (text === undefined) {
      text = userConfigText({ address, dataPort: ports.data, controlPort: ports.control }, group.config);
      byAddress.set(address, text);
    }
    return text;
  };

  return (agent, ends) => {
    const { known, group, facts, about } = agent;
    const address = advertised ?? plainAddress(ends.local);
    const { org, team } = tenantOf(group);
    const message: SyncResponse = {
      status: SUCCESS,
      user_config: textOf(group, address),
      version_platform_data: TABLES_VERSION,
      version_acls: TABLES_VERSION,
      version_groups: TABLES_VERSION,
      dynamic_config: {
        kubernetes_api_enabled: watchers.isWatcher(org, facts.kubernetesClusterId, known.id, about.mayWatch),
        enabled: true,
        vpc_id: group.vpcId,
        agent_id: known.id,
        team_id: team,
        organize_id: org,
        // Without a type an agent exits as soon as it sees a packet.
        agent_type: group.agentType ?? defaultType(agent),
      },
    };
    const bytes = protocol.encode('SyncResponse', message);
    return { bytes, checksum: crc32(bytes), address };
  };
}

function defaultType({ about }: LiveAgent): number {
  return about.isInKubernetes ? AGENT_TYPES['host-pod'] : AGENT_TYPES['physical-machine'];
}
