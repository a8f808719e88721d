import { i32, ip4, ip6, u16, u32, u8 } from './columns.ts';
import type { ColumnSpec } from './types.ts';

/**
 * What the tag inventory knows of one end: ids of resources, written by the tagger. Tables arrange them each in their own order, once or for both
 * sides.
 */

const sub = 'universal_tag';

export const region = u16('region_id', 'Region', { sub, universalTag: 'region' });
export const zone = u16('az_id', 'Availability zone', { sub, universalTag: 'az' });
export const host = u16('host_id', 'Hypervisor', { sub, universalTag: 'host' });
export const deviceType = u8('l3_device_type', 'Kind of the resource that owns the address', {
  sub,
  universalTag: 'l3_device_type',
});
export const device = u32('l3_device_id', 'Resource that owns the address, among those of its kind', {
  sub,
  universalTag: 'l3_device',
});
export const podNode = u32('pod_node_id', 'Kubernetes node', { sub, universalTag: 'pod_node' });
export const podNamespace = u16('pod_ns_id', 'Kubernetes namespace', { sub, universalTag: 'pod_ns' });
export const podGroup = u32('pod_group_id', 'Kubernetes workload', { sub, universalTag: 'pod_group' });
export const pod = u32('pod_id', 'Kubernetes pod', { sub, universalTag: 'pod' });
export const podCluster = u16('pod_cluster_id', 'Kubernetes cluster', { sub, universalTag: 'pod_cluster' });
export const vpc = i32('l3_epc_id', 'VPC of the address (-2 Internet, 0 and -1 unknown)', {
  sub,
  universalTag: 'l3_epc',
});
export const macVpc = i32('epc_id', 'VPC found through the MAC address', { sub });
export const subnet = u16('subnet_id', 'Subnet', { sub, universalTag: 'subnet' });
export const service = u32('service_id', 'Kubernetes service', { sub, universalTag: 'service' });
export const gprocess = u32('gprocess_id', 'Global process id', { sub, universalTag: 'gprocess' });

const instanceId = u32('auto_instance_id', 'Most specific known instance, or the subnet', {
  sub,
  universalTag: 'auto_instance',
});
const instanceType = u8('auto_instance_type', 'Kind of the instance', { sub, universalTag: 'auto_instance_type' });
const serviceId = u32('auto_service_id', 'Most telling known service, or the subnet', {
  sub,
  universalTag: 'auto_service',
});
const serviceType = u8('auto_service_type', 'Kind of the service', { sub, universalTag: 'auto_service_type' });

/** Instance and service, in DeepFlow's order. */
export const autoTags: readonly ColumnSpec[] = [instanceId, instanceType, serviceId, serviceType];

/** The same in the tables whose kinds have names of their own even without the inventory. */
export const namedAutoTags: readonly ColumnSpec[] = [
  instanceId,
  { ...instanceType, enum: 'auto_instance_type' },
  serviceId,
  { ...serviceType, enum: 'auto_service_type' },
];

/** How an end was recognised. */
export const tagSource = u8('tag_source', 'Bits: 1 process, 2 pod, 4 MAC, 8 address, 16 peer, 32 agent, 64 pid', {
  exported: false,
});

/** Kind of the workload (130 deployment ...): told to exporters from the inventory, not stored. */
export const podGroupType = u8('pod_group_type', 'Kind of the Kubernetes workload', { sub, enum: 'pod_group_type' });

export const address4 = ip4('ip4', 'IPv4 address (0.0.0.0 for IPv6 and for summed-up Internet peers)', {
  sub: 'network_layer',
});
export const address6 = ip6('ip6', 'IPv6 address (:: for IPv4)', { sub: 'network_layer' });
export const isIpv4 = u8('is_ipv4', '1: the ip4 columns hold the addresses', { sub: 'network_layer', index: 'minmax' });

export const agent = u16('agent_id', 'Agent that captured it', { universalTag: 'agent' });
export const team = u16('team_id', 'Team within the organisation');
/** Told to exporters; the database's name says it in storage. */
export const organisation = u16('org_id', 'Organisation');

/** Universal tags and address of a row that has one end: events, external metrics, profiles, logs. */
export const singleEndTags: readonly ColumnSpec[] = [
  gprocess,
  region,
  zone,
  vpc,
  host,
  pod,
  podNode,
  podNamespace,
  podCluster,
  podGroup,
  deviceType,
  device,
  service,
  { ...agent, sub },
  subnet,
  { ...isIpv4, index: 'set(300)' },
  address4,
  address6,
  team,
  ...namedAutoTags,
];
