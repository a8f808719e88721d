import { constantText } from '../../batch/constant-text.ts';
import type { RowBlock } from '../../batch/row-block.ts';
import { l7FlowLog } from '../../catalog/l7-flow-log.ts';
import { observationPoints } from '../../catalog/observation-points.ts';
import { outsideWindow } from '../accept-window.ts';
import { protocolOf } from '../l7-protocols.ts';
import { observationPoint } from '../observation-points.ts';
import { httpException } from '../response-exceptions.ts';
import type { RowIds } from '../row-ids.ts';
import { secondsOf, thousandthOf } from '../time-halves.ts';
import { type ReadyAttribute, ResourceAttributes } from './resource-attributes.ts';
import { skywalkingParent } from './skywalking-links.ts';
import { SpanAttributes } from './span-attributes.ts';
import { spanColumns as column } from './span-columns.ts';
import { eventsJson } from './span-events.ts';
import { type Bounds, SpanFields } from './span-fields.ts';
import { hexOf, isEmpty, setHex, setTextOrHex, targetOf } from './span-values.ts';

/** Who sent spans: agent 0 when it was a client of the hub's own. */
export interface SpanSender {
  readonly agent: number;
  readonly team: number;
}

export type SpanOutcome = 'taken' | 'malformed' | 'too_old' | 'too_new';

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

const hostIpName = constantText('app.host.ip');
const httpName = constantText('HTTP');

/** Spans written as rows of flow_log.l7_flow_log, one each. */
export class SpanRows {
  readonly resource = new ResourceAttributes();
  /** Spans whose begin was no time that a span can begin at; counts up. */
  wrongStarts = 0;
  readonly #rowIds: RowIds;
  readonly #ids = new Uint32Array(2);
  readonly #fields = new SpanFields();
  readonly #attributes = new SpanAttributes();

  constructor(rowIds: RowIds) {
    this.#rowIds = rowIds;
  }

  /** Writes the span in [start, end), which is of the resource read last. What is not taken leaves nothing behind. */
  write(block: RowBlock, bytes: Uint8Array, { start, end }: Bounds, sender: SpanSender): SpanOutcome {
    const fields = this.#fields;
    if (!fields.read(bytes, start, end)) return 'malformed';
    const seconds = secondsOf(fields.endLow, fields.endHigh);
    const outside = outsideWindow(block, seconds);
    if (outside !== undefined) return outside;
    block.wire = bytes;
    if (!this.#attributes.write(block, bytes, fields.attributes) || !this.#writeEvents(block, bytes)) {
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
    const ended = thousandthOf(endLow, endHigh);
    let begun = thousandthOf(startLow, startHigh);
    // Clocks are set back, and senders leave it out: such a span is taken by its end, without a duration that would spoil every sum.
    if (begun === 0 || begun > ended || begun < block.acceptFrom * 1000) {
      begun = ended;
      this.wrongStarts++;
    }
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
    const point = pointOf(kind);
    block.setConstant(column.observation_point, observationPoint(point));
    block.setNumber(column.observation_point_number, point);
  }

  /** Span and parent ids of SkyWalking are numbers within a segment, and together with it as good as any. */
  #writeIds(block: RowBlock, bytes: Uint8Array): void {
    const { traceId, spanId, parentSpanId, links } = this.#fields;
    const { skywalkingSegment: segment, skywalkingSpan, skywalkingParent: parentInSegment } = this.#attributes;
    const trace = this.resource.skywalkingTrace || this.#attributes.skywalkingTrace;
    if (trace === '') setHex(block, column.trace_id, bytes, traceId);
    else block.setText(column.trace_id, trace);
    if (segment === '') {
      setTextOrHex(block, column.span_id, skywalkingSpan, bytes, spanId);
      setTextOrHex(block, column.parent_span_id, parentInSegment, bytes, parentSpanId);
      return;
    }
    const span = skywalkingSpan ?? hexOf(bytes, spanId);
    const parent = parentInSegment ?? hexOf(bytes, parentSpanId);
    block.setText(column.span_id, `${segment}-${span}`);
    block.setText(column.parent_span_id, parent === '' ? skywalkingParent(bytes, links) : `${segment}-${parent}`);
  }

  #writeAddresses(block: RowBlock): void {
    const isClient = pointOf(this.#fields.kind) === observationPoints['c-app'];
    const own = this.resource.hostAddress;
    const peer = this.#attributes.peerAddress;
    const hasIpv6 = own?.length === 16 || peer?.length === 16;
    block.setNumber(column.is_ipv4, hasIpv6 ? 0 : 1);
    setAddress(block, isClient ? 0 : 1, own);
    setAddress(block, isClient ? 1 : 0, peer);
  }

  #writeProtocol(block: RowBlock): void {
    const { hasHttpName, version, url } = this.#attributes;
    let { system } = this.#attributes;
    if (system === '' && hasHttpName) {
      system = 'HTTP';
      block.setConstant(column.biz_protocol, httpName);
    }
    if (system.toLowerCase().includes('https')) block.setNumber(column.is_tls, 1);
    block.setNumber(column.l7_protocol, protocolOf(system, version));
    if (url !== '' && isEmpty(block, column.request_resource)) block.setText(column.request_resource, targetOf(url));
  }

  #writeOutcome(block: RowBlock, bytes: Uint8Array): void {
    const { statusCode, statusMessage } = this.#fields;
    const { httpCode: code } = this.#attributes;
    if (code !== undefined) block.setNumber(column.response_code, code);
    if (code !== undefined && code !== 0) {
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
    const { all, service, instance, addedHost } = this.resource;
    if (service !== undefined) setReady(block, column.app_service, service);
    if (instance !== undefined) setReady(block, column.app_instance, instance);
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
}

/** Number of the observation point of a kind of spans. */
function pointOf(kind: number): number {
  if (kind === CLIENT || kind === PRODUCER) return observationPoints['c-app'];
  if (kind === SERVER || kind === CONSUMER) return observationPoints['s-app'];
  return observationPoints.app;
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
