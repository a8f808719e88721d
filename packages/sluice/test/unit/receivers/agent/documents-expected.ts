import { findDataSource } from '../../../../src/catalog/catalog.ts';
import type { Row } from '../row-values.ts';
import type { Message } from './flow-definitions.ts';
import {
  addressText,
  bytesOf,
  expectedRow,
  messageOf,
  numberOf,
  pointNames,
  textOf,
  vpcOf,
} from './flow-row-values.ts';

/** The row of a METRICS document before tags, made slowly and by name. */

/** Codes of agents, without the bits of MAC addresses. */
export const codes: Readonly<Record<string, bigint>> = {
  network: 0x0000_ad00_0000_8003n,
  network_map: 0x0003_ac08_0030_0000n,
  application: 0x0008_ad00_0000_8003n,
  application_map: 0x000b_ac08_0030_0000n,
  traffic_policy: 0x4000_8200_0000_0000n,
};
const macBits = (1n << 11n) | (1n << 31n);

export function expectedDocument(document: Message, team: number): { readonly table: string; readonly row: Row } {
  const tag = messageOf(document, 'tag');
  const code = numberOf(tag, 'code') & ~macBits;
  const name = Object.keys(codes).find((one) => codes[one] === code);
  if (name === undefined) throw new Error(`no table of code ${code}`);
  const table = `flow_metrics.${name}.${(numberOf(document, 'flags') & 1n) === 1n ? '1s' : '1m'}`;
  const field = messageOf(tag, 'field');
  const meter = messageOf(document, 'meter');
  const row = expectedRow(findDataSource(table)!, {
    time: numberOf(document, 'timestamp'),
    team_id: team,
    _tid: numberOf(field, 'global_thread_id'),
    agent_id: numberOf(field, 'vtap_id'),
    ...(name === 'traffic_policy' ? policyTag(field) : name.endsWith('_map') ? pathTag(field) : endTag(field)),
    ...(name.startsWith('application')
      ? { ...applicationTag(field), ...applicationMeter(messageOf(meter, 'app')) }
      : {}),
    ...(name.startsWith('network') ? flowMeter(messageOf(meter, 'flow')) : {}),
    ...(name === 'traffic_policy' ? throughput(messageOf(meter, 'usage')) : {}),
  });
  return { table, row };
}

type Values = Record<string, bigint | string>;

function policyTag(field: Message | undefined): Values {
  return { acl_gid: numberOf(field, 'acl_gid'), tunnel_ip_id: numberOf(field, 'server_port') };
}

function sharedTag(field: Message | undefined): Values {
  return {
    is_ipv4: isIpv6(field) ? 0n : 1n,
    protocol: numberOf(field, 'protocol'),
    server_port: numberOf(field, 'server_port'),
    capture_network_type_id: numberOf(field, 'tap_type'),
    signal_source: numberOf(field, 'signal_source'),
  };
}

function isIpv6(field: Message | undefined): boolean {
  return numberOf(field, 'is_ipv6') !== 0n;
}

function address(field: Message | undefined, name: string, suffix: string): Values {
  const bytes = bytesOf(field, name);
  return isIpv6(field)
    ? { [`ip6${suffix}`]: addressText(bytes) }
    : { [`ip4${suffix}`]: addressText(bytes.subarray(0, 4)) };
}

function endTag(field: Message | undefined): Values {
  return {
    ...sharedTag(field),
    ...address(field, 'ip', ''),
    l3_epc_id: vpcOf(numberOf(field, 'l3_epc_id')),
    gprocess_id: numberOf(field, 'gpid'),
    role: { 1: 0n, 2: 1n, 4: 2n }[Number(numberOf(field, 'direction') & 7n)] ?? 3n,
  };
}

function pathTag(field: Message | undefined): Values {
  const port = numberOf(field, 'tap_port');
  return {
    ...sharedTag(field),
    ...address(field, 'ip', '_0'),
    ...address(field, 'ip1', '_1'),
    l3_epc_id_0: vpcOf(numberOf(field, 'l3_epc_id')),
    l3_epc_id_1: vpcOf(numberOf(field, 'l3_epc_id1')),
    gprocess_id_0: numberOf(field, 'gpid'),
    gprocess_id_1: numberOf(field, 'gpid1'),
    capture_nic: port & 0xffff_ffffn,
    capture_nic_type: port >> 60n,
    nat_source: (port >> 36n) & 15n,
    tunnel_type: (port >> 32n) & 15n,
    observation_point: pointNames[Number(numberOf(field, 'tap_side') & 255n)] ?? '',
  };
}

function applicationTag(field: Message | undefined): Values {
  return {
    l7_protocol: numberOf(field, 'l7_protocol'),
    app_service: textOf(field, 'app_service'),
    app_instance: textOf(field, 'app_instance'),
    endpoint: textOf(field, 'endpoint'),
    biz_type: numberOf(field, 'biz_type'),
  };
}

function allOf(message: Message | undefined): Record<string, bigint> {
  return Object.fromEntries(Object.keys(message ?? {}).map((name) => [name, numberOf(message, name)]));
}

function throughput(usage: Message | undefined): Values {
  const n = (name: string) => numberOf(usage, name);
  return { ...allOf(usage), packet: n('packet_tx') + n('packet_rx'), byte: n('byte_tx') + n('byte_rx') };
}

function applicationMeter(meter: Message | undefined): Values {
  const anomaly = messageOf(meter, 'anomaly');
  return {
    ...allOf(messageOf(meter, 'traffic')),
    ...allOf(messageOf(meter, 'latency')),
    ...allOf(anomaly),
    error: numberOf(anomaly, 'client_error') + numberOf(anomaly, 'server_error'),
  };
}

function flowMeter(meter: Message | undefined): Values {
  const { syn = 0n, synack = 0n, ...traffic } = allOf(messageOf(meter, 'traffic'));
  const performance = allOf(messageOf(meter, 'performance'));
  const {
    client_establish_reset: clientReset = 0n,
    server_establish_reset: serverReset = 0n,
    client_ooo: sentOutOfOrder = 0n,
    server_ooo: receivedOutOfOrder = 0n,
    ...anomaly
  } = allOf(messageOf(meter, 'anomaly'));
  const { load = 0n } = allOf(messageOf(meter, 'flow_load'));
  const sum = (from: Record<string, bigint>, ...names: readonly string[]) =>
    names.reduce((total, name) => total + (from[name] ?? 0n), 0n);
  const clientFail = sum(anomaly, 'client_ack_miss', 'client_source_port_reuse') + clientReset;
  const serverFail = sum(anomaly, 'server_syn_miss', 'server_reset', 'server_queue_lack') + serverReset;
  return {
    ...traffic,
    ...allOf(messageOf(meter, 'latency')),
    ...performance,
    ...anomaly,
    packet: sum(traffic, 'packet_tx', 'packet_rx'),
    byte: sum(traffic, 'byte_tx', 'byte_rx'),
    syn_count: syn,
    synack_count: synack,
    retrans: sum(performance, 'retrans_tx', 'retrans_rx'),
    zero_win: sum(performance, 'zero_win_tx', 'zero_win_rx'),
    client_establish_other_rst: clientReset,
    server_establish_other_rst: serverReset,
    ooo_tx: sentOutOfOrder,
    ooo_rx: receivedOutOfOrder,
    client_establish_fail: clientFail,
    server_establish_fail: serverFail,
    tcp_establish_fail: clientFail + serverFail,
    tcp_transfer_fail: sum(anomaly, 'client_rst_flow', 'server_rst_flow', 'server_queue_lack', 'tcp_timeout'),
    tcp_rst_fail: clientReset + serverReset + sum(anomaly, 'server_reset', 'client_rst_flow', 'server_rst_flow'),
    l7_error: sum(anomaly, 'l7_client_error', 'l7_server_error'),
    flow_load: load,
  };
}
