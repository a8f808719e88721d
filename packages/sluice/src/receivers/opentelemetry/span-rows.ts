import { constantText, type ConstantText, type RowBlock } from '../../batch/row-block.ts';
import { l7FlowLog } from '../../catalog/l7-flow-log.ts';
import { observationPoints } from '../../catalog/observation-points.ts';
import { columnIndexes } from '../column-indexes.ts';
import { parseIpAddress } from '../ip-address.ts';
import { protocolOf } from '../l7-protocols.ts';
import { httpException } from '../response-exceptions.ts';
import type { RowIds } from '../row-ids.ts';
import { secondsOf, thousandthOf } from '../time-halves.ts';
import { AttributeScan, ValueKind, valueText } from './any-value.ts';
import { SpanAttribute, spanNames } from './attribute-names.ts';
import { type ReadyAttribute, ResourceAttributes } from './resource-attributes.ts';
import { skywalkingParent } from './skywalking-links.ts';
import { eventsJson } from './span-events.ts';
import { type Bounds, SpanFields } from './span-fields.ts';
import { codeOf, hexOf, isEmpty, measureOf, pathOf, setHex, setTextOrHex, startsWithHttp } from './span-values.ts';

/** Who sent spans: agent 0 when it was a client of the hub's own. */
export interface SpanSender {
  readonly agent: number;
  readonly team: number;
}

export type SpanOutcome = 'taken' | 'malformed' | 'too_old' | 'too_new';

const column = columnIndexes(l7FlowLog, [
  '_id',
  'agent_id',
  'app_instance',
  'app_service',
  'attribute_names',
  'attribute_values',
  'biz_protocol',
  'capture_network_type_id',
  'capture_nic_type',
  'end_time',
  'endpoint',
  'events',
  'ip4_0',
  'ip4_1',
  'ip6_0',
  'ip6_1',
  'is_imported',
  'is_ipv4',
  'is_tls',
  'l7_protocol',
  'metrics_names',
  'metrics_values',
  'observation_point',
  'observation_point_number',
  'parent_span_id',
  'protocol',
  'request_domain',
  'request_length',
  'request_resource',
  'request_type',
  'response_code',
  'response_duration',
  'response_exception',
  'response_length',
  'response_status',
  'signal_source',
  'span_id',
  'span_kind',
  'sql_affected_rows',
  'start_time',
  'team_id',
  'time',
  'trace_id',
  'type',
  'version',
]);

const TCP = 6;
const UDP = 17;
/** Constants of imported rows: a session, captured by OpenTelemetry in the cloud's network. */
const SESSION = 2;
const CLOUD = 3;
const NIC_OTEL = 8;
const SIGNAL_OTEL = 4;

/** Kinds of spans. */
const SERVER = 2;
const CLIENT = 3;
const PRODUCER = 4;
const CONSUMER = 5;

/** Codes of a span's status, and values of `response_status`. */
const STATUS_UNSET = 0;
const STATUS_OK = 1;
const STATUS_ERROR = 2;
const OUTCOME_OK = 0;
const OUTCOME_SERVER_ERROR = 3;
const OUTCOME_CLIENT_ERROR = 4;
const OUTCOME_UNKNOWN = 5;

const LAST_SECOND = 0xffff_ffff;

const clientPoint = constantText('c-app');
const serverPoint = constantText('s-app');
const insidePoint = constantText('app');
const hostIpName = constantText('app.host.ip');
const httpName = constantText('HTTP');

/** Spans written as rows of flow_log.l7_flow_log, one each. */
export class SpanRows {
  readonly resource = new ResourceAttributes();
  readonly #rowIds: RowIds;
  readonly #ids = new Uint32Array(2);
  readonly #fields = new SpanFields();
  readonly #attribute = new AttributeScan();
  // What attributes of the span say that no column takes as it is.
  #system = '';
  #version = '';
  #httpCode = 0;
  #hasHttpCode = false;
  #hasHttpName = false;
  #url = '';
  #peerAddress: Uint8Array | undefined;
  #hasPeerAddress = false;
  #skywalkingTrace = '';
  #segment = '';
  #skywalkingSpan: string | undefined;
  #skywalkingParent: string | undefined;

  constructor(rowIds: RowIds) {
    this.#rowIds = rowIds;
  }

  /** Writes the span in [start, end), which is of the resource read last. What is not taken leaves nothing behind. */
  write(block: RowBlock, bytes: Uint8Array, { start, end }: Bounds, sender: SpanSender): SpanOutcome {
    const fields = this.#fields;
    if (!fields.read(bytes, start, end)) return 'malformed';
    const seconds = secondsOf(fields.endLow, fields.endHigh);
    if (seconds * 1000 < block.acceptFrom) return 'too_old';
    if (seconds * 1000 > block.acceptUntil || seconds > LAST_SECOND) return 'too_new';
    block.wire = bytes;
    this.#clear();
    if (!this.#writeAttributes(block, bytes) || !this.#writeEvents(block, bytes)) {
      block.abandon();
      return 'malformed';
    }
    this.#writeResource(block, bytes);
    this.#writeSpan(block, seconds, sender);
    this.#writeIds(block, bytes);
    this.#writeAddresses(block);
    this.#writeProtocol(block);
    this.#writeOutcome(block, bytes);
    block.commit(seconds * 1000);
    return 'taken';
  }

  #writeSpan(block: RowBlock, seconds: number, { agent, team }: SpanSender): void {
    const { kind, name, startLow, startHigh, endLow, endHigh } = this.#fields;
    this.#rowIds.next(l7FlowLog, seconds, this.#ids);
    block.setHalves(column['_id'], this.#ids[0]!, this.#ids[1]!);
    block.setNumber(column.time, seconds);
    const begun = thousandthOf(startLow, startHigh);
    const ended = thousandthOf(endLow, endHigh);
    block.setInteger(column.start_time, begun);
    block.setInteger(column.end_time, ended);
    if (ended > begun) block.setInteger(column.response_duration, ended - begun);
    block.setNumber(column.agent_id, agent);
    block.setNumber(column.team_id, team);
    block.setNumber(column.is_imported, 1);
    block.setNumber(column.type, SESSION);
    block.setNumber(column.capture_network_type_id, CLOUD);
    block.setNumber(column.capture_nic_type, NIC_OTEL);
    block.setNumber(column.signal_source, SIGNAL_OTEL);
    block.setNumber(column.span_kind, kind);
    block.setTextBytes(column.endpoint, block.wire, name.start, name.end);
    const [point, number] = pointOf(kind);
    block.setConstant(column.observation_point, point);
    block.setNumber(column.observation_point_number, number);
  }

  /** Span and parent ids of SkyWalking are numbers within a segment, and together with it as good as any. */
  #writeIds(block: RowBlock, bytes: Uint8Array): void {
    const { traceId, spanId, parentSpanId, links } = this.#fields;
    const trace = this.#skywalkingTrace;
    if (trace === '') setHex(block, column.trace_id, bytes, traceId);
    else block.setText(column.trace_id, trace);
    if (this.#segment === '') {
      setTextOrHex(block, column.span_id, this.#skywalkingSpan, bytes, spanId);
      setTextOrHex(block, column.parent_span_id, this.#skywalkingParent, bytes, parentSpanId);
      return;
    }
    const span = this.#skywalkingSpan ?? hexOf(bytes, spanId);
    const parent = this.#skywalkingParent ?? hexOf(bytes, parentSpanId);
    block.setText(column.span_id, `${this.#segment}-${span}`);
    block.setText(column.parent_span_id, parent === '' ? skywalkingParent(bytes, links) : `${this.#segment}-${parent}`);
  }

  #writeAddresses(block: RowBlock): void {
    const isClient = pointOf(this.#fields.kind)[0] === clientPoint;
    const own = this.resource.hostAddress;
    const peer = this.#peerAddress;
    const hasIpv6 = own?.length === 16 || peer?.length === 16;
    block.setNumber(column.is_ipv4, hasIpv6 ? 0 : 1);
    setAddress(block, isClient ? 0 : 1, own);
    setAddress(block, isClient ? 1 : 0, peer);
  }

  #writeProtocol(block: RowBlock): void {
    let system = this.#system;
    if (system === '' && this.#hasHttpName) {
      system = 'HTTP';
      block.setConstant(column.biz_protocol, httpName);
    }
    if (system.toLowerCase().includes('https')) block.setNumber(column.is_tls, 1);
    block.setNumber(column.l7_protocol, protocolOf(system, this.#version));
    if (this.#url !== '' && isEmpty(block, column.request_resource)) {
      block.setText(column.request_resource, pathOf(this.#url));
    }
  }

  #writeOutcome(block: RowBlock, bytes: Uint8Array): void {
    const { statusCode, statusMessage } = this.#fields;
    const code = this.#httpCode;
    if (this.#hasHttpCode) block.setNumber(column.response_code, code);
    if (code !== 0) {
      const isClientError = code >= 400 && code <= 499;
      const isServerError = code >= 500 && code <= 600;
      const outcome = isClientError ? OUTCOME_CLIENT_ERROR : isServerError ? OUTCOME_SERVER_ERROR : OUTCOME_OK;
      block.setNumber(column.response_status, outcome);
      const text = outcome === OUTCOME_OK ? undefined : httpException(code);
      if (text !== undefined) block.setConstant(column.response_exception, text);
      return;
    }
    if (statusCode !== STATUS_UNSET) block.setNumber(column.response_code, statusCode);
    if (statusCode === STATUS_ERROR) {
      block.setNumber(column.response_status, OUTCOME_SERVER_ERROR);
      block.setTextBytes(column.response_exception, bytes, statusMessage.start, statusMessage.end);
    } else block.setNumber(column.response_status, statusCode === STATUS_OK ? OUTCOME_OK : OUTCOME_UNKNOWN);
  }

  #writeEvents(block: RowBlock, bytes: Uint8Array): boolean {
    const text = eventsJson(bytes, this.#fields.events);
    if (text !== undefined) block.setText(column.events, text);
    return text !== undefined;
  }

  /** The resource's attributes follow those of the span. */
  #writeResource(block: RowBlock, bytes: Uint8Array): void {
    const { all, service, instance, addedHost, skywalkingTrace } = this.resource;
    if (service !== undefined) setReady(block, column.app_service, service);
    if (instance !== undefined) setReady(block, column.app_instance, instance);
    if (skywalkingTrace !== '') this.#skywalkingTrace = skywalkingTrace;
    for (const { keyStart, keyEnd, valueStart, valueEnd, text } of all) {
      block.pushTextBytes(column.attribute_names, bytes, keyStart, keyEnd);
      if (text === undefined) block.pushTextBytes(column.attribute_values, bytes, valueStart, valueEnd);
      else block.pushText(column.attribute_values, text);
    }
    if (addedHost !== '') {
      block.pushConstant(column.attribute_names, hostIpName);
      block.pushText(column.attribute_values, addedHost);
    }
  }

  #writeAttributes(block: RowBlock, bytes: Uint8Array): boolean {
    block.setNumber(column.protocol, TCP);
    const { count, bounds } = this.#fields.attributes;
    const attribute = this.#attribute;
    for (let i = 0; i < count; i++) {
      if (!attribute.readAttribute(bytes, bounds[i * 2]!, bounds[i * 2 + 1]!)) return false;
      if (!attribute.hasValue) continue;
      const { keyStart, keyEnd } = attribute;
      if (startsWithHttp(bytes, keyStart, keyEnd)) this.#hasHttpName = true;
      const number = spanNames.find(bytes, keyStart, keyEnd);
      if (isMeasure(number)) {
        this.#writeMeasure(block, bytes, number);
        continue;
      }
      if (number !== SpanAttribute.OTHER) this.#note(block, bytes, number);
      if (!this.#pushAttribute(block, bytes)) return false;
    }
    return true;
  }

  #pushAttribute(block: RowBlock, bytes: Uint8Array): boolean {
    const { keyStart, keyEnd, kind, start, end } = this.#attribute;
    block.pushTextBytes(column.attribute_names, bytes, keyStart, keyEnd);
    if (kind === ValueKind.STRING && start !== end) {
      block.pushTextBytes(column.attribute_values, bytes, start, end);
      return true;
    }
    const text = valueText(this.#attribute);
    if (text !== undefined) block.pushText(column.attribute_values, text);
    return text !== undefined;
  }

  #writeMeasure(block: RowBlock, bytes: Uint8Array, number: number): void {
    const { keyStart, keyEnd } = this.#attribute;
    const value = measureOf(this.#attribute);
    block.pushTextBytes(column.metrics_names, bytes, keyStart, keyEnd);
    block.pushNumber(column.metrics_values, value);
    const whole = Number.isSafeInteger(Math.trunc(value)) ? Math.trunc(value) : 0;
    if (number === SpanAttribute.REQUEST_LENGTH) block.setInteger(column.request_length, whole);
    else if (number === SpanAttribute.RESPONSE_LENGTH) block.setInteger(column.response_length, whole);
    else if (number === SpanAttribute.AFFECTED_ROWS) block.setInteger(column.sql_affected_rows, whole);
  }

  #note(block: RowBlock, bytes: Uint8Array, number: number): void {
    const attribute = this.#attribute;
    switch (number) {
      case SpanAttribute.TRANSPORT: {
        const transport = attribute.string;
        if (transport.includes('tcp')) block.setNumber(column.protocol, TCP);
        else if (transport.includes('udp')) block.setNumber(column.protocol, UDP);
        break;
      }
      case SpanAttribute.PEER_ADDRESS:
        this.#peerAddress = parseIpAddress(attribute.string) ?? this.#peerAddress;
        this.#hasPeerAddress ||= this.#peerAddress !== undefined;
        break;
      case SpanAttribute.PEER_IP:
        if (!this.#hasPeerAddress) this.#peerAddress = parseIpAddress(attribute.string) ?? this.#peerAddress;
        break;
      case SpanAttribute.SYSTEM:
        this.#system = attribute.string;
        this.#setString(block, column.biz_protocol, bytes);
        break;
      case SpanAttribute.VERSION:
        this.#version = attribute.string;
        this.#setString(block, column.version, bytes);
        break;
      case SpanAttribute.HTTP_STATUS:
        this.#httpCode = codeOf(attribute);
        this.#hasHttpCode = true;
        break;
      case SpanAttribute.DOMAIN:
        this.#setString(block, column.request_domain, bytes);
        break;
      case SpanAttribute.TYPE:
        this.#setString(block, column.request_type, bytes);
        break;
      case SpanAttribute.RESOURCE:
        this.#setString(block, column.request_resource, bytes);
        break;
      case SpanAttribute.URL:
        this.#url = attribute.string;
        break;
      default:
        this.#noteSkywalking(number);
    }
  }

  #noteSkywalking(number: number): void {
    const text = valueText(this.#attribute) ?? '';
    if (number === SpanAttribute.SW8_TRACE) this.#skywalkingTrace = text;
    else if (number === SpanAttribute.SW8_SEGMENT) this.#segment = text;
    else if (number === SpanAttribute.SW8_SPAN) this.#skywalkingSpan = text;
    else this.#skywalkingParent = text;
  }

  /** Other values than strings count as an empty one. */
  #setString(block: RowBlock, target: number, bytes: Uint8Array): void {
    const { kind, start, end } = this.#attribute;
    if (kind === ValueKind.STRING) block.setTextBytes(target, bytes, start, end);
    else block.setTextBytes(target, bytes, 0, 0);
  }

  #clear(): void {
    this.#system = '';
    this.#version = '';
    this.#httpCode = 0;
    this.#hasHttpCode = false;
    this.#hasHttpName = false;
    this.#url = '';
    this.#peerAddress = undefined;
    this.#hasPeerAddress = false;
    this.#skywalkingTrace = '';
    this.#segment = '';
    this.#skywalkingSpan = undefined;
    this.#skywalkingParent = undefined;
  }
}

function pointOf(kind: number): readonly [point: ConstantText, number: number] {
  if (kind === CLIENT || kind === PRODUCER) return [clientPoint, observationPoints['c-app']];
  if (kind === SERVER || kind === CONSUMER) return [serverPoint, observationPoints['s-app']];
  return [insidePoint, observationPoints.app];
}

function isMeasure(number: number): boolean {
  return number >= SpanAttribute.REQUEST_LENGTH && number <= SpanAttribute.MEASURE;
}

function setReady(block: RowBlock, target: number, { valueStart, valueEnd, text }: ReadyAttribute): void {
  if (text === undefined) block.setTextBytes(target, block.wire, valueStart, valueEnd);
  else block.setText(target, text);
}

function setAddress(block: RowBlock, side: 0 | 1, address: Uint8Array | undefined): void {
  if (address === undefined) return;
  if (address.length === 16) block.setBytes(side === 0 ? column.ip6_0 : column.ip6_1, address, 0);
  else {
    const [a = 0, b = 0, c = 0, d = 0] = address;
    block.setNumber(side === 0 ? column.ip4_0 : column.ip4_1, (a << 24) | (b << 16) | (c << 8) | d);
  }
}
