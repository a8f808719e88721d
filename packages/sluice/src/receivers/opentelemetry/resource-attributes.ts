import { FieldScan } from '../field-scan.ts';
import { parseIpAddress } from '../ip-address.ts';
import { AttributeScan, ValueKind, valueText } from './any-value.ts';
import { ResourceAttribute, resourceNames } from './attribute-names.ts';

/** An attribute, ready to be repeated in every span of the resource. */
export interface ReadyAttribute {
  readonly keyStart: number;
  readonly keyEnd: number;
  /** A text that stands in the message; else `text` is set. */
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly text: string | undefined;
}

/** Attributes of the resource that the spans being read belong to. */
export class ResourceAttributes {
  all: readonly ReadyAttribute[] = [];
  service: ReadyAttribute | undefined;
  instance: ReadyAttribute | undefined;
  /** Address of the host that the spans are of, in network order. */
  hostAddress: Uint8Array | undefined;
  /** Address of the sender in the place of a missing `app.host.ip`; '' when there is none to be added. */
  addedHost = '';
  /** Trace id of SkyWalking; '' = none. */
  skywalkingTrace = '';
  /** About what the attributes take in a row. */
  bytes = 0;
  readonly #scan = new FieldScan();
  readonly #attribute = new AttributeScan();

  /** Reads the Resource in [start, end); false when it is malformed. `peer`: the sender, if its address is to stand for that of the host. */
  read(bytes: Uint8Array, start: number, end: number, peer: string | undefined): boolean {
    const attributes: ReadyAttribute[] = [];
    this.all = attributes;
    this.service = undefined;
    this.instance = undefined;
    this.hostAddress = undefined;
    this.addedHost = '';
    this.skywalkingTrace = '';
    this.bytes = 0;
    let hasHost = false;
    const scan = this.#scan;
    scan.begin(bytes, start, end);
    while (scan.next()) {
      if (scan.field !== 1) continue;
      const attribute = this.#attribute;
      if (scan.wireType !== 2 || !attribute.readAttribute(bytes, scan.start, scan.end)) return false;
      if (!attribute.hasValue) continue;
      const ready = readyOf(attribute);
      if (ready === undefined) return false;
      attributes.push(ready);
      this.bytes += ready.keyEnd - ready.keyStart + (ready.text?.length ?? ready.valueEnd - ready.valueStart);
      if (this.#note(bytes, attribute, ready)) hasHost = true;
    }
    if (!hasHost && peer !== undefined) {
      this.addedHost = peer;
      this.hostAddress = parseIpAddress(peer);
    }
    return !scan.isMalformed;
  }

  /** Whether it is the host's address. */
  #note(bytes: Uint8Array, attribute: AttributeScan, ready: ReadyAttribute): boolean {
    switch (resourceNames.find(bytes, attribute.keyStart, attribute.keyEnd)) {
      case ResourceAttribute.SERVICE:
        this.service = attribute.isEmptyString ? undefined : ready;
        return false;
      case ResourceAttribute.INSTANCE:
        this.instance = attribute.isEmptyString ? undefined : ready;
        return false;
      case ResourceAttribute.SW8_TRACE:
        this.skywalkingTrace = valueText(attribute) ?? '';
        return false;
      case ResourceAttribute.HOST_IP:
        this.hostAddress = parseIpAddress(attribute.string) ?? this.hostAddress;
        return true;
      default:
        return false;
    }
  }
}

/** Undefined when the value is malformed. */
function readyOf(attribute: AttributeScan): ReadyAttribute | undefined {
  const { keyStart, keyEnd, start: valueStart, end: valueEnd } = attribute;
  if (attribute.kind === ValueKind.STRING && !attribute.isEmptyString) {
    return { keyStart, keyEnd, valueStart, valueEnd, text: undefined };
  }
  const text = valueText(attribute);
  return text === undefined ? undefined : { keyStart, keyEnd, valueStart: 0, valueEnd: 0, text };
}
