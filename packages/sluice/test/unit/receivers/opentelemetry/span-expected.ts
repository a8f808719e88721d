import { l7FlowLog } from '../../../../src/catalog/l7-flow-log.ts';
import type { Row, RowValue } from '../row-values.ts';
import type { OtlpAttribute, OtlpEvent, OtlpSpan, OtlpTraces, OtlpValue } from './otlp-proto.ts';

/** Rows of OTLP messages from their decoded form: the rules of the mapping once more, on objects, for what recordings and random spans have. */
export function expectedRows(traces: OtlpTraces, agent: number, team: number): Row[] {
  return (traces.resource_spans ?? []).flatMap(({ resource, scope_spans: scopes }) =>
    (scopes ?? []).flatMap(({ spans }) =>
      (spans ?? []).map((span) => expectedRow(span, resource?.attributes ?? [], { agent, team })),
    ),
  );
}

interface Sender {
  readonly agent: number;
  readonly team: number;
}

function expectedRow(span: OtlpSpan, resource: readonly OtlpAttribute[], { agent, team }: Sender): Row {
  const ended = BigInt(span.end_time_unix_nano ?? 0) / 1000n;
  const said = BigInt(span.start_time_unix_nano ?? 0) / 1000n;
  const begun = said === 0n || said > ended ? ended : said;
  const kind = span.kind?.replace('SPAN_KIND_', '') ?? 'UNSPECIFIED';
  const isClient = kind === 'CLIENT' || kind === 'PRODUCER';
  const isServer = kind === 'SERVER' || kind === 'CONSUMER';
  const attributes = (span.attributes ?? []).filter(({ value }) => value !== undefined);
  const find = (...names: readonly string[]) =>
    attributes.findLast(({ key }) => names.includes(key ?? ''))?.value?.string_value;
  const own = resource.find(({ key }) => key === 'app.host.ip')?.value?.string_value;
  const peer = find('network.peer.address') ?? find('net.peer.ip');
  const system =
    find('http.scheme', 'db.system', 'rpc.system', 'messaging.system', 'messaging.protocol') ??
    (attributes.some(({ key }) => key?.startsWith('http') === true) ? 'HTTP' : '');
  const version = find('http.flavor') ?? '';
  const kept = [...attributes.filter(({ key }) => !measures.includes(key ?? '')), ...resource];
  const measured = attributes.filter(({ key }) => measures.includes(key ?? ''));
  const measure = (name: string) => measured.findLast(({ key }) => key === name)?.value?.int_value ?? null;
  return {
    ...emptyRow(),
    ...(own === undefined ? {} : { [isClient ? 'ip4_0' : 'ip4_1']: own }),
    ...(peer === undefined ? {} : { [isClient ? 'ip4_1' : 'ip4_0']: peer }),
    ...outcome(span, attributes),
    agent_id: agent,
    team_id: team,
    is_ipv4: 1,
    protocol: 6,
    capture_network_type_id: 3,
    capture_nic_type: 8,
    signal_source: 4,
    type: 2,
    observation_point: isClient ? 'c-app' : isServer ? 's-app' : 'app',
    time: Number(BigInt(span.end_time_unix_nano ?? 0) / 1_000_000_000n),
    start_time: String(begun),
    end_time: String(ended),
    response_duration: String(ended - begun),
    trace_id: hex(span.trace_id),
    span_id: hex(span.span_id),
    parent_span_id: hex(span.parent_span_id),
    endpoint: span.name ?? '',
    span_kind: ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'].indexOf(kind),
    app_service: resource.findLast(({ key }) => key === 'service.name')?.value?.string_value ?? '',
    app_instance: resource.findLast(({ key }) => key === 'service.instance.id')?.value?.string_value ?? '',
    biz_protocol: system,
    version,
    // HTTP of version 2 is a protocol of its own.
    l7_protocol: system.toLowerCase() === 'http' && version.startsWith('2') ? 21 : (numbers[system.toLowerCase()] ?? 0),
    request_domain: find('http.host', 'db.connection_string') ?? '',
    request_type: find('http.method', 'db.operation', 'rpc.method') ?? '',
    request_resource: find('http.target', 'db.statement', 'messaging.url', 'rpc.service') ?? '',
    request_length: measure('http.request_content_length'),
    response_length: measure('http.response_content_length'),
    metrics_names: measured.map(({ key }) => key ?? ''),
    metrics_values: measured.map(({ value }) => Number(value?.int_value ?? 0)),
    attribute_names: kept.map(({ key }) => key ?? ''),
    attribute_values: kept.map(({ value }) => text(value ?? {})),
    events: span.events === undefined ? 'null' : `[${span.events.map(eventText).join(',')}]`,
  };
}

const measures = ['http.request_content_length', 'http.response_content_length', 'web.vitals.LCP.value'];
const numbers: Readonly<Record<string, number>> = { http: 20, mysql: 60, grpc: 41, kafka: 100 };

function outcome(span: OtlpSpan, attributes: readonly OtlpAttribute[]): Row {
  const status = attributes.findLast(({ key }) => key === 'http.status_code')?.value?.int_value;
  const code = Number(status ?? 0);
  if (code >= 400) throw new Error('the texts of failed requests are tested elsewhere');
  if (code !== 0) return { response_code: code, response_status: 0 };
  if (span.status?.code === 'STATUS_CODE_OK') return { response_code: 1, response_status: 0 };
  if (span.status?.code !== 'STATUS_CODE_ERROR')
    return { response_code: status === undefined ? null : 0, response_status: 5 };
  return { response_code: 2, response_status: 3, response_exception: span.status.message ?? '' };
}

function emptyRow(): Record<string, RowValue> {
  return Object.fromEntries(
    l7FlowLog.columns.map(({ name, type }) => {
      if (type.startsWith('Nullable')) return [name, null];
      if (type.startsWith('Array')) return [name, []];
      if (type === 'IPv4') return [name, '0.0.0.0'];
      if (type === 'IPv6') return [name, '::'];
      if (type.includes('String')) return [name, ''];
      return [name, type.includes('64') ? '0' : 0];
    }),
  );
}

function hex(base64: string | undefined): string {
  return Buffer.from(base64 ?? '', 'base64').toString('hex');
}

/** As DeepFlow stores values of attributes. */
function text(value: OtlpValue): string {
  if (value.string_value !== undefined) return value.string_value === '' ? '""' : value.string_value;
  return protobufText(value).replace(/^\w+:/, '');
}

function protobufText(value: OtlpValue): string {
  if (value.string_value !== undefined) return `string_value:${JSON.stringify(value.string_value)}`;
  if (value.bool_value !== undefined) return `bool_value:${value.bool_value}`;
  if (value.int_value !== undefined) return `int_value:${value.int_value}`;
  if (value.double_value !== undefined) return `double_value:${value.double_value}`;
  if (value.array_value === undefined) return '';
  return `array_value:{${(value.array_value.values ?? []).map((one) => `values:{${protobufText(one)}}`).join(' ')}}`;
}

/** As DeepFlow stores events. */
function eventText({ time_unix_nano: time, name, attributes }: OtlpEvent): string {
  const list = (attributes ?? []).map(
    ({ key, value }) =>
      `{"key":${JSON.stringify(key)},"value":{"Value":{"StringValue":${JSON.stringify(value?.string_value)}}}}`,
  );
  return `{"time_unix_nano":${time},"name":${JSON.stringify(name)},"attributes":[${list.join(',')}]}`;
}
