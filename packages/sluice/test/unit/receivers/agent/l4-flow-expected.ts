import { l4FlowLog } from '../../../../src/catalog/l4-flow-log.ts';
import type { Row, RowValue } from '../row-values.ts';
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

/** The row of a TAGGEDFLOW record before tags and without its id, made slowly and by name. */
export function expectedL4Row(record: Message, team: number): Row {
  const flow = messageOf(record, 'flow');
  const key = messageOf(flow, 'flow_key');
  const of = (name: string) => numberOf(flow, name);
  const isIpv6 = (of('eth_type') & 0xffffn) === 0x86ddn;
  const port = numberOf(key, 'tap_port');
  return expectedRow(l4FlowLog, {
    team_id: team,
    time: of('end_time') / 1_000_000_000n,
    start_time: of('start_time') / 1000n,
    end_time: of('end_time') / 1000n,
    duration: of('duration') / 1000n,
    flow_id: of('flow_id'),
    vlan: of('vlan'),
    eth_type: of('eth_type'),
    close_type: of('close_type'),
    signal_source: of('signal_source'),
    is_new_flow: of('is_new_flow'),
    observation_point: pointNames[Number(of('tap_side') & 255n)] ?? '',
    syn_seq: of('syn_seq'),
    syn_ack_seq: of('synack_seq'),
    last_keepalive_seq: of('last_keepalive_seq'),
    last_keepalive_ack: of('last_keepalive_ack'),
    acl_gids: ((flow?.['acl_gids'] ?? []) as readonly number[]).map((id) => id & 0xffff),
    direction_score: of('direction_score'),
    request_domain: textOf(flow, 'request_domain'),
    aggregated_flow_ids: ((flow?.['aggregated_flow_ids'] ?? []) as readonly string[]).join(','),
    init_ipid: of('init_ipid'),
    agent_id: numberOf(key, 'vtap_id'),
    capture_network_type_id: numberOf(key, 'tap_type'),
    capture_nic: port & 0xffff_ffffn,
    capture_nic_type: port >> 60n,
    nat_source: (port >> 36n) & 15n,
    mac_0: numberOf(key, 'mac_src'),
    mac_1: numberOf(key, 'mac_dst'),
    client_port: numberOf(key, 'port_src'),
    server_port: numberOf(key, 'port_dst'),
    protocol: numberOf(key, 'proto'),
    is_ipv4: isIpv6 ? 0 : 1,
    ...(isIpv6
      ? { ip6_0: ip6Of(key, 'ip6_src'), ip6_1: ip6Of(key, 'ip6_dst') }
      : { ip4_0: numberOf(key, 'ip_src'), ip4_1: numberOf(key, 'ip_dst') }),
    status: statusOf(Number(of('close_type') & 0xffffn), Number(numberOf(key, 'proto') & 255n)),
    ...peer(messageOf(flow, 'metrics_peer_src'), 0),
    ...peer(messageOf(flow, 'metrics_peer_dst'), 1),
    ...tunnel(messageOf(flow, 'Tunnel')),
    ...(of('has_perf_stats') === 1n ? performance(messageOf(flow, 'perf_stats')) : {}),
  });
}

function ip6Of(key: Message | undefined, name: string): string {
  const bytes = bytesOf(key, name);
  return bytes.length === 0 ? '::' : addressText(bytes);
}

function statusOf(closeType: number, protocol: number): number {
  if ([1, 5, 8, 11, 20].includes(closeType) || (closeType === 3 && protocol !== 6)) return 0;
  if ([9, 10, 13, 18].includes(closeType)) return 4;
  return protocol === 6 && [2, 3, 7, 15, 17, 19].includes(closeType) ? 3 : 2;
}

type Values = Record<string, RowValue | bigint>;

function peer(end: Message | undefined, side: 0 | 1): Values {
  const way = side === 0 ? 'tx' : 'rx';
  const of = (name: string) => numberOf(end, name);
  return {
    [`byte_${way}`]: of('byte_count'),
    [`l3_byte_${way}`]: of('l3_byte_count'),
    [`l4_byte_${way}`]: of('l4_byte_count'),
    [`packet_${way}`]: of('packet_count'),
    [`total_byte_${way}`]: of('total_byte_count'),
    [`total_packet_${way}`]: of('total_packet_count'),
    [`tcp_flags_bit_${side}`]: of('tcp_flags'),
    [`l3_epc_id_${side}`]: vpcOf(of('l3_epc_id')),
    [`l2_end_${side}`]: of('is_l2_end') === 1n ? 1 : 0,
    [`l3_end_${side}`]: of('is_l3_end') === 1n ? 1 : 0,
    [`nat_real_ip4_${side}`]: of('real_ip'),
    [`nat_real_port_${side}`]: of('real_port'),
    [`gprocess_id_${side}`]: of('gpid'),
  };
}

function tunnel(message: Message | undefined): Values {
  const of = (name: string) => numberOf(message, name);
  if ((of('tunnel_type') & 0xffffn) === 0n) return {};
  return {
    tunnel_tx_ip4_0: of('tx_ip0'),
    tunnel_tx_ip4_1: of('tx_ip1'),
    tunnel_rx_ip4_0: of('rx_ip0'),
    tunnel_rx_ip4_1: of('rx_ip1'),
    tunnel_tx_mac_0: of('tx_mac0'),
    tunnel_tx_mac_1: of('tx_mac1'),
    tunnel_rx_mac_0: of('rx_mac0'),
    tunnel_rx_mac_1: of('rx_mac1'),
    tunnel_tx_id: of('tx_id'),
    tunnel_rx_id: of('rx_id'),
    tunnel_type: of('tunnel_type'),
    tunnel_tier: of('tier'),
    tunnel_is_ipv4: 1,
  };
}

function performance(message: Message | undefined): Values {
  const tcp = messageOf(message, 'tcp');
  const l7 = messageOf(message, 'l7');
  const of = (name: string) => numberOf(tcp, name);
  const l7Of = (name: string) => numberOf(l7, name);
  const counts = (['tx', 'rx'] as const).flatMap((way) => {
    const count = messageOf(tcp, `counts_peer_${way}`);
    return [
      [`retrans_${way}`, numberOf(count, 'retrans_count')],
      [`zero_win_${way}`, numberOf(count, 'zero_win_count')],
      [`ooo_${way}`, numberOf(count, 'ooo_count')],
    ] as const;
  });
  const repeated = (count: bigint) => (count > 0n ? count - 1n : 0n);
  return {
    ...Object.fromEntries(counts),
    l7_protocol: numberOf(message, 'l7_protocol'),
    l7_parse_failed: numberOf(message, 'l7_failed_count'),
    rtt_client: of('rtt_client_max'),
    rtt_server: of('rtt_server_max'),
    rtt: of('rtt'),
    ...Object.fromEntries(
      ['srt', 'art', 'cit'].flatMap((name) =>
        ['max', 'sum', 'count'].map((what) => [`${name}_${what}`, of(`${name}_${what}`)]),
      ),
    ),
    syn_count: of('syn_count'),
    synack_count: of('synack_count'),
    retrans_syn: repeated(of('syn_count')),
    retrans_synack: repeated(of('synack_count')),
    fin_count: of('fin_count'),
    l7_request: l7Of('request_count'),
    l7_response: l7Of('response_count'),
    l7_client_error: l7Of('err_client_count'),
    l7_server_error: l7Of('err_server_count'),
    l7_server_timeout: l7Of('err_timeout'),
    l7_error: l7Of('err_client_count') + l7Of('err_server_count'),
    rrt_count: l7Of('rrt_count'),
    rrt_sum: l7Of('rrt_sum'),
    rrt_max: l7Of('rrt_max'),
    tls_rtt: l7Of('tls_rtt'),
  };
}
