import fc from 'fast-check';
import protobuf from 'protobufjs';

/** Documents and reports of flows, for a protobuf library that knows nothing of the decoders. */
const proto = `
syntax = "proto3";
message Document { uint32 timestamp = 1; MiniTag tag = 2; Meter meter = 3; uint32 flags = 4; string later = 100; }
message MiniTag { MiniField field = 1; uint64 code = 2; }
message MiniField {
  bytes ip = 1; bytes ip1 = 2; uint32 global_thread_id = 3; uint32 is_ipv6 = 4; int32 l3_epc_id = 5; int32 l3_epc_id1 = 6; uint64 mac = 7;
  uint64 mac1 = 8; uint32 direction = 9; uint32 tap_side = 10; uint32 protocol = 11; uint32 acl_gid = 12; uint32 server_port = 13;
  uint32 vtap_id = 14; uint64 tap_port = 15; uint32 tap_type = 16; uint32 l7_protocol = 17; uint32 gpid = 20; uint32 gpid1 = 21;
  uint32 signal_source = 22; string app_service = 23; string app_instance = 24; string endpoint = 25; uint32 pod_id = 27; uint32 biz_type = 28;
}
message Meter { uint32 meter_id = 1; FlowMeter flow = 2; UsageMeter usage = 3; AppMeter app = 4; }
message FlowMeter { Traffic traffic = 1; Latency latency = 2; Performance performance = 3; Anomaly anomaly = 4; FlowLoad flow_load = 5; }
message Traffic {
  uint64 packet_tx = 1; uint64 packet_rx = 2; uint64 byte_tx = 3; uint64 byte_rx = 4; uint64 l3_byte_tx = 5; uint64 l3_byte_rx = 6;
  uint64 l4_byte_tx = 7; uint64 l4_byte_rx = 8; uint64 new_flow = 9; uint64 closed_flow = 10; uint32 l7_request = 11; uint32 l7_response = 12;
  uint32 syn = 13; uint32 synack = 14; uint32 direction_score = 15;
}
message Latency {
  uint32 rtt_max = 1; uint32 rtt_client_max = 2; uint32 rtt_server_max = 3; uint32 srt_max = 4; uint32 art_max = 5; uint32 rrt_max = 6;
  uint64 rtt_sum = 7; uint64 rtt_client_sum = 8; uint64 rtt_server_sum = 9; uint64 srt_sum = 10; uint64 art_sum = 11; uint64 rrt_sum = 12;
  uint32 rtt_count = 13; uint32 rtt_client_count = 14; uint32 rtt_server_count = 15; uint32 srt_count = 16; uint32 art_count = 17;
  uint32 rrt_count = 18; uint32 cit_max = 19; uint64 cit_sum = 20; uint32 cit_count = 21;
}
message Performance {
  uint64 retrans_tx = 1; uint64 retrans_rx = 2; uint64 zero_win_tx = 3; uint64 zero_win_rx = 4; uint32 retrans_syn = 5; uint32 retrans_synack = 6;
}
message Anomaly {
  uint64 client_rst_flow = 1; uint64 server_rst_flow = 2; uint64 server_syn_miss = 3; uint64 client_ack_miss = 4; uint64 client_half_close_flow = 5;
  uint64 server_half_close_flow = 6; uint64 client_source_port_reuse = 7; uint64 client_establish_reset = 8; uint64 server_reset = 9;
  uint64 server_queue_lack = 10; uint64 server_establish_reset = 11; uint64 tcp_timeout = 12; uint32 l7_client_error = 13;
  uint32 l7_server_error = 14; uint32 l7_timeout = 15; uint64 client_ooo = 20; uint64 server_ooo = 21;
}
message FlowLoad { uint64 load = 1; }
message UsageMeter {
  uint64 packet_tx = 1; uint64 packet_rx = 2; uint64 byte_tx = 3; uint64 byte_rx = 4; uint64 l3_byte_tx = 5; uint64 l3_byte_rx = 6;
  uint64 l4_byte_tx = 7; uint64 l4_byte_rx = 8;
}
message AppMeter { AppTraffic traffic = 1; AppLatency latency = 2; AppAnomaly anomaly = 3; }
message AppTraffic { uint32 request = 1; uint32 response = 2; uint32 direction_score = 3; }
message AppLatency { uint32 rrt_max = 1; uint64 rrt_sum = 2; uint32 rrt_count = 3; }
message AppAnomaly { uint32 client_error = 1; uint32 server_error = 2; uint32 timeout = 3; }

message TaggedFlow { Flow flow = 1; bytes later = 77; }
message Flow {
  FlowKey flow_key = 1; FlowMetricsPeer metrics_peer_src = 2; FlowMetricsPeer metrics_peer_dst = 3; TunnelField Tunnel = 4; uint64 flow_id = 5;
  uint64 start_time = 6; uint64 end_time = 7; uint64 duration = 8; uint32 vlan = 10; uint32 eth_type = 11; uint32 has_perf_stats = 12;
  FlowPerfStats perf_stats = 13; uint32 close_type = 14; uint32 signal_source = 15; uint32 is_active_service = 16; uint32 queue_hash = 17;
  uint32 is_new_flow = 18; uint32 tap_side = 19; uint32 syn_seq = 20; uint32 synack_seq = 21; uint32 last_keepalive_seq = 22;
  uint32 last_keepalive_ack = 23; repeated uint32 acl_gids = 24; uint32 direction_score = 25; string request_domain = 26;
  repeated uint64 aggregated_flow_ids = 27; uint32 init_ipid = 28;
}
message FlowKey {
  uint32 vtap_id = 1; uint32 tap_type = 2; uint64 tap_port = 3; uint64 mac_src = 4; uint64 mac_dst = 5; uint32 ip_src = 6; uint32 ip_dst = 7;
  bytes ip6_src = 8; bytes ip6_dst = 9; uint32 port_src = 10; uint32 port_dst = 11; uint32 proto = 12;
}
message FlowMetricsPeer {
  uint64 byte_count = 1; uint64 l3_byte_count = 2; uint64 l4_byte_count = 3; uint64 packet_count = 4; uint64 total_byte_count = 5;
  uint64 total_packet_count = 6; uint64 first = 7; uint64 last = 8; uint32 tcp_flags = 9; int32 l3_epc_id = 10; uint32 is_l2_end = 11;
  uint32 is_l3_end = 12; uint32 is_active_host = 13; uint32 is_device = 14; uint32 is_vip_interface = 15; uint32 is_vip = 16; uint32 real_ip = 20;
  uint32 real_port = 21; uint32 gpid = 22;
}
message TunnelField {
  uint32 tx_ip0 = 1; uint32 tx_ip1 = 2; uint32 rx_ip0 = 3; uint32 rx_ip1 = 4; uint32 tx_mac0 = 5; uint32 tx_mac1 = 6; uint32 rx_mac0 = 7;
  uint32 rx_mac1 = 8; uint32 tx_id = 9; uint32 rx_id = 10; uint32 tunnel_type = 11; uint32 tier = 12; uint32 is_ipv6 = 13;
}
message FlowPerfStats { TCPPerfStats tcp = 1; L7PerfStats l7 = 2; uint32 l4_protocol = 3; uint32 l7_protocol = 4; uint32 l7_failed_count = 5; }
message TCPPerfStats {
  uint32 rtt_client_max = 1; uint32 rtt_server_max = 2; uint32 srt_max = 3; uint32 art_max = 4; uint32 rtt = 5; uint32 srt_sum = 8;
  uint32 art_sum = 9; uint32 srt_count = 12; uint32 art_count = 13; TcpPerfCountsPeer counts_peer_tx = 14; TcpPerfCountsPeer counts_peer_rx = 15;
  uint32 total_retrans_count = 16; uint32 syn_count = 17; uint32 synack_count = 18; uint32 cit_max = 19; uint32 cit_sum = 20;
  uint32 cit_count = 21; uint32 fin_count = 22;
}
message TcpPerfCountsPeer { uint32 retrans_count = 1; uint32 zero_win_count = 2; uint32 ooo_count = 3; }
message L7PerfStats {
  uint32 request_count = 1; uint32 response_count = 2; uint32 err_client_count = 3; uint32 err_server_count = 4; uint32 err_timeout = 5;
  uint32 rrt_count = 6; uint64 rrt_sum = 7; uint32 rrt_max = 8; uint32 tls_rtt = 9;
}`;

const { root } = protobuf.parse(proto, { keepCase: true });

/** A message as canonical protobuf JSON: absent = default, 64-bit numbers as text, bytes in base64. */
export interface Message {
  readonly [field: string]: MessageValue | undefined;
}
export type MessageValue = number | string | Message | readonly (number | string)[];

/** Bytes of a message. */
export function encodeMessage(type: string, message: Message): Uint8Array {
  const found = root.lookupType(type);
  return found.encode(found.fromObject(message)).finish();
}

/** What the library reads. */
export function decodeMessage(type: string, bytes: Uint8Array): Message {
  const found = root.lookupType(type);
  return found.toObject(found.decode(bytes), { longs: String, bytes: String });
}

const u32 = fc.oneof(fc.constantFrom(0, 1, 2, 127, 128, 0xffff, 0xffff_ffff), fc.integer({ min: 0, max: 0xffff_ffff }));
const i32 = fc.oneof(
  fc.constantFrom(0, -1, -2, -3, -65_536, 70_000),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
);
const u64 = fc
  .oneof(
    fc.constantFrom(0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 64n - 1n),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  )
  .map(String);
const text = fc.oneof(
  fc.constant(''),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ minLength: 130, maxLength: 300 }),
);
const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64'));

const scalars: Readonly<Record<string, fc.Arbitrary<MessageValue>>> = {
  uint32: u32,
  int32: i32,
  uint64: u64,
  string: text,
  bytes: sixteen,
};

/** Random messages of a type; any field may be absent. */
export function anyMessage(type: string): fc.Arbitrary<Message> {
  const fields = Object.values(root.lookupType(type).fields).map((field) => {
    const one = scalars[field.type] ?? anyMessage(field.type);
    const value = field.repeated ? fc.array(one as fc.Arbitrary<number | string>, { maxLength: 5 }) : one;
    return [field.name, value] as const;
  });
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
}
