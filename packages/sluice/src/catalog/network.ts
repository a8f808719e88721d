import { f64, group, u32, u64, u8 } from './columns.ts';
import { documentTable } from './documents.ts';
import type { ColumnSpec } from './types.ts';

/** Traffic of the network: volume, delay, anomalies of TCP, and what is known of the application layer without its details. */

const exported = false;
const metric = 'metric';

const packets = { role: metric, sub: 'l3_throughput', unit: 'packet' } as const;
const bytes = { role: metric, sub: 'l3_throughput', unit: 'byte' } as const;
const payload = { role: metric, sub: 'l4_throughput', unit: 'byte' } as const;
const flows = { role: metric, sub: 'l4_throughput', unit: 'flow' } as const;

const throughput = [
  u64('packet_tx', 'Packets sent', packets),
  u64('packet_rx', 'Packets received', packets),
  u64('packet', 'Packets both ways', { ...packets, exported }),
  u64('byte_tx', 'Bytes sent', bytes),
  u64('byte_rx', 'Bytes received', bytes),
  u64('byte', 'Bytes both ways', { ...bytes, exported }),
  u64('l3_byte_tx', 'Payload of IP sent', bytes),
  u64('l3_byte_rx', 'Payload of IP received', bytes),
  u64('l4_byte_tx', 'Payload of the transport sent', payload),
  u64('l4_byte_rx', 'Payload of the transport received', payload),
  u64('new_flow', 'Flows begun', flows),
  u64('closed_flow', 'Flows ended', flows),
  u64('l7_request', 'Requests', { role: metric, sub: 'application', unit: 'request' }),
  u64('l7_response', 'Responses', { role: metric, sub: 'application', unit: 'response' }),
  u64('syn_count', 'SYN packets', { ...flows, unit: 'packet' }),
  u64('synack_count', 'SYN-ACK packets', { ...flows, unit: 'packet' }),
  u8('direction_score', 'Confidence in which end is the client, 255 = certain', {
    role: metric,
    sub: 'l4_throughput',
    unit: 'score 0-255',
    index: 'minmax',
    rollUp: 'average',
  }),
];

const delays = [
  ['rtt', 'TCP connect round trip'],
  ['rtt_client', 'TCP connect, client part'],
  ['rtt_server', 'TCP connect, server part'],
  ['srt', 'acknowledgement delay'],
  ['art', 'data delay'],
  ['rrt', 'response delay'],
  ['cit', 'idle time of the client'],
] as const;
const delay = { role: metric, sub: 'delay', unit: 'us' } as const;
const sums = delays.map(([name, what]) => f64(`${name}_sum`, `Sum of ${what}`, delay));
const counts = delays.map(([name, what]) => u64(`${name}_count`, `Samples of ${what}`, { ...delay, unit: 'sample' }));
const maxima = delays.map(([name, what]) =>
  u32(`${name}_max`, `Greatest ${what}`, { ...delay, index: 'none', rollUp: 'average' }),
);

const slowness = { role: metric, unit: 'packet' } as const;
const slow = [
  u64('retrans_tx', 'Retransmissions by the client', slowness),
  u64('retrans_rx', 'Retransmissions by the server', slowness),
  u64('retrans', 'Retransmissions by both', { ...slowness, sub: 'tcp_slow', exported }),
  u64('zero_win_tx', 'Zero windows of the client', slowness),
  u64('zero_win_rx', 'Zero windows of the server', slowness),
  u64('zero_win', 'Zero windows of both', { ...slowness, sub: 'tcp_slow', exported }),
  u64('retrans_syn', 'SYN retransmissions', slowness),
  u64('retrans_synack', 'SYN-ACK retransmissions', slowness),
];
const outOfOrder = [
  u64('ooo_tx', 'Out-of-order packets of the client', slowness),
  u64('ooo_rx', 'Out-of-order packets of the server', slowness),
];

const failure = { role: metric, sub: 'tcp_error', unit: 'flow' } as const;
const transferFailures = group(failure, [
  u64('client_rst_flow', 'Flows reset by the client'),
  u64('server_rst_flow', 'Flows reset by the server'),
  u64('server_syn_miss', 'Connects without an answer to the SYN'),
  u64('client_ack_miss', 'Connects without the last ACK'),
  u64('client_half_close_flow', 'Flows half closed by the client'),
  u64('server_half_close_flow', 'Flows half closed by the server'),
  u64('client_source_port_reuse', 'Connects failed for a reused port'),
]);
const serverRefusals = group(failure, [
  u64('server_reset', 'Connects refused by the server'),
  u64('server_queue_lack', 'Flows hit by a full accept queue'),
]);
const clientReset = u64('client_establish_other_rst', 'Connects reset by the client for another reason', failure);
const serverReset = u64('server_establish_other_rst', 'Connects reset by the server for another reason', failure);
const failures = group(failure, [
  u64('tcp_timeout', 'Flows ended by a timeout'),
  u64('client_establish_fail', 'Connects failed at the client'),
  u64('server_establish_fail', 'Connects failed at the server'),
  u64('tcp_establish_fail', 'Connects failed'),
  u64('tcp_transfer_fail', 'Transfers failed'),
  u64('tcp_rst_fail', 'Resets of all kinds'),
]);

const application = { role: metric, sub: 'application', unit: 'response' } as const;
const applicationErrors = [
  u32('l7_client_error', 'Responses that blame the client', application),
  u32('l7_server_error', 'Responses that blame the server', application),
  u32('l7_timeout', 'Requests without a response in time', { ...application, unit: 'request' }),
];
const applicationError = u32('l7_error', 'Responses that blame either', { ...application, exported });

const load = u64('flow_load', 'Flows active', flows);

const metrics: readonly ColumnSpec[] = [
  ...throughput,
  ...sums,
  ...counts,
  ...maxima,
  ...slow,
  ...transferFailures,
  ...serverRefusals,
  clientReset,
  serverReset,
  ...failures,
  ...outOfOrder,
  ...applicationErrors,
  applicationError,
  load,
];

const exportedMetrics: readonly ColumnSpec[] = [
  ...throughput,
  ...maxima,
  ...sums,
  ...counts,
  ...slow,
  ...transferFailures,
  clientReset,
  ...serverRefusals,
  serverReset,
  ...failures,
  ...applicationErrors,
  ...outOfOrder,
  load,
];

const single = { name: 'network', description: 'Traffic of each end', metrics, exportedMetrics };
const path = { name: 'network_map', description: 'Traffic between two ends', metrics, exportedMetrics };

export const network1s = documentTable(single, '1s');
export const network1m = documentTable(single, '1m');
export const networkMap1s = documentTable(path, '1s');
export const networkMap1m = documentTable(path, '1m');
