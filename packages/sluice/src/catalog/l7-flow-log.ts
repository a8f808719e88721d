import { agentRows, keptDays } from './agent-rows.ts';
import {
  bothSides,
  exportable,
  f64s,
  group,
  i32,
  maybeI32,
  maybeI64,
  maybeU64,
  maybeU8,
  text,
  texts,
  u16,
  u32,
  u64,
  u8,
  word,
  words,
} from './columns.ts';
import {
  addresses,
  agent,
  captureNicType,
  endTime,
  exportedKnowledge,
  flowId,
  gprocesses,
  knowledge,
  natSource,
  networkType,
  observationPoint,
  rowId,
  startTime,
  time,
} from './flow-log-tags.ts';
import { l7Keys } from './keys.ts';
import type { ColumnSpec, DataSource } from './types.ts';

/** A request with its response, either without the other, or a span. In some columns 0 and 1 are request and response, not the ends. */

const captureInfo = { sub: 'capture_info', index: 'none' } as const;
const transportLayer = { sub: 'transport_layer' } as const;
const tracing = { sub: 'tracing_info' } as const;
const businessInfo = { sub: 'business_info' } as const;
const searched = { index: 'bloom_filter' } as const;

const ofBoth = (column: ColumnSpec): readonly ColumnSpec[] => [
  { ...column, name: `${column.name}_0`, description: `${column.description} of the request`, side: 0 },
  { ...column, name: `${column.name}_1`, description: `${column.description} of the response`, side: 1 },
];

const base: readonly ColumnSpec[] = [
  time,
  ...addresses,
  u8('protocol', 'IP protocol', { sub: 'network_layer', enum: 'l7_ip_protocol', index: 'minmax' }),
  u16('client_port', 'Port of the client', transportLayer),
  u16('server_port', 'Port of the server', { ...transportLayer, index: 'set(300)' }),
  flowId,
  networkType,
  natSource,
  withoutIndex(captureNicType),
  u16('signal_source', 'Origin of the signal: packet, eBPF, OTel', { ...captureInfo, enum: 'l7_signal_source' }),
  u8('tunnel_type', 'Encapsulation', { sub: 'tunnel_info', index: 'none' }),
  u32('capture_nic', 'Interface captured at; its meaning follows from capture_nic_type', captureInfo),
  observationPoint,
  agent,
  u32('req_tcp_seq', 'TCP sequence number of the request', transportLayer),
  u32('resp_tcp_seq', 'TCP sequence number of the response', transportLayer),
  startTime,
  endTime,
  ...gprocesses,
  u8('biz_type', 'Business type', businessInfo),
  text('biz_code', 'Business code', { ...businessInfo, ...searched }),
  text('biz_scenario', 'Business scenario', { ...businessInfo, ...searched }),
  text('biz_response_code', 'Business response code', { ...businessInfo, ...searched }),
  ...bothSides(i32('process_id', 'Pid', { sub: 'service_info' })),
  ...bothSides(text('process_kname', 'Name of the process in the kernel', { sub: 'service_info' })),
  u64('syscall_trace_id_request', 'Trace id of the system call, request', tracing),
  u64('syscall_trace_id_response', 'Trace id of the system call, response', tracing),
  ...ofBoth(u32('syscall_thread', 'Thread id', tracing)),
  ...ofBoth(u64('syscall_coroutine', 'Coroutine id', tracing)),
  ...ofBoth(u32('syscall_cap_seq', 'Number within the socket', tracing)),
];

const applicationLayer = { sub: 'application_layer' } as const;
const throughput = { role: 'metric', sub: 'throughput', unit: 'byte' } as const;
const nativeTag = { sub: 'native_tag' } as const;

const content: readonly ColumnSpec[] = [
  u8('l7_protocol', 'Application protocol', { ...applicationLayer, enum: 'l7_protocol', index: 'none' }),
  word('biz_protocol', 'Name of the protocol, as a plug-in or the message says', applicationLayer),
  word('version', 'Version of the protocol', applicationLayer),
  u8('type', '0 request, 1 response, 2 session, 3 other', { ...applicationLayer, enum: 'l7_log_type', index: 'none' }),
  u8('is_tls', '1: within TLS', applicationLayer),
  u8('is_async', '1: asynchronous', applicationLayer),
  u8('is_reversed', '1: the ends were exchanged', applicationLayer),
  word('request_type', 'Method, command, kind of query', applicationLayer),
  text('request_domain', 'Host, RPC service or name asked for', { ...applicationLayer, ...searched }),
  text('request_resource', 'Path, RPC method, SQL, key or topic', { ...applicationLayer, ...searched }),
  text('endpoint', 'API endpoint', { sub: 'service_info', exportName: 'end_point', ...searched }),
  maybeU64('request_id', 'Id of the request within the protocol', applicationLayer),
  u8('response_status', 'Outcome', { ...applicationLayer, enum: 'response_status' }),
  maybeI32('response_code', 'Code of the protocol', applicationLayer),
  text('response_exception', 'Error text', applicationLayer),
  text('response_result', 'Result, such as addresses for a name', applicationLayer),
  text('http_proxy_client', 'Client before the proxies', tracing),
  ...ofBoth(text('x_request_id', 'X-Request-ID', { ...tracing, ...searched })),
  text('trace_id', 'Trace id', { ...tracing, ...searched }),
  text('_trace_id_2', 'Second trace id, if any', { ...tracing, ...searched, exportName: 'trace_id_2' }),
  u64('trace_id_index', 'Number made of the trace id, for search', { ...tracing, exported: false }),
  text('span_id', 'Span id', tracing),
  text('parent_span_id', 'Id of the parent span', tracing),
  maybeU8('span_kind', 'Kind of span', { ...tracing, enum: 'span_kind' }),
  word('app_service', 'Service, as the application says', { sub: 'service_info' }),
  word('app_instance', 'Instance, as the application says', { sub: 'service_info' }),
  u64('response_duration', 'Time to the response', { role: 'metric', sub: 'delay', unit: 'us' }),
  maybeI64('request_length', 'Length of the request', throughput),
  maybeI64('response_length', 'Length of the response', throughput),
  maybeU64('sql_affected_rows', 'Rows that the SQL touched', { ...throughput, unit: 'row' }),
  u8('direction_score', 'Confidence in which end is the client, 255 = certain', {
    role: 'metric',
    sub: 'l4_throughput',
    unit: 'score 0-255',
    index: 'minmax',
  }),
  u32('captured_request_byte', 'Bytes captured of the request', throughput),
  u32('captured_response_byte', 'Bytes captured of the response', throughput),
  words('attribute_names', 'Names of further attributes', nativeTag),
  texts('attribute_values', 'Their values', nativeTag),
  ...group({ role: 'metric' }, [
    words('metrics_names', 'Names of further measurements'),
    f64s('metrics_values', 'Their values'),
  ]),
  text('events', 'Events of the span, as JSON', applicationLayer),
];

export const l7FlowLog: DataSource = {
  ...agentRows,
  id: 'flow_log.l7_flow_log',
  database: 'flow_log',
  table: 'l7_flow_log',
  description: 'Requests and responses, and spans',
  columns: [rowId, ...knowledge, ...base, ...content],
  keys: l7Keys,
  exportFields: exportable([rowId, ...content, ...base, ...exportedKnowledge]),
  orderBy: ['time', 'l7_protocol', 'l3_epc_id_1', 'ip4_1', 'ip6_1', 'server_port'],
  partitionBy: 'hour',
  retention: keptDays(3),
};

function withoutIndex(column: ColumnSpec): ColumnSpec {
  const { index: _, ...rest } = column;
  return rest;
}
