import type { MachineRef, Resource, ResourceKind } from './description.ts';

/** Keys of resources for which something else follows now, by kind. */
export type Dirty = Map<ResourceKind, Set<string>>;

/** Whether what follows from a resource may be something else because of others that changed. */
export function pointsTo(resource: Resource, dirty: Dirty, containers: ReadonlySet<string>): boolean {
  const has = (kind: ResourceKind, key: string | undefined) => key !== undefined && dirty.get(kind)?.has(key) === true;
  const isOn = (machine: MachineRef | undefined) => machine !== undefined && has(machine.kind, machine.key);
  switch (resource.kind) {
    case 'region':
      return false;
    case 'az':
      return has('region', resource.region);
    case 'vpc':
      return has('region', resource.region) || (resource.peers ?? []).some((key) => has('vpc', key));
    case 'pod_ns':
      return has('pod_cluster', resource.cluster);
    case 'pod_group':
      return has('pod_cluster', resource.cluster) || has('pod_ns', resource.namespace);
    case 'agent':
      return has('vpc', resource.vpc) || has('pod_cluster', resource.cluster) || isOn(resource.machine);
    case 'gprocess':
      if (resource.container !== undefined && containers.has(resource.container)) return true;
      return has('pod', resource.pod) || isOn(resource.machine);
    case 'custom_service':
      return resource.members.some((one) => (one.kind === 'address' ? has('vpc', one.vpc) : has(one.kind, one.key)));
    case 'subnet':
    case 'host':
    case 'chost':
    case 'router':
    case 'dhcpgw':
    case 'redis':
    case 'rds':
    case 'lb':
    case 'natgw':
    case 'pod_cluster':
    case 'pod_node':
    case 'pod_service':
    case 'pod':
      break;
  }
  // Regions and zones reach an address through its VPC and subnet as well, which need not be named.
  if (dirty.has('vpc') || (resource.kind !== 'subnet' && dirty.has('subnet'))) return true;
  if (has('region', 'region' in resource ? resource.region : undefined)) return true;
  if (has('az', 'az' in resource ? resource.az : undefined)) return true;
  if (has('host', 'host' in resource ? resource.host : undefined)) return true;
  if (has('pod_cluster', 'cluster' in resource ? resource.cluster : undefined)) return true;
  if (resource.kind === 'pod') {
    return has('pod_node', resource.node) || has('pod_ns', resource.namespace) || has('pod_group', resource.group);
  }
  if (resource.kind !== 'pod_service') return false;
  if (has('pod_ns', resource.namespace)) return true;
  const { podGroups = [], pods = [] } = resource;
  return podGroups.some((key) => has('pod_group', key)) || pods.some((key) => has('pod', key));
}
