import type { KnownAgentFacts, KnownAgents } from '../base/ports.ts';
import type { Agents } from './agents.ts';

/** The agents as the tag inventory wants to know them. */
export function knownAgents(agents: Agents): KnownAgents {
  return {
    list: () =>
      [...agents.all()].map(({ known, facts, group, about, seenMs }): KnownAgentFacts => ({
        agentId: known.id,
        org: agents.tenantOf(group).org,
        vpcId: group.vpcId,
        name: facts.host || facts.ctrlIp,
        address: facts.ctrlIp,
        kubernetesClusterId: facts.kubernetesClusterId,
        kubernetesClusterName: about.kubernetesClusterName,
        seenMs,
      })),
  };
}
