import { l7FlowLog } from '../../../../src/catalog/l7-flow-log.ts';
import { l7ProtocolName } from '../../../../src/catalog/l7-protocols.ts';
import { observationPointNames } from '../../../../src/catalog/observation-points.ts';
import { exceptionText } from '../../../../src/receivers/response-exceptions.ts';
import { ipv4Text, ipv6Text, type Row, type RowValue } from '../row-values.ts';

/** A record as protobuf JSON with the names of the definitions: defaults left out, 64-bit numbers as text, bytes in base64. */
export interface L7Record {
  readonly base?: Readonly<Record<string, unknown>> & { readonly head?: Readonly<Record<string, unknown>> };
  readonly req_len?: number;
  readonly resp_len?: number;
  readonly req?: Readonly<Record<string, string>>;
  readonly resp?: Readonly<Record<string, unknown>>;
  readonly version?: string;
  readonly trace_info?: Readonly<Record<string, unknown>>;
  readonly ext_info?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** Universal tags: none without an inventory. */
const inventory =
  /^(?:region_id|az_id|host_id|l3_device_type|l3_device_id|pod_node_id|pod_ns_id|pod_group_id|pod_id|pod_cluster_id|epc_id|subnet_id|service_id|auto_instance_id|auto_instance_type|auto_service_id|auto_service_type|tag_source)_[01]$/;

const plainBase = [
  'process_id_0',
  'process_id_1',
  'process_kname_0',
  'process_kname_1',
  'req_tcp_seq',
  'resp_tcp_seq',
  'syscall_cap_seq_0',
  'syscall_cap_seq_1',
  'syscall_coroutine_0',
  'syscall_coroutine_1',
  'syscall_trace_id_request',
  'syscall_trace_id_response',
  'flow_id',
  'biz_type',
  'protocol',
];
const renamedBase = {
  vtap_id: 'agent_id',
  tap_type: 'capture_network_type_id',
  port_src: 'client_port',
  port_dst: 'server_port',
  gpid_0: 'gprocess_id_0',
  gpid_1: 'gprocess_id_1',
  syscall_trace_id_thread_0: 'syscall_thread_0',
  syscall_trace_id_thread_1: 'syscall_thread_1',
  l3_epc_id_src: 'l3_epc_id_0',
  l3_epc_id_dst: 'l3_epc_id_1',
} as const;
const plainRecord = [
  'version',
  'direction_score',
  'captured_request_byte',
  'captured_response_byte',
  'biz_code',
  'biz_scenario',
  'biz_response_code',
];

/**
 * The row of a record, from its decoded form: the rules of the table once more, on objects. Columns without a value are 0, '', [] or NULL; the row's id
 * is left 0, the text of an exception is checked elsewhere and taken as it is.
 */
export function expectedL7Row(record: L7Record, team: number): Row {
  const row: Record<string, RowValue> = emptyRow();
  const base = record.base ?? {};
  const head = base.head ?? {};
  const set = (column: string, value: unknown) => {
    if (value !== undefined) row[column] = like(row[column]!, value);
  };
  for (const name of plainBase) set(name, base[name]);
  for (const [name, column] of Object.entries(renamedBase)) set(column, base[name]);
  for (const name of plainRecord) set(name, record[name]);
  row['team_id'] = team;
  writeTimes(row, base, head);
  writePlace(row, base);
  writeContent(row, record, head);
  writeExtension(row, record, Number(head['proto'] ?? 0));
  return row;
}

function emptyRow(): Record<string, RowValue> {
  return Object.fromEntries(
    l7FlowLog.columns.map(({ name, type }) => {
      if (inventory.test(name)) return [name, 0];
      if (type.startsWith('Nullable')) return [name, null];
      if (type.startsWith('Array')) return [name, []];
      if (type === 'IPv4') return [name, '0.0.0.0'];
      if (type === 'IPv6') return [name, '::'];
      if (type.includes('String')) return [name, ''];
      return [name, /64/.test(type) ? '0' : 0];
    }),
  );
}

/** 64-bit columns hold text. */
function like(empty: RowValue, value: unknown): RowValue {
  return typeof empty === 'string' ? String(value) : Number(value);
}

function big(value: unknown): bigint {
  return BigInt(String(value ?? 0));
}

function writeTimes(
  row: Record<string, RowValue>,
  base: Readonly<Record<string, unknown>>,
  head: Readonly<Record<string, unknown>>,
) {
  row['start_time'] = String(big(base['start_time']) / 1000n);
  row['end_time'] = String(big(base['end_time']) / 1000n);
  row['time'] = Number(big(base['end_time']) / 1_000_000_000n);
  row['response_duration'] = String(big(head['rrt']) / 1000n);
}

function writePlace(row: Record<string, RowValue>, base: Readonly<Record<string, unknown>>) {
  const port = big(base['tap_port']);
  const origin = Number(port >> 60n);
  row['capture_nic'] = Number(port & 0xffff_ffffn);
  row['capture_nic_type'] = origin;
  row['nat_source'] = Number((port >> 36n) & 15n);
  row['tunnel_type'] = Number((port >> 32n) & 15n);
  row['signal_source'] = { 7: 3, 8: 4 }[origin] ?? 0;
  row['observation_point'] = observationPointNames[Number(base['tap_side'] ?? 0)] ?? '';
  const isIpv6 = base['is_ipv6'] === 1;
  row['is_ipv4'] = isIpv6 ? 0 : 1;
  for (const [side, end] of [
    [0, 'src'],
    [1, 'dst'],
  ] as const) {
    const ip6 = Buffer.from(String(base[`ip6_${end}`] ?? ''), 'base64');
    if (isIpv6) row[`ip6_${side}`] = ip6.length === 16 ? ipv6Text(ip6) : '::';
    else row[`ip4_${side}`] = ipv4Text(Number(base[`ip_${end}`] ?? 0));
  }
}

function writeContent(row: Record<string, RowValue>, record: L7Record, head: Readonly<Record<string, unknown>>) {
  const protocol = Number(head['proto'] ?? 0);
  const type = Number(head['msg_type'] ?? 0);
  const flags = Number(record['flags'] ?? 0);
  const { req, resp } = record;
  row['l7_protocol'] = protocol;
  row['type'] = type;
  row['is_tls'] = flags & 1;
  row['is_async'] = (flags >> 1) & 1;
  row['is_reversed'] = (flags >> 2) & 1;
  row['biz_protocol'] = String(record.ext_info?.['protocol_str'] ?? '') || l7ProtocolName(protocol, (flags & 1) === 1);
  if (req !== undefined) {
    row['request_type'] = req['req_type'] ?? '';
    row['request_domain'] = req['domain'] ?? '';
    row['request_resource'] = req['resource'] ?? '';
    row['endpoint'] = req['endpoint'] ?? '';
    if (type !== 1) row['request_length'] = length(record.req_len);
  }
  let code = 0;
  row['response_status'] = resp === undefined ? 5 : Number(resp['status'] ?? 0);
  if (resp !== undefined && type !== 0) {
    code = Number(resp['code'] ?? 0);
    row['response_code'] = code === -32768 ? null : code;
    row['response_result'] = String(resp['result'] ?? '');
    row['response_length'] = length(record.resp_len);
    row['response_exception'] = String(resp['exception'] ?? '');
    const isError = row['response_status'] === 3 || row['response_status'] === 4;
    const hasText = exceptionText(protocol, code, record.version === '5') !== undefined;
    if (row['response_exception'] === '' && isError && code !== -32768 && hasText)
      row['response_exception'] = AUTOMATIC;
  }
  const answered = ['Fetch', 'Produce', 'JoinGroup', 'LeaveGroup', 'SyncGroup'];
  if (protocol === 100 && req !== undefined && code === 0 && !answered.includes(req['req_type'] ?? '')) {
    row['response_status'] = 2;
    row['response_code'] = null;
  }
  const affected = Number(record['row_effect'] ?? 0);
  if (affected !== 0) row['sql_affected_rows'] = String(affected);
}

/** In the place of an exception's text that the code stands for. */
export const AUTOMATIC = '(by the code)';

function length(value: number | undefined): string | null {
  return value === -1 ? null : String(value ?? 0);
}

function writeExtension(row: Record<string, RowValue>, record: L7Record, protocol: number) {
  const extension = record.ext_info ?? {};
  const trace = record.trace_info ?? {};
  const texts = (value: unknown) => (value ?? []) as readonly string[];
  const ids = texts(trace['trace_ids']);
  row['trace_id'] = ids[0] || String(trace['trace_id'] ?? '');
  row['_trace_id_2'] = ids[1] ?? '';
  row['span_id'] = String(trace['span_id'] ?? '');
  row['parent_span_id'] = String(trace['parent_span_id'] ?? '');
  row['app_service'] = String(extension['service_name'] ?? '');
  row['http_proxy_client'] = String(extension['client_ip'] ?? '');
  row['x_request_id_0'] = String(extension['x_request_id_0'] ?? '');
  row['x_request_id_1'] = String(extension['x_request_id_1'] ?? '');
  const id = Number(extension['request_id'] ?? 0);
  const keepsZero = protocol === 43 || (protocol === 100 && record.req !== undefined);
  row['request_id'] = id !== 0 || keepsZero ? String(id) : null;
  const fixed = ['http_user_agent', 'http_referer', 'rpc_service'].filter((name) => (extension[name] ?? '') !== '');
  const names = texts(extension['attribute_names']);
  const values = texts(extension['attribute_values']);
  const pairs = Math.min(names.length, values.length);
  row['attribute_names'] = [...fixed, ...names.slice(0, pairs)];
  row['attribute_values'] = [...fixed.map((name) => String(extension[name])), ...values.slice(0, pairs)];
  const measures = texts(extension['metrics_names']);
  const numbers = (extension['metrics_values'] ?? []) as readonly RowValue[];
  const count = Math.min(measures.length, numbers.length);
  row['metrics_names'] = measures.slice(0, count);
  row['metrics_values'] = numbers.slice(0, count).map(numberValue);
}

function numberValue(value: RowValue): RowValue {
  if (typeof value === 'number')
    return Number.isNaN(value) ? 'NaN' : Number.isFinite(value) ? value : value > 0 ? '+Inf' : '-Inf';
  return { Infinity: '+Inf', '-Infinity': '-Inf' }[String(value)] ?? String(value);
}

/** A decoded row as `expectedL7Row` has it: without the id, and with the mark in the place of an automatic text, if there is one. */
export function comparable(row: Row, expected: Row): Row {
  const isAutomatic = expected['response_exception'] === AUTOMATIC && row['response_exception'] !== '';
  return { ...row, _id: '0', ...(isAutomatic ? { response_exception: AUTOMATIC } : {}) };
}
