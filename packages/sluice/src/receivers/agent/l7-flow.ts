import { constantText, type ConstantText } from '../../batch/constant-text.ts';
import { FROM_NONE, type RowBlock } from '../../batch/row-block.ts';
import { l7FlowLog } from '../../catalog/l7-flow-log.ts';
import { outsideWindow } from '../accept-window.ts';
import { L7Protocol, protocolName } from '../l7-protocols.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import { exceptionText } from '../response-exceptions.ts';
import type { RowIds } from '../row-ids.ts';
import type { RowTarget } from '../row-target.ts';
import { secondsOf, writeThousandth } from '../time-halves.ts';
import { WireWalker } from '../wire-walker.ts';
import { L7FlowColumns } from './l7-flow-columns.ts';
import { l7FlowPlans, list, number, span } from './l7-flow-plans.ts';
import { observationPoint } from '../observation-points.ts';
import { captureNicTypeOf, natSourceOf, tunnelTypeOf } from './tap-port.ts';

export interface L7FlowDecoderOptions {
  readonly target: RowTarget;
  readonly rowIds: RowIds;
}

/** Kinds of records (`type`). */
const REQUEST = 0;
const RESPONSE = 1;

/** Values of `response_status`. */
const TIMEOUT = 2;
const SERVER_ERROR = 3;
const CLIENT_ERROR = 4;
const UNKNOWN = 5;

/** A response without a code says so by this one. */
const NO_CODE = -32_768;

/** Bits of a record's flags. */
const TLS = 1;
const ASYNC = 2;
const REVERSED = 4;

const userAgentName = constantText('http_user_agent');
const refererName = constantText('http_referer');
const rpcServiceName = constantText('rpc_service');

/** Requests of Kafka whose response is understood; others with code 0 have not been answered as far as anybody knows. */
const answeredKafkaRequests: readonly Uint8Array[] = ['Fetch', 'Produce', 'JoinGroup', 'LeaveGroup', 'SyncGroup'].map(
  (name) => new TextEncoder().encode(name),
);
const five = new TextEncoder().encode('5');

/**
 * PROTOCOLLOG: one record, a request with its response or either alone, becomes one row of flow_log.l7_flow_log.
 *
 * Dropped are records that are `malformed`, `incomplete` (without `base` or `base.head`), or that ended outside of the block's accept window (`too_old`,
 * `too_new`).
 */
export class L7FlowDecoder implements RecordDecoder {
  readonly #target: RowTarget;
  readonly #rowIds: RowIds;
  readonly #walker = new WireWalker(l7FlowPlans);
  readonly #record = this.#walker.message('record');
  readonly #head = this.#walker.message('head');
  readonly #request = this.#walker.message('request');
  readonly #response = this.#walker.message('response');
  readonly #ids = new Uint32Array(2);
  /** End of the record, epoch seconds. */
  #seconds = 0;
  #block: RowBlock | undefined;
  #generation = -1;
  #columns!: L7FlowColumns;

  constructor({ target, rowIds }: L7FlowDecoderOptions) {
    this.#target = target;
    this.#rowIds = rowIds;
  }

  decode(bytes: Uint8Array, start: number, end: number, sender: Sender): Dropped | undefined {
    const block = this.#target.block(l7FlowLog, sender.org);
    if (block !== this.#block || block.generation !== this.#generation) this.#bind(block);
    const walker = this.#walker;
    walker.begin(block, bytes);
    const dropped = walker.walk(this.#record, start, end) ? this.#judge(block) : 'malformed';
    if (dropped !== undefined) {
      block.abandon();
      return dropped;
    }
    const seconds = this.#seconds;
    this.#writeBase(block, seconds, sender);
    this.#writeContent(block, bytes);
    this.#writeTrace(block, bytes);
    this.#writeAttributes(block, bytes);
    block.commit(seconds * 1000);
    return undefined;
  }

  #judge(block: RowBlock): Dropped | undefined {
    const { low, high, entered } = this.#walker;
    if (entered[this.#head] === 0) return 'incomplete';
    const seconds = secondsOf(low[number.endTime]!, high[number.endTime]!);
    this.#seconds = seconds;
    return outsideWindow(block, seconds);
  }

  #writeBase(block: RowBlock, seconds: number, { team }: Sender): void {
    const columns = this.#columns;
    const { low, high } = this.#walker;
    const row = block.rows;
    const ids = this.#ids;
    this.#rowIds.next(l7FlowLog, seconds, ids);
    columns.id.u32[row * 2] = ids[0]!;
    columns.id.u32[row * 2 + 1] = ids[1]!;
    columns.team.u16[row] = team;
    columns.time.u32[row] = seconds;
    writeThousandth(columns.startTime.u32, row, low[number.startTime]!, high[number.startTime]!);
    writeThousandth(columns.endTime.u32, row, low[number.endTime]!, high[number.endTime]!);
    writeThousandth(columns.duration.u32, row, low[number.duration]!, high[number.duration]!);
    if (low[number.isIpv6] === 1) {
      columns.ip4Client.u32[row] = 0;
      columns.ip4Server.u32[row] = 0;
      this.#writeIp6(block, columns.ip6Client, span.ip6Client);
      this.#writeIp6(block, columns.ip6Server, span.ip6Server);
    } else columns.isIpv4.u8[row] = 1;
    const port = high[number.tapPort]!;
    const nicType = captureNicTypeOf(port);
    columns.captureNic.u32[row] = low[number.tapPort]!;
    columns.captureNicType.u8[row] = nicType;
    columns.natSource.u8[row] = natSourceOf(port);
    columns.tunnelType.u8[row] = tunnelTypeOf(port);
    columns.signalSource.u16[row] = nicType === 7 ? 3 : nicType === 8 ? 4 : 0;
    const point = low[number.observationPoint]! & 0xff;
    columns.observationPointNumber.u8[row] = point;
    block.setConstant(columns.observationPoint, observationPoint(point));
  }

  #writeIp6(block: RowBlock, column: number, register: number): void {
    const { start, end } = this.#walker;
    const size = end[register]! - start[register]!;
    if (size === 16) block.setBytes(column, block.wire, start[register]!);
  }

  #writeContent(block: RowBlock, bytes: Uint8Array): void {
    const columns = this.#columns;
    const { low, entered } = this.#walker;
    const row = block.rows;
    const protocol = low[number.protocol]! & 0xff;
    const type = low[number.type]! & 0xff;
    const flags = low[number.flags]!;
    columns.protocol.u8[row] = protocol;
    columns.type.u8[row] = type;
    if ((flags & TLS) !== 0) columns.isTls.u8[row] = 1;
    if ((flags & ASYNC) !== 0) columns.isAsync.u8[row] = 1;
    if ((flags & REVERSED) !== 0) columns.isReversed.u8[row] = 1;
    if (isEmpty(block, columns.bizProtocolText)) {
      block.setConstant(columns.bizProtocol, protocolName(protocol, (flags & TLS) !== 0));
    }

    const hasRequest = entered[this.#request] === 1;
    const hasResponse = entered[this.#response] === 1;
    let code = 0;
    let status = hasResponse ? low[number.status]! : UNKNOWN;
    if (hasResponse && type !== REQUEST) {
      code = low[number.code]! | 0;
      if (code !== NO_CODE) block.setNumber(columns.code, code);
      setLength(block, columns.responseLength, low[number.responseLength]! | 0);
      if (
        (status === SERVER_ERROR || status === CLIENT_ERROR) &&
        code !== NO_CODE &&
        isEmpty(block, columns.exceptionText)
      ) {
        const text = exceptionText(protocol, code, textEquals(block, columns.versionText, bytes, five));
        if (text !== undefined) block.setConstant(columns.exception, text);
      }
    } else {
      // A request alone has no outcome, whatever the message says.
      block.spanFrom[columns.exceptionText] = FROM_NONE;
      block.spanFrom[columns.resultText] = FROM_NONE;
    }
    if (hasRequest && type !== RESPONSE) setLength(block, columns.requestLength, low[number.requestLength]! | 0);
    if (protocol === L7Protocol.KAFKA && hasRequest && code === 0 && !this.#isAnswered(block, bytes)) {
      status = TIMEOUT;
      block.nulls[columns.code]![row] = 1;
    }
    columns.status.u8[row] = status;

    const requestId = low[number.requestId]!;
    if (requestId !== 0 || protocol === L7Protocol.SOFARPC || (protocol === L7Protocol.KAFKA && hasRequest)) {
      block.setHalves(columns.requestId, requestId, 0);
    }
    const affected = low[number.affectedRows]!;
    if (affected !== 0) block.setHalves(columns.affectedRows, affected, 0);
  }

  #isAnswered(block: RowBlock, bytes: Uint8Array): boolean {
    const text = this.#columns.requestTypeText;
    return answeredKafkaRequests.some((name) => textEquals(block, text, bytes, name));
  }

  #writeTrace(block: RowBlock, bytes: Uint8Array): void {
    const columns = this.#columns;
    const { lists, start, end } = this.#walker;
    const ids = lists[list.traceIds]!;
    if (ids.count > 0 && ids.start(0) !== ids.end(0)) {
      block.setTextBytes(columns.traceId, bytes, ids.start(0), ids.end(0));
    } else if (start[span.traceId] !== end[span.traceId]) {
      block.setTextBytes(columns.traceId, bytes, start[span.traceId]!, end[span.traceId]!);
    }
    if (ids.count > 1) block.setTextBytes(columns.traceId2, bytes, ids.start(1), ids.end(1));
  }

  #writeAttributes(block: RowBlock, bytes: Uint8Array): void {
    const columns = this.#columns;
    const { lists } = this.#walker;
    this.#pushAttribute(block, userAgentName, span.userAgent);
    this.#pushAttribute(block, refererName, span.referer);
    this.#pushAttribute(block, rpcServiceName, span.rpcService);
    const names = lists[list.attributeNames]!;
    const values = lists[list.attributeValues]!;
    // Of broken pairs the whole ones are kept.
    const count = Math.min(names.count, values.count);
    for (let i = 0; i < count; i++) {
      block.pushTextBytes(columns.attributeNames, bytes, names.start(i), names.end(i));
      block.pushTextBytes(columns.attributeValues, bytes, values.start(i), values.end(i));
    }
    const metricsNames = block.pending(columns.metricsNames);
    const metricsValues = block.pending(columns.metricsValues);
    if (metricsNames > metricsValues) block.keep(columns.metricsNames, metricsValues);
    else if (metricsValues > metricsNames) block.keep(columns.metricsValues, metricsNames);
  }

  #pushAttribute(block: RowBlock, name: ConstantText, register: number): void {
    const { start, end } = this.#walker;
    if (start[register] === end[register]) return;
    block.pushConstant(this.#columns.attributeNames, name);
    block.pushTextBytes(this.#columns.attributeValues, block.wire, start[register]!, end[register]!);
  }

  #bind(block: RowBlock): void {
    this.#block = block;
    this.#generation = block.generation;
    this.#columns = new L7FlowColumns(block);
  }
}

/** -1 = there was none. */
function setLength(block: RowBlock, column: number, length: number): void {
  if (length !== -1) block.setNumber(column, length);
}

function isEmpty(block: RowBlock, text: number): boolean {
  return block.spanFrom[text] === FROM_NONE || block.spanStart[text] === block.spanEnd[text];
}

/** Whether a pending text of the wire is exactly `wanted`. */
function textEquals(block: RowBlock, text: number, bytes: Uint8Array, wanted: Uint8Array): boolean {
  if (block.spanFrom[text] === FROM_NONE) return false;
  const start = block.spanStart[text]!;
  if (block.spanEnd[text]! - start !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}
