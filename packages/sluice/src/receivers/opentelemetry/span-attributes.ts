import type { RowBlock } from '../../batch/row-block.ts';
import type { BoundsList } from '../bounds-list.ts';
import { parseIpAddress } from '../ip-address.ts';
import { AttributeScan, ValueKind, valueText } from './any-value.ts';
import { SpanAttribute, spanNames } from './attribute-names.ts';
import { spanColumns as column } from './span-columns.ts';
import { codeOf, measureOf, startsWithHttp } from './span-values.ts';

const TCP = 6;
const UDP = 17;

/** Attributes of a span written into its row; and what they say that no column takes as it is. */
export class SpanAttributes {
  /** What was called: the first part of `http`, `mysql`, `grpc`, ...; '' = not said. */
  system = '';
  version = '';
  /** Status of HTTP; undefined = not said. */
  httpCode: number | undefined;
  /** Whether the name of an attribute begins with `http`. */
  hasHttpName = false;
  url = '';
  /** The other end, in network order. */
  peerAddress: Uint8Array | undefined;
  /** Ids of a span that came from SkyWalking. */
  skywalkingTrace = '';
  skywalkingSegment = '';
  skywalkingSpan: string | undefined;
  skywalkingParent: string | undefined;
  /** `network.peer.address` wins over the older `net.peer.ip`. */
  #hasPeerAddress = false;
  readonly #attribute = new AttributeScan();

  /** Writes the attributes into the pending row; false when one is malformed. */
  write(block: RowBlock, bytes: Uint8Array, attributes: BoundsList): boolean {
    this.#clear();
    block.setNumber(column.protocol, TCP);
    const attribute = this.#attribute;
    for (let i = 0; i < attributes.count; i++) {
      if (!attribute.readAttribute(bytes, attributes.start(i), attributes.end(i))) return false;
      if (!attribute.hasValue) continue;
      const { keyStart, keyEnd } = attribute;
      if (startsWithHttp(bytes, keyStart, keyEnd)) this.hasHttpName = true;
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
        this.peerAddress = parseIpAddress(attribute.string) ?? this.peerAddress;
        this.#hasPeerAddress ||= this.peerAddress !== undefined;
        break;
      case SpanAttribute.PEER_IP:
        if (!this.#hasPeerAddress) this.peerAddress = parseIpAddress(attribute.string) ?? this.peerAddress;
        break;
      case SpanAttribute.SYSTEM:
        this.system = attribute.string;
        this.#setString(block, column.biz_protocol, bytes);
        break;
      case SpanAttribute.VERSION:
        this.version = attribute.string;
        this.#setString(block, column.version, bytes);
        break;
      case SpanAttribute.HTTP_STATUS:
        this.httpCode = codeOf(attribute);
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
        this.url = attribute.string;
        break;
      default:
        this.#noteSkywalking(number);
    }
  }

  #noteSkywalking(number: number): void {
    const text = valueText(this.#attribute) ?? '';
    if (number === SpanAttribute.SW8_TRACE) this.skywalkingTrace = text;
    else if (number === SpanAttribute.SW8_SEGMENT) this.skywalkingSegment = text;
    else if (number === SpanAttribute.SW8_SPAN) this.skywalkingSpan = text;
    else this.skywalkingParent = text;
  }

  /** Other values than strings count as an empty one. */
  #setString(block: RowBlock, target: number, bytes: Uint8Array): void {
    const { kind, start, end } = this.#attribute;
    if (kind === ValueKind.STRING) block.setTextBytes(target, bytes, start, end);
    else block.setTextBytes(target, bytes, 0, 0);
  }

  #clear(): void {
    this.system = '';
    this.version = '';
    this.httpCode = undefined;
    this.hasHttpName = false;
    this.url = '';
    this.peerAddress = undefined;
    this.skywalkingTrace = '';
    this.skywalkingSegment = '';
    this.skywalkingSpan = undefined;
    this.skywalkingParent = undefined;
    this.#hasPeerAddress = false;
  }
}

function isMeasure(number: number): boolean {
  return number >= SpanAttribute.REQUEST_LENGTH && number <= SpanAttribute.MEASURE;
}
