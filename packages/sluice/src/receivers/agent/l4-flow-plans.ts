import {
  type FieldPlan,
  type MessagePlans,
  toColumn,
  toDecimals,
  toMessage,
  toNumbers,
  toRegister,
  toSpan,
} from '../wire-plans.ts';

/** Fields of TAGGEDFLOW records (reports of flows), by message and field number. */

/** Registers: what a rule of the rows looks at first. */
export const register = {
  start: 0,
  end: 1,
  duration: 2,
  hasPerformance: 3,
  observationPoint: 4,
  captured: 5,
  address0: 6,
  address1: 7,
  isL2End0: 8,
  isL2End1: 9,
  isL3End0: 10,
  isL3End1: 11,
  isVip0: 12,
  isVip1: 13,
} as const;

type Fields = Readonly<Record<number, FieldPlan>>;

/** The two ends: counters of what the end sent are `_tx` of the client and `_rx` of the server. */
function peer(side: 0 | 1): Fields {
  const way = side === 0 ? 'tx' : 'rx';
  return {
    1: toColumn(`byte_${way}`),
    2: toColumn(`l3_byte_${way}`),
    3: toColumn(`l4_byte_${way}`),
    4: toColumn(`packet_${way}`),
    5: toColumn(`total_byte_${way}`),
    6: toColumn(`total_packet_${way}`),
    9: toColumn(`tcp_flags_bit_${side}`),
    10: toColumn(`l3_epc_id_${side}`),
    11: toRegister(side === 0 ? register.isL2End0 : register.isL2End1),
    12: toRegister(side === 0 ? register.isL3End0 : register.isL3End1),
    15: toRegister(side === 0 ? register.isVip0 : register.isVip1),
    20: toColumn(`nat_real_ip4_${side}`),
    21: toColumn(`nat_real_port_${side}`),
    22: toColumn(`gprocess_id_${side}`),
  };
}

function tcpCounts(way: 'tx' | 'rx'): Fields {
  return { 1: toColumn(`retrans_${way}`), 2: toColumn(`zero_win_${way}`), 3: toColumn(`ooo_${way}`) };
}

const tunnel: Readonly<Record<number, string>> = {
  1: 'tunnel_tx_ip4_0',
  2: 'tunnel_tx_ip4_1',
  3: 'tunnel_rx_ip4_0',
  4: 'tunnel_rx_ip4_1',
  5: 'tunnel_tx_mac_0',
  6: 'tunnel_tx_mac_1',
  7: 'tunnel_rx_mac_0',
  8: 'tunnel_rx_mac_1',
  9: 'tunnel_tx_id',
  10: 'tunnel_rx_id',
  11: 'tunnel_type',
  12: 'tunnel_tier',
};

const performance: Readonly<Record<number, string>> = { 4: 'l7_protocol', 5: 'l7_parse_failed' };

const tcp: Readonly<Record<number, string>> = {
  1: 'rtt_client',
  2: 'rtt_server',
  3: 'srt_max',
  4: 'art_max',
  5: 'rtt',
  8: 'srt_sum',
  9: 'art_sum',
  12: 'srt_count',
  13: 'art_count',
  17: 'syn_count',
  18: 'synack_count',
  19: 'cit_max',
  20: 'cit_sum',
  21: 'cit_count',
  22: 'fin_count',
};

const l7: Readonly<Record<number, string>> = {
  1: 'l7_request',
  2: 'l7_response',
  3: 'l7_client_error',
  4: 'l7_server_error',
  5: 'l7_server_timeout',
  6: 'rrt_count',
  7: 'rrt_sum',
  8: 'rrt_max',
  9: 'tls_rtt',
};

function columns(names: Readonly<Record<number, string>>): Fields {
  return Object.fromEntries(Object.entries(names).map(([number, name]) => [number, toColumn(name)]));
}

export const l4FlowPlans: MessagePlans = {
  record: { 1: toMessage('flow') },
  flow: {
    1: toMessage('key'),
    2: toMessage('peer0'),
    3: toMessage('peer1'),
    4: toMessage('tunnel'),
    5: toColumn('flow_id'),
    6: toRegister(register.start),
    7: toRegister(register.end),
    8: toRegister(register.duration),
    10: toColumn('vlan'),
    11: toColumn('eth_type'),
    12: toRegister(register.hasPerformance),
    13: toMessage('performance'),
    14: toColumn('close_type'),
    15: toColumn('signal_source'),
    18: toColumn('is_new_flow'),
    19: toRegister(register.observationPoint),
    20: toColumn('syn_seq'),
    21: toColumn('syn_ack_seq'),
    22: toColumn('last_keepalive_seq'),
    23: toColumn('last_keepalive_ack'),
    24: toNumbers('acl_gids'),
    25: toColumn('direction_score'),
    26: toColumn('request_domain'),
    27: toDecimals('aggregated_flow_ids'),
    28: toColumn('init_ipid'),
  },
  key: {
    1: toColumn('agent_id'),
    2: toColumn('capture_network_type_id'),
    3: toRegister(register.captured),
    4: toColumn('mac_0'),
    5: toColumn('mac_1'),
    6: toColumn('ip4_0'),
    7: toColumn('ip4_1'),
    8: toSpan(register.address0),
    9: toSpan(register.address1),
    10: toColumn('client_port'),
    11: toColumn('server_port'),
    12: toColumn('protocol'),
  },
  peer0: peer(0),
  peer1: peer(1),
  tunnel: columns(tunnel),
  performance: { ...columns(performance), 1: toMessage('tcp'), 2: toMessage('l7') },
  tcp: { ...columns(tcp), 14: toMessage('counts0'), 15: toMessage('counts1') },
  counts0: tcpCounts('tx'),
  counts1: tcpCounts('rx'),
  l7: columns(l7),
};

/** Columns that count only when the record has a tunnel. */
export const tunnelColumns: readonly string[] = Object.values(tunnel);

/** Columns that count only when the record says that it has performance values. */
export const performanceColumns: readonly string[] = [
  ...Object.values(performance),
  ...Object.values(tcp),
  ...Object.values(l7),
  ...['tx', 'rx'].flatMap((way) => [`retrans_${way}`, `zero_win_${way}`, `ooo_${way}`]),
];
