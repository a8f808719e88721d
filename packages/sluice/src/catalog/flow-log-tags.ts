import { bothSides, ip4, ip6, microseconds, seconds, u64, u8, word } from './columns.ts';
import type { ColumnSpec } from './types.ts';
import * as tag from './universal-tags.ts';

/** What l4_flow_log and l7_flow_log have in common. */

export const flowInfo = { sub: 'flow_info' } as const;

export const rowId = u64('_id', 'Row id: seconds << 32 | hub id << 22 | counter', { ...flowInfo, role: 'id' });
export const time = seconds('time', 'End, in whole seconds', { ...flowInfo, role: 'time', unit: 's' });
export const startTime = microseconds('start_time', 'Begin', { ...flowInfo, unit: 'us' });
export const endTime = microseconds('end_time', 'End', { ...flowInfo, unit: 'us' });
export const flowId = u64('flow_id', 'Flow id given by the agent', flowInfo);
export const gprocesses: readonly ColumnSpec[] = bothSides(tag.gprocess);

const [address4, address6] = [
  ip4('ip4', 'IPv4 address', { sub: 'network_layer' }),
  ip6('ip6', 'IPv6 address', { sub: 'network_layer' }),
];

export const addresses: readonly ColumnSpec[] = [...bothSides(address4), ...bothSides(address6), tag.isIpv4];

/** Universal tags of both ends up to the workload, and from the pod on: in between, exporters are told the kind of the workload. */
const outerTags = [
  tag.region,
  tag.zone,
  tag.host,
  tag.deviceType,
  tag.device,
  tag.podNode,
  tag.podNamespace,
  tag.podGroup,
].flatMap(bothSides);
const innerTags = [tag.pod, tag.podCluster, tag.vpc, tag.macVpc, tag.subnet, tag.service].flatMap(bothSides);
const autoTags = ([0, 1] as const).flatMap((side) => tag.namedAutoTags.map((column) => bothSides(column)[side]));

export const knowledge: readonly ColumnSpec[] = [
  ...outerTags,
  ...innerTags,
  ...autoTags,
  ...bothSides(tag.tagSource),
  tag.team,
];

/** The same for exporters, who are told more than is stored. */
export const exportedKnowledge: readonly ColumnSpec[] = [
  ...outerTags,
  ...bothSides(tag.podGroupType),
  ...innerTags,
  ...autoTags,
  tag.organisation,
  tag.team,
];

const captureInfo = { sub: 'capture_info' } as const;

export const networkType = u8('capture_network_type_id', 'Network captured in: 3 cloud, others physical', captureInfo);
export const natSource = u8('nat_source', 'How the address before translation was found', {
  ...captureInfo,
  enum: 'nat_source',
});
export const captureNicType = u8('capture_nic_type', 'What identifies the interface captured at', {
  ...captureInfo,
  enum: 'capture_nic_type',
});
export const observationPoint = word('observation_point', 'Place on the path: c, s, c-p, s-p, ...', {
  ...captureInfo,
  enum: 'observation_point',
});
export const agent: ColumnSpec = { ...tag.agent, ...captureInfo, index: 'set(300)' };
