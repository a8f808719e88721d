import { agentRows, keptDays } from './agent-rows.ts';
import { bothSides, exportable, f64, group, ip4, ip6, text, u16, u16s, u32, u64, u8, word } from './columns.ts';
import {
  addresses,
  agent,
  captureNicType,
  endTime,
  exportedKnowledge,
  flowId,
  flowInfo,
  gprocesses,
  knowledge,
  natSource,
  networkType,
  observationPoint,
  rowId,
  startTime,
  time,
} from './flow-log-tags.ts';
import { l4Keys } from './keys.ts';
import type { ColumnSpec, DataSource } from './types.ts';

/**
 * A report of one flow: at its end, and each minute while it lasts. Counters cover the time reported on, `total_*` the whole flow.
 */

const dataLink = group({ sub: 'data_link_layer' }, [
  ...bothSides(u64('mac', 'MAC address', { text: 'mac' })),
  u16('eth_type', 'Ethernet type', { index: 'set(300)' }),
  u16('vlan', 'VLAN id', { index: 'set(300)' }),
]);

const network: readonly ColumnSpec[] = [
  ...addresses,
  u8('protocol', 'IP protocol', { sub: 'network_layer', enum: 'protocol' }),
];

/** Outer addresses: side 0 is the source and 1 the destination in the direction named. */
const outer = (column: ColumnSpec): readonly ColumnSpec[] => [
  { ...column, name: `${column.name}_0`, description: `${column.description}, source`, side: 0 },
  { ...column, name: `${column.name}_1`, description: `${column.description}, destination`, side: 1 },
];

const tunnel = group({ sub: 'tunnel_info' }, [
  u8('tunnel_tier', 'Layers of tunnels'),
  u16('tunnel_type', 'Encapsulation'),
  u32('tunnel_tx_id', 'Tunnel id towards the server'),
  u32('tunnel_rx_id', 'Tunnel id towards the client'),
  ...outer(ip4('tunnel_tx_ip4', 'Outer IPv4 address towards the server')),
  ...outer(ip4('tunnel_rx_ip4', 'Outer IPv4 address towards the client')),
  ...outer(ip6('tunnel_tx_ip6', 'Outer IPv6 address towards the server')),
  ...outer(ip6('tunnel_rx_ip6', 'Outer IPv6 address towards the client')),
  u8('tunnel_is_ipv4', '1: the outer addresses are IPv4', { index: 'minmax' }),
  ...outer(u32('tunnel_tx_mac', 'Low half of the outer MAC towards the server')),
  ...outer(u32('tunnel_rx_mac', 'Low half of the outer MAC towards the client')),
]);

const transport = group({ sub: 'transport_layer' }, [
  u16('client_port', 'Port of the client'),
  u16('server_port', 'Port of the server', { index: 'set(300)' }),
  ...bothSides(u16('tcp_flags_bit', 'TCP flags seen', { index: 'none' })),
  u32('syn_seq', 'Sequence number of the SYN'),
  u32('syn_ack_seq', 'Sequence number of the SYN-ACK'),
  u32('last_keepalive_seq', 'Sequence number of the last keep-alive'),
  u32('last_keepalive_ack', 'Acknowledgement number of the last keep-alive'),
]);

const protocol = u8('l7_protocol', 'Application protocol', {
  sub: 'application_layer',
  enum: 'l7_protocol',
  index: 'minmax',
});
const provinces = bothSides(word('province', 'Province of a public address', { sub: 'network_layer' }));

const captureInfo = { sub: 'capture_info' } as const;

const flow: readonly ColumnSpec[] = [
  time,
  u16('close_type', 'Why the flow was reported or ended', { ...flowInfo, enum: 'close_type', index: 'set(300)' }),
  u16('signal_source', 'Origin of the signal: packet, xFlow', { ...captureInfo, enum: 'l4_signal_source' }),
  flowId,
  text('aggregated_flow_ids', 'Ids of the flows in this report, with commas', {
    ...flowInfo,
    index: 'tokenbf_v1(32768, 3, 0)',
    exported: false,
  }),
  u32('init_ipid', 'IP identification of the first packet', flowInfo),
  networkType,
  natSource,
  captureNicType,
  u32('capture_nic', 'Interface captured at; its meaning follows from capture_nic_type', captureInfo),
  observationPoint,
  agent,
  ...bothSides(u8('l2_end', '1: captured at the interface', { ...captureInfo, index: 'none' })),
  ...bothSides(u8('l3_end', '1: captured in the layer-2 network', { ...captureInfo, index: 'none' })),
  startTime,
  endTime,
  u64('duration', 'From the begin to the last packet', { role: 'metric', sub: 'delay', unit: 'us' }),
  u8('is_new_flow', '1: first report of the flow', flowInfo),
  u8('status', 'How the flow fared, from close_type', { ...flowInfo, enum: 'status' }),
  u16s('acl_gids', 'Policy groups that capture the flow', { ...flowInfo, exported: false }),
  ...gprocesses,
  ...bothSides(ip4('nat_real_ip4', 'Real IPv4 address', captureInfo)).map((column) => ({
    ...column,
    exportName: `nat_real_ip_${column.side}`,
  })),
  ...bothSides(u16('nat_real_port', 'Real port', captureInfo)),
  u8('direction_score', 'Confidence in which end is the client, 255 = certain', {
    role: 'metric',
    sub: 'l4_throughput',
    unit: 'score 0-255',
    index: 'minmax',
  }),
  text('request_domain', 'Host, RPC service or name asked for', { sub: 'application_layer', index: 'bloom_filter' }),
];

const metric = 'metric';

const volume: readonly ColumnSpec[] = [
  ...group({ role: metric, sub: 'l3_throughput', unit: 'packet' }, [
    u64('packet_tx', 'Packets sent'),
    u64('packet_rx', 'Packets received'),
  ]),
  ...group({ role: metric, sub: 'l3_throughput', unit: 'byte' }, [
    u64('byte_tx', 'Bytes sent'),
    u64('byte_rx', 'Bytes received'),
    u64('l3_byte_tx', 'Payload of IP sent'),
    u64('l3_byte_rx', 'Payload of IP received'),
  ]),
  ...group({ role: metric, sub: 'l4_throughput', unit: 'byte' }, [
    u64('l4_byte_tx', 'Payload of the transport sent'),
    u64('l4_byte_rx', 'Payload of the transport received'),
  ]),
  ...group({ role: metric, sub: 'l3_throughput' }, [
    u64('total_packet_tx', 'Packets sent since the begin', { unit: 'packet' }),
    u64('total_packet_rx', 'Packets received since the begin', { unit: 'packet' }),
    u64('total_byte_tx', 'Bytes sent since the begin', { unit: 'byte' }),
    u64('total_byte_rx', 'Bytes received since the begin', { unit: 'byte' }),
  ]),
  ...group({ role: metric, sub: 'application' }, [
    u32('l7_request', 'Requests', { unit: 'request' }),
    u32('l7_response', 'Responses', { unit: 'response' }),
    u32('l7_parse_failed', 'Payloads that could not be read', { unit: 'packet' }),
  ]),
];

const delays = [
  ['srt', 'acknowledgement delay'],
  ['art', 'data delay'],
  ['rrt', 'response delay'],
  ['cit', 'idle time of the client'],
] as const;

const delay = group({ role: metric, sub: 'delay', unit: 'us' }, [
  f64('rtt', 'TCP connect round trip'),
  f64('rtt_client', 'TCP connect, client part'),
  f64('rtt_server', 'TCP connect, server part'),
  f64('tls_rtt', 'TLS handshake'),
  ...delays.map(([name, what]) => f64(`${name}_sum`, `Sum of ${what}`)),
  ...delays.map(([name, what]) => u64(`${name}_count`, `Samples of ${what}`, { unit: 'sample' })),
  ...delays.map(([name, what]) => u32(`${name}_max`, `Greatest ${what}`)),
]);

const slowness = { sub: 'tcp_slow', unit: 'packet' } as const;
const answers = { sub: 'application', unit: 'response' } as const;

const anomalies = group({ role: metric }, [
  u32('retrans_tx', 'Retransmissions by the client', slowness),
  u32('retrans_rx', 'Retransmissions by the server', slowness),
  u32('zero_win_tx', 'Zero windows of the client', slowness),
  u32('zero_win_rx', 'Zero windows of the server', slowness),
  u32('syn_count', 'SYN packets', { sub: 'l4_throughput', unit: 'packet' }),
  u32('synack_count', 'SYN-ACK packets', { sub: 'l4_throughput', unit: 'packet' }),
  u32('retrans_syn', 'SYN retransmissions', slowness),
  u32('retrans_synack', 'SYN-ACK retransmissions', slowness),
  u32('l7_client_error', 'Responses that blame the client', answers),
  u32('l7_server_error', 'Responses that blame the server', answers),
  u32('l7_server_timeout', 'Requests without a response in time', { ...answers, unit: 'request' }),
  u32('l7_error', 'Responses that blame either', answers),
  u32('ooo_tx', 'Out-of-order packets of the client', slowness),
  u32('ooo_rx', 'Out-of-order packets of the server', slowness),
  u32('fin_count', 'FIN packets', { sub: 'l4_throughput', unit: 'packet' }),
]);

const measured = [...volume, ...delay, ...anomalies];
const layers = [...network, ...tunnel, ...transport, protocol, ...provinces];

export const l4FlowLog: DataSource = {
  ...agentRows,
  id: 'flow_log.l4_flow_log',
  database: 'flow_log',
  table: 'l4_flow_log',
  description: 'Reports of flows',
  columns: [rowId, ...dataLink, ...knowledge, ...layers, ...flow, ...measured],
  keys: l4Keys,
  exportFields: exportable([rowId, ...dataLink, ...layers, ...exportedKnowledge, ...flow, ...measured]),
  orderBy: ['time', 'l3_epc_id_1', 'ip4_1', 'ip6_1', 'server_port'],
  partitionBy: 'hour',
  retention: keptDays(3),
};
