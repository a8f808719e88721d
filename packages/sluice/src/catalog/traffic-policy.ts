import { agentRows, keptDays } from './agent-rows.ts';
import { group, seconds, u16, u64, u8 } from './columns.ts';
import type { DataSource } from './types.ts';
import { agent, team } from './universal-tags.ts';

/** Traffic that a policy of the agent applies to; neither tagged nor exported. */
export const trafficPolicy1m: DataSource = {
  ...agentRows,
  id: 'flow_metrics.traffic_policy.1m',
  database: 'flow_metrics',
  table: 'traffic_policy.1m',
  description: 'Traffic of each policy, per minute',
  columns: [
    seconds('time', 'Begin of the interval', { role: 'time', unit: 's' }),
    u8('_tid', 'Collector thread of the agent', { index: 'none' }),
    u16('acl_gid', 'Policy group'),
    u16('tunnel_ip_id', 'Tunnel that the traffic is sent to'),
    agent,
    team,
    ...group({ role: 'metric', unit: 'packet' }, [
      u64('packet_tx', 'Packets sent'),
      u64('packet_rx', 'Packets received'),
      u64('packet', 'Packets both ways'),
    ]),
    ...group({ role: 'metric', unit: 'byte' }, [
      u64('byte_tx', 'Bytes sent'),
      u64('byte_rx', 'Bytes received'),
      u64('byte', 'Bytes both ways'),
      u64('l3_byte_tx', 'Payload of IP sent'),
      u64('l3_byte_rx', 'Payload of IP received'),
      u64('l4_byte_tx', 'Payload of the transport sent'),
      u64('l4_byte_rx', 'Payload of the transport received'),
    ]),
  ],
  orderBy: ['time', 'acl_gid'],
  partitionBy: '12 hours',
  retention: keptDays(3),
};
