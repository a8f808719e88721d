import { l7ProtocolName, l7ProtocolNames } from '../../catalog/l7-protocols.ts';
import { namesOfNumbers } from '../../catalog/enums.ts';
import {
  attributeKey,
  encodedBool,
  encodedText,
  RESOURCE_ATTRIBUTE,
  SPAN_ATTRIBUTE,
  type AttributeKey,
} from './attribute-bytes.ts';
import { NameSet } from './name-set.ts';

/** Names of attributes of spans that are not a row's own. */
export const spanNames: NameSet = new NameSet();

/** Name of an attribute of a resource. */
export function resourceKey(name: string): AttributeKey {
  return attributeKey(RESOURCE_ATTRIBUTE, name);
}

/** Name of an attribute of a span; those that come with rows may go by the same. */
export function spanKey(name: string): AttributeKey {
  spanNames.add(name);
  return attributeKey(SPAN_ATTRIBUTE, name);
}

/** Attributes by small number, encoded, of numbers that have names. */
export function encodedChoices(
  key: AttributeKey,
  names: ReadonlyMap<number, string> | readonly (string | undefined)[],
): readonly (Uint8Array | undefined)[] {
  const attributes: (Uint8Array | undefined)[] = [];
  for (const [number, name] of names.entries()) {
    if (name !== undefined) attributes[number] = encodedText(key, name);
  }
  return Array.from(attributes);
}

/** No and yes. */
export function encodedFlags(key: AttributeKey): readonly [no: Uint8Array, yes: Uint8Array] {
  return [encodedBool(key, false), encodedBool(key, true)];
}

/** Names of an enum's numbers. */
export function enumNames(list: string): ReadonlyMap<number, string> {
  return namesOfNumbers(list) ?? new Map<number, string>();
}

/** By number of the protocol, plain and within TLS. */
export function encodedProtocols(
  key: AttributeKey,
): readonly [plain: readonly Uint8Array[], tls: readonly Uint8Array[]] {
  const names = (isTls: boolean) =>
    Array.from({ length: 256 }, (_, protocol) => encodedText(key, l7ProtocolName(protocol, isTls)));
  return [names(false), names(true)];
}

/** What a span of a protocol is called when nothing better is known. */
export const protocolNames: readonly Uint8Array[] = Array.from({ length: 256 }, (_, protocol) =>
  new TextEncoder().encode(l7ProtocolNames.get(protocol) ?? 'request'),
);

/** Names of IP protocols, as packet libraries spell them. */
export const ipProtocolNames: ReadonlyMap<number, string> = new Map([
  [0, 'IPv6HopByHop'],
  [1, 'ICMPv4'],
  [2, 'IGMP'],
  [4, 'IPv4'],
  [6, 'TCP'],
  [17, 'UDP'],
  [27, 'RUDP'],
  [41, 'IPv6'],
  [43, 'IPv6Routing'],
  [44, 'IPv6Fragment'],
  [47, 'GRE'],
  [50, 'ESP'],
  [51, 'AH'],
  [58, 'ICMPv6'],
  [59, 'NoNextHeader'],
  [60, 'IPv6Destination'],
  [89, 'OSPF'],
  [94, 'IPIP'],
  [97, 'EtherIP'],
  [112, 'VRRP'],
  [132, 'SCTP'],
  [136, 'UDPLite'],
]);
