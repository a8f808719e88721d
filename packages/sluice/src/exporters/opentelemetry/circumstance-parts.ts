import { encodedText, putEncoded } from './attribute-bytes.ts';
import type { BlockPart } from './attribute-blocks.ts';
import {
  encodedChoices,
  encodedFlags,
  encodedProtocols,
  enumNames,
  ipProtocolNames,
  resourceKey,
} from './attribute-names.ts';
import { choicePart, constantPart, type Part } from './attribute-parts.ts';
import { nicPart } from './capture-nic.ts';
import type { Chosen } from './chosen.ts';
import type { LogColumns } from './log-columns.ts';
import { namedPart } from './named-part.ts';

/** Attributes of a Resource of which there are few different ones: they are written as blocks. */

const SIDES = ['_0', '_1'] as const;

const signalKey = resourceKey('df.capture_info.signal_source');
const signals = encodedChoices(signalKey, ['Packet', 'xFlow', undefined, 'eBPF', 'OTel']);
const unknownSignal = encodedText(signalKey, 'unknown');
const natSources = encodedChoices(resourceKey('df.capture_info.nat_source'), enumNames('nat_source'));
const nicTypes = encodedChoices(resourceKey('df.capture_info.capture_nic_type'), enumNames('capture_nic_type'));
const pointKey = resourceKey('df.capture_info.observation_point');
const agentKey = resourceKey('df.capture_info.agent');

const ipv4Flags = encodedFlags(resourceKey('df.network.is_ipv4'));
const internetFlags = SIDES.map((side) => encodedFlags(resourceKey(`df.network.is_internet${side}`)));
const ipProtocols = encodedChoices(resourceKey('df.network.protocol'), ipProtocolNames);

/** Type 0 is no tunnel at all. */
const tunnels = encodedChoices(
  resourceKey('df.tunnel.tunnel_type'),
  new Map([...enumNames('tunnel_type')].filter(([type]) => type !== 0)),
);

const protocols = encodedProtocols(resourceKey('df.application.l7_protocol'));
const sdkName = encodedText(resourceKey('telemetry.sdk.name'), 'deepflow');
/** The release of DeepFlow whose rows and attributes these are. */
const sdkVersion = encodedText(resourceKey('telemetry.sdk.version'), 'v7.1.7.3');

/** VPC of addresses in the Internet. */
const INTERNET = -2;

/** Where and how a row was captured. */
export function captureInfo(columns: LogColumns, { has }: Chosen): readonly BlockPart[] {
  const group = 'capture_info';
  const parts: BlockPart[] = [];
  if (has(group, 'signal_source')) {
    const values = lowBytes(columns.shorts('signal_source'));
    parts.push({ put: choicePart(signals, values, unknownSignal), by: { bytes: [values] } });
  }
  if (has(group, 'nat_source')) parts.push(choice(natSources, columns.bytes('nat_source')));
  if (has(group, 'capture_nic')) parts.push(nicPart(columns));
  if (has(group, 'capture_nic_type')) parts.push(choice(nicTypes, columns.bytes('capture_nic_type')));
  if (has(group, 'observation_point')) parts.push(namedPart(pointKey, columns.named('observation_point')));
  if (has(group, 'agent_id')) parts.push(namedPart(agentKey, columns.named('agent_id')));
  return parts;
}

/** Small numbers in wide columns; what is above 255 means nothing. */
function lowBytes(values: Uint16Array): Uint8Array {
  return Uint8Array.from(values, (value) => Math.min(value, 255));
}

function choice(attributes: readonly (Uint8Array | undefined)[], values: Uint8Array): BlockPart {
  return { put: choicePart(attributes, values), by: { bytes: [values] } };
}

/** Kinds of network, tunnel and address. */
export function network(columns: LogColumns, { has }: Chosen): readonly BlockPart[] {
  const group = 'network_layer';
  const parts: BlockPart[] = [];
  const isIpv4 = columns.bytes('is_ipv4');
  if (has(group, 'is_ipv4')) {
    const put: Part = (writer, row) => putEncoded(writer, ipv4Flags[isIpv4[row] === 0 ? 0 : 1]);
    parts.push({ put, by: { bytes: [isIpv4] } });
  }
  if (has(group)) {
    for (const [end, side] of SIDES.entries()) {
      const [no, yes] = internetFlags[end]!;
      const vpcs = columns.words(`l3_epc_id${side}`);
      const put: Part = (writer, row) => putEncoded(writer, (vpcs[row]! | 0) === INTERNET ? yes : no);
      parts.push({ put, by: { words: [vpcs] } });
    }
  }
  if (has(group, 'protocol')) parts.push(choice(ipProtocols, columns.bytes('protocol')));
  if (has('tunnel_info', 'tunnel_type')) parts.push(choice(tunnels, columns.bytes('tunnel_type')));
  return parts;
}

/** The protocol, and by whose rules the attributes are. */
export function application(columns: LogColumns, { has }: Chosen): readonly BlockPart[] {
  const group = 'application_layer';
  const parts: BlockPart[] = [];
  if (has(group, 'l7_protocol')) {
    const numbers = columns.bytes('l7_protocol');
    const tls = columns.bytes('is_tls');
    const put: Part = (writer, row) => putEncoded(writer, protocols[tls[row] === 0 ? 0 : 1][numbers[row]!]!);
    parts.push({ put, by: { bytes: [numbers, tls] } });
  }
  if (has(group)) parts.push({ put: constantPart(sdkName), by: {} }, { put: constantPart(sdkVersion), by: {} });
  return parts;
}
