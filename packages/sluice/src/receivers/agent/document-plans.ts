import { type MessagePlans, toColumn, toMessage, toRegister, toSpan, type FieldPlan } from '../wire-plans.ts';

/** Fields of METRICS documents, by message and field number: what goes straight into a column, and what a rule of the rows looks at first. */

/** Registers of `documentHead`. */
export const head = { time: 0, code: 1, flags: 2 } as const;

/** What says which table a document belongs to. */
export const documentHead: MessagePlans = {
  document: { 1: toRegister(head.time), 2: toMessage('tag'), 4: toRegister(head.flags) },
  tag: { 2: toRegister(head.code) },
};

/** Registers of the documents themselves. */
export const register = {
  address: 0,
  address1: 1,
  isIpv6: 2,
  direction: 3,
  observationPoint: 4,
  tapPort: 5,
  pod: 6,
  meter: 7,
} as const;

type Fields = Readonly<Record<number, FieldPlan>>;

/** Columns in the order of their field numbers, from 1 on; '' = the field is not stored. */
function columns(...names: readonly string[]): Fields {
  return Object.fromEntries(
    names.flatMap((name, index) => (name === '' ? [] : [[index + 1, toColumn(name)] as const])),
  );
}

const endTag: Fields = {
  1: toSpan(register.address),
  3: toColumn('_tid'),
  4: toRegister(register.isIpv6),
  5: toColumn('l3_epc_id'),
  7: toColumn('mac'),
  9: toRegister(register.direction),
  10: toRegister(register.observationPoint),
  11: toColumn('protocol'),
  13: toColumn('server_port'),
  14: toColumn('agent_id'),
  16: toColumn('capture_network_type_id'),
  20: toColumn('gprocess_id'),
  22: toColumn('signal_source'),
  27: toRegister(register.pod),
};

const pathTag: Fields = {
  ...endTag,
  2: toSpan(register.address1),
  5: toColumn('l3_epc_id_0'),
  6: toColumn('l3_epc_id_1'),
  7: toColumn('mac_0'),
  8: toColumn('mac_1'),
  15: toRegister(register.tapPort),
  20: toColumn('gprocess_id_0'),
  21: toColumn('gprocess_id_1'),
};

const applicationTag: Fields = {
  17: toColumn('l7_protocol'),
  23: toColumn('app_service'),
  24: toColumn('app_instance'),
  25: toColumn('endpoint'),
  28: toColumn('biz_type'),
};

const policyTag: Fields = {
  3: toColumn('_tid'),
  12: toColumn('acl_gid'),
  13: toColumn('tunnel_ip_id'),
  14: toColumn('agent_id'),
};

function documentOf(field: Fields, meter: Fields): MessagePlans {
  return {
    document: { 1: toColumn('time'), 2: toMessage('tag'), 3: toMessage('meter') },
    tag: { 1: toMessage('field') },
    field,
    meter: { 1: toRegister(register.meter), ...meter },
  };
}

/** What both kinds of meters begin with. */
const volumes = [
  'packet_tx',
  'packet_rx',
  'byte_tx',
  'byte_rx',
  'l3_byte_tx',
  'l3_byte_rx',
  'l4_byte_tx',
  'l4_byte_rx',
] as const;

const flowMeter: MessagePlans = {
  flow: {
    1: toMessage('traffic'),
    2: toMessage('latency'),
    3: toMessage('performance'),
    4: toMessage('anomaly'),
    5: toMessage('load'),
  },
  traffic: columns(
    ...volumes,
    'new_flow',
    'closed_flow',
    'l7_request',
    'l7_response',
    'syn_count',
    'synack_count',
    'direction_score',
  ),
  latency: columns(
    'rtt_max',
    'rtt_client_max',
    'rtt_server_max',
    'srt_max',
    'art_max',
    'rrt_max',
    'rtt_sum',
    'rtt_client_sum',
    'rtt_server_sum',
    'srt_sum',
    'art_sum',
    'rrt_sum',
    'rtt_count',
    'rtt_client_count',
    'rtt_server_count',
    'srt_count',
    'art_count',
    'rrt_count',
    'cit_max',
    'cit_sum',
    'cit_count',
  ),
  performance: columns('retrans_tx', 'retrans_rx', 'zero_win_tx', 'zero_win_rx', 'retrans_syn', 'retrans_synack'),
  anomaly: {
    ...columns(
      'client_rst_flow',
      'server_rst_flow',
      'server_syn_miss',
      'client_ack_miss',
      'client_half_close_flow',
      'server_half_close_flow',
      'client_source_port_reuse',
      'client_establish_other_rst',
      'server_reset',
      'server_queue_lack',
      'server_establish_other_rst',
      'tcp_timeout',
      'l7_client_error',
      'l7_server_error',
      'l7_timeout',
    ),
    20: toColumn('ooo_tx'),
    21: toColumn('ooo_rx'),
  },
  load: columns('flow_load'),
};

const applicationMeter: MessagePlans = {
  application: { 1: toMessage('traffic'), 2: toMessage('latency'), 3: toMessage('anomaly') },
  traffic: columns('request', 'response', 'direction_score'),
  latency: columns('rrt_max', 'rrt_sum', 'rrt_count'),
  anomaly: columns('client_error', 'server_error', 'timeout'),
};

const usageMeter: MessagePlans = {
  usage: columns(...volumes),
};

/** A kind of document: its fields, its meter, and the sums that are made of the meter's values. */
export interface DocumentForm {
  readonly ends: 'one' | 'two' | 'none';
  readonly plans: MessagePlans;
  /** `meter_id` that goes with it. */
  readonly meter: number;
  /** By message of the meter: sums and what they are made of, each after the sums in it. */
  readonly sums: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

const throughputSums = { packet: ['packet_tx', 'packet_rx'], byte: ['byte_tx', 'byte_rx'] } as const;

const networkSums = {
  traffic: throughputSums,
  performance: { retrans: ['retrans_tx', 'retrans_rx'], zero_win: ['zero_win_tx', 'zero_win_rx'] },
  anomaly: {
    client_establish_fail: ['client_ack_miss', 'client_source_port_reuse', 'client_establish_other_rst'],
    server_establish_fail: ['server_syn_miss', 'server_reset', 'server_queue_lack', 'server_establish_other_rst'],
    tcp_establish_fail: ['client_establish_fail', 'server_establish_fail'],
    tcp_transfer_fail: ['client_rst_flow', 'server_rst_flow', 'server_queue_lack', 'tcp_timeout'],
    tcp_rst_fail: [
      'client_establish_other_rst',
      'server_establish_other_rst',
      'server_reset',
      'client_rst_flow',
      'server_rst_flow',
    ],
    l7_error: ['l7_client_error', 'l7_server_error'],
  },
} as const;

const flow = { 2: toMessage('flow') };
const application = { 4: toMessage('application') };

export const networkForm: DocumentForm = {
  ends: 'one',
  plans: { ...documentOf(endTag, flow), ...flowMeter },
  meter: 1,
  sums: networkSums,
};

export const networkMapForm: DocumentForm = {
  ...networkForm,
  ends: 'two',
  plans: { ...documentOf(pathTag, flow), ...flowMeter },
};

export const applicationForm: DocumentForm = {
  ends: 'one',
  plans: { ...documentOf({ ...endTag, ...applicationTag }, application), ...applicationMeter },
  meter: 5,
  sums: { anomaly: { error: ['client_error', 'server_error'] } },
};

export const applicationMapForm: DocumentForm = {
  ...applicationForm,
  ends: 'two',
  plans: { ...documentOf({ ...pathTag, ...applicationTag }, application), ...applicationMeter },
};

export const trafficPolicyForm: DocumentForm = {
  ends: 'none',
  plans: { ...documentOf(policyTag, { 3: toMessage('usage') }), ...usageMeter },
  meter: 4,
  sums: { usage: throughputSums },
};
