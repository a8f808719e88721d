import { createHash } from 'node:crypto';
import type { KubernetesClusterIdRequest } from './protocol.ts';

/**
 * The id of a Kubernetes cluster: the same for all its agents and after every restart, as it follows from the checksum of the cluster's CA, its name and
 * the team. undefined when the agent says neither of the first two.
 */
export function clusterIdOf(request: KubernetesClusterIdRequest): string | undefined {
  const { ca_md5: ca = '', kubernetes_cluster_name: name = '', team_id: team = '' } = request;
  if (ca === '' && name === '') return undefined;
  const digest = createHash('sha256')
    .update(JSON.stringify([ca, name, team]))
    .digest('hex');
  return `d-${digest.slice(0, 12)}`;
}
